from __future__ import annotations

import pytest

from chirrup.core.jid import JID
from chirrup.core.payload import Payload
from chirrup.core.values import parse_element
from chirrup.ext.pubsub.event_payloads import Event
from chirrup.ext.pubsub.owner_payloads import OwnerPubSub
from chirrup.ext.pubsub.payloads import PubSub

NS = "http://jabber.org/protocol/pubsub"


@pytest.mark.parametrize(
    ("cls", "xml"),
    [
        (PubSub, "<publish node='a'><item id='b'><x xmlns='urn:x'/></item></publish>"),
        (PubSub, "<retract node='a' notify='true'><item id='b'/></retract>"),
        (PubSub, "<items node='a' max_items='2'/><set xmlns='http://jabber.org/protocol/rsm'><max>2</max></set>"),
        (PubSub, "<create node='a'/><configure><x xmlns='jabber:x:data' type='submit'/></configure>"),
        (PubSub, "<subscribe jid='a@b' node='a'/>"),
        (PubSub, "<unsubscribe jid='a@b' node='a' subid='1'/>"),
        (PubSub, "<subscriptions><subscription jid='a@b' node='a' subscription='subscribed'/></subscriptions>"),
        (PubSub, "<affiliations><affiliation node='a' affiliation='owner'/></affiliations>"),
        (OwnerPubSub, "<configure node='a'/>"),
        (OwnerPubSub, "<delete node='a'><redirect uri='xmpp:a@b'/></delete>"),
        (OwnerPubSub, "<purge node='a'/>"),
        (OwnerPubSub, "<affiliations node='a'><affiliation jid='a@b' affiliation='member'/></affiliations>"),
        (Event, "<items node='a'><item id='b'><x xmlns='urn:x'/></item><retract id='c'/></items>"),
        (Event, "<purge node='a'/>"),
        (Event, "<delete node='a'/>"),
        (Event, "<configuration node='a'/>"),
        (Event, "<subscription jid='a@b' node='a' subscription='none'/>"),
    ],
)
def test_what_is_written_as_it_was_read(cls: type[Payload], xml: str) -> None:
    element = parse_element(f"<{cls.NAME} xmlns='{cls.NS}'>{xml}</{cls.NAME}>")
    assert cls.parse(element).to_element() == element


def test_an_event() -> None:
    event = Event.parse(
        parse_element(f"<event xmlns='{NS}#event'><items node='a'><item id='b' publisher='a@b'/></items></event>")
    )
    assert event.items is not None
    assert [(item.id, item.publisher) for item in event.items.items] == [("b", "a@b")]
    subscription = Event.parse(
        parse_element(f"<event xmlns='{NS}#event'><subscription jid='a@b' subscription='pending'/></event>")
    ).subscription
    assert subscription is not None
    assert subscription.jid == JID("a@b")
