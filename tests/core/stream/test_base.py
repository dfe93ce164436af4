"""Both ends against each other."""

from __future__ import annotations

import weakref

import pytest

from chirrup.core.jid import JID
from chirrup.core.stream import (
    Authenticated,
    BindRequest,
    Closed,
    Identity,
    NeedKeys,
    Opened,
    Ready,
    Security,
    StartTLS,
    unexpected,
)
from chirrup.core.xml import CLIENT, Element

TLS = Security()


@pytest.mark.parametrize("size", [None, 1, 2, 7])
def test_client_and_server_negotiate_however_the_octets_come(link, size):
    joined = link(size=size)
    assert joined.server.kinds == [
        Opened, StartTLS,
        Opened, NeedKeys, Authenticated,
        Opened, BindRequest, Ready,
    ]  # fmt: skip
    assert joined.client.of(Ready)
    assert joined.client.stream.jid == joined.server.stream.jid == "juliet@im.example.com/made-up"
    assert joined.server.stream.identity == Identity("juliet", JID("juliet@im.example.com"), "SCRAM-SHA-512-PLUS")


def test_each_restart_has_a_new_stream_id(link):
    said = "".join(link().transcript)
    assert [f"id='stream-{n}'" in said for n in (1, 2, 3, 4)] == [True, True, True, False]


def test_direct_tls_needs_no_starttls(link, serve, dial):
    joined = link(dial(security=TLS), serve(security=TLS))
    assert joined.client.of(Ready)
    assert not joined.server.of(StartTLS)


def test_a_ready_stream_may_still_close_in_order(link):
    client = link().client
    client.did(client.stream.close())
    assert client.stream.take() == b"</stream:stream>"
    assert client.say("<message/></stream:stream>") == ""
    assert client.kinds[-2:] == [Ready, Closed]


def test_nothing_of_the_negotiation_outlives_it(link):
    joined = link()
    for program in (joined.client, joined.server):
        parser, stream = program.stream.parser, weakref.ref(program.stream)
        program.stream = None
        assert stream() is None
        assert [element.name for element in parser.feed(b"<presence/>")] == ["presence"]


def test_a_client_says_who_it_is_only_under_tls(link):
    headers = [text for text in link().transcript if "<?xml" in text and text.startswith("C: ")]
    assert ["from='juliet@im.example.com'" in text for text in headers] == [False, True, True]


def test_first_level_elements_that_nobody_knows():
    assert unexpected(Element("message", CLIENT)).condition == "not-authorized"
    assert unexpected(Element("a", "urn:example")).condition == "unsupported-stanza-type"
