"""Service discovery at the server: answers for the host and for accounts, made of what the modules declare."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, Field

from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.core.payload import Payload
from chirrup.core.xml import Element
from chirrup.ext.disco import INFO, ITEMS
from chirrup.ext.disco.payloads import Feature, Identity, Info, Item, Items
from chirrup.ext.roster.roster import may_see
from chirrup.server.module import Addressee, Module, Request, Settings, Xep, iq_get

if TYPE_CHECKING:
    from chirrup.server.host import Host

_ACCOUNTS: Final = (Addressee.OWN, Addressee.ACCOUNT)


def _address(text: str) -> str:
    return JID(text).text


class DiscoSettings(Settings):
    """What is shown to those who look around."""

    services: dict[Annotated[str, AfterValidator(_address)], str] = Field(default={})
    """Services to list as the host's own, such as rooms: the address of each, and a name for people to read."""


class Disco(Module):
    """Tells what the host and its accounts are, can do and have."""

    xeps = (Xep(30, "2.5.0"), Xep(128, "1.0.1"))
    features = (INFO, ITEMS)
    account_features = (INFO, ITEMS)
    Settings = DiscoSettings
    settings: DiscoSettings

    def __init__(self, host: Host, settings: Any) -> None:
        super().__init__(host, settings)
        self._forms: list[Element] = []
        self._items = [Item(JID(jid), name or None) for jid, name in self.settings.services.items()]
        self._compiled: dict[bool, Info] = {}

    # -- what other modules add

    def add_form(self, form: Payload | Element) -> Callable[[], None]:
        """Add a data form to the host's information (XEP-0128); what is returned takes it away again."""
        element = form.to_element() if isinstance(form, Payload) else form
        self._forms.append(element)
        self._compiled.clear()

        def undo() -> None:
            self._forms[:] = [other for other in self._forms if other is not element]
            self._compiled.clear()

        return undo

    def add_item(self, item: Item) -> Callable[[], None]:
        """List something as the host's own; what is returned takes it away again."""
        self._items.append(item)
        return lambda: self._items.remove(item)

    # -- what is told

    def info(self, addressee: Addressee) -> Info:
        """What the host (`HOST`) or any of its accounts is and can do, as the modules declare it."""
        account = addressee is not Addressee.HOST
        found = self._compiled.get(account)
        if found is None:
            found = self._compiled[account] = self._account_info() if account else self._host_info()
        return found

    def _host_info(self) -> Info:
        modules = self.host.modules.values()
        identities = {
            Identity(one.category, one.type, one.name or None) for module in modules for one in module.identities
        }
        identities.add(Identity("server", "im"))
        features = (feature for module in modules for feature in module.features)
        return Info(None, tuple(sorted(identities, key=_by_text)), _sorted(features), tuple(self._forms))

    def _account_info(self) -> Info:
        kind = "anonymous" if self.host.anonymous else "registered"
        features = (feature for module in self.host.modules.values() for feature in module.account_features)
        return Info(None, (Identity("account", kind),), _sorted(features))

    # -- who is told

    @iq_get(Info)
    def host_info(self, request: Request[Info]) -> Info:
        """Anybody may ask."""
        _no_node(request.payload.node)
        return self.info(Addressee.HOST)

    @iq_get(Items)
    def host_items(self, request: Request[Items]) -> Items:
        """Anybody may ask."""
        _no_node(request.payload.node)
        return Items(None, tuple(self._items))

    @iq_get(Info, to=_ACCOUNTS, even_missing=True)
    def account_info(self, request: Request[Info]) -> Info:
        """Only those who may see the account's presence: others mustn't learn that it exists (XEP-0030 §8)."""
        account = request.account
        if account is None or not may_see(account, request.sender):
            raise StanzaError("service-unavailable")
        _no_node(request.payload.node)
        return self.info(Addressee.ACCOUNT)

    @iq_get(Items, to=_ACCOUNTS, even_missing=True)
    def account_items(self, request: Request[Items]) -> Items:
        """The available resources, for those who may see them; to others every account has nothing (XEP-0030 §8)."""
        account = request.account
        if account is None or not may_see(account, request.sender):
            return Items(request.payload.node)
        _no_node(request.payload.node)
        return Items(None, tuple(Item(session.jid) for session in account.available))


def _no_node(node: str | None) -> None:
    if node:
        raise StanzaError("item-not-found", "there is no such node")


def _sorted(features: Iterable[str]) -> tuple[Feature, ...]:
    return tuple(Feature(var) for var in sorted(set(features)))


def _by_text(identity: Identity) -> tuple[str, str, str]:
    return identity.category, identity.type, identity.name or ""
