"""Carbons at the server: copies for the account's other clients, made once and written to each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.core.xml import CLIENT, Element, escape_attribute
from chirrup.ext.carbons import NS, RULES
from chirrup.ext.carbons.payloads import Disable, Enable
from chirrup.ext.carbons.rules import is_eligible, is_private_in_room, pretends_to_be_copy
from chirrup.ext.forwarding import NS as FORWARDING
from chirrup.ext.presence.directed import Directed
from chirrup.ext.stanza_ids.rules import add_stanza_id
from chirrup.server import hooks
from chirrup.server.module import (
    Account,
    Addressee,
    Module,
    Origin,
    Redelivery,
    Request,
    Session,
    Xep,
    bind_inline,
    bounce,
    iq_set,
)

_Kind = Literal["sent", "received"]
_MAX_COPIED: Final = 200
"""Copied messages of an account that are remembered, for the errors that may answer them."""


class Enabled:
    """Marks a session that wants copies, and has done so since a moment of the clock that never goes back."""

    __slots__ = ("since",)

    def __init__(self, since: float) -> None:
        self.since = since


class Copied:
    """The last messages of an account that were copied. Kept with the account."""

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        self._keys: dict[int, None] = {}  # in the order in which they came

    def add(self, kind: _Kind, message: Element, peer: str) -> None:
        """A message that was sent to that address, or received from it."""
        self._keys[_key(kind, message, peer)] = None
        if len(self._keys) > _MAX_COPIED:
            del self._keys[next(iter(self._keys))]

    def has(self, kind: _Kind, error: Element, peer: str) -> bool:
        """Whether an error that was sent to that address, or received from it, answers one that went the other way."""
        return "id" in error.attrs and _key("sent" if kind == "received" else "received", error, peer) in self._keys


class Carbons(Module):
    """Copies conversations to the account's other clients, where those have asked for it."""

    xeps = (Xep(280, "1.0.1"),)
    features = (NS, RULES)

    # -- who gets copies

    @iq_set(Enable, to=(Addressee.OWN, Addressee.ACCOUNT), even_missing=True)
    def enable(self, request: Request[Enable]) -> None:
        self._enable(_own_session(request))

    @iq_set(Disable, to=(Addressee.OWN, Addressee.ACCOUNT), even_missing=True)
    def disable(self, request: Request[Disable]) -> None:
        _own_session(request).drop(Enabled)

    @bind_inline("enable", NS)
    def enable_while_binding(self, session: Session, element: Element) -> None:
        self._enable(session)

    def _enable(self, session: Session) -> None:
        if Enabled not in session.data:
            session.put(Enabled(self.host.clock.monotonic()))

    # -- what is copied

    @hooks.message_out(after=["blocking", "archive"])
    def sent(self, session: Session, stanza: Element, to: JID) -> bool:
        sessions = session.account.sessions
        if len(sessions) > 1 or (sessions and session.jid.resource not in sessions):  # or it has ended meanwhile
            self._copy_sent(session.account, stanza, to, session)
        return False

    @hooks.message_in_name(after=["archive"])
    def sent_in_name(self, account: Account, stanza: Element, to: JID, origin: Origin) -> None:
        self._copy_sent(account, stanza, to, None)

    def _copy_sent(self, account: Account, stanza: Element, to: JID, sender: Session | None) -> None:
        if to.bare == account.jid:  # it is received there
            return
        others = [other for other in account.sessions.values() if other is not sender and Enabled in other.data]
        if others and sender is not None and is_private_in_room(stanza, to):
            others = _sharing_nick(sender, others, to)
        if others:
            _copy("sent", account, self._with_id(account, stanza), to.bare.text, others)

    def _with_id(self, account: Account, stanza: Element) -> Element:
        """The message with its id in the account's own archive, which nobody else is told (XEP-0313 §3.4)."""
        number = self.host.copies.find(account.jid, stanza)
        if number is None:
            return stanza
        stanza = stanza.copy()
        add_stanza_id(stanza, self.host.store.messages.uid(number), account.jid)
        return stanza

    @hooks.message_delivered()
    def delivered(self, account: Account, stanza: Element, sessions: Sequence[Session]) -> None:
        if len(account.sessions) > len(sessions):
            _copy_received(account, stanza, sessions)

    @hooks.message_unclaimed(before=["archive", "offline"])
    def unclaimed(self, account: Account, stanza: Element, to: JID, origin: Origin) -> bool:
        """Those who don't take part in the rules of delivery, since they aren't available, get copies all the same."""
        if account.sessions and not isinstance(origin, Redelivery):
            _copy_received(account, stanza, ())
        return False

    @hooks.message_refused()
    def refused(self, session: Session, error: Element) -> None:
        """The error that this server itself answers with is copied as one from elsewhere is."""
        if session.account.sessions:
            _copy_received(session.account, error, (session,))

    # -- what isn't

    @hooks.message_redelivered(after=["client_state"])
    def had_copies(self, account: Account, stanza: Element, origin: Redelivery) -> None:
        """Nobody is given a message of which a copy has come. A copy that may not have come turns into the message, and
        is sent again as that where it has to be: it isn't lost if this session ends as well."""
        if not is_eligible(stanza, received=True):
            return
        head, tail = _halves("received", account.jid, stanza, origin.written)
        written = stanza.to_bytes()
        for session in account.most_available:
            enabled = session.find(Enabled)
            if enabled is not None and enabled.since < origin.came:
                if session.management is not None:
                    session.management.replace(_addressed(session, head, tail), written)
                origin.receivers.add(session)

    @hooks.message_in(before=["archive", "offline"])
    def refuse_forged(self, account: Account, stanza: Element, to: JID, origin: Origin) -> bool:
        """Keep from clients what pretends to be a copy: they might believe it (§11). No copy comes this way."""
        if not pretends_to_be_copy(stanza):
            return False
        bounce(stanza, origin, StanzaError("forbidden", "carbons come from one's own server only"))
        return True


def _own_session(request: Request[Enable] | Request[Disable]) -> Session:
    if request.session is None or request.to != request.sender.bare:
        raise StanzaError("not-allowed", "carbons are for the account's own clients")
    return request.session


def _sharing_nick(sender: Session, others: list[Session], room: JID) -> list[Session]:
    """Those that are in a room under the same nickname as the sender, by the presence that they sent there: others
    couldn't answer (XEP-0280 §6.1, note). All of them where it isn't known what the sender's is."""
    directed = sender.find(Directed)
    own = directed.of(room) if directed is not None else frozenset()
    if not own:
        return others
    return [other for other in others if (there := other.find(Directed)) is not None and own & there.of(room)]


def _copy_received(account: Account, stanza: Element, receivers: Sequence[Session]) -> None:
    """Copy a message to everybody but those who received it, and the one who sent it to the account itself."""
    sender = stanza.attrs.get("from", "")
    others = [
        session
        for session in account.sessions.values()
        if Enabled in session.data and session not in receivers and session.jid.text != sender
    ]
    if others:
        _copy("received", account, stanza, sender.partition("/")[0], others)


def _copy(kind: _Kind, account: Account, stanza: Element, peer: str, sessions: list[Session]) -> None:
    """Give sessions a copy, if the message is one to be copied. `peer` is the bare JID that it came from or goes to."""
    copied = account.find(Copied)
    if stanza.attrs.get("type") == "error":
        if copied is None or not copied.has(kind, stanza, peer):
            return
    elif is_eligible(stanza, received=kind == "received"):
        if "id" in stanza.attrs:
            if copied is None:
                copied = account.put(Copied())
            copied.add(kind, stanza, peer)
    else:
        return
    head, tail = wrapped(kind, account.jid, stanza)
    for session in sessions:
        session.write(_addressed(session, head, tail))


def wrapped(kind: _Kind, owner: JID, stanza: Element) -> tuple[bytes, bytes]:
    """A copy of a message as its owner's clients get it, in two halves between which ` to='…'` goes."""
    return _halves(kind, owner, stanza, stanza.to_bytes())


def _halves(kind: _Kind, owner: JID, stanza: Element, written: bytes) -> tuple[bytes, bytes]:
    attributes = f"from='{escape_attribute(owner.text)}'"
    if "type" in stanza.attrs:
        attributes += f" type='{escape_attribute(stanza.attrs['type'])}'"
    around = f"><{kind} xmlns='{NS}'><forwarded xmlns='{FORWARDING}'><message xmlns='{CLIENT}'"
    tail = b"%b%b</forwarded></%b></message>" % (around.encode(), written[len("<message") :], kind.encode())
    return f"<message {attributes}".encode(), tail


def _addressed(session: Session, head: bytes, tail: bytes) -> bytes:
    return b"%b to='%b'%b" % (head, escape_attribute(session.jid.text).encode(), tail)


def _key(kind: _Kind, message: Element, peer: str) -> int:
    """A number is enough, and small, however long an id a peer makes up."""
    return hash((kind, peer, message.attrs["id"]))
