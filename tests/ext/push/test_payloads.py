from __future__ import annotations

from chirrup.core.jid import JID
from chirrup.core.values import parse_element
from chirrup.ext.push.payloads import Disable, Enable, Notification


def test_enabling_with_options() -> None:
    """XEP-0357 example 8."""
    element = parse_element(
        "<enable xmlns='urn:xmpp:push:0' jid='push-5.client.example' node='yxs32uqsflafdk3iuqo'>"
        "<x xmlns='jabber:x:data' type='submit'>"
        "<field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field>"
        "<field var='secret'><value>eruio234vzxc2kla-91</value></field></x></enable>"
    )
    enable = Enable.parse(element)
    assert (enable.jid, enable.node) == (JID("push-5.client.example"), "yxs32uqsflafdk3iuqo")
    assert enable.options is not None
    assert enable.options.values("secret") == ("eruio234vzxc2kla-91",)
    assert enable.to_element() == element


def test_disabling() -> None:
    """XEP-0357 examples 9 and 10."""
    all_of_it = parse_element("<disable xmlns='urn:xmpp:push:0' jid='push-5.client.example'/>")
    assert Disable.parse(all_of_it) == Disable(JID("push-5.client.example"))
    one = parse_element("<disable xmlns='urn:xmpp:push:0' jid='push-5.client.example' node='yxs32uqsflafdk3iuqo'/>")
    assert Disable.parse(one).node == "yxs32uqsflafdk3iuqo"


def test_a_notification() -> None:
    """XEP-0357 example 11, but that forms have a type (XEP-0004 §3.1)."""
    element = parse_element(
        "<notification xmlns='urn:xmpp:push:0'><x xmlns='jabber:x:data' type='submit'>"
        "<field var='FORM_TYPE'><value>urn:xmpp:push:summary</value></field>"
        "<field var='message-count'><value>1</value></field></x>"
        "<additional xmlns='http://example.com/custom'>Additional custom elements</additional></notification>"
    )
    notification = Notification.parse(element)
    assert notification.summary is not None
    assert notification.summary.form_type == "urn:xmpp:push:summary"
    assert notification.summary.values("message-count") == ("1",)
    assert [one.name for one in notification.additional] == ["additional"]
    assert notification.to_element() == element
