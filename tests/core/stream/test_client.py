"""The initiating end against servers that break the rules."""

from __future__ import annotations

import pytest

from chirrup.core.errors import LocalProtocolError, StreamError
from chirrup.core.jid import JID
from chirrup.core.states import State
from chirrup.core.stream import (
    Closed,
    Failed,
    FeaturesSeen,
    Identity,
    Opened,
    Security,
    SeeOtherHost,
)

TLS = Security()
FEATURES = "<stream:features/>"


def hear(client, header, text="", **changes):
    """Open the client's stream and let a server answer with this header and text; what the client says to it."""
    client.stream.open()
    client.stream.take()
    attributes = {"from_": "im.example.com", "to": None, "id": "s1", **changes}
    return client.say(header(**attributes) + text)


def test_a_client_opens_once(dial):
    client = dial()
    client.stream.open()
    with pytest.raises(LocalProtocolError):
        client.stream.open()


@pytest.mark.parametrize(
    ("changes", "condition"),
    [
        ({"from_": "evil.example.com"}, "invalid-from"),
        ({"from_": "juliet@im.example.com"}, "invalid-from"),
        ({"from_": "@"}, "invalid-from"),
        ({"version": None}, "unsupported-version"),
        ({"version": "2.0"}, "unsupported-version"),
        ({"xmlns": "jabber:server"}, "invalid-namespace"),
        ({"xmlns_stream": "urn:example"}, "invalid-namespace"),
        ({"prefix": "s"}, "bad-namespace-prefix"),
    ],
)
def test_a_client_refuses_wrong_headers(dial, header, read, changes, condition):
    client = dial()
    prefix = changes.get("prefix", "stream")
    out = hear(client, header, f"<{prefix}:features/>", **changes)
    assert read(out).error == condition
    assert client.kinds[-1] is Failed


def test_a_client_puts_up_with_a_header_that_has_no_from(dial, header):
    client = dial()
    assert "<starttls" in hear(
        client,
        header,
        "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>",
        from_=None,
    )


def test_a_client_hears_the_error_of_a_server_that_calls_itself_otherwise(dial, header):
    client = dial()
    text = "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"
    assert hear(client, header, text, from_="") == "</stream:stream>"
    assert client.of(Failed)[0].error.condition == "host-unknown"
    assert client.of(Failed)[0].received


@pytest.mark.parametrize(
    "element", ["<message/>", "<iq type='result' id='1'/>", "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"]
)
def test_a_client_wants_features_first(dial, header, read, element):
    client = dial()
    assert read(hear(client, header, element)).error in ("not-authorized", "unsupported-stanza-type")


def test_a_client_cannot_do_without_what_it_does_not_know(dial, header, read):
    client = dial(security=TLS)
    client.stream.identity = Identity("juliet", JID("juliet@im.example.com"), "PLAIN")
    client.stream.jid = "juliet@im.example.com/x"
    features = "<stream:features><example xmlns='urn:xmpp:example'><required/></example></stream:features>"
    assert read(hear(client, header, features)).error == "unsupported-feature"


def test_a_client_shows_the_features(link):
    names = [[offer.name for offer in event.features.elements()] for event in link().client.of(FeaturesSeen)]
    assert names == [
        ["starttls"],
        ["mechanisms", "sasl-channel-binding", "limits"],
        ["bind", "sm", "session", "limits"],
    ]


@pytest.mark.parametrize(
    ("detail", "event"),
    [
        ("other.example.com", SeeOtherHost("other.example.com", None)),
        (" other.example.com:9222\n", SeeOtherHost("other.example.com", 9222)),
        ("[2001:41D0:1:A49b::1]:9222", SeeOtherHost("[2001:41d0:1:a49b::1]", 9222)),
        ("[2001:41D0:1:A49b::1]", SeeOtherHost("[2001:41d0:1:a49b::1]", None)),
        ("192.0.2.1", SeeOtherHost("192.0.2.1", None)),
    ],
)
def test_a_client_is_sent_elsewhere(link, serve, detail, event):
    redirect = {Opened: lambda stream, _: stream.fail(StreamError("see-other-host", detail=detail))}
    joined = link(server=serve(answers=redirect, default_host="im.example.com"))
    assert joined.client.events == [event]
    assert joined.client.stream.state is State.CLOSED


@pytest.mark.parametrize("detail", ["", "a b", "host:port", "host:0", "host:65536", "host:", "user@host", "host/x:1"])
def test_a_client_is_sent_nowhere(link, serve, detail):
    redirect = {Opened: lambda stream, _: stream.fail(StreamError("see-other-host", detail=detail))}
    joined = link(server=serve(answers=redirect, default_host="im.example.com"))
    assert [type(event) for event in joined.client.events] == [Failed]


def test_a_client_closes_before_the_server_has_answered(dial, header):
    client = dial()
    client.stream.open()
    client.did(client.stream.close())
    client.stream.take()
    assert client.say(header(from_="im.example.com", to=None, id="1") + FEATURES) == ""
    assert client.say("</stream:stream>") == ""
    assert client.kinds == [Closed]
