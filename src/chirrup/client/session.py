"""A session: what comes in, what is kept from one connection to the next, and how fast is read.

Above a connection's `Life` and below the `Entity` that programs see.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from chirrup.client.dispatch import Dispatcher
from chirrup.client.feature import Feature, Name
from chirrup.client.feed import Feeds
from chirrup.client.life import Life
from chirrup.client.link import Link
from chirrup.client.management import Managed
from chirrup.client.negotiation import Ids, Negotiated
from chirrup.client.requests import Requests
from chirrup.client.stanzas import Message, Presence, address
from chirrup.core.errors import Disconnected, LocalProtocolError, StanzaError, StreamError
from chirrup.core.framing import farewell
from chirrup.core.jid import JID
from chirrup.core.parser import Limits, StreamParser
from chirrup.core.stanza import read_stream_error, write_error
from chirrup.core.xml import CLIENT, STREAMS, Element
from chirrup.net.clock import Clock, Timer

log: Final = logging.getLogger("chirrup.client")

KEEPALIVE: Final = 240.0
"""Seconds of silence after which the server is asked whether it is there."""
_REST_SECONDS: Final = 10.0
"""After how long a new connection gives back memory that is needed only while something comes."""
_ENOUGH: Final = 500
"""So many stanzas may wait for handlers and readers before nothing more is read from the connection."""
_TOO_MANY: Final = 10 * _ENOUGH
"""So many may wait in any case. Between the two it reads on while an answer is waited for, which may be behind them."""
PING: Final = Element("ping", "urn:xmpp:ping")
LIMITS: Final = Limits(stanza_bytes=16_777_216, depth=128, elements=200_000)
"""What is taken from a server: more than servers take from clients, since they pass that on within something else, such
as a copy or what a query of an archive has found. Nobody is cut off by the largest message that somebody can send, nor
by what they have gathered themselves, such as a long roster or block list."""


class Session(Life):
    """What an entity is while it is connected, and what is left of that when it isn't."""

    _dispatcher: Dispatcher

    def __init__(self, jid: JID, *, reconnect: bool, timeout: float, keepalive: float, clock: Clock | None) -> None:
        super().__init__(jid, reconnect=reconnect, timeout=timeout, clock=clock)
        self.server_features = Element("features", STREAMS)
        """The <stream:features/> that the server offered last in this session."""
        self.switched_on: frozenset[str] = frozenset()
        """The namespaces of what features had switched on while the resource was bound."""
        self.nonzas: dict[Name, Callable[[Element], None]] = {}
        """Who takes the first-level elements that are no stanzas."""
        self.make_id = Ids()
        """Makes an id that nobody can guess."""
        self._keepalive = keepalive
        self._silence = keepalive
        self._timer: Timer | None = None
        self._features: dict[type[Any], Any] = {}
        self._requests = Requests()
        self._messages: Feeds[Message] = Feeds(self._pace)
        self._presences: Feeds[Presence] = Feeds(self._pace)
        self._parser: StreamParser | None = None
        self._max_bytes: int | None = None
        self._in_session = False
        self._prepared = False
        self._managed: Managed | None = None
        self._relief: asyncio.Future[None] | None = None

    def is_own(self, sender: JID | None) -> bool:
        """Whether what comes from there, or without an address, is the own server's word on the entity's behalf."""
        return sender is None or sender == self.jid.bare

    @property
    def features(self) -> Iterable[Feature]:
        """All that are switched on, in their order."""
        return tuple(self._features.values())

    # -- the session

    async def _begin(self, negotiated: Negotiated) -> bool:
        link, managed = negotiated.link, self._managed
        resumed = negotiated.resumed
        if not resumed:  # what was offered to the session holds for as long as that goes on (XEP-0198 §9.2)
            self._end_session(Disconnected("its session is over"))
            self.server_features = negotiated.features
            self.switched_on = negotiated.switched_on
            self._max_bytes = negotiated.max_bytes
            idle = negotiated.idle_seconds
            self._silence = self._keepalive if not idle else min(self._keepalive, idle / 2)
        self.jid = negotiated.jid
        self._parser = negotiated.parser
        self._in_session = True
        if managed is not None:
            if resumed:
                managed.send_again(link, self._max_bytes)
            else:
                managed.begin(link, self._max_bytes)
        if negotiated.leftover:
            self.link_received(link, negotiated.leftover)
        link.belong(self)
        self._timer = self.clock.call_later(min(_REST_SECONDS, self._silence), lambda: self._rest(link))
        if resumed and self._prepared:
            for feature in self.features:
                feature.session_resumed()
            return True
        await self._prepare()
        return False

    async def _prepare(self) -> None:
        """Let the features set up a new session."""
        for feature in self.features:
            await self._start(feature.session_bound)
        for feature in self.features:
            await self._start(feature.session_ready)
        self._prepared = True

    async def _start(self, method: Callable[[], Awaitable[None]]) -> None:
        try:
            await method()
        except StanzaError as error:
            log.warning("%s: %s", getattr(method, "__qualname__", method), error)

    def _unlink(self, link: Link, reason: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._parser is not None:
            self._parser.discard()
            self._parser = None
        if self._managed is not None:
            self._managed.lost_link()
            if self._managed.may_resume and self._prepared:
                return  # else it is gone on with for what was sent in it, and set up anew
        self._end_session(reason)

    def _end_session(self, reason: Exception | None) -> None:
        if not self._in_session:
            return
        self._in_session = self._prepared = False
        for feature in self.features:
            try:
                feature.session_ended()
            except Exception:
                log.exception("a feature failed at the end of a session")
        self._requests.fail(Disconnected(f"the connection was lost before the answer: {reason or 'closed'}"))
        if self._managed is not None:
            lost = f"the connection was lost before the server's acknowledgement: {reason or 'closed'}"
            self._managed.fail(Disconnected(lost))

    def _say_farewell(self, link: Link) -> None:
        if self._managed is not None:
            self._managed.part()
        super()._say_farewell(link)

    def _finish(self, reason: Exception | None) -> None:
        if self._managed is not None:
            self._managed.end()
        self._end_session(reason)
        self._requests.fail(reason or Disconnected("the connection was closed"))
        self._messages.close(reason)
        self._presences.close(reason)

    async def _end_tasks(self) -> None:
        await self._dispatcher.workers.stop()
        await super()._end_tasks()

    # -- silence

    def _watch(self, link: Link) -> None:
        """See whether the server lives, whenever it was silent for a while."""
        link.heard = False
        self._timer = self.clock.call_later(self._silence, lambda: self._check(link))

    def _rest(self, link: Link) -> None:
        """Let the parser go, as long as nothing comes."""
        if link is self._link and self._parser is not None:
            self._parser.rest()
            self._watch(link)

    def _check(self, link: Link) -> None:
        if link is not self._link:
            return
        if link.heard:
            self._rest(link)
            return
        self.answer(Element("iq", CLIENT, PING, type="get", id=self.make_id(), to=self.jid.host))
        self._timer = self.clock.call_later(self.timeout, lambda: self._check_again(link))

    def _check_again(self, link: Link) -> None:
        if link is not self._link:
            return
        if link.heard:
            self._rest(link)
        else:
            link.abort()
            self._lost(link, Disconnected(f"{link.where} is silent: no answer to a ping for {self.timeout:g} s"))

    # -- what comes in

    def link_lost(self, link: Link, reason: Exception | None) -> None:
        self._lost(link, link.gone)

    def link_received(self, link: Link, data: bytes) -> None:
        parser = self._parser
        if parser is None:
            return
        try:
            elements = parser.feed(data)
        except StreamError as error:
            for element in parser.ready:
                self._receive(link, element)
            self._fail(link, error)
            return
        for element in elements:
            self._receive(link, element)
        if parser.ended and link is self._link:
            if not self._parting:
                link.write(farewell())
            self._lost(link, Disconnected(f"{link.where} closed the stream"))
        elif len(elements) > 0:
            self._pace()

    def _receive(self, link: Link, element: Element) -> None:
        if link is not self._link:
            return  # an element before this one has ended the stream
        if element.ns != CLIENT:
            self._no_stanza(link, element)
            return
        if self._managed is not None:
            self._managed.management.count()
        attrs = element.attrs
        text = attrs.get("from")
        sender = address(text) if text else None
        if text and sender is None:
            log.debug("a stanza from %r, which is no address", text[:100])
            return
        name = element.name
        if name == "message":
            message = self._dispatcher.message(element, sender or self.jid.bare)
            if message is not None and self._messages:
                self._messages.put(message)
        elif name == "presence":
            presence = self._dispatcher.presence(element, sender or self.jid.bare)
            if self._presences:
                self._presences.put(presence)
        elif name == "iq":
            kind = attrs.get("type")
            if kind in ("get", "set"):
                self._dispatcher.request(element, sender or self.jid.bare, self.is_own(sender))
            elif kind in ("result", "error") and not self._requests.take(element, sender, self.jid):
                log.debug("an answer that nobody waits for, from %s", sender)

    def _no_stanza(self, link: Link, element: Element) -> None:
        if element.name == "error" and element.ns == STREAMS:
            link.write(farewell())
            self._lost(link, read_stream_error(element))
        elif (handler := self.nonzas.get((element.name, element.ns))) is not None:
            try:
                handler(element)
            except StreamError as error:
                self._fail(link, error)
        else:
            log.debug("<%s xmlns='%s'/> is nothing that is known here", element.name, element.ns)

    def _fail(self, link: Link, error: StreamError) -> None:
        """The server broke a rule: say so, and leave."""
        link.write(farewell(error))
        self._lost(link, error)

    @property
    def _waiting(self) -> int:
        return len(self._dispatcher.workers) + self._messages.longest + self._presences.longest

    def _pace(self) -> None:
        """Read on only as fast as handlers and readers go."""
        link, waiting = self._link, self._waiting
        if self._relief is not None and waiting <= _ENOUGH:
            self._relief.set_result(None)
            self._relief = None
        if link is None:
            return
        if waiting > _TOO_MANY:
            self._fail(link, StreamError("policy-violation", "more was sent than this client can take"))
        elif waiting > _ENOUGH and not self._requests:
            link.pause_reading("backlog")
        else:
            link.resume_reading("backlog")

    # -- what goes out

    def answer(self, iq: Element) -> None:
        """Send the answer to a request, if there is room: who asks faster than the server takes the answers gets
        none."""
        link = self._link
        if link is None or not link.has_room:
            return
        try:
            self._write(link, iq)
        except LocalProtocolError as error:
            log.error("the answer to a request can't be sent: %s", error)
            fault = Element("iq", CLIENT, write_error(StanzaError("internal-server-error")), type="error")
            fault.attrs |= {name: iq.attrs[name] for name in ("id", "to", "from") if name in iq.attrs}
            self._write(link, fault)

    def _write(self, link: Link, stanza: Element) -> None:
        octets = stanza.to_bytes()
        if self._max_bytes is not None and len(octets) > self._max_bytes:
            raise LocalProtocolError(f"a stanza of {len(octets)} octets: the server takes {self._max_bytes} at most")
        link.write(octets)
        if self._managed is not None:
            self._managed.sent(octets)

    # -- what was fetched

    def give(self, message: Message) -> None:
        """Give handlers and readers a message that was fetched somewhere, as if it had come now."""
        given = self._dispatcher.give(message)
        if given is not None and self._messages:
            self._messages.put(given)

    @property
    def behind(self) -> bool:
        """Whether so much waits for handlers and readers that they shouldn't be given more."""
        return self._waiting > _ENOUGH

    async def catch_breath(self) -> None:
        """Return when handlers and readers have room for more."""
        while self.behind:
            if self._relief is None:
                self._relief = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._relief)
