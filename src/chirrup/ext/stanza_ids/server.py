"""Ids of messages at the server: what claims to be given by it, and wasn't, is taken away."""

from __future__ import annotations

from chirrup.core.jid import JID
from chirrup.core.xml import Element
from chirrup.ext.stanza_ids import NS
from chirrup.ext.stanza_ids.rules import strip_ids_by
from chirrup.server import hooks
from chirrup.server.module import Account, Module, Origin, Redelivery, Session, Xep


class StanzaIds(Module):
    """Makes ids of messages trustworthy: nobody but the account's own server can give one in the account's name."""

    xeps = (Xep(359, "0.7.0"),)
    features = (NS,)
    account_features = (NS,)

    @hooks.message_out(before=["archive", "carbons"])
    def strip_sent(self, session: Session, stanza: Element, to: JID) -> bool:
        strip_ids_by(stanza, self.host.name)
        return False

    @hooks.message_in_name(before=["archive", "carbons"])
    def strip_sent_in_name(self, account: Account, stanza: Element, to: JID, origin: Origin) -> None:
        strip_ids_by(stanza, self.host.name)

    @hooks.message_in(before=["archive", "carbons", "offline"])
    def strip_received(self, account: Account, stanza: Element, to: JID, origin: Origin) -> bool:
        # A client of this host's own was looked at when it sent this; what is delivered again has ids that are true.
        if not (isinstance(origin, Session) and origin.host is self.host) and not isinstance(origin, Redelivery):
            strip_ids_by(stanza, self.host.name)
        return False
