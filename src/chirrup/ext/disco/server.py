"""Service discovery at the server: answers for the host and for accounts, made of what the modules declare."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Final

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

Amend = Callable[[Addressee, Info], Info]
"""Is given what would be told of the host (`HOST`) or of accounts, and returns what is."""
TellInfo = Callable[[Request[Info]], Info | None]
"""Tells about a node, if it is one of its own; decides who may know, and raises StanzaError."""
TellItems = Callable[[Request[Items]], Iterable[Item] | Awaitable[Iterable[Item] | None] | None]
"""Lists what belongs to a node, if it is one of its own, or to the addressee as a whole where no node is named."""


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

    def __init__(self, host: Host, settings: DiscoSettings) -> None:
        super().__init__(host, settings)
        self._forms: list[Element] = []
        self._items = [Item(JID(jid), name or None) for jid, name in self.settings.services.items()]
        self._compiled: dict[bool, Info] = {}
        self._amend: list[Amend] = []
        self._tell_info: dict[bool, list[TellInfo]] = {False: [], True: []}  # of the host, and of accounts
        self._tell_items: dict[bool, list[TellItems]] = {False: [], True: []}

    async def start(self) -> None:
        """Components under the host's own domain are its services."""
        for domain in self.host.server.components:
            if domain.endswith(f".{self.host.name}") and domain not in self.settings.services:
                self._items.append(Item(JID(domain)))

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

    def add_nodes(
        self, addressee: Addressee, info: TellInfo | None = None, items: TellItems | None = None
    ) -> Callable[[], None]:
        """Let another module tell about nodes of the host (`HOST`) or of accounts, and what belongs to these; what is
        returned ends that.

        Of accounts they are asked for everybody, and whether there is such an account (`request.account`) or not."""
        account = addressee is not Addressee.HOST
        if info is not None:
            self._tell_info[account].append(info)
        if items is not None:
            self._tell_items[account].append(items)

        def undo() -> None:
            if info is not None:
                self._tell_info[account].remove(info)
            if items is not None:
                self._tell_items[account].remove(items)

        return undo

    def amend(self, change: Amend) -> Callable[[], None]:
        """Let another module change what is told of the host and of accounts; what is returned ends that. `changed` is
        to be called whenever it would say something else than before."""
        self._amend.append(change)
        self.changed()

        def undo() -> None:
            self._amend.remove(change)
            self.changed()

        return undo

    def changed(self) -> None:
        """Make up anew what is told, from the next question on."""
        self._compiled.clear()

    # -- what is told

    def info(self, addressee: Addressee) -> Info:
        """What the host (`HOST`) or any of its accounts is and can do, as the modules declare it."""
        account = addressee is not Addressee.HOST
        found = self._compiled.get(account)
        if found is None:
            found = self._account_info() if account else self._host_info()
            for change in self._amend:
                found = change(addressee, found)
            self._compiled[account] = found
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
        modules = self.host.modules.values()
        kind = "anonymous" if self.host.anonymous else "registered"
        others = {Identity(one.category, one.type, one.name or None) for m in modules for one in m.account_identities}
        features = (feature for module in modules for feature in module.account_features)
        return Info(None, (Identity("account", kind), *sorted(others, key=_by_text)), _sorted(features))

    # -- who is told

    @iq_get(Info)
    def host_info(self, request: Request[Info]) -> Info:
        """Anybody may ask."""
        return self._node_info(request) if request.payload.node else self.info(Addressee.HOST)

    @iq_get(Items)
    async def host_items(self, request: Request[Items]) -> Items:
        """Anybody may ask."""
        found = await self._listed(request, self._tell_items[False])
        if not request.payload.node:
            return Items(None, (*self._items, *(found or ())))
        return Items(request.payload.node, _there(found))

    @iq_get(Info, to=_ACCOUNTS, even_missing=True)
    def account_info(self, request: Request[Info]) -> Info:
        """Only those who may see the account's presence: others mustn't learn that it exists (XEP-0030 §8)."""
        account = request.account
        trusted = account is not None and may_see(account, request.sender)
        if request.payload.node:
            return self._node_info(request, trusted=trusted)
        if not trusted:
            raise StanzaError("service-unavailable")
        return self.info(Addressee.ACCOUNT)

    @iq_get(Items, to=_ACCOUNTS, even_missing=True)
    async def account_items(self, request: Request[Items]) -> Items:
        """The available resources, for those who may see them, and what other modules let them see; to others every
        account has nothing (XEP-0030 §8)."""
        account, node = request.account, request.payload.node
        found = await self._listed(request, self._tell_items[True])
        if account is None or not may_see(account, request.sender):
            return Items(node, tuple(found or ()))
        if node:
            return Items(node, _there(found))
        return Items(None, (*(Item(session.jid) for session in account.available), *(found or ())))

    def _node_info(self, request: Request[Info], *, trusted: bool = True) -> Info:
        for tell in self._tell_info[bool(request.to.local)]:
            if (info := tell(request)) is not None:
                return info
        raise StanzaError("item-not-found", "there is no such node") if trusted else StanzaError("service-unavailable")

    async def _listed(self, request: Request[Items], tellers: list[TellItems]) -> Iterable[Item] | None:
        """What the first module lists that knows the node; without a node, what all of them do."""
        everything: list[Item] | None = None
        for tell in tellers:
            told = tell(request)
            items = await told if inspect.isawaitable(told) else told
            if items is None:
                continue
            if request.payload.node:
                return items
            everything = [*(everything or ()), *items]
        return everything


def _there(items: Iterable[Item] | None) -> tuple[Item, ...]:
    if items is None:
        raise StanzaError("item-not-found", "there is no such node")
    return tuple(items)


def _sorted(features: Iterable[str]) -> tuple[Feature, ...]:
    return tuple(Feature(var) for var in sorted(set(features)))


def _by_text(identity: Identity) -> tuple[str, str, str]:
    return identity.category, identity.type, identity.name or ""
