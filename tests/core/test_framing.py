"""The octets around the elements of a stream over TCP."""

from __future__ import annotations

from chirrup.core.errors import StreamError
from chirrup.core.framing import TCP_FRAMING, farewell
from chirrup.core.parser import Limits, StreamParser
from chirrup.core.xml import XML_LANG, Element


def test_a_header_is_read_as_it_was_written():
    attributes = {"from": "im.example.com", "id": "a<'&\">b", "version": "1.0", XML_LANG: "de-CH"}
    parser = StreamParser(Limits())
    parser.feed(TCP_FRAMING.header(attributes, "jabber:server"))
    assert parser.header is not None
    assert parser.header.attrs == attributes
    assert parser.prefixes == {"": "jabber:server", "stream": "http://etherx.jabber.org/streams"}
    TCP_FRAMING.check_header(parser.header, parser.prefixes, "jabber:server")


def test_an_element_leaves_the_content_namespace_to_the_header():
    assert TCP_FRAMING.element(Element("presence", "jabber:client")) == b"<presence/>"


def test_the_end():
    assert farewell() == b"</stream:stream>"


def test_the_end_with_an_error():
    assert farewell(StreamError("conflict", "replaced")).decode() == (
        "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
        "<text xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang='en'>replaced</text></stream:error></stream:stream>"
    )
