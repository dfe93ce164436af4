"""What becomes of stanzas that a session was given and never acknowledged, once it is over (XEP-0198 §4).

A message goes the way of one to a resource that is gone: to another resource, to where messages are kept, or back. An
IQ that asks something is answered with an error. Presence and headlines are stale by then, or others had them, too. An
answer is of no use to another client; nor is what was meant for this one session, such as carbons and results of
archive queries.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Set
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from chirrup.core.errors import AddressError, StanzaError
from chirrup.core.jid import JID
from chirrup.core.parser import Limits, StreamParser
from chirrup.core.stanza import error_reply, may_bounce
from chirrup.core.values import format_datetime
from chirrup.core.xml import CLIENT, STREAMS, Element
from chirrup.server.router import bounce

if TYPE_CHECKING:
    from chirrup.server.account import Account
    from chirrup.server.host import Host
    from chirrup.server.session import Session

_DELAY: Final = "urn:xmpp:delay"
_ARCHIVE: Final = "urn:xmpp:mam:2"
_STANZA_IDS: Final = "urn:xmpp:sid:0"
_HEADER: Final = f"<stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>".encode()
_LIMITS: Final = Limits(stanza_bytes=1 << 30, depth=10_000, attributes=10_000, elements=1 << 30)
"""They passed once, in part before something was added."""


class Unstored:
    """Marks a session of whose stanzas the log has told already that they couldn't be stored."""


class Redelivery:
    """The origin of a stanza that comes a second time, because the session that was given it ended without saying that
    it was there. It has been archived and copied at the first time, if it was to be; where it was archived it carries
    the account's own `<stanza-id/>`."""

    def __init__(self, session: Session, sent: float, receivers: Set[Session]) -> None:
        self.session = session
        """The session that was given it."""
        self.sent = sent
        """When it was, in seconds since 1970."""
        self.receivers = receivers
        """Other sessions that were given it, too, and haven't acknowledged it yet."""
        self._host: Host = session.host

    def answer(self, stanza: Element) -> None:
        """An error goes to whoever sent the stanza at first."""
        if "to" in stanza.attrs and "from" in stanza.attrs:
            self._host.send(stanza)

    def hold(self, stored: asyncio.Future[Any], stanza: Element) -> None:
        def settled(future: asyncio.Future[Any]) -> None:
            if not future.cancelled() and (error := future.exception()) is not None:
                if Unstored not in self.session.data:
                    self.session.data[Unstored] = Unstored()
                    self.session.log.error("unacknowledged stanzas could not be stored", reason=str(error))
                if may_bounce(stanza):
                    reason = StanzaError("internal-server-error", "it could not be stored", type="wait")
                    self.answer(error_reply(stanza, reason))

        stored.add_done_callback(settled)


def redeliver(session: Session, left: Iterable[tuple[bytes, float]]) -> None:
    """Deal with what a session that is over leaves, given with when it was sent, in seconds since 1970."""
    parser = StreamParser(_LIMITS)
    parser.feed(_HEADER)
    count = 0
    others = {
        other: frozenset(other.management.queue)
        for other in session.account.sessions.values()
        if other.management is not None
    }
    for written, stamp in left:
        for stanza in parser.feed(written):
            count += 1
            origin = Redelivery(session, stamp, {other for other, queue in others.items() if written in queue})
            try:
                _redeliver(session, stanza, origin)
            except StanzaError as error:
                bounce(stanza, origin, error)
            except Exception:
                session.log.exception("an unacknowledged stanza could not be delivered anew")
    parser.discard()
    if count:
        session.log.info("unacknowledged stanzas are delivered anew or returned", stanzas=count)


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
        bounce(stanza, origin, StanzaError("service-unavailable"))
        return
    if stanza.child("result", _ARCHIVE) is not None:
        return
    if stanza.child("delay", _DELAY) is None:
        moment = format_datetime(datetime.fromtimestamp(origin.sent, UTC))
        stanza.append(Element("delay", _DELAY, from_=host.jid, stamp=moment))
    if host.accounts.get(account.jid.local) is account:
        _deliver(account, stanza, origin)
    else:
        bounce(stanza, origin, StanzaError("service-unavailable"))


def _deliver(account: Account, stanza: Element, origin: Redelivery) -> None:
    """As `delivery.message` does for a bare JID, but for nobody who has it already: no copies are made, since those who
    wanted one had it, and what is in the archive goes only to those who weren't there at its time."""
    hooks = account.host.hooks
    for handler in hooks.message_in:
        if handler(account, stanza, account.jid, origin):
            return
    kind = stanza.get("type", "normal")
    if kind in ("chat", "normal"):
        available = account.most_available
        written = stanza.to_bytes() if available else b""
        archived = any(child.get("by") == account.jid.text for child in stanza.elements("stanza-id", _STANZA_IDS))
        for session in available:
            if session not in origin.receivers and not (archived and session.since <= origin.sent):
                session.write(written)
        if available:
            return
        for keep in hooks.message_unclaimed:
            if keep(account, stanza, account.jid, origin):
                return
    bounce(stanza, origin, StanzaError("service-unavailable"))
