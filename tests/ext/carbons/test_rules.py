from __future__ import annotations

import pytest

from chirrup.core.values import parse_element
from chirrup.core.xml import Element
from chirrup.ext.carbons.rules import is_eligible, pretends_to_be_copy

BODY = "<body>What man art thou</body>"
CHAT_STATE = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
RECEIPT = "<received xmlns='urn:xmpp:receipts' id='1'/>"
MARKER = "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>"
PRIVATE = "<private xmlns='urn:xmpp:carbons:2'/>"
NO_COPY = "<no-copy xmlns='urn:xmpp:hints'/>"
NO_STORE = "<no-store xmlns='urn:xmpp:hints'/>"
OTHER = "<x xmlns='urn:example'/>"
DIRECT_INVITATION = "<x xmlns='jabber:x:conference' jid='darkcave@macbeth.shakespeare.lit'/>"
MEDIATED_INVITATION = "<x xmlns='http://jabber.org/protocol/muc#user'><invite from='crone1@shakespeare.lit'/></x>"
IN_A_ROOM = "<x xmlns='http://jabber.org/protocol/muc#user'/>"


def message(inside: str, kind: str = "", *, peer: str = "romeo@montague.example/garden") -> Element:
    attribute = f" type='{kind}'" if kind else ""
    return parse_element(f"<message xmlns='jabber:client' from='{peer}' to='{peer}'{attribute}>{inside}</message>")


@pytest.mark.parametrize("received", [True, False])
@pytest.mark.parametrize(
    ("kind", "inside", "eligible"),
    [
        ("chat", BODY, True),
        ("chat", OTHER, True),
        ("chat", "", True),
        ("normal", BODY, True),
        ("", BODY, True),
        ("", OTHER, False),
        ("", "", False),
        ("", "<body xmlns='urn:example'>no body</body>", False),
        ("", CHAT_STATE, True),
        ("", RECEIPT, True),
        ("", MARKER, True),
        ("headline", BODY, False),
        ("headline", MARKER, True),
        ("groupchat", BODY, False),
        ("groupchat", RECEIPT, False),
        ("error", BODY + RECEIPT, False),
        ("chat", BODY + PRIVATE + NO_COPY, False),
        ("chat", BODY + PRIVATE, False),
        ("chat", NO_COPY + BODY, False),
        ("", PRIVATE + RECEIPT, False),
        ("chat", BODY + NO_STORE, True),
        ("", DIRECT_INVITATION, True),
        ("", MEDIATED_INVITATION, True),
        ("", MEDIATED_INVITATION + PRIVATE, False),
    ],
)
def test_what_is_copied(kind: str, inside: str, eligible: bool, received: bool) -> None:
    """XEP-0280 §6.1."""
    assert is_eligible(message(inside, kind), received=received) is eligible


@pytest.mark.parametrize(
    ("kind", "peer", "received", "eligible"),
    [
        ("chat", "coven@chat.shakespeare.lit/firstwitch", True, False),
        ("", "coven@chat.shakespeare.lit/firstwitch", True, False),
        ("chat", "coven@chat.shakespeare.lit/firstwitch", False, True),
        ("", "coven@chat.shakespeare.lit/firstwitch", False, True),
        ("chat", "coven@chat.shakespeare.lit", True, True),
        ("", "coven@chat.shakespeare.lit", True, False),
        ("", "coven@chat.shakespeare.lit", False, False),
    ],
)
def test_messages_of_rooms(kind: str, peer: str, received: bool, eligible: bool) -> None:
    assert is_eligible(message(IN_A_ROOM, kind, peer=peer), received=received) is eligible


def test_a_private_message_of_a_room_has_a_body_too() -> None:
    private = message(BODY + IN_A_ROOM, "chat", peer="coven@chat.shakespeare.lit/firstwitch")
    assert not is_eligible(private, received=True)
    assert is_eligible(private, received=False)


@pytest.mark.parametrize(
    ("inside", "pretends"),
    [
        (BODY, False),
        (PRIVATE, False),
        (RECEIPT, False),
        ("<sent xmlns='urn:xmpp:carbons:2'/>", True),
        (BODY + "<received xmlns='urn:xmpp:carbons:2'/>", True),
        ("text<sent xmlns='urn:example'/>", False),
    ],
)
def test_what_pretends_to_be_a_copy(inside: str, pretends: bool) -> None:
    assert pretends_to_be_copy(message(inside)) is pretends
