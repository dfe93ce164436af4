from __future__ import annotations

import pytest

from chirrup.core.errors import PayloadError
from chirrup.core.values import parse_element
from chirrup.ext.receipts.payloads import Receipt, ReceiptRequest


def test_a_receipt() -> None:
    """XEP-0184 examples 3 and 4."""
    text = "<received xmlns='urn:xmpp:receipts' id='richard2-4.1.247'/>"
    assert Receipt.parse(parse_element(text)) == Receipt("richard2-4.1.247")
    assert str(Receipt("richard2-4.1.247").to_element()) == text
    assert str(ReceiptRequest().to_element()) == "<request xmlns='urn:xmpp:receipts'/>"


def test_a_receipt_says_for_what() -> None:
    with pytest.raises(PayloadError, match="id"):
        Receipt.parse(parse_element("<received xmlns='urn:xmpp:receipts'/>"))
