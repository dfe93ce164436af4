"""The question for a receipt, and the receipt (XEP-0184 §5)."""

from __future__ import annotations

from chirrup.core.payload import Payload, attribute, payload
from chirrup.ext.receipts import NS


@payload("request", NS)
class ReceiptRequest(Payload):
    """In a message with an id: its sender would like to know when it has arrived."""


@payload("received", NS)
class Receipt(Payload):
    """In a message of its own: the message with that id has arrived."""

    id: str = attribute()
