"""Read states at the server: kept private from the start, and taken from messages that carry one (XEP-0490 §3.5)."""

from __future__ import annotations

from chirrup.core.errors import PayloadError, StanzaError
from chirrup.core.jid import JID
from chirrup.core.xml import Element
from chirrup.ext.pubsub.server import PersonalEventing
from chirrup.ext.read_state import NS
from chirrup.ext.read_state.payloads import ReadState
from chirrup.server import hooks
from chirrup.server.module import Account, Module, Session, Xep


class ReadStates(Module):
    """Lets a client say with one message that it has shown a chat, to the chat and to the account's other clients."""

    needs = ("pubsub",)
    xeps = (Xep(490, "1.0.1"),)
    account_features = ("urn:xmpp:mds:server-assist:0",)
    needs_accounts = True

    async def start(self) -> None:
        self._pubsub = self.need(PersonalEventing)
        private = {"access_model": "whitelist", "send_last_published_item": "never"}
        self._pubsub.set_default(NS, max_items=None, **private)

    @hooks.message_out(before=["archive", "carbons", "stanza_ids"])
    def assist(self, session: Session, stanza: Element, to: JID) -> bool:
        """Publish what a message says of the chat that it goes to, and pass it on without that."""
        element = stanza.child("displayed", NS)
        if element is None:
            return False
        try:
            ReadState.parse(element)
        except PayloadError as error:
            raise StanzaError("bad-request", str(error)) from None
        stanza.remove("displayed", NS)
        session.hold(self.host.server.spawn(self._publish(session.account, to, element)), stanza)
        return False

    async def _publish(self, account: Account, chat: JID, element: Element) -> None:
        try:
            await self._pubsub.publish(account, NS, element, chat.text)
        except StanzaError as error:  # no room; the message is on its way
            self.host.log.info("a read state could not be published", owner=account.jid.text, reason=str(error))
