"""The presence that privileged components are shown (XEP-0356 §7)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chirrup.core.jid import JID
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.roster.roster import Roster

if TYPE_CHECKING:
    from chirrup.ext.privilege.settings import PrivilegeSettings
    from chirrup.server.account import Account
    from chirrup.server.host import Host
    from chirrup.server.session import Session


@dataclass(slots=True)
class _Elsewhere:
    """The presence of a contact that isn't of this host, and which accounts see it."""

    stanza: Element
    written: bytes
    seers: set[JID] = field(default_factory=set)


class Presences:
    """Who is shown whose presence, once each (§8). Of contacts elsewhere it is remembered, for components that come
    later."""

    def __init__(self, host: Host, settings: PrivilegeSettings) -> None:
        self._host = host
        self._most = settings.max_presences
        grants = settings.components.items()
        self._all = tuple(JID.parse(domain) for domain, grant in grants if grant.presence != "none")
        self._contacts = tuple(JID.parse(domain) for domain, grant in grants if grant.presence == "roster")
        self._elsewhere: dict[JID, _Elsewhere] = {}

    def connected(self, component: JID) -> None:
        """Tell a component of everybody who is available already (§8)."""
        if component not in self._all:
            return
        for session in self._host.sessions():
            if session.presence is not None:
                self._show(session.presence, component)
        if component in self._contacts:
            for known in self._elsewhere.values():
                self._show(known.stanza, component)

    # -- accounts of this host

    def appears(self, session: Session) -> None:
        """A session has sent its first presence."""
        assert session.presence is not None
        for component in self._all:
            self._show(session.presence, component)

    def changes(self, session: Session, stanza: Element) -> None:
        """A session that is available sends other presence; a contact on this host sees it, or nobody."""
        if self._contacts and session.account.get(Roster).subscribers.local:
            for component in self._contacts:
                self._show(stanza, component)

    def leaves(self, session: Session, stanza: Element | None = None) -> None:
        """A session is about to become unavailable, by this stanza if the client has sent one."""
        if session.presence is None:
            return
        stanza = stanza or Element("presence", CLIENT, type="unavailable", from_=session.jid)
        for component in self._all:
            self._show(stanza, component)

    # -- contacts elsewhere

    def wants(self, stanza: Element, sender: JID) -> bool:
        """Whether presence that arrives for an account may be of interest."""
        if not self._contacts or sender.domain == self._host.name:
            return False
        return "type" not in stanza.attrs or sender in self._elsewhere

    def arrived(self, account: Account, stanza: Element, sender: JID) -> None:
        """Available or unavailable presence has arrived for an account."""
        known = self._elsewhere.get(sender)
        if stanza.attrs.get("type") == "unavailable":
            if known is not None:
                known.seers.discard(account.jid)
                if not known.seers:
                    del self._elsewhere[sender]
                    self._show_contact(stanza, sender)
            return
        if not account.get(Roster).get(sender.bare).state.receives:
            return
        shown = stanza.copy()
        shown.attrs.pop("to", None)
        written = shown.to_bytes()
        if known is None:
            if len(self._elsewhere) >= self._most:
                return
            known = self._elsewhere[sender] = _Elsewhere(shown, b"")
        known.seers.add(account.jid)
        if known.written != written:
            known.stanza, known.written = shown, written
            self._show_contact(shown, sender)

    def _show_contact(self, stanza: Element, sender: JID) -> None:
        for component in self._contacts:
            if sender.domain != component.domain:
                self._show(stanza, component)

    def _show(self, stanza: Element, component: JID) -> None:
        """Who is away is told when it comes back."""
        if self._host.server.components[component.domain].connection is not None:
            self._host.send(stanza.copy().set("to", component))
