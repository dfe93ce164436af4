"""Service discovery of a client or component: what others are and can do, and what it is itself."""

from __future__ import annotations

from collections.abc import Callable

from chirrup.client.entity import Entity
from chirrup.client.feature import Feature, Request, iq_get
from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.core.payload import Payload
from chirrup.core.xml import Element
from chirrup.ext.disco import INFO, ITEMS
from chirrup.ext.disco.payloads import Feature as FeatureOf
from chirrup.ext.disco.payloads import Identity, Info, Item, Items

InfoTeller = Callable[[Request[Info]], Info | None]
ItemsTeller = Callable[[Request[Items]], Items | None]


class Disco(Feature):
    """Answers from what is switched on, and asks others."""

    xeps = ((30, "2.5.0", ""), (128, "1.0.1", ""))
    features = (INFO, ITEMS)

    def __init__(self, entity: Entity) -> None:
        super().__init__(entity)
        self._forms: list[Element] = []
        self._items: list[Item] = []
        self._info_tellers: list[InfoTeller] = []
        self._items_tellers: list[ItemsTeller] = []

    # -- what it is itself

    def own(self) -> Info:
        """What is told to who asks."""
        features = sorted({var for feature in self.entity.features for var in feature.features})
        told = [self.entity.identity, *(one for feature in self.entity.features for one in feature.identities)]
        identities = {Identity(one.category, one.type, one.name or None) for one in told}
        ordered = sorted(identities, key=lambda one: (one.category, one.type, one.name or ""))
        return Info(None, tuple(ordered), tuple(map(FeatureOf, features)), tuple(self._forms))

    def add_form(self, form: Payload | Element) -> None:
        """Tell more, in a data form that says what it is about (XEP-0128)."""
        self._forms.append(form.to_element() if isinstance(form, Payload) else form)

    def add_item(self, item: Item) -> None:
        """Tell of something that belongs to the entity."""
        self._items.append(item)

    def add_nodes(self, *, info: InfoTeller | None = None, items: ItemsTeller | None = None) -> None:
        """Have these asked about nodes; they return None for nodes that aren't theirs."""
        if info is not None:
            self._info_tellers.append(info)
        if items is not None:
            self._items_tellers.append(items)

    @iq_get(Info)
    def tell_info(self, request: Request[Info]) -> Info:
        """Anybody may ask who knows the address."""
        if not request.payload.node:
            return self.own()
        for teller in self._info_tellers:
            if (found := teller(request)) is not None:
                return found
        raise StanzaError("item-not-found")

    @iq_get(Items)
    def tell_items(self, request: Request[Items]) -> Items:
        if not request.payload.node:
            return Items(None, tuple(self._items))
        for teller in self._items_tellers:
            if (found := teller(request)) is not None:
                return found
        raise StanzaError("item-not-found")

    # -- what others are

    async def info(self, jid: JID | str, node: str | None = None, *, timeout: float | None = None) -> Info:
        """What somebody is and can do. Raises StanzaError where they don't tell."""
        return await self.entity.request(Info(node), to=jid, timeout=timeout)

    async def items(self, jid: JID | str, node: str | None = None, *, timeout: float | None = None) -> tuple[Item, ...]:
        """What belongs to somebody."""
        return (await self.entity.request(Items(node), to=jid, timeout=timeout)).items

    async def supports(self, jid: JID | str, feature: str, *, timeout: float | None = None) -> bool:
        """Whether somebody can do something, by a question each time; False where they don't tell at all."""
        try:
            found = await self.info(jid, timeout=timeout)
        except StanzaError:
            return False
        return any(one.var == feature for one in found.features)

    async def find_service(self, category: str, type_: str, *, feature: str | None = None) -> JID | None:
        """The first of the own server's services with such an identity, and that feature: ("store", "file")."""
        for item in await self.items(self.entity.jid.host):
            if item.node is None:
                try:
                    found = await self.info(item.jid)
                except StanzaError:
                    continue
                fits = any(one.category == category and one.type == type_ for one in found.identities)
                if fits and (feature is None or any(one.var == feature for one in found.features)):
                    return item.jid
        return None
