"""The receiving end against clients that keep the rules and that break them."""

from __future__ import annotations

import pytest

from chirrup.core.errors import LocalProtocolError, StreamError
from chirrup.core.features.sasl import ServerSASL
from chirrup.core.features.starttls import ServerStartTLS
from chirrup.core.jid import JID
from chirrup.core.parser import Limits
from chirrup.core.states import State
from chirrup.core.stream import (
    Authenticated,
    Closed,
    Failed,
    HostPolicy,
    NeedKeys,
    Opened,
    Ready,
    Security,
    ServerStream,
)
from chirrup.core.xml import XML_LANG

TLS = Security()
STREAMS = "http://etherx.jabber.org/streams"


# -- the server: the header


def test_the_answer_to_a_header(serve, read):
    server = serve(tls_required=False)
    said = read(server.greet(from_="Juliet@im.example.com/balcony", xml_lang="en-GB"))
    assert said.header.attrs == {
        "from": "im.example.com",
        "id": "stream-1",
        "to": "juliet@im.example.com",
        "version": "1.0",
        XML_LANG: "en",
    }
    assert server.of(Opened) == [Opened("im.example.com", JID("juliet@im.example.com/balcony"), "en-GB", "1.0")]


def test_no_to_for_a_client_that_did_not_say_who_it_is(serve, read):
    assert "to" not in read(serve().greet()).header.attrs


@pytest.mark.parametrize(
    ("wanted", "given"),
    [("de-CH-1996", "de-CH"), ("de", "de"), ("DE-AT", "de"), ("fr", "en"), (None, "en"), ("zh-x-de", "en")],
)
def test_the_language_is_looked_up(serve, read, wanted, given):
    server = serve(languages=("en", "de", "de-CH"))
    assert read(server.greet(xml_lang=wanted)).header.lang == given


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.27", "01.00"])
def test_versions_that_are_good_enough(serve, read, version):
    said = read(serve().greet(version=version))
    assert said.header.get("version") == "1.0"
    assert said.elements[0].name == "features"


@pytest.mark.parametrize(
    ("version", "answered"), [(None, ""), ("0.9", "0.9"), ("11.0", "1.0"), ("2.0", "1.0"), ("1", "1.0"), ("x", "1.0")]
)
def test_versions_that_are_not(serve, read, version, answered):
    server = serve()
    said = read(server.greet(version=version))
    assert said.error == "unsupported-version"
    assert said.header.get("version") == answered
    assert server.kinds == [Failed]


@pytest.mark.parametrize(
    ("changes", "condition"),
    [
        ({"to": None}, "host-unknown"),
        ({"to": ""}, "host-unknown"),
        ({"to": "unknown.example.com"}, "host-unknown"),
        ({"to": "-.example..com"}, "improper-addressing"),
        ({"to": "a" * 4000}, "improper-addressing"),
        ({"to": "juliet@im.example.com"}, "improper-addressing"),
        ({"to": "im.example.com/x"}, "improper-addressing"),
        ({"from_": "@im.example.com"}, "improper-addressing"),
        ({"xmlns_stream": "http://wrong.namespace.example.org/"}, "invalid-namespace"),
        ({"xmlns": "jabber:server"}, "invalid-namespace"),
        ({"xmlns": "urn:example"}, "invalid-namespace"),
        ({"prefix": "foobar"}, "bad-namespace-prefix"),
    ],
)
def test_headers_that_are_refused(serve, read, changes, condition):
    server = serve(default_host="example.com")
    said = read(server.greet(**changes))
    assert said.error == condition
    assert said.header.get("from") == "example.com"
    assert said.header.get("id") == "stream-1"
    assert server.of(Failed)[0].error.condition == condition
    assert server.stream.state is State.CLOSED


def test_who_asks_for_an_unknown_host_is_answered_by_nobody_in_particular(serve, read):
    assert read(serve().greet(to="unknown.example.com")).header.attrs["from"] == ""


def test_an_error_in_the_header_is_addressed_to_who_sent_it(serve, read):
    said = read(serve().greet(xmlns_stream="http://wrong.example/", from_="juliet@im.example.com"))
    assert said.header.get("to") == "juliet@im.example.com"


def test_the_host_of_the_tls_handshake_stands_in_for_a_missing_to(serve):
    server = serve(security=Security(server_name="im.example.com"))
    server.greet(to=None)
    assert server.of(Opened)[0].to == "im.example.com"


def test_a_stream_element_in_the_default_namespace(serve, read):
    text = f"<stream to='im.example.com' version='1.0' xmlns='{STREAMS}'>"
    server = serve(tls_required=False)
    assert read(server.say(text)).elements[0].name == "features"
    assert read(server.say("<message xmlns='jabber:client'/>")).error == "not-authorized"


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("GET / HTTP/1.1\r\n", "not-well-formed"),
        ("\x16\x03\x01\x02", "not-well-formed"),
        ("<?xml version='1.0' encoding='ISO-8859-1'?><stream:stream>", "unsupported-encoding"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]>", "restricted-xml"),
        ("<stream:stream>", "not-well-formed"),
        ("<message/>", "invalid-namespace"),
        (f"<s:features xmlns:s='{STREAMS}'>", "bad-format"),
    ],
)
def test_what_is_no_header_is_answered_with_a_header_and_an_error(serve, read, text, condition):
    said = read(serve().say(text))
    assert said.error == condition
    assert said.header.get("from") == ""
    assert len(said.elements) == 1


def test_a_header_that_never_ends(serve, read):
    server = serve()
    said = read(server.say("<stream:stream a='" + "x" * 20_000))
    assert said.error == "policy-violation"


def test_a_stream_that_closes_in_its_header(serve, header):
    server = serve()
    out = server.say(header()[:-1] + "/>")
    assert out.endswith("</stream:stream>")
    assert server.kinds == [Opened, Closed]


# -- the server: elements out of order


@pytest.mark.parametrize(
    ("element", "condition"),
    [
        ("<message to='romeo@example.net'><body>hi</body></message>", "not-authorized"),
        ("<presence/>", "not-authorized"),
        ("<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>", "not-authorized"),
        ("<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", "not-authorized"),
        ("<iq type='set' id='1'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>", "not-authorized"),
        ("<iq type='set' id='1'><auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></iq>", "not-authorized"),
        ("<pubsub/>", "unsupported-stanza-type"),
        ("<unknown xmlns='urn:example'/>", "unsupported-stanza-type"),
        ("<message xmlns='urn:example'/>", "unsupported-stanza-type"),
        ("<stream:features/>", "unsupported-stanza-type"),
        ("<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", "unsupported-stanza-type"),
        ("<message xmlns='jabber:server'/>", "invalid-namespace"),
        ("<message xmlns=''/>", "invalid-namespace"),
        ("<message><body>No closing tag!</message>", "not-well-formed"),
        ("<foo:message/>", "not-well-formed"),
        ("text", "bad-format"),
        ("<!-- comment -->", "restricted-xml"),
        ("<message>&unknown;</message>", "restricted-xml"),
    ],
)
@pytest.mark.parametrize("tls_required", [True, False])
def test_before_authentication(serve, read, element, condition, tls_required):
    server = serve(tls_required=tls_required)
    server.greet()
    said = read(server.say(element + "<again/>"))
    assert said.error == condition
    assert len(said.elements) == 1
    assert server.stream.state is State.CLOSED


def authenticate(server):
    """Log in by PLAIN under TLS, and open the new stream."""
    server.greet()
    data = "AGp1bGlldAByMG0zMG15cjBtMzA="
    assert "<success" in server.say(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{data}</auth>")


@pytest.mark.parametrize(
    ("element", "condition"),
    [
        ("<message/>", "not-authorized"),
        ("<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>", "not-authorized"),
        ("<iq type='set' id='1'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>", "not-authorized"),
        ("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>", "not-authorized"),
        ("<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", "not-authorized"),
        ("<pubsub/>", "unsupported-stanza-type"),
        ("<stream:features/>", "unsupported-stanza-type"),
    ],
)
def test_before_a_resource_is_bound(serve, read, element, condition):
    server = serve(security=TLS)
    authenticate(server)
    server.greet()
    assert read(server.say(element)).error == condition


def test_a_feature_may_not_break_into_another_one(serve, read):
    server = serve(tls_required=False)
    server.greet()
    data = "biwsbj1qdWxpZXQscj1hYmM="  # n,,n=juliet,r=abc
    assert "<challenge" in server.say(
        f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>{data}</auth>"
    )
    assert read(server.say("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")).error == "not-authorized"


# -- the server: after authentication


@pytest.mark.parametrize(
    ("changes", "condition"),
    [({"from_": "romeo@im.example.com"}, "invalid-from"), ({"from_": "im.example.com"}, "invalid-from"),
     ({"to": "other.example.com"}, "not-authorized"), ({"version": None}, "unsupported-version")],
)  # fmt: skip
def test_the_header_after_authentication(serve, read, changes, condition):
    server = serve(security=TLS)
    authenticate(server)
    said = read(server.greet(**changes))
    assert said.error == condition
    assert said.header.get("from") == "im.example.com"


def test_the_new_header_may_say_who_the_client_is(serve, read):
    server = serve(security=TLS)
    authenticate(server)
    assert read(server.greet(from_="juliet@im.example.com")).elements[0].name == "features"


def test_a_host_stays_the_same_after_authentication(serve):
    server = serve(security=TLS)
    authenticate(server)
    server.answers[Opened] = lambda stream, event: None
    server.greet()
    with pytest.raises(LocalProtocolError):
        server.stream.accept(HostPolicy("other.example.com"))


def test_all_in_one_chunk(serve, header):
    """A client that doesn't wait for answers: each part goes to the stream that it is for, the rest is kept."""
    server = serve(security=TLS)
    message = "<message to='romeo@example.net'><body>a &gt; b</body></message><presence>"
    server.say(
        header()
        + "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldAByMG0zMG15cjBtMzA=</auth>\n"
        + header()
        + "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
        + message
    )
    assert server.kinds[-1] is Ready
    assert server.stream.leftover.decode() == message
    parser = server.stream.parser
    elements = parser.feed(server.stream.leftover) + parser.feed(b"</presence></stream:stream>")
    assert [element.name for element in elements] == ["message", "presence"]
    assert parser.ended


def test_limits_grow_with_authentication(serve, header):
    server = serve(security=TLS, limits=Limits(stanza_bytes=100_000))
    assert server.stream.limits.stanza_bytes == 16_384
    authenticate(server)
    assert server.stream.limits.stanza_bytes == 100_000


def test_a_question_stops_reading(serve, header, read):
    """What comes in while the program looks up an account is read when it has answered, and is limited."""
    server = serve(tls_required=False, answers={Opened: lambda stream, event: None})
    server.feed(header().encode())
    assert server.stream.paused
    server.feed(b"<pres")
    server.feed(b"ence/>")
    assert server.stream.take() == b""
    events = server.stream.accept(server.policy)
    assert [type(event) for event in events] == [Failed]
    assert events[0].error.condition == "not-authorized"


def test_too_much_sent_ahead(serve, header, read):
    server = serve(answers={Opened: lambda stream, event: None})
    said = read(server.say(header() + "<a/>" * 5_000))
    assert said.error == "policy-violation"


def test_answers_that_nothing_asked_for(serve, header):
    server = serve(tls_required=False)
    for too_early in (
        lambda: server.stream.accept(server.policy),
        lambda: server.stream.secured(TLS),
        lambda: server.stream.verified(True),
        lambda: server.stream.bound(JID("a@b/c")),
    ):
        with pytest.raises(LocalProtocolError):
            too_early()
    server.greet()
    with pytest.raises(LocalProtocolError):
        server.stream.accept(server.policy)


def test_an_answer_of_the_wrong_kind_leaves_the_question_open(serve):
    server = serve(security=TLS, answers={NeedKeys: lambda stream, event: None})
    server.greet()
    data = "biwsbj1qdWxpZXQscj1hYmM="
    server.say(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>{data}</auth>")
    with pytest.raises(LocalProtocolError):
        server.stream.verified(True)
    with pytest.raises(LocalProtocolError):
        server.stream.bound(JID("a@b/c"))
    assert server.stream.state is State.QUESTION


def test_a_ready_stream_is_no_longer_fed(link):
    with pytest.raises(LocalProtocolError):
        link().server.stream.receive(b"<presence/>")


def test_a_server_needs_nothing_more_where_no_feature_does(header):
    stream = ServerStream(make_id=lambda: "1", make_nonce=lambda: "2", features=())
    (opened,) = stream.receive(header().encode())
    assert [type(event) for event in stream.accept(HostPolicy(opened.to))] == [Ready]
    assert stream.take().decode().endswith("<stream:features/>")


def test_two_servers_use_the_same_pieces(header, read):
    """RFC 6120 §9.2: jabber:server, a certificate, and nothing to bind."""
    stream = ServerStream(
        make_id=lambda: "1",
        make_nonce=lambda: "2",
        security=Security(identities=("im.example.com",)),
        features=(ServerStartTLS, ServerSASL),
        content="jabber:server",
    )
    opening = header(to="example.net", from_="im.example.com", xmlns="jabber:server").encode()
    policy = HostPolicy("example.net", mechanisms=("EXTERNAL",))
    stream.receive(opening)
    assert stream.accept(policy) == []
    stream.receive(b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>")
    assert stream.verified(True) == [Authenticated("", "im.example.com", "EXTERNAL")]
    stream.take()
    stream.receive(opening)
    assert stream.accept(policy) == [Ready()]
    said = stream.take().decode()
    assert "xmlns='jabber:server'" in said
    assert said.endswith("<stream:features/>")


# -- the end


def test_the_client_closes(serve):
    server = serve()
    server.greet()
    assert server.say("</stream:stream>") == "</stream:stream>"
    assert server.kinds[-1] is Closed
    assert server.say("<presence/>") == ""


def test_the_server_closes(serve):
    server = serve(tls_required=False)
    server.greet()
    server.did(server.stream.close())
    server.did(server.stream.close())
    assert server.stream.take() == b"</stream:stream>"
    assert server.say("<presence/><auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>") == ""
    assert Closed not in server.kinds
    assert server.say("</stream:stream>") == ""
    assert server.kinds[-1] is Closed


def test_what_breaks_xml_after_the_server_closed_just_ends_it(serve):
    server = serve()
    server.greet()
    server.did(server.stream.close())
    server.stream.take()
    assert server.say("<a></b>") == ""
    assert server.kinds[-1] is Closed


def test_closing_before_the_header_says_nothing(serve):
    server = serve()
    assert server.stream.close() == [Closed()]
    assert server.stream.take() == b""


def test_the_server_fails(serve, read):
    server = serve()
    server.greet()
    server.did(server.stream.fail(StreamError("system-shutdown")))
    server.did(server.stream.fail(StreamError("reset")))
    out = server.stream.take().decode()
    assert out == (
        "<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"
    )
    assert server.of(Failed) == [Failed(server.of(Failed)[0].error)]
    assert server.say("</stream:stream>") == ""


def test_answers_after_the_end_are_ignored(serve, header):
    server = serve(answers={Opened: lambda stream, event: None})
    server.feed(header().encode())
    server.did(server.stream.fail(StreamError("connection-timeout")))
    server.stream.take()
    assert server.stream.accept(server.policy) == []
    assert server.stream.answer(True) == []
    assert server.stream.secured(TLS) == []
    assert server.stream.take() == b""


def test_the_peer_sends_an_error(serve):
    server = serve()
    server.greet()
    error = "<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
    assert server.say(error + "</stream:stream>") == "</stream:stream>"
    failed = server.events[-1]
    assert failed.received
    assert failed.error.condition == "reset"


# -- the server: what is offered is written once


def test_streams_under_one_policy_are_offered_the_same_where_they_stand_at_the_same_point(read):
    policy = HostPolicy("im.example.com", mechanisms=("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN"), sasl2=True)

    def offers(security: Security | None) -> str:
        stream = ServerStream(make_id=lambda: "id", make_nonce=lambda: "nonce", security=security)
        stream.receive(HEADER.encode())
        stream.accept(policy)
        return str(read(stream.take().decode()).elements[-1])

    bound, unbound = Security(channel_bindings={"tls-exporter": b"one"}), Security()
    first = [offers(None), offers(bound), offers(unbound)]
    assert [offers(None), offers(bound), offers(unbound)] == first
    assert len(set(first)) == 3
    assert "starttls" in first[0] and "PLAIN" not in first[0]
    assert "tls-exporter" in first[1] and "SHA-256-PLUS" in first[1]
    assert "PLUS" not in first[2] and "PLAIN" in first[2]
    assert offers(Security(channel_bindings={"tls-exporter": b"another"})) == first[1]
    assert len(policy.written) == 3


HEADER = (
    "<?xml version='1.0'?><stream:stream to='im.example.com' version='1.0' xmlns='jabber:client' "
    f"xmlns:stream='{STREAMS}'>"
)
