from __future__ import annotations

import pytest

from chirrup.core.jid import JID
from chirrup.core.values import parse_element
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.client_state.rules import Urgency, is_replaceable, judge, kind_of

ROOM = JID("coven@chat.shakespeare.lit")
BODY = "<body>Thrice the brinded cat hath mew'd.</body>"
CHAT_STATE = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
RECEIPT = "<received xmlns='urn:xmpp:receipts' id='1'/>"
MARKER = "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>"
DELAY = "<delay xmlns='urn:xmpp:delay' stamp='2002-09-10T23:08:25Z'/>"
THREAD = "<thread>t</thread>"
ENCRYPTED = "<encrypted xmlns='eu.siacs.conversations.axolotl'/>"
PROPOSAL = "<propose xmlns='urn:xmpp:jingle-message:0' id='1'/>"
ATTENTION = "<attention xmlns='urn:xmpp:attention:0'/>"
RESULT = "<result xmlns='urn:xmpp:mam:2'/>"


def event(node: str) -> str:
    return f"<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='{node}'/></event>"


def carbon(kind: str, inside: str, type_: str = "chat") -> str:
    return (
        f"<{kind} xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>"
        f"<message xmlns='jabber:client' type='{type_}' from='romeo@montague.lit/orchard' to='juliet@capulet.lit'>"
        f"{inside}</message></forwarded></{kind}>"
    )


def urgency(kind: str, inside: str, sender: str = "romeo@montague.lit/orchard") -> Urgency:
    return judged(kind, inside, sender)[0]


def judged(kind: str, inside: str, sender: str = "romeo@montague.lit/orchard") -> tuple[Urgency, object]:
    message = parse_element(
        f"<message xmlns='jabber:client' type='{kind}' from='{sender}' to='juliet@capulet.lit'>{inside}</message>"
    )
    return judge(
        message, nicks=lambda room: ("ThirdWitch",) if room == ROOM else (), urgent_nodes={"urn:xmpp:mds:displayed:0"}
    )


@pytest.mark.parametrize(
    ("kind", "inside", "expected"),
    [
        ("chat", BODY, Urgency.NOW),
        ("normal", BODY + CHAT_STATE, Urgency.NOW),
        ("chat", CHAT_STATE, Urgency.LATER),
        ("chat", CHAT_STATE + THREAD, Urgency.LATER),
        ("chat", RECEIPT, Urgency.LATER),
        ("normal", MARKER, Urgency.LATER),
        ("chat", MARKER + ENCRYPTED, Urgency.NOW),
        ("chat", ENCRYPTED, Urgency.NOW),
        ("chat", PROPOSAL, Urgency.NOW),
        ("normal", RESULT, Urgency.NOW),
        ("error", CHAT_STATE, Urgency.NOW),
        ("chat", RECEIPT + DELAY, Urgency.NOW),
        ("headline", "", Urgency.LATER),
        ("headline", BODY, Urgency.SOON),
        ("headline", ATTENTION, Urgency.NOW),
        ("headline", ATTENTION + BODY, Urgency.NOW),
        ("headline", event("http://jabber.org/protocol/tune"), Urgency.LATER),
        ("normal", event("http://jabber.org/protocol/tune"), Urgency.LATER),
        ("headline", event("urn:xmpp:mds:displayed:0"), Urgency.NOW),
        ("normal", event("urn:xmpp:mds:displayed:0"), Urgency.NOW),
        ("headline", "<event xmlns='http://jabber.org/protocol/pubsub#event'/>", Urgency.LATER),
        ("chat", carbon("received", BODY), Urgency.NOW),
        ("chat", carbon("sent", BODY), Urgency.SOON),
        ("chat", carbon("received", MARKER), Urgency.LATER),
        ("chat", carbon("sent", CHAT_STATE), Urgency.LATER),
        ("error", carbon("received", BODY, "error"), Urgency.NOW),
        ("chat", "<received xmlns='urn:xmpp:carbons:2'/>", Urgency.NOW),
    ],
)
def test_messages(kind: str, inside: str, expected: Urgency) -> None:
    assert urgency(kind, inside) is expected


@pytest.mark.parametrize(
    ("body", "sender", "expected"),
    [
        ("Thrice the brinded cat", "coven@chat.shakespeare.lit/first", Urgency.SOON),
        ("thirdwitch: when shall we three meet again?", "coven@chat.shakespeare.lit/first", Urgency.NOW),
        ("thirdwitch: when shall we three meet again?", "other@chat.shakespeare.lit/first", Urgency.SOON),
    ],
)
def test_messages_in_rooms(body: str, sender: str, expected: Urgency) -> None:
    assert urgency("groupchat", f"<body>{body}</body>", sender) is expected


def test_a_rooms_subject_waits() -> None:
    assert urgency("groupchat", "<subject>Double, double</subject>", str(ROOM)) is Urgency.LATER


def test_chat_states_replace_each_other() -> None:
    paused = CHAT_STATE.replace("composing", "paused")
    assert judged("chat", CHAT_STATE)[1] == judged("chat", paused)[1] is not None
    assert judged("chat", CHAT_STATE)[1] != judged("chat", CHAT_STATE, "tybalt@capulet.lit/home")[1]
    assert judged("chat", carbon("sent", CHAT_STATE))[1] == judged("chat", carbon("sent", paused))[1] is not None
    assert judged("chat", carbon("sent", CHAT_STATE))[1] != judged("chat", CHAT_STATE)[1]


@pytest.mark.parametrize("inside", [RECEIPT, MARKER, CHAT_STATE + RECEIPT, MARKER + CHAT_STATE])
def test_receipts_and_markers_do_not(inside: str) -> None:
    assert judged("chat", inside)[1] is None


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        (Element("presence", CLIENT, from_="a@b/<'c'>", to="d@e"), (b"presence", b"", b"a@b/&lt;&apos;c&apos;>")),
        (Element("presence", CLIENT, type="unavailable", from_="a@b"), (b"presence", b"unavailable", b"a@b")),
        (Element("iq", CLIENT, Element("x", "urn:x", type="no"), type="get"), (b"iq", b"get", b"")),
        (Element("presence", CLIENT, to="a@b/ from=", from_="c@d"), (b"presence", b"", b"c@d")),
    ],
)
def test_the_start_tag_is_read(element: Element, expected: tuple[bytes, bytes, bytes]) -> None:
    assert kind_of(element.to_bytes()) == expected


def test_presence_that_is_replaced() -> None:
    assert is_replaceable(b"")
    assert is_replaceable(b"unavailable")
    assert not is_replaceable(b"subscribe")
    assert not is_replaceable(b"error")
