"""A client's carbons: what the account's other clients send and receive (XEP-0280)."""

from __future__ import annotations

from collections.abc import Sequence

from chirrup.client.feature import Feature, filter_message
from chirrup.client.stanzas import Message
from chirrup.core.errors import AddressError
from chirrup.core.jid import JID
from chirrup.core.xml import Element
from chirrup.ext.carbons import NS
from chirrup.ext.carbons.payloads import Disable, Enable, Received, Sent


class Carbons(Feature):
    """Lets the program see its account's conversations on all devices: copies come as messages do, those of what was
    sent with `outgoing`, and all with `copied`. They are asked for in each session."""

    xeps = ((280, "1.0.1", ""),)

    @property
    def bind_inline(self) -> Sequence[Element]:
        return (Enable().to_element(),)

    async def session_bound(self) -> None:
        if NS not in self.entity.switched_on:
            await self.enable()

    async def enable(self) -> None:
        """Ask for copies. Raises StanzaError where the server has none to give."""
        await self.entity.request(Enable(), type="set", result=None)

    async def disable(self) -> None:
        """Ask for no more copies in this session."""
        await self.entity.request(Disable(), type="set", result=None)

    @filter_message(Received)
    def received(self, message: Message, copy: Received) -> Message | None:
        return self._copied(message, copy.forwarded.stanza, outgoing=False)

    @filter_message(Sent)
    def sent(self, message: Message, copy: Sent) -> Message | None:
        return self._copied(message, copy.forwarded.stanza, outgoing=True)

    def _copied(self, around: Message, stanza: Element, *, outgoing: bool) -> Message | None:
        """The message that was copied; None if the copy isn't the own server's, or can't be true (§11)."""
        if not self.entity.is_own(around.sender) or stanza.name != "message":
            return None
        try:
            sender = JID.parse(stanza.get("from"))
        except AddressError:
            return None
        if outgoing and sender.bare != self.client.account:
            return None
        message = Message.received(stanza, sender, self.entity)
        message.outgoing, message.copied = outgoing, True
        return message
