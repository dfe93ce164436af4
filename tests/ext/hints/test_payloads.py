from __future__ import annotations

from chirrup.core.xml import CLIENT, Element
from chirrup.ext.hints.payloads import Hint, add_hints, hints_of


def test_hints_of_a_message():
    """XEP-0334 example 1."""
    message = Element("message", CLIENT, Element("body", CLIENT, "V unir"))
    assert hints_of(message) == set()
    add_hints(message, Hint.NO_COPY, Hint.NO_STORE)
    assert message.to_bytes() == (
        b"<message><body>V unir</body><no-copy xmlns='urn:xmpp:hints'/><no-store xmlns='urn:xmpp:hints'/></message>"
    )
    assert hints_of(message) == {Hint.NO_COPY, Hint.NO_STORE}


def test_a_hint_is_added_once():
    message = Element("message", CLIENT)
    add_hints(message, Hint.STORE, Hint.STORE)
    add_hints(message, Hint.STORE)
    assert len(message.children) == 1


def test_what_is_no_hint():
    other = Element("message", CLIENT, Element("store", CLIENT), Element("no-reply", "urn:xmpp:hints"))
    assert hints_of(other) == set()


def test_hints_of_an_error_are_those_of_the_message_that_failed():
    message = Element("message", CLIENT, type="error")
    add_hints(message, Hint.STORE)
    assert hints_of(message) == set()
