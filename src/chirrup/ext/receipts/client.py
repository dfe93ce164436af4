"""A client asks whether its messages have arrived, and tells others that theirs have (XEP-0184)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from chirrup.client.client import Client
from chirrup.client.entity import Entity
from chirrup.client.feature import Feature, on_message
from chirrup.client.stanzas import Message
from chirrup.core.errors import LocalProtocolError, StanzaError
from chirrup.core.jid import JID
from chirrup.ext.receipts import NS
from chirrup.ext.receipts.payloads import Receipt, ReceiptRequest
from chirrup.ext.roster.client import Roster

MOST: Final = 1_000
"""So many receipts are waited for; of more, the oldest are given up."""

Policy = Callable[[JID], bool]
"""Whether somebody is told that a message of theirs has arrived, and so that the client is there."""


class Receipts(Feature):
    """Says that messages have arrived to those who may see the account's presence, and knows when the program's own
    have.

    where = await client.need(Receipts).send(Message("juliet@example.org", "Good night!"), timeout=60)

    No receipt doesn't say that a message hasn't arrived: the other client may not give any."""

    xeps = ((184, "1.4.0", ""),)
    features = (NS,)

    def __init__(self, entity: Entity) -> None:
        super().__init__(entity)
        self._roster = self.need(Roster) if isinstance(entity, Client) else None
        self.policy: Policy = self._may_know
        """Who gets receipts: by default contacts that are subscribed to the account's presence (§8); of a component
        nobody."""
        self._waiting: dict[str, tuple[JID, asyncio.Future[JID]]] = {}

    def _may_know(self, jid: JID) -> bool:
        contact = None if self._roster is None else self._roster.get(jid)
        return contact is not None and contact.subscription in ("from", "both")

    # -- the program's messages

    async def send(self, message: Message, *, timeout: float | None = None) -> JID:
        """Send a message, and return when it has arrived: the address of the client that says so.

        Raises StanzaError if the message comes back, and DeadlineError after `timeout` seconds, by default the
        client's."""
        arrived = await self.request(message)
        async with self.entity.deadline(f"waiting for a receipt from {message.to}", timeout):
            return await arrived

    async def request(self, message: Message) -> asyncio.Future[JID]:
        """Send a message; what is returned is done when it has arrived, and cancelled if `MOST` others were sent after
        it."""
        to = message.to
        if to is None or message.type == "groupchat":
            raise LocalProtocolError("receipts are asked of one person (XEP-0184 §5.3)")
        if message.has(Receipt):
            raise LocalProtocolError("a receipt isn't acknowledged (XEP-0184 §5.1)")
        id_ = message.element.attrs.setdefault("id", self.entity.make_id())
        if not message.has(ReceiptRequest):
            message.add(ReceiptRequest())
        arrived: asyncio.Future[JID] = asyncio.get_running_loop().create_future()
        self._waiting[id_] = (to.bare, arrived)
        arrived.add_done_callback(lambda _: self._waiting.pop(id_, None))
        if len(self._waiting) > MOST:
            self._waiting[next(iter(self._waiting))][1].cancel()
        try:
            await self.entity.send(message)
        except BaseException:
            arrived.cancel()
            raise
        return arrived

    @on_message(Receipt)
    def arrived(self, message: Message, receipt: Receipt) -> None:
        future = self._expected(message, receipt.id)
        if future is not None:
            future.set_result(message.sender)

    @on_message()
    def came_back(self, message: Message) -> None:
        if self._waiting and (error := message.error) is not None:
            future = self._expected(message, message.id)
            if future is not None:
                future.set_exception(StanzaError(error.condition, error.text))
                future.exception()  # it may be that nobody waits any more

    def _expected(self, message: Message, id_: str) -> asyncio.Future[JID] | None:
        to, future = self._waiting.get(id_, (None, None))
        return future if to == message.sender.bare and future is not None and not future.done() else None

    # -- others' messages

    @on_message(ReceiptRequest)
    async def requested(self, message: Message, request: ReceiptRequest) -> None:
        if message.outgoing or message.copied or message.type == "groupchat":
            return
        if not message.id or message.has(Receipt):
            return
        if message.to in (None, self.entity.jid, self.entity.jid.bare) and self.policy(message.sender.bare):
            kind = message.type
            await self.entity.send(Message(message.sender, None, Receipt(message.id), type=kind))
