"""What becomes of stanzas that a session was given and never acknowledged, once it is over (XEP-0198 §4).

A message goes the way of one to a resource that is gone: to another resource, to where messages are kept, or back. An
IQ that asks something is answered with an error. Presence and headlines are stale by then, or others had them, too. An
answer is of no use to another client; nor is what was meant for this one session, such as carbons and results of
archive queries.

Nobody gets a message again who has it. That isn't written down for each message, it follows from what each session has
been all the time since: one of those that get what is for the account (`Session.most_available_since`), or one that
gets copies, which the module knows that makes them. A copy that hasn't been acknowledged gives its place to the message
itself, which goes on from there if that session ends, too. Where others haven't acknowledged what goes on, it is noted
with them when it did: those who get it then have it, too, when theirs goes on.

Much of it is dealt with in turns, between which others have theirs. What comes for the account meanwhile waits: nothing
overtakes what came before it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from chirrup.core.errors import AddressError, StanzaError
from chirrup.core.jid import JID
from chirrup.core.rereading import Rereader
from chirrup.core.stanza import error_reply, may_bounce
from chirrup.core.values import format_datetime, parse_datetime
from chirrup.core.xml import Element
from chirrup.server.router import bounce

if TYPE_CHECKING:
    from chirrup.server.account import Account
    from chirrup.server.host import Host
    from chirrup.server.session import Session

_TURN: Final = 64
"""Stanzas that are dealt with before others have their turn."""
_TURN_OCTETS: Final = 65_536
"""Octets of them, after which it ends before its time."""
_DELAY: Final = "urn:xmpp:delay"
_ARCHIVE: Final = "urn:xmpp:mam:2"


class Unstored:
    """Marks a session of whose stanzas the log has told already that they couldn't be stored."""


class Redelivery:
    """The origin of a stanza that comes a second time, because the session that was given it ended without saying that
    it was there. It has been archived and copied at the first time, if it was to be; where it was archived it carries
    the account's own `<stanza-id/>`."""

    patient = True

    def __init__(self, session: Session, written: bytes, sent: float, again: float) -> None:
        self.session = session
        """The session that was given it."""
        self.written = written
        """The stanza as it was given."""
        self.sent = self.came = sent
        """When it was given, and when it had come, which is earlier where it waited or was given to others before; by
        the clock that never goes back."""
        self.again = again
        """When others were given it anew, the last time, or else when it was given."""
        self.receivers: set[Session] = set()
        """Other sessions that have it, or will be told of it in this way themselves."""
        self.fate = ""
        """What has become of it: "delivered", "kept", "returned", or nothing."""
        self._host: Host = session.host

    def answer(self, stanza: Element) -> None:
        """An error goes to whoever sent the stanza at first."""
        if "to" in stanza.attrs and "from" in stanza.attrs:
            self.fate = "returned"
            self._host.send(stanza)

    def hold(self, stored: asyncio.Future[Any], stanza: Element) -> None:
        def settled(future: asyncio.Future[Any]) -> None:
            if not future.cancelled() and (error := future.exception()) is not None:
                if Unstored not in self.session.data:
                    self.session.put(Unstored())
                    self.session.log.error("unacknowledged stanzas could not be stored", reason=str(error))
                if may_bounce(stanza):
                    reason = StanzaError("internal-server-error", "it could not be stored", type="wait")
                    self.answer(error_reply(stanza, reason))

        self.fate = "kept"
        stored.add_done_callback(settled)


def redeliver(session: Session, left: Iterable[tuple[bytes, float, float]]) -> None:
    """Deal with what a session that is over leaves, given with when it was sent and when others were given it last, by
    the clock that never goes back: who has set the other one mustn't change who has what."""
    account = session.account
    underway = account.redelivering
    if underway is not None and not underway.over.done():
        underway.add(session, left)
        return
    remains = Remains(account)
    remains.add(session, left)
    remains.begin()


class Remains:
    """What sessions of one account leave, the earliest first."""

    def __init__(self, account: Account) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when nothing is left."""
        self._account = account
        self._left: deque[tuple[float, float, Session, bytes]] = deque()
        self._fates: dict[Session, dict[str, int]] = {}
        self._rereader = Rereader()

    def add(self, session: Session, left: Iterable[tuple[bytes, float, float]]) -> None:
        """Another session is over. What it leaves may have been sent before what is left of others: copies that have
        turned into messages."""
        self._fates.setdefault(session, {})
        more = [(stamp, again, session, written) for written, stamp, again in left]
        self._left = deque(sorted([*self._left, *more], key=itemgetter(0)))

    def begin(self) -> None:
        """Deal with all of it, by and by where it is much."""
        self._take_turn()
        if self._left:
            self._account.redelivering = self
            self._account.host.server.spawn(self._go_on())
        else:
            self._end()

    async def _go_on(self) -> None:
        try:
            while self._left:
                await asyncio.sleep(0)
                self._take_turn()
        finally:  # whatever happens, others wait for it
            self._end()

    def finish(self) -> None:
        """Deal with the rest at once."""
        while self._left:
            self._take_turn()
        self._end()

    def _take_turn(self) -> None:
        octets = 0
        for _ in range(min(_TURN, len(self._left))):
            stamp, again, session, written = self._left.popleft()
            self._redeliver(session, written, stamp, again)
            octets += len(written)
            if octets > _TURN_OCTETS:
                break

    def _end(self) -> None:
        if self.over.done():
            return
        self._rereader.discard()
        for session, fates in self._fates.items():
            if fates:
                session.log.info("unacknowledged stanzas go on", **fates)
        self.over.set_result(None)
        if self._account.redelivering is self:  # those that wait for it come before what arrives from now on
            asyncio.get_running_loop().call_soon(self._let_pass)

    def _let_pass(self) -> None:
        if self._account.redelivering is self:
            self._account.redelivering = None

    def _redeliver(self, session: Session, written: bytes, stamp: float, again: float) -> None:
        stanzas = self._rereader.read(written)
        if not stanzas:
            session.log.error("what was written to a session is no stanza")
        fates = self._fates[session]
        for stanza in stanzas:
            origin = Redelivery(session, written, stamp, again)
            try:
                _redeliver(session, stanza, origin)
            except StanzaError as error:
                bounce(stanza, origin, error)
            except Exception:
                session.log.exception("an unacknowledged stanza could not be delivered anew")
            if origin.fate:
                fates[origin.fate] = fates.get(origin.fate, 0) + 1


def _redeliver(session: Session, stanza: Element, origin: Redelivery) -> None:
    if stanza.name == "presence" or stanza.get("type") in ("error", "result", "headline"):
        return
    host, account = session.host, session.account
    try:
        sender = JID.parse(stanza.attrs["from"])
    except (KeyError, AddressError):
        return  # the server's own, to this very session
    if sender == account.jid:
        return  # on the account's behalf, to this very session
    if stanza.name == "iq":
        raise StanzaError("service-unavailable")
    if stanza.child("result", _ARCHIVE) is not None:
        return
    if host.accounts.get(account.jid.local) is not account:
        raise StanzaError("service-unavailable")  # it has been removed
    if account.refuses(sender):
        raise StanzaError("service-unavailable")  # by now
    delay = stanza.child("delay", _DELAY)
    if delay is not None:
        moment = _moment_of(delay, host)
        origin.came = origin.sent if moment is None else min(origin.sent, moment - _epoch(host))
    else:
        stamp = format_datetime(datetime.fromtimestamp(_epoch(host) + origin.sent, UTC))
        stanza.append(Element("delay", _DELAY, from_=host.jid, stamp=stamp))
    _deliver(account, stanza, origin)


def _deliver(account: Account, stanza: Element, origin: Redelivery) -> None:
    """As `delivery.message` does for a bare JID, but for nobody who has it already; no copies are made, since those who
    wanted one had it."""
    hooks = account.host.hooks
    to_people = stanza.get("type", "normal") in ("chat", "normal")
    # What one's own client has sent to another one isn't delivered where it came from.
    available = [session for session in account.most_available if session.jid.text != stanza.get("from")]
    if to_people and available:
        _find_receivers(account, stanza, origin)
    for handler in hooks.message_in:
        if handler(account, stanza, account.jid, origin):
            return
    if to_people:
        written = stanza.to_bytes() if available else b""
        for session in available:
            if session not in origin.receivers:
                session.write(written)
                origin.fate = "delivered"
        if available:
            return
        for keep in hooks.message_unclaimed:
            if keep(account, stanza, account.jid, origin):
                return
    raise StanzaError("service-unavailable")


def _find_receivers(account: Account, stanza: Element, origin: Redelivery) -> None:
    """Find those that have a message already, of all that get what is for the account."""
    for note in account.host.hooks.message_redelivered:
        note(account, stanza, origin)
    if origin.again == origin.sent and _was_for(origin.session, stanza):
        return
    # Then all those got it. Who hasn't acknowledged it yet is responsible for it, as this session was until now.
    have = [other for other in account.most_available if other.most_available_since < origin.again]
    written = stanza.to_bytes()
    for other in have:
        if other.management is not None:
            other.management.replace(origin.written, written)
    origin.receivers.update(have)


def _epoch(host: Host) -> float:
    """The time of day, in seconds since 1970, at which the clock that never goes back stood at nothing."""
    return host.clock.time() - host.clock.monotonic()


def _moment_of(delay: Element, host: Host) -> float | None:
    """The moment that a delay of this host's names."""
    try:
        return parse_datetime(delay.get("stamp")).timestamp() if delay.get("from") == host.name else None
    except ValueError:
        return None


def _was_for(session: Session, stanza: Element) -> bool:
    """Whether a message was for one session alone."""
    try:
        return JID.parse(stanza.attrs["to"]) == session.jid
    except (KeyError, AddressError):
        return False
