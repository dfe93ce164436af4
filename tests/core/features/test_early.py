"""IQs before authentication (XEP-0077 is what they are for)."""

from __future__ import annotations

import pytest

from chirrup.core.errors import LocalProtocolError, StanzaError
from chirrup.core.stanza import result
from chirrup.core.stream import Authenticated, Credentials, EarlyIQ, NeedCredentials, Opened, Ready, Security
from chirrup.core.xml import CLIENT, Element

NS = "jabber:iq:register"
GET = f"<iq type='get' id='r1'><query xmlns='{NS}'/></iq>"
REGISTER = Element("register", "http://jabber.org/features/iq-register")


def register(stream, event):
    return stream.send(result(event.iq, Element("query", NS, Element("username"))))


@pytest.fixture
def server(serve):
    """A server under TLS that takes registrations."""
    server = serve(
        security=Security(),
        early_iqs=frozenset({NS}),
        features_before=(REGISTER,),
        answers={EarlyIQ: register},
    )
    server.greet()
    return server


def test_an_iq_of_a_kind_that_the_host_takes(server):
    assert server.say(GET) == f"<iq id='r1' type='result'><query xmlns='{NS}'><username/></query></iq>"
    (event,) = server.of(EarlyIQ)
    assert event.iq.get("id") == "r1"


def test_one_after_the_other_and_then_authentication(server):
    server.say(GET)
    server.say(GET.replace("r1", "r2").replace("get", "set"))
    data = "AGp1bGlldAByMG0zMG15cjBtMzA="
    server.say(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{data}</auth>")
    assert len(server.of(EarlyIQ)) == 2
    assert server.of(Authenticated)


def test_the_host_is_the_only_one_to_whom_they_may_go(server, read):
    server.say(GET.replace("<iq", "<iq to='im.example.com'"))
    assert len(server.of(EarlyIQ)) == 1
    assert read(server.say(GET.replace("<iq", "<iq to='romeo@im.example.com'"))).error == "not-authorized"
    assert len(server.of(EarlyIQ)) == 1


@pytest.mark.parametrize(
    "text",
    [
        GET.replace(NS, "jabber:iq:roster"),
        GET.replace("'get'", "'result'"),
        GET.replace("'get'", "'error'"),
        "<iq type='get' id='r1'/>",
        GET.replace("iq type", "message type").replace("</iq>", "</message>"),
    ],
)
def test_other_stanzas_are_not_taken(server, read, text):
    assert read(server.say(text)).error == "not-authorized"
    assert not server.of(EarlyIQ)


@pytest.mark.parametrize("text", [GET.replace(" id='r1'", ""), GET.replace("</iq>", "<more/></iq>")])
def test_malformed_ones_are_answered(server, read, text):
    (answer,) = read(server.say(text)).elements
    assert answer.get("type") == "error"
    assert answer.first.first.name == "bad-request"
    assert not server.of(EarlyIQ)
    assert server.say(GET)


def test_refused_ones(server, read):
    server.answers[EarlyIQ] = lambda stream, event: stream.refuse(StanzaError("not-allowed"))
    (answer,) = read(server.say(GET)).elements
    assert answer.get("id") == "r1"
    assert answer.first.first.name == "not-allowed"
    assert server.say(GET)


def test_only_iqs_and_errors_are_answers(server):
    server.answers[EarlyIQ] = lambda stream, event: None
    server.say(GET)
    with pytest.raises(LocalProtocolError):
        server.stream.answer(True)


def test_not_before_tls_where_that_is_required(serve, read):
    server = serve(early_iqs=frozenset({NS}), features_before=(REGISTER,))
    assert read(server.greet()).elements[0].child("register", REGISTER.ns) is None
    assert read(server.say(GET)).error == "not-authorized"


def test_not_after_authentication(server, read):
    data = "AGp1bGlldAByMG0zMG15cjBtMzA="
    server.say(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{data}</auth>")
    features = read(server.greet()).elements[0]
    assert len(server.of(Opened)) == 2
    assert features.child("register", REGISTER.ns) is None
    assert read(server.say(GET)).error == "not-authorized"


def test_a_client_registers_and_then_authenticates(link, serve, dial):
    server = serve(early_iqs=frozenset({NS}), answers={EarlyIQ: register})
    joined = link(dial(None), server)
    client = joined.client
    (asked,) = client.of(NeedCredentials)
    assert "SCRAM-SHA-1" in asked.mechanisms

    client.stream.send(Element("iq", CLIENT, Element("query", NS), type="get", id="r1"))
    joined.run()
    (answer,) = client.of(EarlyIQ)
    assert answer.iq.get("id") == "r1"

    client.did(client.stream.authenticate(Credentials("juliet", "r0m30myr0m30")))
    joined.run()
    assert client.of(Ready)


def test_a_client_sends_nothing_early_but_when_it_is_asked(link):
    with pytest.raises(LocalProtocolError):
        link().client.stream.send(Element("iq", CLIENT, type="get", id="1"))
