"""A session: one resource that a client has bound, from its log-in to its end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Protocol

from chirrup.core.errors import AddressError, StanzaError, StoreError, StreamError
from chirrup.core.features.resume import LARGEST
from chirrup.core.jid import JID
from chirrup.core.stanza import (
    IQ_TYPES,
    MESSAGE_TYPES,
    PRESENCE_TYPES,
    error_reply,
    may_bounce,
    read_stream_error,
)
from chirrup.core.stream import unexpected
from chirrup.core.xml import CLIENT, STREAMS, XML_LANG, Element
from chirrup.server import redelivery
from chirrup.server.management import Managed, nowhere
from chirrup.server.resume import Absent, detach
from chirrup.server.router import bounce, reason_of

if TYPE_CHECKING:
    from chirrup.server.account import Account
    from chirrup.server.host import Host
    from chirrup.server.logs import Logger

_SUBSCRIPTIONS: Final = frozenset({"subscribe", "subscribed", "unsubscribe", "unsubscribed"})
_MAX_WAITING: Final = 64
"""Stanzas that may wait behind one whose handler waits, before the client isn't read any more."""
_MAX_UNSETTLED: Final = 1000
"""Writes and answers behind them that may wait for the store, before the client isn't read any more; or, with stream
management, its messages aren't held any more while storage fails."""


class Origin(Protocol):
    """Where a stanza came from, and so where its errors and answers go."""

    def answer(self, stanza: Element) -> None:
        """Give the server's own answer to a stanza of this origin."""

    def hold(self, stored: asyncio.Future[Any], stanza: Element) -> None:
        """Answer nothing more before `stored` (a future of the store) is done: what the answers would acknowledge is
        not durable before. If storing fails the stanza is answered with an error."""

    @property
    def patient(self) -> bool:
        """Whether its messages may be held while storage fails, and stored when that works again. That isn't for those
        who aren't told what is stored: they are told at once what isn't."""


class Wire(Protocol):
    """What a session needs of its connection."""

    def write(self, data: bytes) -> None: ...
    def fail(self, error: StreamError) -> None: ...
    def failed(self, error: StreamError) -> None: ...
    def pause_reading(self, why: str) -> None: ...
    def resume_reading(self, why: str) -> None: ...

    def abort(self) -> None:
        """Cut the connection."""

    def hand_over(self) -> None:
        """The session goes on elsewhere: say so, and end without it."""


class _Turn:
    """The place of a write among the answers that wait; `over` when it is stored, or its failure was told."""

    __slots__ = ("_session", "number", "over", "stanza")

    def __init__(self, session: Session, stanza: Element, number: int) -> None:
        self._session = session
        self.stanza = stanza
        self.number = number
        """Which of the client's stanzas it is, as stream management counts them; 0 before that was switched on."""
        self.over = False

    def __call__(self, stored: asyncio.Future[Any]) -> None:
        error = None if stored.cancelled() else stored.exception()
        self._session.stored(self, error)


class _Acknowledgement:
    """The place of an `<a/>` among the answers that wait, and how much it is of."""

    __slots__ = ("handled",)

    def __init__(self, handled: int) -> None:
        self.handled = handled


_Unsettled = deque[_Turn | _Acknowledgement | bytes]


class Session:
    """A client's bound resource. Created by the connection when binding succeeds."""

    __slots__ = (
        "_over", "_queue", "_sent_before", "_settled", "_unsettled", "account", "closing", "data", "host", "jid",
        "lang", "last_active", "log", "management", "most_available_since", "pass_on", "presence", "priority", "secure",
        "since", "wire", "write",
    )  # fmt: skip

    def __init__(self, account: Account, jid: JID, wire: Wire, *, log: Logger, secure: bool, lang: str = "") -> None:
        self.account = account
        self.host: Host = account.host
        self.jid = jid
        self.wire = wire
        self.write: Callable[[bytes], None] = wire.write
        self.pass_on: Callable[[bytes], None] = wire.write
        self.log = log
        self.secure = secure
        self.lang = lang
        """The language of stanzas that don't say theirs (RFC 6120 §4.7.4)."""
        self.since = self.last_active = self.host.clock.time()
        self.presence: Element | None = None
        """The last available presence sent to everybody; None while unavailable."""
        self.priority = 0
        self.most_available_since = 0.0
        """Since when it is one of `account.most_available`, if it is, in seconds since 1970."""
        self.data: dict[type, object] = {}
        """What modules keep for this session, by type."""
        self._queue: deque[Element] | None = None  # behind a handler that waits
        self._unsettled: _Unsettled | None = None  # writes to the store, and answers behind them
        self._sent_before: dict[int, str] | None = None  # ids of what is sent again, and is being stored already
        self._over = False
        self._settled: Callable[[], None] | None = None
        self.management: Managed | None = None
        """Its stream management (XEP-0198), once the client has switched that on."""
        self.closing = False
        """Whether the client has taken leave."""

    def __repr__(self) -> str:
        return f"<Session {self.jid}>"

    # -- towards the client

    def divert(self, to: Callable[[bytes], None]) -> None:
        """Give what is written to this session to `to`, one stanza a call, until `undivert`. It may write it later, by
        `pass_on`."""
        self.write = to

    def undivert(self) -> None:
        self.write = self.pass_on

    def manage(self, management: Managed) -> None:
        """From now on what is written is counted, and kept until the client has acknowledged it."""
        self.management = management
        if self.write == self.pass_on:
            self.write = management.write
        self.pass_on = management.write

    def when_acknowledged(self, callback: Callable[[], None]) -> bool:
        """Call this as soon as the client has acknowledged all that was written until now (XEP-0198 §4), which may be
        at once; never, if it doesn't before the session ends.

        False where the client has no stream management: then nobody will know, and nothing is called. Of stanzas that a
        module has diverted and holds back nothing is known either."""
        if self.management is None:
            return False
        self.management.when_acknowledged(callback)
        return True

    def acknowledge(self) -> None:
        """Tell the client how much of what it sent was handled, as soon as nothing of that waits for the store. While
        storage fails it is told how much is stored, which may be nothing new, and the rest when it works again."""
        management, unsettled = self.management, self._unsettled
        assert management is not None
        if not unsettled:
            self._write_acknowledgement(management.handled)
            return
        if self.host.store.holding:
            self._write_acknowledgement(self.dealt_with)
        if type(last := unsettled[-1]) is _Acknowledgement:
            last.handled = management.handled
        else:
            unsettled.append(_Acknowledgement(management.handled))

    def _write_acknowledgement(self, handled: int) -> None:
        self.wire.write(b"<a xmlns='urn:xmpp:sm:3' h='%d'/>" % (handled & LARGEST))

    @property
    def dealt_with(self) -> int:
        """How many of the client's stanzas are dealt with for good, as stream management counts them: what is returned,
        given to a receiver, or stored where it has to be."""
        assert self.management is not None
        count = self.management.handled - (self._queue is not None)
        for turn in self._unsettled or ():
            if type(turn) is _Turn and not turn.over and turn.number:
                count = min(count, turn.number - 1)
        return count

    def storage_fails(self) -> None:
        """What waits for the store will do so for longer: who has asked what is acknowledged hears it now."""
        if self.management is not None and self._unsettled:
            if any(type(waiting) is _Acknowledgement for waiting in self._unsettled):
                self._write_acknowledgement(self.dealt_with)
            self._check_settled()

    def send(self, stanza: Element) -> None:
        """Write a stanza to the client."""
        self.write(stanza.to_bytes())

    def answer(self, stanza: Element) -> None:
        if stanza.name == "message":
            for note in self.host.hooks.message_refused:
                note(self, stanza)
        unsettled = self._unsettled
        if not unsettled or self.management is not None:  # it has acknowledgements, and takes no answer for one
            self.write(stanza.to_bytes())
            return
        unsettled.append(stanza.to_bytes())
        if len(unsettled) >= _MAX_UNSETTLED:
            self.wire.pause_reading("storing")

    @property
    def patient(self) -> bool:
        return self.management is not None and (self._unsettled is None or len(self._unsettled) < _MAX_UNSETTLED)

    def hold(self, stored: asyncio.Future[Any], stanza: Element) -> None:
        unsettled, management = self._unsettled, self.management
        if unsettled is None:
            unsettled = self._unsettled = _Unsettled()
        turn = _Turn(self, stanza, 0 if management is None else management.handled)
        unsettled.append(turn)
        if len(unsettled) >= _MAX_UNSETTLED and management is None:
            self.wire.pause_reading("storing")
        stored.add_done_callback(turn)

    def stored(self, turn: _Turn, error: BaseException | None) -> None:
        """A write is stored, or has failed."""
        if error is not None:
            if self._over:
                return  # nobody is left to be told
            self._bounce_unstored(turn.stanza, error)
        turn.over = True
        self._release()

    def _bounce_unstored(self, stanza: Element, error: BaseException) -> None:
        if not isinstance(error, StoreError):
            self.log.error("a stanza could not be stored", exc_info=error)
        if may_bounce(stanza):
            reply = error_reply(stanza, StanzaError("internal-server-error", "it could not be stored", type="wait"))
            self.write(reply.to_bytes())

    def _release(self) -> None:
        """Write the answers that wait for nothing any more."""
        unsettled = self._unsettled
        if unsettled is None:
            return
        full = len(unsettled) >= _MAX_UNSETTLED
        while unsettled:
            first = unsettled[0]
            if isinstance(first, _Turn) and not first.over:
                break
            unsettled.popleft()
            if isinstance(first, bytes):
                self.write(first)
            elif isinstance(first, _Acknowledgement):
                self._write_acknowledgement(first.handled)
        if full and len(unsettled) < _MAX_UNSETTLED:
            self.wire.resume_reading("storing")
        if not unsettled:
            self._unsettled = None
            if self._sent_before is not None and not self._over:
                self._all_came_again()
            self._check_settled()
        if self._over:
            self._remember()

    def _remember(self) -> None:
        """The session is over: keep for a client that asks how much of what it sent is dealt with by now."""
        if self.management is not None:
            self.host.resumable.remember(self.management, self.dealt_with)

    def count_anew(self) -> None:
        """The client comes back, and will send again what isn't stored. That is known when it comes, and waits to be
        stored in its former place."""
        unsettled, management = self._unsettled, self.management
        assert management is not None
        management.handled = handled = self.dealt_with
        if unsettled:
            turns = [turn for turn in unsettled if type(turn) is _Turn and turn.number > handled]
            ids = {turn.number: turn.stanza.attrs["id"] for turn in turns if "id" in turn.stanza.attrs}
            self._sent_before = (self._sent_before or {}) | ids
            self._unsettled = _Unsettled(waiting for waiting in unsettled if type(waiting) is not _Acknowledgement)

    def _all_came_again(self) -> None:
        """What the client sends again is stored: acknowledge it, as not all ask for that once more."""
        self._write_acknowledgement(self.dealt_with)
        if not self._sent_before:
            self._sent_before = None

    def _has_come_before(self, stanza: Element, number: int) -> bool:
        """Whether the client sends again what has been processed, and waits for the store still."""
        known = self._sent_before
        assert known is not None
        identifier = known.pop(number, None)
        if identifier is None or identifier == stanza.attrs.get("id"):
            if not known and not self._unsettled:
                self._all_came_again()
            return identifier is not None
        # It sends something else. What was in its place is stored all the same, but no number tells of that.
        known.clear()
        for turn in self._unsettled or ():
            if type(turn) is _Turn and turn.number >= number:
                turn.number = 0
        return False

    def finish(self, then: Callable[[], None]) -> None:
        """Call `then`, as soon as what the client has sent is processed and answered. There will be no more of it: the
        stream ends."""
        self.closing = True
        self.settle(then)

    def settle(self, then: Callable[[], None]) -> None:
        """Call `then`, and nobody who was to be called before, as soon as what has come from the client is processed
        and answered. While storage fails it isn't waited for, where the client counts what is acknowledged."""
        self._settled = then
        self._check_settled()

    def _check_settled(self) -> None:
        then = self._settled
        if then is not None and self._is_settled:
            self._settled = None
            then()

    @property
    def _is_settled(self) -> bool:
        if self._queue is not None:
            return False
        return not self._unsettled or (self.management is not None and self.host.store.holding)

    @property
    def detached(self) -> bool:
        """Whether the client has lost its connection and may come back."""
        return type(self.wire) is Absent

    def lost(self) -> None:
        """The connection is gone: wait for the client where it may come back, else end."""
        if self.management is not None and self.management.id and not (self.closing or self._over or self.detached):
            detach(self)
        else:
            self.end()

    def give_up(self) -> None:
        """End the session, but not within what happens now: the client takes too long."""
        asyncio.get_running_loop().call_soon(self._give_up)

    def _give_up(self) -> None:
        self.wire.fail(StreamError("policy-violation", "too many stanzas wait for your acknowledgement"))

    def expire(self) -> None:
        """The client hasn't come back in time."""
        self.log.info("nobody came back to the session")
        self.end()

    def end(self, *, drop: bool = False) -> None:
        """The session is over: take it from its account and tell the modules. Safe to call twice.

        What waits behind a handler is processed still, but for presence, unless it is to be dropped."""
        self._over = True
        if drop and self._queue is not None:
            self._queue.clear()
        account = self.account
        if account.sessions.get(self.jid.resource) is not self:
            return
        del account.sessions[self.jid.resource]
        account.rank()
        if type(self.wire) is Absent:
            self.wire.timer.cancel()
        left = self._stop_writing()
        self.tell(self.host.hooks.session_closed)
        self.presence = None
        self._settled = None
        if self._unsettled:
            self._unsettled = _Unsettled(turn for turn in self._unsettled if type(turn) is _Turn)
        self.write = self.pass_on = nowhere
        self.log.info("session ends")
        if self.management is not None:
            self.host.resumable.remove(self.management, self.dealt_with)
            left = self.management.stop()
        if left:
            redelivery.redeliver(self, left)
        if self.host.anonymous and not account.sessions:
            self.host.forget(account)

    def tell(self, handlers: Iterable[Callable[[Session], None]]) -> None:
        """Tell modules what has become of the session; one that fails takes no other with it."""
        for handler in handlers:
            try:
                handler(self)
            except Exception:
                self.log.exception("a module failed at what has become of a session")

    def _stop_writing(self) -> list[tuple[bytes, float]]:
        """The stream has ended: what is written from now on stands with what the client hasn't acknowledged or, where
        it acknowledges nothing, in the list that is returned, with the time."""
        left: list[tuple[bytes, float]] = []
        if self.management is not None:
            self.management.out = nowhere
        else:
            now = self.host.clock.time()
            diverted = self.write != self.pass_on
            self.pass_on = lambda written: left.append((written, now))
            if not diverted:
                self.write = self.pass_on
        return left

    # -- from the client

    def handle(self, stanza: Element) -> None:
        """Process what the client sent; never raises. A stanza whose handler waits holds up those behind it."""
        if self._over:
            return
        if self._queue is not None:
            self._queue.append(stanza)
            if len(self._queue) >= _MAX_WAITING:
                self.wire.pause_reading("behind")
            return
        try:
            waiting = self._process(stanza)
        except Exception as error:
            self._failed(stanza, error)
            return
        if waiting is not None:
            self._queue = deque()
            self.host.server.spawn(self._wait(stanza, waiting))

    async def _wait(self, stanza: Element, waiting: Awaitable[None]) -> None:
        """Wait for one stanza's handler, then process what has queued up behind it."""
        queue = self._queue
        assert queue is not None
        next_stanza, next_waiting = stanza, waiting
        while True:
            try:
                await next_waiting
            except Exception as error:
                self._failed(next_stanza, error)
            while True:
                if not queue:
                    self._queue = None
                    self.wire.resume_reading("behind")
                    self._check_settled()
                    if self._over:
                        self._remember()
                    return
                next_stanza = queue.popleft()
                if self._over and next_stanza.name == "presence":
                    if self.management is not None:
                        self.management.handled += 1
                    continue  # who is gone has become unavailable already
                try:
                    found = self._process(next_stanza)
                except Exception as error:
                    self._failed(next_stanza, error)
                    continue
                if found is not None:
                    next_waiting = found
                    break

    def _failed(self, stanza: Element, error: Exception) -> None:
        if isinstance(error, StreamError):
            self.end(drop=True)
            self.wire.fail(error)
            return
        reason = reason_of(error, self.log)
        if stanza.ns == CLIENT:
            bounce(stanza, self, reason)

    def _process(self, stanza: Element) -> Awaitable[None] | None:
        if stanza.ns != CLIENT:
            self._no_stanza(stanza)
            return None
        if self.management is not None:
            self.management.handled += 1
            if self._sent_before and self._has_come_before(stanza, self.management.handled):
                return None
        attrs = stanza.attrs
        jid = self.jid
        sender = attrs.get("from")
        if sender is not None and sender != jid.text and not self._is_me(sender):
            raise StreamError("invalid-from", "a client sends in its own name only")
        attrs["from"] = jid.text
        if self.lang and XML_LANG not in attrs:
            attrs[XML_LANG] = self.lang
        addressee = attrs.get("to")
        try:
            to = jid.bare if addressee is None else JID.parse(addressee)
        except AddressError as error:
            attrs.pop("to")  # an answer can't come from an address that is none
            raise StanzaError("jid-malformed", str(error)) from None
        match stanza.name:
            case "message":
                return self._message(stanza, to)
            case "presence":
                return self._presence(stanza, None if addressee is None else to)
            case "iq":
                return self._iq(stanza, None if addressee is None else to)
        raise unexpected(stanza)

    def _no_stanza(self, element: Element) -> None:
        handler = self.host.nonzas.get((element.name, element.ns))
        if handler is not None:
            handler(self, element)
            return
        if element.name != "error" or element.ns != STREAMS:
            raise unexpected(element)
        self.wire.failed(read_stream_error(element))

    def _is_me(self, sender: str) -> bool:
        try:
            claimed = JID.parse(sender)
        except AddressError:
            return False
        return claimed in (self.jid, self.jid.bare)

    def _message(self, stanza: Element, to: JID) -> Awaitable[None] | None:
        kind = stanza.attrs.get("type")
        if kind is not None and kind not in MESSAGE_TYPES:
            stanza.attrs["type"] = "normal"  # RFC 6121 §5.2.2: an unknown type is normal
        for handler in self.host.hooks.message_out:
            if handler(self, stanza, to):
                return None
        return self.host.router.route(stanza, to, self.jid, self)

    def _presence(self, stanza: Element, to: JID | None) -> Awaitable[None] | None:
        kind = stanza.attrs.get("type")
        if kind is not None and kind not in PRESENCE_TYPES:
            raise StanzaError("bad-request", f"presence has no type {kind!r}")
        if to is None:
            if kind is not None and kind != "unavailable":
                raise StanzaError("bad-request", f"presence of type {kind!r} needs an address")
            for undirected in self.host.hooks.presence_out:
                undirected(self, stanza)
            return None
        hooks = self.host.hooks
        if kind in _SUBSCRIPTIONS:
            for subscribe in hooks.subscription_out:
                dealt = subscribe(self, stanza, to.bare)
                if dealt:
                    return None if dealt is True else dealt
            stanza.attrs["from"] = self.jid.bare.text
            return self.host.router.route(stanza, to.bare, self.jid.bare, self)
        for directed in hooks.presence_directed:
            if directed(self, stanza, to):
                return None
        if kind == "probe":  # servers do that for their clients, but it is no error (RFC 6121 §4.3)
            stanza.attrs["from"] = self.jid.bare.text
            return self.host.router.route(stanza, to, self.jid.bare, self)
        return self.host.router.route(stanza, to, self.jid, self)

    def _iq(self, stanza: Element, to: JID | None) -> Awaitable[None] | None:
        kind = stanza.attrs.get("type")
        if kind not in IQ_TYPES or "id" not in stanza.attrs:
            raise StanzaError("bad-request", "an IQ has an id and is of type get, set, result or error")
        children = sum(1 for child in stanza.children if isinstance(child, Element))
        if kind in ("get", "set") and children != 1:
            raise StanzaError("bad-request", f"an IQ {kind} has exactly one payload, not {children}")
        if to is None:
            return self.host.iq.receive(stanza, self.jid.bare, self.jid, self)
        for handler in self.host.hooks.iq_out:
            if handler(self, stanza, to):
                return None
        return self.host.router.route(stanza, to, self.jid, self)
