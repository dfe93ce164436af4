"""Client state at the server: for a client nobody looks at, stanzas wait and are sent together, or never if stale."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from pydantic import Field

from chirrup.core.jid import JID
from chirrup.core.rereading import Rereader
from chirrup.core.xml import Element
from chirrup.ext.client_state import NS
from chirrup.ext.client_state.rules import Urgency, is_own_in_room, is_replaceable, judge, kind_of
from chirrup.ext.client_state.waiting import Waiting
from chirrup.ext.presence.directed import Directed
from chirrup.server import hooks
from chirrup.server.module import Account, Module, Redelivery, Session, Settings, Xep, bind_inline, nonza

if TYPE_CHECKING:
    from chirrup.net.clock import Timer
    from chirrup.server.host import Host


class ClientStateSettings(Settings):
    """How long stanzas wait for clients that nobody looks at. Presence, chat states, receipts, markers and
    notifications of publish-subscribe wait until something else has to be sent; messages for a person don't wait."""

    max_waiting: int = Field(default=250, ge=1)
    """Stanzas that wait for a client; one more, and all of them are sent."""
    max_waiting_bytes: int = Field(default=262_144, ge=1024)
    """Their octets; with more of them all are sent."""
    wait: float = Field(default=30, ge=0)
    """Seconds that messages wait which aren't for this person alone, or not for this client: those in rooms that don't
    mention the user, headlines, and copies of what other clients send. With 0 they don't wait."""
    urgent_nodes: frozenset[str] = Field(default=frozenset())
    """Nodes of publish-subscribe whose notifications don't wait, such as `urn:xmpp:mds:displayed:0` for what has been
    read elsewhere."""


class ClientState(Module):
    """Lets what isn't urgent wait while a client is inactive, which saves phones their battery."""

    xeps = (Xep(352, "1.0.0"),)
    Settings = ClientStateSettings
    settings: ClientStateSettings

    def __init__(self, host: Host, settings: ClientStateSettings) -> None:
        super().__init__(host, settings)
        self._due: dict[Waiting, Session] = {}  # the earliest first: all wait equally long
        self._timer: Timer | None = None
        self._rereader = Rereader()

    async def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def stream_features(self, *, logged_in: bool, secure: bool) -> Iterable[Element]:
        return (Element("csi", NS),) if logged_in else ()

    # -- what a client says

    @nonza("inactive", NS)
    def inactive(self, session: Session, element: Element) -> None:
        if Waiting not in session.data:
            waiting = session.put(Waiting())
            session.divert(partial(self._take, session, waiting))

    @nonza("active", NS)
    def active(self, session: Session, element: Element) -> None:
        if Waiting in session.data:
            self._end(session)
            for handler in self.host.hooks.session_active:
                handler(session)

    @bind_inline("inactive", NS)
    def begin_inactive(self, session: Session, element: Element) -> None:
        self.inactive(session, element)

    @bind_inline("active", NS)
    def begin_active(self, session: Session, element: Element) -> None:
        """It is that anyway (§4.2)."""

    # -- what happens to it

    @hooks.session_detached()
    def detached(self, session: Session) -> None:
        """A session that comes back is active (§5.2)."""
        self._end(session)

    @hooks.session_closed()
    def closed(self, session: Session) -> None:
        """What has waited is dealt with as everything else that the client hasn't acknowledged."""
        self._end(session)

    @hooks.message_redelivered()
    def redelivered(self, account: Account, stanza: Element, origin: Redelivery) -> None:
        """What waits may be a copy of the message: it is sent, as the message would have it, so that it is known who
        has one."""
        for session in account.most_available:
            waiting = session.find(Waiting)
            if waiting:
                self._send(session, waiting)

    def _end(self, session: Session) -> None:
        waiting = session.drop(Waiting)
        if waiting is not None:
            session.undivert()
            self._send(session, waiting)

    # -- what is written to it

    def _take(self, session: Session, waiting: Waiting, written: bytes) -> None:
        urgency, key = self._judge(session, written)
        if urgency is Urgency.NOW:
            self._send(session, waiting)
            session.pass_on(written)
            return
        waiting.add(written, key)
        if len(waiting) > self.settings.max_waiting or waiting.octets > self.settings.max_waiting_bytes:
            self._send(session, waiting)
        elif urgency is Urgency.SOON and waiting.due is None:
            self._wait(session, waiting)

    def _judge(self, session: Session, written: bytes) -> tuple[Urgency, Hashable]:
        name, kind, sender = kind_of(written)
        if name == b"presence":
            later = is_replaceable(kind) and not is_own_in_room(written)
            return (Urgency.LATER, sender) if later else (Urgency.NOW, None)
        if name != b"message":
            return Urgency.NOW, None
        found = self._rereader.read(written)
        if len(found) != 1:  # a module has written what is no single stanza
            return Urgency.NOW, None
        return judge(found[0], nicks=partial(_nicks, session), urgent_nodes=self.settings.urgent_nodes)

    # -- time

    def _wait(self, session: Session, waiting: Waiting) -> None:
        if not self.settings.wait:
            self._send(session, waiting)
            return
        waiting.due = self.host.clock.monotonic() + self.settings.wait
        self._due[waiting] = session
        if self._timer is None:
            self._timer = self.host.clock.call_later(self.settings.wait, self._expire)

    def _expire(self) -> None:
        """Send what has waited long enough."""
        self._timer = None
        now = self.host.clock.monotonic()
        while (first := next(iter(self._due), None)) is not None and first.due is not None:
            if first.due > now:
                self._timer = self.host.clock.call_later(first.due - now, self._expire)
                return
            self._send(self._due[first], first)

    def _send(self, session: Session, waiting: Waiting) -> None:
        self._due.pop(waiting, None)
        for stanza in waiting.take():
            session.pass_on(stanza)


def _nicks(session: Session, room: JID) -> Collection[str]:
    """The nicknames that a session has in a room: it has sent directed presence to each of them (XEP-0045 §7.2)."""
    directed = session.find(Directed)
    return () if directed is None else {entity.resource for entity in directed.of(room) if entity.resource}
