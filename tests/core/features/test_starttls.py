"""STARTTLS: agreed upon in the clear, and nothing from before counts after (RFC 6120 §5)."""

from __future__ import annotations

import pytest

from chirrup.core.errors import LocalProtocolError
from chirrup.core.states import State
from chirrup.core.stream import Closed, Failed, Opened, Security, StartTLS
from chirrup.core.xml import STREAMS, Element

NS = "urn:ietf:params:xml:ns:xmpp-tls"
STARTTLS = f"<starttls xmlns='{NS}'/>"
TLS = Security()


def features(read, text):
    return next(element for element in read(text).elements if (element.name, element.ns) == ("features", STREAMS))


def test_where_tls_is_required_it_is_all_that_is_offered(serve, read):
    server = serve(idle_seconds=60, features_before=(Element("register", "urn:example"),))
    assert features(read, server.greet()) == Element("features", STREAMS, Element("starttls", NS, Element("required")))


def test_where_it_is_not_required_it_is_one_of_several(serve, read):
    offers = features(read, serve(tls_required=False).greet())
    assert offers.child("starttls", NS) == Element("starttls", NS)
    assert offers.child("mechanisms", "urn:ietf:params:xml:ns:xmpp-sasl")


def test_a_host_without_tls_does_not_offer_it(serve, read):
    assert features(read, serve(tls=False, tls_required=False).greet()).child("starttls", NS) is None


def test_the_server_proceeds_and_says_no_more(serve):
    server = serve()
    server.greet()
    assert server.say(STARTTLS) == f"<proceed xmlns='{NS}'/>"
    assert server.events[-1] == StartTLS()
    assert server.stream.paused


def test_inside_tls_a_new_stream_begins(serve, read):
    server = serve()
    server.greet(from_="romeo@im.example.com", xml_lang="de")
    server.say(STARTTLS)
    server.did(server.stream.secured(TLS))
    assert server.stream.sender is None
    said = read(server.greet())
    assert said.header.get("id") == "stream-2"
    assert "to" not in said.header.attrs
    assert said.elements[0].child("starttls", NS) is None
    assert server.of(Opened)[-1].lang == "en"


@pytest.mark.parametrize("ahead", ["<auth/>", "<", "x", "\x16\x03\x01", "\n<presence/>"])
def test_plain_text_sent_ahead_is_refused(serve, read, ahead):
    server = serve()
    server.greet()
    said = read(server.say(STARTTLS + ahead))
    assert said.error == "policy-violation"
    assert not server.of(StartTLS)


@pytest.mark.parametrize("late", ["<presence/>", "<", "\x16\x03\x01"])
def test_plain_text_that_comes_late_ends_the_connection_without_a_word(serve, late):
    server = serve()
    server.greet()
    server.say(STARTTLS)
    assert server.say(late) == ""
    assert server.of(Failed)[0].error.condition == "policy-violation"
    assert server.stream.secured(TLS) == []


def test_white_space_sent_ahead_is_forgotten(serve, read):
    server = serve()
    server.greet()
    server.say(STARTTLS + " \r\n")
    server.say("\n")
    server.did(server.stream.secured(TLS))
    assert server.stream.leftover == b""
    assert features(read, server.greet())


@pytest.mark.parametrize("text", [f"<starttls xmlns='{NS}'><a/></starttls>", STARTTLS])
def test_what_was_not_offered_or_is_malformed_fails(serve, text):
    server = serve(security=TLS) if text == STARTTLS else serve()
    server.greet()
    assert server.say(text + "<message/>") == f"<failure xmlns='{NS}'/></stream:stream>"
    assert server.events[-1] == Closed()
    assert server.stream.state is State.CLOSED


def test_closing_during_the_handshake_says_nothing(serve):
    server = serve()
    server.greet()
    server.say(STARTTLS)
    assert server.stream.close() == [Closed()]
    assert server.stream.take() == b""


def test_a_handshake_that_nobody_agreed_upon(serve):
    server = serve()
    server.greet()
    with pytest.raises(LocalProtocolError):
        server.stream.secured(TLS)


# -- the client


def open_to(client, header, text):
    client.stream.open()
    client.stream.take()
    return client.say(header(from_="im.example.com", to=None, id="s1") + text)


@pytest.mark.parametrize(
    "offers",
    ["", "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-1</mechanism></mechanisms>"],
)
def test_a_client_that_requires_tls_says_no_more_without_it(dial, header, read, offers):
    client = dial()
    said = read(open_to(client, header, f"<stream:features>{offers}</stream:features>"))
    assert said.error == "policy-violation"
    assert len(said.elements) == 1


def test_a_client_that_does_not_goes_on(link, serve, dial):
    joined = link(dial(tls_required=False), serve(tls=False, tls_required=False))
    assert joined.client.stream.state is State.READY
    assert joined.server.stream.identity.mechanism == "SCRAM-SHA-512"


def test_a_client_uses_tls_where_it_is_offered_also_when_nobody_requires_it(link, serve, dial):
    joined = link(dial(tls_required=False), serve(tls_required=False))
    assert joined.client.of(StartTLS)


OFFER = f"<stream:features><starttls xmlns='{NS}'/></stream:features>"


def test_a_client_that_is_refused(dial, header):
    client = dial()
    assert open_to(client, header, OFFER) == STARTTLS
    client.say(f"<failure xmlns='{NS}'/></stream:stream>")
    assert client.of(Failed)


def test_a_client_refuses_plain_text_after_proceed(dial, header, read):
    client = dial()
    open_to(client, header, OFFER)
    said = read(client.say(f"<proceed xmlns='{NS}'/><stream:features/>"))
    assert said.error == "policy-violation"
    assert not client.of(StartTLS)


def test_a_client_forgets_the_server_of_before(dial, header):
    client = dial()
    open_to(client, header, OFFER)
    client.say(f"<proceed xmlns='{NS}'/>")
    client.did(client.stream.secured(TLS))
    out = client.stream.take().decode()
    assert out.startswith("<?xml")
    assert "from='juliet@im.example.com'" in out
