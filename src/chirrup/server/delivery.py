"""What happens to a message or presence that arrives for an account: the rules of RFC 6121 §8.5."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.core.stanza import SUBSCRIPTION_TYPES
from chirrup.core.xml import Element
from chirrup.server.router import bounce

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chirrup.server.account import Account
    from chirrup.server.session import Origin, Session


def message(account: Account, stanza: Element, to: JID, origin: Origin) -> None:
    """Deliver a message for an account (§8.5.2 and §8.5.3, table 1)."""
    hooks = account.host.hooks
    if account.blocked is not None and account.blocked(JID.parse(stanza.attrs["from"])):
        if stanza.attrs.get("type", "normal") in ("chat", "normal"):  # a room would take an error for a farewell
            bounce(stanza, origin, StanzaError("service-unavailable"))
        return
    for handler in hooks.message_in:
        if handler(account, stanza, to, origin):
            return
    if to.resource:
        session = account.sessions.get(to.resource)
        if session is not None:
            for archive in hooks.message_archiving:
                archive(account, stanza, to, origin)
            session.write(stanza.to_bytes())
            for note in hooks.message_delivered:
                note(account, stanza, (session,))
            return
    kind = stanza.attrs.get("type", "normal")
    receivers: Sequence[Session] = ()
    if kind == "chat" or (kind == "normal" and not to.resource):
        receivers = account.most_available
    elif kind == "error":
        return
    elif kind == "headline":
        if not to.resource:
            receivers = account.non_negative
        if not receivers:  # what its sender wants to have stored is found in the archive (XEP-0334 §4.4)
            for archive in hooks.message_archiving:
                archive(account, stanza, to, origin)
            return
    else:  # groupchat to an account, or normal to a resource that is gone
        bounce(stanza, origin, StanzaError("service-unavailable"))
        return
    for archive in hooks.message_archiving:
        archive(account, stanza, to, origin)
    if receivers:
        written = stanza.to_bytes()
        for session in receivers:
            session.write(written)
        for note in hooks.message_delivered:
            note(account, stanza, receivers)
        return
    for keep in hooks.message_unclaimed:
        if keep(account, stanza, to, origin):
            return
    account.host.copies.withdraw(account.jid, stanza)
    bounce(stanza, origin, StanzaError("service-unavailable"))


def presence(account: Account, stanza: Element, to: JID, sender: JID, origin: Origin) -> None:
    """Deliver presence for an account (§8.5.2.1.2, §8.5.3)."""
    if account.blocked is not None and account.blocked(sender):
        return
    kind = stanza.attrs.get("type")
    hooks = account.host.hooks
    if kind in SUBSCRIPTION_TYPES:
        if to.resource and to.resource not in account.sessions and kind != "subscribe":
            return  # §8.5.3.2.2
        for subscribe in hooks.subscription_in:
            if subscribe(account, stanza, sender.bare, origin):
                return
        return
    for handler in hooks.presence_in:
        if handler(account, stanza, to, sender):
            return
    if kind == "probe":
        return
    if kind != "error":
        for note in hooks.presence_arrived:
            note(account, stanza, to, sender)
    if to.resource:
        session = account.sessions.get(to.resource)
        if session is not None:
            session.write(stanza.to_bytes())
        return
    if kind == "error":
        return
    written = stanza.to_bytes()
    for session in account.available:
        session.write(written)


def iq(account: Account, stanza: Element, to: JID, sender: JID, origin: Origin) -> None:
    """Deliver an IQ to a full JID (§8.5.3)."""
    session = account.sessions.get(to.resource)
    if session is None or account.refuses(sender):
        bounce(stanza, origin, StanzaError("service-unavailable"))
        return
    if stanza.attrs.get("type") in ("get", "set"):
        for handler in account.host.hooks.iq_in:
            if handler(account, stanza, session, sender, origin):
                return
    session.write(stanza.to_bytes())
