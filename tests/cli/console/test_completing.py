"""What is offered where the cursor is."""

from __future__ import annotations

import pytest

from chirrup.cli.console.completing import Completions, known_payloads


@pytest.fixture(scope="module")
def completions() -> Completions:
    made = Completions(known_payloads())
    for address in ("bob@localhost", "alice@localhost", "example.org"):
        made.meet(address)
    return made


def completed(completions: Completions, text: str) -> list[str]:
    """What the text could become."""
    return [text[: len(text) - one.replaces] + one.text for one in completions.find(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/pi", "/ping"),
        ("/", "/help"),
        ("/ping al", "/ping alice@localhost"),
        ("/message bob@localhost ex", "/message bob@localhost example.org"),
        ("<m", "<message"),
        ("<message t", "<message to='"),
        ("<message to='b", "<message to='bob@localhost"),
        ("<message><bo", "<message><body"),
        ("<message><body>x</", "<message><body>x</body>"),
        ("<message><body>x</body></", "<message><body>x</body></message>"),
        ("<iq type='get'><pin", "<iq type='get'><ping xmlns='urn:xmpp:ping'"),
        ("<iq type='get'><query xmlns='jabber:iq:ver", "<iq type='get'><query xmlns='jabber:iq:version"),
        ("<iq><query xmlns='jabber:iq:roster'><it", "<iq><query xmlns='jabber:iq:roster'><item"),
        ("<iq><query xmlns='jabber:iq:roster'><item j", "<iq><query xmlns='jabber:iq:roster'><item jid='"),
        (
            "<iq><query xmlns='jabber:iq:roster'><item jid='x'/></q",
            "<iq><query xmlns='jabber:iq:roster'><item jid='x'/></query>",
        ),
    ],
)
def test_what_is_offered(completions: Completions, text: str, expected: str) -> None:
    assert expected in completed(completions, text)


@pytest.mark.parametrize(
    "text", ["", "hello", "<message>some text", "<message to='b@c' ", "/quit", "<message a=\"it's "]
)
def test_no_nonsense_is_offered(completions: Completions, text: str) -> None:
    assert all("<message to='b@c' to=" not in one for one in completed(completions, text))
    if not text.startswith(("/", "<message to")):
        assert completed(completions, text) == []


def test_addresses_are_not_remembered_for_ever() -> None:
    completions = Completions([])
    for number in range(1000):
        completions.meet(f"user{number}@localhost")
    offered = completed(completions, "/ping ")
    assert offered[0] == "/ping user999@localhost"
    assert len(offered) == 200
