"""Entity capabilities at the server: what its clients and their contacts can do, and what it can itself."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from chirrup.core.errors import PayloadError
from chirrup.core.jid import JID
from chirrup.core.xml import Element
from chirrup.ext.caps import NS, NS_2
from chirrup.ext.caps.known import Claim, Known, read_claim
from chirrup.ext.caps.own import Own
from chirrup.ext.disco.payloads import Info
from chirrup.ext.disco.server import Disco
from chirrup.ext.presence.directed import Directed
from chirrup.ext.roster.roster import Roster, may_see
from chirrup.server import hooks
from chirrup.server.module import Account, Addressee, Module, Request, Session, Settings, Xep

if TYPE_CHECKING:
    from chirrup.server.host import Host

NODE: Final = "urn:chirrup:server"
"""The URI that names the program in the server's own capabilities."""

_PATIENCE: Final = 5.0
"""Seconds after which somebody else with the same hash is asked too."""


class CapsSettings(Settings):
    """What may be remembered of clients' capabilities."""

    max_known: int = Field(default=2000, ge=10)
    """Hashes whose features are remembered, also over restarts. Each is a kind of client, as people have set it up."""
    max_new_per_account: int = Field(default=20, ge=0)
    """Hashes that one account, here or elsewhere, may add to those remembered, until the server stops or has heard of
    many others since. Further ones count for the session that shows them, and for no other."""
    max_features: int = Field(default=500, ge=10)
    """Features of one client. An answer with more is ignored."""
    max_characters: int = Field(default=20_000, ge=100)
    """Characters of them all together; likewise."""
    max_remote: int = Field(default=20_000, ge=100)
    """Clients of people elsewhere whose capabilities are kept in memory."""
    answer_timeout: float = Field(default=60.0, gt=0)
    """Seconds that a client has to tell what it can do."""


@dataclass(eq=False, slots=True)
class Entity:
    """Somebody whose presence has said something about capabilities. Kept with a session, or by full JID."""

    jid: JID
    asker: JID
    """In whose name it is asked."""
    session: Session | None = None
    claim: Claim | None = None
    question: Question | None = None
    """What the claim stands for, while that isn't known."""
    features: frozenset[str] | None = None
    answer: asyncio.Future[Element] | None = None
    """What it hasn't answered yet; it is asked one thing at a time."""


@dataclass(eq=False, slots=True)
class Question:
    """What a hash stands for, while it isn't known: those that show it, who are asked one after the other."""

    claim: Claim
    entities: dict[Entity, None] = field(default_factory=dict)
    unasked: dict[Entity, None] = field(default_factory=dict)
    waiting: int = 0
    """How many answers may still come."""

    def add(self, entity: Entity) -> None:
        """Somebody shows the hash."""
        entity.question = self
        self.entities[entity] = self.unasked[entity] = None

    def drop(self, entity: Entity) -> None:
        """Somebody shows it no longer."""
        entity.question = None
        self.entities.pop(entity, None)
        self.unasked.pop(entity, None)


Watcher = Callable[[Session | JID], None]
Wanting = Callable[[Account, JID], bool]


class Capabilities(Module):
    """Finds out what clients can do, once for each hash that they show, and shows the server's own."""

    xeps = (Xep(115, "1.6.0"), Xep(390, "0.3.2"))
    features = (NS, NS_2)
    Settings = CapsSettings
    settings: CapsSettings

    def __init__(self, host: Host, settings: CapsSettings) -> None:
        super().__init__(host, settings)
        self._store = host.store.map("caps")
        self._known = Known(self.settings.max_known, self._write)
        self._questions: dict[str, Question] = {}
        self._remote: OrderedDict[JID, Entity] = OrderedDict()
        self._unasked: OrderedDict[JID, Claim] = OrderedDict()
        """What contacts show who don't see the presence of those that see theirs."""
        self._learned: OrderedDict[JID, int] = OrderedDict()
        """How many hashes each account has added to those that are known."""
        self._watchers: list[Watcher] = []
        self._wanting: list[Wanting] = []
        self._own = Own(("sha-256", "sha3-256"))
        self._disco: Disco | None = None

    async def start(self) -> None:
        self._known.load(await self._store.all(self.host.name))
        self._disco = self.host.find_module(Disco)
        if self._disco is not None:
            self._disco.add_nodes(Addressee.HOST, info=self._tell_own)

    def _write(self, name: str, text: str | None) -> asyncio.Future[Any]:
        owner = self.host.name
        written: asyncio.Future[Any]
        written = self._store.delete(owner, name) if text is None else self._store.set(owner, name, text)
        written.add_done_callback(_forgive)
        return written

    # -- for other modules

    def features_of(self, who: Session | JID) -> frozenset[str] | None:
        """The features of a session, or of a client by its full JID; None while they aren't known."""
        if isinstance(who, JID):
            entity = self._remote.get(who)
            if entity is None and who.domain == self.host.jid.domain:
                account = self.host.accounts.get(who.local)
                session = account.sessions.get(who.resource) if account else None
                return None if session is None else self.features_of(session)
        else:
            entity = who.find(Entity)
        return None if entity is None else entity.features

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Have `watcher` called with the session, or the full JID of somebody elsewhere, whenever features become known
        or change; what is returned ends that."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def want(self, wanting: Wanting) -> Callable[[], None]:
        """Have somebody elsewhere asked who may not see an account's presence, where `wanting` says for the account and
        the full JID that there is something they may know of; what is returned ends that.

        Others are not asked: they would learn that there is such an account."""
        self._wanting.append(wanting)
        return lambda: self._wanting.remove(wanting)

    # -- what presence says

    @hooks.presence_out(before=["presence"])
    def shown(self, session: Session, stanza: Element) -> None:
        """A client of this host shows its capabilities; one that doesn't, has those that it showed before."""
        if stanza.attrs.get("type") is None and (claim := read_claim(stanza)) is not None:
            self._take(session.find(Entity) or session.put(Entity(session.jid, self.host.jid, session)), claim)

    @hooks.session_closed()
    def closed(self, session: Session) -> None:
        if (entity := session.drop(Entity)) is not None:
            self._leave(entity)

    @hooks.presence_arrived()
    def arrived(self, account: Account, stanza: Element, to: JID, sender: JID) -> None:
        """Somebody elsewhere shows capabilities, or has gone."""
        if sender.domain == self.host.jid.domain or not sender.resource:
            return
        if stanza.attrs.get("type") is not None:
            self._unasked.pop(sender, None)
            if (gone := self._remote.pop(sender, None)) is not None:
                self._leave(gone)
        elif (claim := read_claim(stanza)) is not None:
            if self._may_ask(account, claim, sender):
                self._meet(account, sender, claim)
            elif (roster := account.find(Roster)) is not None and roster.get(sender.bare).state.receives:
                self._unasked[sender] = claim
                if len(self._unasked) > self.settings.max_remote:
                    self._unasked.popitem(last=False)

    @hooks.subscription_changed(before=["pubsub"])
    def subscription_changed(self, account: Account, contact: JID, was: str, now: str) -> None:
        """Somebody elsewhere who could be seen already may see the account now, and so be asked."""
        if now == "both" and was != now:
            for client in [client for client in self._unasked if client.bare == contact]:
                self._meet(account, client, self._unasked.pop(client))

    def _meet(self, account: Account, client: JID, claim: Claim) -> None:
        entity = self._remote.get(client)
        if entity is None:
            entity = self._remote[client] = Entity(client, account.jid)
            if not may_see(account, client):
                self._remote.move_to_end(client, last=False)  # strangers don't take the places of contacts
            if len(self._remote) > self.settings.max_remote:
                _, gone = self._remote.popitem(last=False)
                self._leave(gone)
                if gone is entity:
                    return
        self._take(entity, claim)

    def _may_ask(self, account: Account, claim: Claim, sender: JID) -> bool:
        """Whether somebody elsewhere may learn that there is such an account, or needn't be asked."""
        if may_see(account, sender) or self._known.find(claim) is not None:
            return True
        directed = (session.find(Directed) for session in account.sessions.values())
        if any(entities is not None and entities.knows(sender) for entities in directed):
            return True
        return any(wanting(account, sender) for wanting in self._wanting)

    def _take(self, entity: Entity, claim: Claim) -> None:
        if claim == entity.claim:
            return
        self._leave(entity)
        entity.claim = claim
        known = self._known.find(claim)
        if known is not None:
            self._settle(entity, known)
            return
        question = self._questions.get(claim.key)
        if question is None or question.claim != claim:
            question = Question(claim)
            if claim.key:
                self._questions.setdefault(claim.key, question)
        question.add(entity)
        if not question.waiting:
            self._ask_next(question)

    def _leave(self, entity: Entity) -> None:
        """An entity shows its claim no longer."""
        entity.claim = None
        if entity.question is not None:
            entity.question.drop(entity)
        if entity.answer is not None:
            entity.answer.cancel()

    def _settle(self, entity: Entity, features: frozenset[str]) -> None:
        if entity.features == features:
            return
        entity.features = features
        who = entity.session or entity.jid
        for watcher in self._watchers:
            watcher(who)

    # -- asking

    def _ask_next(self, question: Question) -> None:
        entity = next(iter(question.unasked), None)
        if entity is not None:
            del question.unasked[entity]
            question.waiting += 1
            self.host.server.spawn(self._ask(question, entity))
        elif not question.waiting and self._questions.get(question.claim.key) is question:
            del self._questions[question.claim.key]

    async def _ask(self, question: Question, entity: Entity) -> None:
        """Ask one of those that show a hash. While it says nothing, the next one is asked as well; when it says
        something wrong, that is true of itself alone (XEP-0115 §5.4)."""
        timer = self.host.clock.call_later(_PATIENCE, partial(self._ask_next, question))
        try:
            answer = await self._answer(question, entity, question.claim.node)
            answer = answer or await self._answer(question, entity, None)
        finally:
            timer.cancel()
            question.waiting -= 1
        if entity.question is question and answer is not None:
            info, lang = answer
            features = frozenset(feature.var for feature in info.features)
            proven = question.claim.proven(info, lang)
            if question.claim.key in proven:
                self._prove(question, entity, proven, features)
                return
            self._settle(entity, features)
        elif entity.question is question:
            entity.features = None
        self._ask_next(question)

    async def _answer(self, question: Question, entity: Entity, node: str | None) -> tuple[Info, str] | None:
        """What an entity tells of a node of its own, and the language that it does so in; None if nothing of use, or it
        is about something else by now."""
        if entity.question is not question:
            return None
        if entity.answer is not None:
            entity.answer.cancel()
        answer = entity.answer = self.host.iq.ask(entity.jid, Info(node).to_element(), sender=entity.asker)
        timer = self.host.clock.call_later(self.settings.answer_timeout, answer.cancel)
        try:
            await asyncio.wait([answer])
        finally:
            timer.cancel()
        if answer.cancelled() or answer.exception() is not None:
            return None
        stanza = answer.result()
        try:
            info = Info.find(stanza)
        except PayloadError:
            return None
        if info is None or len(info.features) > self.settings.max_features:
            return None
        if sum(len(feature.var) for feature in info.features) > self.settings.max_characters:
            return None
        query = stanza.first
        return info, (query.lang if query is not None else "") or stanza.lang

    def _prove(self, question: Question, entity: Entity, names: list[str], features: frozenset[str]) -> None:
        """A hash is known now: remember it, and tell for all that show it."""
        if self._questions.get(question.claim.key) is question:
            del self._questions[question.claim.key]
        who = entity.jid.bare
        learned = self._learned[who] = self._learned.pop(who, 0) + 1
        if len(self._learned) > self.settings.max_remote:
            self._learned.popitem(last=False)
        if learned > self.settings.max_new_per_account:
            self._settle(entity, features)
            self._ask_next(question)
            return
        features = self._known.add(names, features)
        for other in list(question.entities):
            question.drop(other)
            self._settle(other, features)

    # -- the server's own

    def stream_features(self, *, logged_in: bool, secure: bool) -> Iterable[Element]:
        return self._own_caps() if logged_in else ()

    def _own_caps(self) -> tuple[Element, ...]:
        """The host's capabilities as they are now, in both formats."""
        return () if self._disco is None else self._own.show(NODE, self._disco.info(Addressee.HOST))

    def _tell_own(self, request: Request[Info]) -> Info | None:
        """What the host was when it showed a hash; it may be what it is now, though nobody was shown that yet."""
        self._own_caps()
        return self._own.tell(request.payload.node or "")


def _forgive(written: asyncio.Future[Any]) -> None:
    """A hash that couldn't be stored is asked for again after a restart; the log has the storage's fault already."""
    if not written.cancelled():
        written.exception()
