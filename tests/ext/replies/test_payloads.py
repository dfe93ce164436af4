from __future__ import annotations

from chirrup.core.jid import JID
from chirrup.core.values import parse_element
from chirrup.ext.replies.payloads import Reply


def test_a_reply() -> None:
    """XEP-0461 example 3."""
    element = parse_element("<reply xmlns='urn:xmpp:reply:0' to='anna@example.com/tablet' id='message-id1'/>")
    reply = Reply("message-id1", JID("anna@example.com/tablet"))
    assert Reply.parse(element) == reply
    assert reply.to_element() == element


def test_the_author_may_be_left_out() -> None:
    assert Reply.parse(parse_element("<reply xmlns='urn:xmpp:reply:0' id='message-id1'/>")).to is None
