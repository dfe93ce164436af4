from __future__ import annotations

import pytest

from chirrup.core.values import parse_element
from chirrup.ext.archive.rules import is_archived

BODY = "<body>O blessed, blessed night!</body>"
STATE = "<active xmlns='http://jabber.org/protocol/chatstates'/>"
OMEMO = "<encrypted xmlns='urn:xmpp:omemo:2'/>"


def hint(name: str) -> str:
    return f"<{name} xmlns='urn:xmpp:hints'/>"


@pytest.mark.parametrize(
    ("kind", "inside", "expected"),
    [
        ("", BODY, True),
        ("normal", BODY, True),
        ("chat", BODY, True),
        ("chat", BODY + STATE, True),
        ("headline", BODY, False),
        ("headline", BODY + hint("store"), True),
        ("headline", BODY + hint("store") + hint("no-permanent-store"), False),
        ("error", BODY, False),
        ("error", BODY + hint("store"), False),
        ("groupchat", BODY, False),
        ("groupchat", BODY + hint("store"), False),
        ("chat", "", False),
        ("chat", STATE, False),
        ("chat", STATE + hint("store"), True),
        ("chat", BODY + hint("no-store"), False),
        ("chat", BODY + hint("no-permanent-store"), False),
        ("chat", hint("store") + BODY + hint("no-store"), False),
        ("chat", BODY + hint("no-copy"), True),
        ("chat", "<subject>night</subject>", True),
        ("chat", "<thread>t</thread>", False),
        ("chat", OMEMO, True),
        ("chat", "<received xmlns='urn:xmpp:receipts' id='1'/>", True),
        ("chat", "<request xmlns='urn:xmpp:receipts'/>", False),
        ("chat", "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>", True),
        ("chat", "<markable xmlns='urn:xmpp:chat-markers:0'/>", False),
        ("chat", "<reactions xmlns='urn:xmpp:reactions:0' id='1'/>", True),
        ("chat", "<retract xmlns='urn:xmpp:message-retract:1' id='1'/>", True),
        ("chat", "<propose xmlns='urn:xmpp:jingle-message:0' id='1'/>", True),
        ("", "<x xmlns='jabber:x:conference' jid='coven@chat.shakespeare.lit'/>", True),
        ("", "<x xmlns='http://jabber.org/protocol/muc#user'><invite to='a@b'/></x>", True),
        ("", "<x xmlns='http://jabber.org/protocol/muc#user'><status code='100'/></x>", False),
        ("", "<body xmlns='http://www.w3.org/1999/xhtml'>x</body>", False),
        ("", "<event xmlns='http://jabber.org/protocol/pubsub#event'/>", False),
    ],
)
def test_what_is_archived(kind: str, inside: str, expected: bool) -> None:
    attribute = f" type='{kind}'" if kind else ""
    assert is_archived(parse_element(f"<message xmlns='jabber:client'{attribute}>{inside}</message>")) is expected
