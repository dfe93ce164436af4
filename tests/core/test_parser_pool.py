"""Parsers that streams share."""

from __future__ import annotations

import gc
import weakref

import pytest

from chirrup.core.errors import StreamError
from chirrup.core.parser import Limits, StreamParser
from chirrup.core.parser_pool import ParserPool
from chirrup.core.xml import CLIENT, STREAMS

HEADER = f"<stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAMS}' to='im.example.com' id='1'>"
CHILDREN = "<a/><b/><c/><body>text</body>"


def opened(header=HEADER, limits=Limits()):  # noqa: B008 - frozen
    parser = StreamParser(limits)
    assert parser.feed(header.encode()) == []
    return parser


@pytest.mark.parametrize(
    ("header", "stanza"),
    [
        (HEADER, f"<message id='1'>{CHILDREN}</message>"),
        (f"<s:stream xmlns:s='{STREAMS}' xmlns='jabber:server'>", "<iq><a xmlns='urn:a'><s:b/></a></iq>"),
        (f"<stream xmlns='{STREAMS}' xmlns:c='{CLIENT}'>", "<c:iq><c:y/><z/></c:iq>"),
        (f"<s:stream xmlns:s='{STREAMS}' xmlns:x=\"urn:'&lt;&quot;\" xmlns='{CLIENT}'>", "<iq><x:y x:z=''/></iq>"),
    ],
)
def test_a_stream_goes_on_with_a_parser_of_the_shelf(header, stanza):
    own = opened(header)
    shelf = ParserPool().shelf(own)
    expected = [own.feed(stanza.encode()) for _ in range(2)][1]
    for parser in (shelf.take(), shelf.take()):
        assert parser.feed(stanza.encode()) == expected
        assert [each.to_bytes() for each in parser.feed(stanza.encode())] == [each.to_bytes() for each in expected]
        assert parser.idle
        parser.feed(f"</{header[1:].split()[0]}>".encode())
        assert parser.ended


def test_what_was_put_is_taken():
    pool = ParserPool()
    first, second = opened(), opened(HEADER.replace("id='1'", "id='2'"))
    shelf = pool.shelf(first)
    assert pool.shelf(second) is shelf
    shelf.put(first)
    assert shelf.take() is first
    assert shelf.take() not in (first, second)


@pytest.mark.parametrize(
    "other",
    [
        opened(HEADER.replace("stream:", "s:").replace(":stream=", ":s=")),
        opened(HEADER.replace(" to=", " xmlns:x='urn:x' to=")),
        opened(HEADER, Limits(stanza_bytes=10_000)),
    ],
)
def test_streams_that_differ_share_nothing(other):
    pool = ParserPool()
    own = opened()
    assert pool.shelf(own) is not pool.shelf(other)


def test_limits_go_with_the_shelf():
    parser = ParserPool().shelf(opened(limits=Limits(stanza_bytes=100))).take()
    with pytest.raises(StreamError, match="100 octets"):
        parser.feed(f"<message><body>{'x' * 100}</body></message>".encode())


def test_a_pool_forgets_a_shelf_that_no_stream_holds():
    pool = ParserPool()
    shelf = pool.shelf(opened())
    shelf.put(opened())
    gone = weakref.ref(shelf)
    del shelf
    gc.collect()
    assert gone() is None


def test_a_shelf_keeps_only_so_many():
    shelf = ParserPool().shelf(opened())
    parsers = [weakref.ref(parser) for parser in [opened() for _ in range(100)] if shelf.put(parser) is None]
    assert 0 < sum(parser() is not None for parser in parsers) < 50
