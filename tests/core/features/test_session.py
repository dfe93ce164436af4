"""Legacy session establishment (RFC 3921 §3)."""

from __future__ import annotations

import pytest

from chirrup.core.features import session
from chirrup.core.stream import Bound, Failed, Ready, Security
from chirrup.core.xml import Element

BIND = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><required/></bind>"


def test_it_is_offered_as_optional_and_our_client_does_not_ask(link):
    joined = link()
    (last,) = [event.features for event in joined.client.events if hasattr(event, "features")][-1:]
    assert last.child("session", session.NS) == Element("session", session.NS, Element("optional"))
    assert sum("session" in text for text in joined.transcript if text.startswith("C: ")) == 0


def bound_client(dial, header, session_feature):
    """A client that has authenticated and bound a resource with a server of 2004."""
    client = dial(security=Security())
    client.stream.open()
    client.say(header(from_="im.example.com", to=None, id="s1"))
    client.say(
        "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"
        "<mechanism>PLAIN</mechanism></mechanisms></stream:features>"
    )
    client.say("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
    client.say(header(from_="im.example.com", to=None, id="s2"))
    client.say(f"<stream:features>{BIND}{session_feature}</stream:features>")
    jid = "<jid>juliet@im.example.com/x</jid>"
    said = client.say(f"<iq type='result' id='iq-1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>{jid}</bind></iq>")
    assert client.of(Bound)
    return client, said


def test_a_client_asks_a_server_that_wants_it(dial, header):
    client, said = bound_client(dial, header, f"<session xmlns='{session.NS}'/>")
    assert said == f"<iq type='set' id='iq-2'><session xmlns='{session.NS}'/></iq>"
    assert not client.of(Ready)
    client.say("<iq type='result' id='iq-2'/>")
    assert client.of(Ready)


@pytest.mark.parametrize("answer", ["<iq type='error' id='iq-2'/>", "<iq type='result' id='iq-9'/>", "<message/>"])
def test_a_client_that_is_refused(dial, header, answer):
    client, _ = bound_client(dial, header, f"<session xmlns='{session.NS}'/>")
    client.say(answer)
    assert client.of(Failed)
    assert not client.of(Ready)


def test_a_client_does_not_ask_where_there_is_none(dial, header):
    client, said = bound_client(dial, header, "")
    assert said == ""
    assert client.of(Ready)


def test_a_bind_feature_may_be_marked_required(dial, header):
    """Some servers do so, though the RFC has no such mark for it."""
    client, _ = bound_client(dial, header, "<ver xmlns='urn:xmpp:features:rosterver'><optional/></ver>")
    assert client.of(Ready)
