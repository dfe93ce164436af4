"""Stanzas that were written are read again."""

from __future__ import annotations

import pytest

from chirrup.core.rereading import Rereader
from chirrup.core.xml import CLIENT, Element


def message(text: str) -> Element:
    return Element("message", CLIENT, Element("body", CLIENT, text), to="juliet@example.org")


def test_one_after_the_other():
    rereader = Rereader()
    for text in ("one", "two"):
        assert rereader.read(message(text).to_bytes()) == [message(text)]


def test_what_no_client_may_send_is_read():
    deep = Element("x", "urn:example")
    for _ in range(200):
        deep = Element("x", "urn:example", deep)
    stanza = Element("message", CLIENT, deep, Element("body", CLIENT, "x" * 1_000_000))
    assert Rereader().read(stanza.to_bytes()) == [stanza]


@pytest.mark.parametrize(
    "written", [b"", b" ", b"text", b"<message", b"<message><body>", b"</message>", b"<a></b>", b"</stream:stream>"]
)
def test_what_is_no_whole_stanza_harms_no_other(written):
    rereader = Rereader()
    assert rereader.read(written) == []
    assert rereader.read(message("after").to_bytes()) == [message("after")]
