from __future__ import annotations

import pytest

from chirrup.core.values import parse_element
from chirrup.ext.push.rules import is_worth_it

BODY = "<body>Wherefore art thou, Romeo?</body>"
DELAY = "<delay xmlns='urn:xmpp:delay' stamp='2002-09-10T23:08:25Z'/>"


@pytest.mark.parametrize(
    ("kind", "inside", "worth_it"),
    [
        ("chat", BODY, True),
        ("normal", BODY, True),
        ("chat", BODY + DELAY, True),
        ("chat", "<encrypted xmlns='eu.siacs.conversations.axolotl'/>", True),
        ("chat", "<encrypted xmlns='urn:xmpp:omemo:2'/>", True),
        ("chat", "<propose xmlns='urn:xmpp:jingle-message:0' id='1'/>", True),
        ("chat", "<accept xmlns='urn:xmpp:jingle-message:0' id='1'/>", False),
        ("normal", "<x xmlns='jabber:x:conference' jid='a@b'/>", True),
        ("normal", "<x xmlns='http://jabber.org/protocol/muc#user'><invite from='a@b'/></x>", True),
        ("normal", "<x xmlns='http://jabber.org/protocol/muc#user'><status code='104'/></x>", False),
        ("chat", "<composing xmlns='http://jabber.org/protocol/chatstates'/>", False),
        ("chat", "<received xmlns='urn:xmpp:receipts' id='1'/>", False),
        ("chat", "", False),
        ("headline", BODY, False),
        ("error", BODY, False),
        ("groupchat", BODY, True),
        ("groupchat", BODY + DELAY, False),
        ("groupchat", "<subject>Romeo</subject>", False),
    ],
)
def test_what_is_worth_it(kind: str, inside: str, worth_it: bool) -> None:
    message = parse_element(f"<message xmlns='jabber:client' type='{kind}'>{inside}</message>")
    assert is_worth_it(message) is worth_it
