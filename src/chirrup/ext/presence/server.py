"""Presence at the server: broadcast, probes, directed presence."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import Field

from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.core.record import record
from chirrup.core.xml import CLIENT, Element, splice_to
from chirrup.ext.delay.payloads import Delay
from chirrup.ext.presence.directed import Directed
from chirrup.ext.roster.roster import Audience, Roster, may_see, written_to
from chirrup.ext.roster.server import Rosters
from chirrup.server import hooks
from chirrup.server.module import Account, Module, Origin, Session, Settings, bounce

_EACH: Final = 64
"""Octets of answers that presence for one contact counts for, as work."""
_INTEGER: Final = re.compile(r"[ \t\r\n]*([+-]?[0-9]{1,3})[ \t\r\n]*")


class PresenceSettings(Settings):
    """What presence may cost."""

    max_directed: int = Field(default=1000, ge=1)
    """Entities that a session may keep informed by directed presence at a time, such as the rooms it is in."""


@record
class Written:
    """A session's presence as it goes out, in the halves that `to` goes between. Kept with the session."""

    head: bytes
    tail: bytes

    def to(self, attribute: bytes) -> bytes:
        return self.head + attribute + self.tail


@record
class Away:
    """When an account's last session became unavailable, in seconds since 1970. Kept with the account."""

    since: float


class Presence(Module):
    """Tells contacts who is available, and lets them know when that changes."""

    needs = ("roster",)
    Settings = PresenceSettings
    settings: PresenceSettings

    async def start(self) -> None:
        self.need(Rosters)
        handlers = self.host.hooks.presence_in
        self._others: tuple[Callable[..., Any], ...] = tuple(
            handler for handler in handlers if getattr(handler, "__self__", None) is not self
        )
        """What other modules have to say about presence that arrives: asked here too, because the fan-out doesn't go
        through the router."""

    # -- what a session sends to everybody

    @hooks.presence_out()
    def broadcast(self, session: Session, stanza: Element) -> None:
        if stanza.attrs.get("type") == "unavailable":
            self._leave(session, stanza)
            return
        priority = read_priority(stanza)
        initial = session.presence is None
        session.presence, session.priority = stanza, priority
        session.account.rank()
        written = session.put(Written(*splice_to(stanza)))
        self._spread(session, stanza, written)
        if initial:
            self._collect(session)
            for handler in self.host.hooks.session_available:
                handler(session)

    @hooks.session_closed()
    def closed(self, session: Session) -> None:
        """Say what the client didn't (§4.5.2)."""
        self._leave(session, Element("presence", CLIENT, type="unavailable", from_=session.jid))

    def _leave(self, session: Session, stanza: Element) -> None:
        """Broadcast that a session is unavailable, also to those who only had directed presence of it."""
        directed = session.drop(Directed)
        account = session.account
        entities = [entity for entity in directed or () if not _reached(session, entity)]
        if session.presence is not None:
            self._spread(session, stanza, Written(*splice_to(stanza)))
            session.presence, session.priority = None, 0
            session.drop(Written)
            account.rank()
            if not account.available:
                account.put(Away(self.host.clock.time()))
        for entity in entities:
            self._send(stanza, entity)

    def _spread(self, session: Session, stanza: Element, written: Written) -> None:
        """Send presence to every subscriber and to the account's own available sessions."""
        account = session.account
        own = written.to(written_to(account.jid))
        for mine in account.available:
            mine.write(own)
        audience = _open_to(account, account.get(Roster).subscribers)
        session.answered += _EACH * (len(audience.local) + len(audience.remote))
        accounts = self.host.accounts
        head, tail = written.head, written.tail
        for local, attribute, jid in audience.local:
            contact = accounts.get(local)
            if contact is None or not contact.available:
                continue
            if contact.blocked is not None and contact.blocked(session.jid):
                continue
            if self._others and not self._passes(contact, stanza, jid, session.jid):
                continue
            data = head + attribute + tail
            for receiver in contact.available:
                receiver.write(data)
        for jid in audience.remote:
            self._send(stanza, jid)

    def _passes(self, account: Account, stanza: Element, to: JID, sender: JID) -> bool:
        """Whether no other module stops presence on its way to an account."""
        addressed = stanza.copy().set("to", to)
        return not any(handler(account, addressed, to, sender) for handler in self._others)

    def _send(self, stanza: Element, to: JID) -> None:
        self.host.send(stanza.copy().set("to", to))

    # -- what a session that has become available sees

    def _collect(self, session: Session) -> None:
        """Give a session the presence of its contacts and of the account's other sessions (§4.2.2, §4.3.1)."""
        account = session.account
        own = written_to(account.jid)
        for other in account.available:
            if other is not session:
                session.write(other.get(Written).to(own))
        contributors = _open_to(account, account.get(Roster).contributors)
        for local, _, jid in contributors.local:
            contact = self.host.accounts.get(local)
            if contact is None or not contact.available:
                continue
            if contact.blocked is not None and contact.blocked(account.jid):
                continue
            probe = _presence("probe", account.jid, jid)
            if self._others and not self._passes(contact, probe, jid, account.jid):
                continue
            if not contact.get(Roster).shares_with(account.jid):
                self.host.send(_presence("unsubscribed", jid, account.jid))
                continue
            for source in contact.available:
                if account.blocked is not None and account.blocked(source.jid):
                    continue
                if self._others and not self._passes(account, _shown(source), account.jid, source.jid):
                    continue
                session.write(source.get(Written).to(own))
        for jid in contributors.remote:
            self.host.send(_presence("probe", account.jid, jid, secrets.token_urlsafe(9)))

    # -- subscriptions that begin and end

    @hooks.subscription_changed()
    def subscription_changed(self, account: Account, contact: JID, was: str, now: str) -> None:
        """Show a new subscriber the account's presence (§3.1.5); to one who is none any more, it goes (§3.2.2), but to
        one who is blocked it has gone before."""
        if account.refuses(contact):
            return
        if now in ("from", "both"):
            if was == now or was not in ("from", "both"):
                for session in account.available:
                    self._send(_shown(session), contact)
        elif was in ("from", "both"):
            for session in account.available:
                self.host.send(_presence("unavailable", session.jid, contact))
                if directed := session.find(Directed):
                    directed.discard(contact)

    # -- directed presence

    @hooks.presence_directed()
    def direct(self, session: Session, stanza: Element, to: JID) -> None:
        """Remember who is to hear that the session is unavailable (§4.6.3)."""
        kind = stanza.attrs.get("type")
        if kind is None:
            if _reached(session, to):
                return
            directed = session.find(Directed)
            if directed is None:
                directed = session.put(Directed())
            if len(directed) >= self.settings.max_directed and to not in directed:
                raise StanzaError("resource-constraint", f"presence goes to {self.settings.max_directed} at a time")
            directed.add(to)
        elif kind == "unavailable" and (directed := session.find(Directed)) is not None:
            directed.discard(to)

    # -- what arrives

    @hooks.presence_in()
    def arrived(self, account: Account, stanza: Element, to: JID, sender: JID) -> bool:
        kind = stanza.attrs.get("type")
        if kind == "probe":
            self._probed(account, stanza, to, sender)
            return True
        if kind in ("unavailable", "error"):
            for session in (account.sessions.get(to.resource),) if to.resource else account.sessions.values():
                if session is not None and (directed := session.find(Directed)) is not None:
                    directed.discard(sender)
        return False

    def _probed(self, account: Account, stanza: Element, to: JID, sender: JID) -> None:
        """Answer a probe (§4.3.2, §4.6.6)."""
        identifier = stanza.attrs.get("id")
        if may_see(account, sender):
            if to.resource:
                session = account.sessions.get(to.resource)
                kind = None if session is not None and session.presence is not None else "unavailable"
                self.host.send(_presence(kind, to, sender, identifier))
            elif account.available:
                for session in account.available:
                    self._send(_shown(session), sender)
            else:
                self.host.send(_unavailable_since(account, sender, identifier))
            return
        told = [
            session
            for session in account.sessions.values()
            if (directed := session.find(Directed)) is not None
            and sender in directed
            and to.resource in ("", session.jid.resource)
        ]
        for session in told:
            self.host.send(_presence(None, session.jid, sender, identifier))
        if not told:
            self.host.send(_presence("unsubscribed", account.jid, sender, identifier))

    @hooks.iq_in()
    def ask(self, account: Account, stanza: Element, session: Session, sender: JID, origin: Origin) -> bool:
        """Refuse IQs of those who are shown no presence, to whom the session mustn't be known (§8.5.3.1)."""
        directed = session.find(Directed)
        if may_see(account, sender) or sender == self.host.jid or (directed is not None and directed.knows(sender)):
            return False
        bounce(stanza, origin, StanzaError("service-unavailable"))
        return True


def read_priority(stanza: Element) -> int:
    """The priority in available presence, 0 if there is none (§4.7.2.3). Raises StanzaError for what is none."""
    found = list(stanza.elements("priority", CLIENT))
    if not found:
        return 0
    match = _INTEGER.fullmatch(found[0].text)
    if len(found) > 1 or found[0].first is not None or match is None or not -128 <= int(match[1]) <= 127:
        raise StanzaError("bad-request", "a priority is one integer from -128 to 127")
    return int(match[1])


def _reached(session: Session, entity: JID) -> bool:
    """Whether the session's broadcasts reach an entity anyway."""
    account = session.account
    return (
        entity.is_bare
        and session.presence is not None
        and (entity == account.jid or account.get(Roster).shares_with(entity))
    )


def _open_to(account: Account, audience: Audience) -> Audience:
    """Those to whom, and from whom, an account lets presence pass."""
    blocked = account.blocked
    if blocked is None:
        return audience
    local = tuple(contact for contact in audience.local if not blocked(contact[2]))
    return Audience(local, tuple(jid for jid in audience.remote if not blocked(jid)))


def _shown(session: Session) -> Element:
    """The presence of a session that is available."""
    assert session.presence is not None
    return session.presence


def _unavailable_since(account: Account, to: JID, identifier: str | None) -> Element:
    stanza = _presence("unavailable", account.jid, to, identifier)
    away = account.find(Away)
    if away is not None:
        stanza.append(Delay(datetime.fromtimestamp(int(away.since), UTC)).to_element())
    return stanza


def _presence(kind: str | None, sender: JID, to: JID, identifier: str | None = None) -> Element:
    return Element("presence", CLIENT, type=kind, from_=sender, to=to, id=identifier)
