from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chirrup.core.errors import StreamError
from chirrup.core.parser import Limits, StreamParser
from chirrup.core.xml import CLIENT, STREAMS, XML_LANG, Element

pytestmark = pytest.mark.usefixtures("form")

HEADER = f"<stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAMS}' to='im.example.com'>"
FUZZ = Path(__file__).parents[2] / "fuzz" / "parser.py"


def opened(header=HEADER, **limits):
    """A parser that has read a stream header."""
    parser = StreamParser(Limits(**limits))
    assert parser.feed(header.encode()) == []
    return parser


def feed(parser, text, size=None):
    """Give a parser text or octets, in pieces of `size`; the elements that were whole."""
    data = text if isinstance(text, bytes) else text.encode()
    pieces = [data] if size is None else [data[at : at + size] for at in range(0, len(data), size)]
    return [element for piece in pieces for element in parser.feed(piece)]


def fault(parser, text, size=None):
    """The condition of the stream error with which a parser refuses a text."""
    with pytest.raises(StreamError) as raised:
        feed(parser, text, size)
    return raised.value.condition


# a stream from header to end


def test_a_stream():
    parser = StreamParser(Limits())
    assert parser.header is None
    assert parser.feed(b"<?xml version='1.0'?>") == []
    assert parser.feed(HEADER.encode()) == []
    assert parser.header == Element("stream", STREAMS, to="im.example.com")
    assert parser.prefixes == {"": CLIENT, "stream": STREAMS}
    assert parser.feed(b"<presence/><message><body>hi</body></message>") == [
        Element("presence", CLIENT),
        Element("message", CLIENT, Element("body", CLIENT, "hi")),
    ]
    assert not parser.ended
    assert parser.feed(b"<iq/></stream:stream>") == [Element("iq", CLIENT)]
    assert parser.ended


def test_what_comes_after_the_end_is_ignored():
    parser = opened()
    assert parser.feed(b"<a/></stream:stream> <b/> & <!-- --> \xff>") == [Element("a", CLIENT)]
    assert parser.feed(b"<c/>\xff>") == []
    assert parser.ended


def test_a_stream_with_its_own_default_namespace():
    parser = opened(f"<stream xmlns='{STREAMS}' version='1.0'>")
    assert parser.header == Element("stream", STREAMS, version="1.0")
    assert parser.prefixes == {"": STREAMS}
    assert parser.feed(b"<message xmlns='jabber:client'/></stream>") == [Element("message", CLIENT)]
    assert parser.ended


def test_a_header_that_declares_no_namespace():
    parser = opened("<stream xmlns=''>")
    assert parser.prefixes == {"": ""}
    assert parser.feed(b"<a/>") == [Element("a")]


@pytest.mark.parametrize("content", [CLIENT, "jabber:server", "jabber:component:accept"])
def test_content_namespaces_are_one_inside(content):
    parser = opened(f"<s:stream xmlns='{content}' xmlns:s='{STREAMS}'>")
    assert parser.feed(f"<message><x xmlns='urn:x'><body xmlns='{content}'/></x></message>".encode()) == [
        Element("message", CLIENT, Element("x", "urn:x", Element("body", CLIENT)))
    ]


def test_another_streams_content_namespace_stays_what_it_is():
    assert opened().feed(b"<message xmlns='jabber:server'/>") == [Element("message", "jabber:server")]


def test_prefixes_are_resolved():
    (element,) = opened().feed(b"<a:b xmlns:a='urn:a' xmlns:c='urn:c' c:d='1' e='2' xml:lang='en'><stream:f/></a:b>")
    assert (element.name, element.ns) == ("b", "urn:a")
    assert element.attrs == {"urn:c}d": "1", "e": "2", XML_LANG: "en"}
    assert element.children == [Element("f", STREAMS)]


def test_all_ways_to_write_text():
    (element,) = opened().feed("<a b='&lt;&#65;\n\t&#10;'>&amp;&#x42;<![CDATA[<c>&amp;]]> ü\r\n</a>".encode())
    assert element == Element("a", CLIENT, "&B<c>&amp; ü\n", b="<A  \n")
    assert len(element.children) == 1


def test_a_byte_order_mark_and_white_space_may_come_first():
    assert opened("\ufeff" + HEADER).header is not None
    assert opened(" \r\n" + HEADER).header is not None


def test_white_space_between_stanzas_is_no_event():
    parser = opened()
    assert parser.idle
    for keepalive in (b" ", b"\n", b" \t\r\n"):
        assert parser.feed(keepalive) == []
        assert parser.idle
    assert parser.feed(b" <a/> \n <b/> ") == [Element("a", CLIENT), Element("b", CLIENT)]


@pytest.mark.parametrize("half", ["<", "<a", "<a b='>", "<a>", "<a>text", "<a><b/>", "<a/><b", "\n<a"])
def test_half_an_element_is_not_idle(half):
    parser = opened()
    feed(parser, half)
    assert not parser.idle


# what RFC 6120 forbids: §11, §4.9.3

RESTRICTED = ["<!-- comment -->", "<?php echo?>", "&lol;", "<a b='&lol;'/>"]
MALFORMED = [
    "<a></b>",
    "<a b=c/>",
    "<a b='1' b='2'/>",
    "<a b='<'/>",
    "<a>]]></a>",
    "<a>&</a>",
    "<a>&#0;</a>",
    "<a>&#xFFFE;</a>",
    "<a>\x00</a>",
    "<a>\x01</a>",
    "<a>\x0b</a>",
    "<a>\uffff</a>",
    "<1/>",
    "< a/>",
    "</a>",
    "<a:b/>",
    "<a b:c='1'/>",
    "<a:b:c xmlns:a='urn:a'/>",
    "<a xmlns:b=''/>",
    "<a xmlns:b='urn:a}b'/>",
    "<a xmlns='http://www.w3.org/XML/1998/namespace'/>",
    "<a xmlns:b='http://www.w3.org/2000/xmlns/'/>",
    "<a xmlns:b='urn:b' xmlns:c='urn:b' b:d='' c:d=''/>",
    "<?xml version='1.0'?>",
]
BAD_UTF8 = [b"\xff", b"\xc0\xbc", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc3("]


@pytest.mark.parametrize("size", [None, 1])
@pytest.mark.parametrize("text", RESTRICTED)
def test_xml_that_xmpp_has_no_place_for(text, size):
    assert fault(opened(), f"<m>{text}</m>", size) == "restricted-xml"


@pytest.mark.parametrize("size", [None, 1])
@pytest.mark.parametrize(
    "text",
    [
        "<!DOCTYPE stream>",
        "<!DOCTYPE lolz [<!ENTITY lol 'lol'><!ENTITY lol2 '&lol;&lol;'>]>",
        "<!DOCTYPE s SYSTEM 'file:///etc/passwd'>",
        "<!-- comment -->",
        "<?xml-stylesheet href='a'?>",
    ],
)
def test_xml_that_may_not_stand_before_the_header(text, size):
    assert fault(StreamParser(Limits()), text + HEADER, size) == "restricted-xml"


@pytest.mark.parametrize("size", [None, 1])
@pytest.mark.parametrize("text", MALFORMED)
def test_xml_that_is_not_well_formed(text, size):
    assert fault(opened(), f"<m>{text}</m>", size) == "not-well-formed"


@pytest.mark.parametrize("size", [None, 1])
@pytest.mark.parametrize(
    "text", ["hello", "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01", "<>", "<stream:stream>", "<?xml version='1.1'?>"]
)
def test_what_is_no_stream(text, size):
    assert fault(StreamParser(Limits()), text, size) == "not-well-formed"


@pytest.mark.parametrize("size", [None, 1])
@pytest.mark.parametrize("octets", BAD_UTF8)
def test_octets_that_are_not_utf8(octets, size):
    assert fault(opened(), b"<a>" + octets + b"</a>", size) == "unsupported-encoding"
    assert fault(opened(), b"<a b='" + octets + b"'/>", size) == "unsupported-encoding"
    assert fault(opened(), b"<a xmlns:b='" + octets + b"'/>", size) == "unsupported-encoding"
    assert fault(opened(), b"<a><![CDATA[" + octets + b"]]></a>", size) == "unsupported-encoding"


@pytest.mark.parametrize("size", [None, 1, 2, 3])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_other_encodings(encoding, size):
    assert fault(StreamParser(Limits()), (HEADER + "<a/>").encode(encoding), size) == "unsupported-encoding"


@pytest.mark.parametrize("encoding", ["UTF-16", "ISO-8859-1", "US-ASCII", "x-none"])
def test_other_encodings_by_declaration(encoding):
    declared = f"<?xml version='1.0' encoding='{encoding}'?>{HEADER}"
    assert fault(StreamParser(Limits()), declared) == "unsupported-encoding"


@pytest.mark.parametrize("declared", ["encoding='UTF-8'", "encoding='utf-8'", "standalone='no'", ""])
def test_declarations_that_are_fine(declared):
    assert opened(f"<?xml version='1.0' {declared}?>{HEADER}").header is not None


@pytest.mark.parametrize("text", ["hello<a/>", "<a/>hello>", "&amp;<a/>", "<![CDATA[x]]>", "\u00a0<a/>", "\u2028<a/>"])
@pytest.mark.parametrize("size", [None, 1])
def test_only_white_space_may_stand_between_stanzas(text, size):
    assert fault(opened(), text, size) == "bad-format"


def test_a_fault_stays():
    parser = opened()
    with pytest.raises(StreamError) as first:
        parser.feed(b"<!-- -->")
    with pytest.raises(StreamError) as second:
        parser.feed(b"<a/>")
    assert second.value is first.value


def test_what_was_whole_before_a_fault_is_kept():
    parser = opened()
    assert fault(parser, "<a/><b>text</b><c/ ><d/>") == "not-well-formed"
    assert parser.ready == [Element("a", CLIENT), Element("b", CLIENT, "text")]


# limits

SIZES = [None, 1, 7]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "shape", ["<a>{}</a>", "<a><b>{}</b></a>", "<a b='{}'/>", "<a b='{}'></a>", "<a><b b='{}'/></a>"]
)
def test_octets_of_a_stanza(shape, size):
    room = 1_000 - len(shape.format("").encode())
    for filling in (
        "x" * room,
        "ü" * (room // 2),
        "<![CDATA[" + "x" * (room - 12) + "]]>" if "b='" not in shape else "",
    ):
        fits = shape.format(filling)
        assert len(feed(opened(stanza_bytes=1_000), fits + fits, size)) == 2
    assert fault(opened(stanza_bytes=1_000), shape.format("x" * (room + 50)), size) == "policy-violation"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("beginning", "filling"),
    [
        ("<", "x"),
        ("<a ", "\n"),
        ("<a b='", "x"),
        ("<a b='", ">"),
        ("<a>", "x"),
        ("<a>", ">"),
        ("<a>", "\n"),
        ("<a>", "<b/>"),
        ("<a></", "x"),
        ("<a>&", "x"),
        ("<a><![CDATA[", ">"),
        ("<a><!--", ">"),
        ("<a><?b ", ">"),
    ],
)
def test_an_element_that_never_ends(beginning, filling, size):
    assert fault(opened(stanza_bytes=1_000), beginning + 2_000 * filling, size) == "policy-violation"


def test_the_error_for_size_says_so_in_the_way_of_xep_0205():
    with pytest.raises(StreamError, match="1000 octets at most") as raised:
        opened(stanza_bytes=1_000).feed(b"<a>" + b"x" * 2_000)
    assert raised.value.app == "{urn:xmpp:errors}stanza-too-big"


@pytest.mark.parametrize("size", SIZES)
def test_octets_of_the_header(size):
    for header in (f"<?xml version='1.0'?><stream a='{'x' * 1_000}", f"<stream a='{'>' * 1_000}", " " * 1_001):
        assert fault(StreamParser(Limits(stanza_bytes=1_000)), header, size) == "policy-violation"


@pytest.mark.parametrize("size", SIZES)
def test_a_stream_may_be_longer_than_any_stanza(size):
    parser = opened(stanza_bytes=100)
    assert len(feed(parser, "<a>text</a>" * 1_000, size)) == 1_000
    assert feed(parser, " " * 10_000, size) == []
    assert len(feed(parser, "<a/>" * 1_000, size)) == 1_000


@pytest.mark.parametrize("size", SIZES)
def test_depth(size):
    assert len(feed(opened(depth=5), "<a>" * 5 + "</a>" * 5, size)) == 1
    assert fault(opened(depth=5), "<a>" * 6, size) == "policy-violation"


@pytest.mark.parametrize("size", SIZES)
def test_attributes(size):
    def attributes(count):
        return "".join(f" a{number}=''" for number in range(count))

    assert len(feed(opened(attributes=5), f"<a{attributes(5)}><b{attributes(5)}/></a>", size)) == 1
    assert fault(opened(attributes=5), f"<a{attributes(6)}/>", size) == "policy-violation"
    assert fault(opened(attributes=5), f"<a><b{attributes(6)}/></a>", size) == "policy-violation"
    assert fault(StreamParser(Limits(attributes=5)), f"<stream{attributes(6)}>", size) == "policy-violation"


@pytest.mark.parametrize("size", SIZES)
def test_elements_of_a_stanza(size):
    parser = opened(elements=5)
    assert len(feed(parser, "<a>" + "<b/>" * 4 + "</a>" + "<a><b><b><b><b/></b></b></b></a>", size)) == 2
    assert fault(parser, "<a>" + "<b/>" * 5, size) == "policy-violation"


# pieces

STREAM = (
    "\ufeff<?xml version='1.0' encoding='UTF-8'?>\n"
    "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' a='&gt;>'>  \n"
    "<message to='a>  b' from=\"c'd\"><body>x &lt; ü𝄞 &#x1D11E; > y ]] > z</body>"
    "<x:y xmlns:x='urn:x' x:z='1' xml:lang='de'><![CDATA[<>]]>\r\n<w/></x:y> <empty></empty></message> \t"
    "<presence/>\n<iq  type = 'get' ><q xmlns='urn:&quot;q'/>  </iq>"
    "</stream:stream> "
).encode()


def read(pieces):
    parser = StreamParser(Limits())
    return [element for piece in pieces for element in parser.feed(piece)], parser.header, parser.prefixes, parser.ended


def test_a_stream_split_at_any_octet_is_the_same():
    whole = read([STREAM])
    assert len(whole[0]) == 3
    for at in range(len(STREAM) + 1):
        assert read([STREAM[:at], STREAM[at:]]) == whole, STREAM[:at]
    assert read([bytes([octet]) for octet in STREAM]) == whole


def test_white_space_is_kept_within_an_attribute_that_is_in_pieces():
    parser = opened()
    assert feed(parser, "<a b='>") + feed(parser, " ") + feed(parser, "'/>") == [Element("a", CLIENT, b="> ")]


@given(st.lists(st.integers(0, len(STREAM)), max_size=20).map(sorted))
def test_a_stream_in_any_pieces_is_the_same(cuts):
    assert read([STREAM[a:b] for a, b in zip([0, *cuts], [*cuts, len(STREAM)], strict=True)]) == read([STREAM])


# names that expat can't forget


def readers(parser, stanzas):
    """How many readers, each with an expat of its own, were needed for stanzas."""
    seen = [parser._reader]
    for stanza in stanzas:
        yield parser.feed(stanza)
        if parser._reader is not seen[-1]:
            seen.append(parser._reader)
    assert len(seen) > 5


def flood(number=10_000):
    """Stanzas whose names weren't there before."""
    for at in range(number):
        yield f"<n{at} a{at}='' xmlns:p{at}='urn:p'/>".encode()


@pytest.mark.parametrize(
    ("header", "end"),
    [
        (HEADER, "</stream:stream>"),
        (f"<stream xmlns='{STREAMS}' xmlns:x='urn:x'>", "</stream>"),
        ("<stream xmlns='' xmlns:x='urn:\"&lt;&apos;'>", "</stream>"),
        (f"<ü-:stream\txmlns='jabber:server' xmlns:ü-='{STREAMS}' xmlns:p-='urn:p' to='>'>", "</ü-:stream>"),
    ],
)  # fmt: skip
def test_a_stream_goes_on_after_a_flood_of_names(header, end):
    parser = opened(header)
    before = parser.header, dict(parser.prefixes)
    probe = "".join(f"<{prefix}{prefix and ':'}a/>" for prefix in parser.prefixes)
    expected = feed(opened(header), probe)
    for at, elements in enumerate(readers(parser, flood(20_000))):
        assert [element.name for element in elements] == [f"n{at}"]
    assert (parser.header, parser.prefixes) == before
    assert feed(parser, probe, 1) == expected
    assert fault(opened(header), "<!-- -->") == "restricted-xml"
    feed(parser, end)
    assert parser.ended


@pytest.mark.parametrize("half", ["<a>", "<a b='>", "<a b='>' ", "<a><b>x</b>", " "])
def test_a_flood_of_names_that_never_pauses(half):
    """The parser stands within an element whenever it has read what there is."""
    parser = opened()
    rest = {"<a>": "</a>", "<a b='>": "'/>", "<a b='>' ": "/>", "<a><b>x</b>": "</a>", " ": "<a/>"}[half]
    expected = feed(opened(), half + rest)
    feed(parser, half)
    stanzas = (f"{rest}<n{at} a{at}=''/>{half}".encode() for at in range(20_000))
    for at, elements in enumerate(readers(parser, stanzas)):
        assert elements == [*expected, Element(f"n{at}", CLIENT).set(f"a{at}", "")]
    assert feed(parser, rest) == expected


def test_a_flood_of_prefixes():
    parser = opened()
    prefixes = (" ".join(f"xmlns:p{stanza}-{at}='urn:p'" for at in range(2_000)) for stanza in range(150))
    stanzas = (f"<a {declared}/>".encode() for declared in prefixes)
    for elements in readers(parser, stanzas):
        assert elements == [Element("a", CLIENT)]


# octets that are written again as they stand


CHILDREN = "<b xmlns='urn:b'/><c xmlns='urn:c' d = \"e\" /><body>f</body>"


def passed_on(stanza, header=HEADER, size=None):
    """A stanza as it came, and the octets that go on to others."""
    (element,) = feed(opened(header), stanza, size)
    return element, element.to_bytes().decode()


def reread(octets):
    """What another client reads of octets, to which the stream's header declared the least."""
    return feed(opened(f"<stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>"), octets)


@pytest.mark.parametrize(
    "start",
    ["<message>", "<message to='a>b' id=\"'>\">", "<message\n\ttype = 'chat'\n>", "<iq xml:lang='de' from='\"'>"],
)
@pytest.mark.parametrize(
    "inside",
    [
        CHILDREN,
        f" \r\n{CHILDREN}&#xD;&lt;&quot;\"'>",
        f"{CHILDREN}<![CDATA[</message>&lol;<!-- -->]]>",
        f"{CHILDREN}<x:y xmlns:x='urn:x' x:z=''><x:w xml:lang='de'/></x:y>",
        f"{CHILDREN}<a xmlns=''><b/></a>",
        f"{CHILDREN}<a xmlns='jabber:server'><b/></a>",
        f"ü𝄞\ufeff\x7f\u2028{CHILDREN}",
    ],
)
def test_what_is_inside_a_stanza_goes_on_as_it_came(start, inside):
    name = start[1:].split()[0].rstrip(">")
    element, octets = passed_on(f"{start}{inside}</{name} >")
    element.set("from", "b@c'&<").set(XML_LANG, "en").set("type", None)
    octets = element.to_bytes().decode()
    assert octets.endswith(f">{inside}</{name}>")
    assert "from='b@c&apos;&amp;&lt;'" in octets
    assert reread(octets) == [element]


@pytest.mark.parametrize(
    ("header", "stanza"),
    [
        (HEADER, f"<message xmlns:x='urn:x'><x:y/>{CHILDREN}</message>"),
        (HEADER, f"<message a='' xmlns:x = 'urn:x'>{CHILDREN}<y x:z=''/></message>"),
        (HEADER, f"<message xmlns='urn:x'><y/>{CHILDREN}</message>"),
        (HEADER, f"<message xmlns='{CLIENT}'><y/>{CHILDREN}</message>"),
        (HEADER, f"<x:message xmlns:x='{CLIENT}' xmlns='urn:x'><y/>{CHILDREN}</x:message>"),
        (HEADER, f"<message><stream:y/>{CHILDREN}</message>"),
        (HEADER, f"<message>{CHILDREN}<y stream:z=''/></message>"),
        (HEADER, f"<stream:error>{CHILDREN}<y/></stream:error>"),
        (f"<stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAMS}' xmlns:x='urn:x'>", f"<iq><x:y/>{CHILDREN}</iq>"),
        (f"<stream:stream xmlns='{CLIENT}' xmlns:stream='urn:x'>", f"<iq><stream:y/>{CHILDREN}</iq>"),
        (f"<stream xmlns='{STREAMS}' xmlns:c='{CLIENT}'>", f"<c:iq><c:y/>{CHILDREN}</c:iq>"),
        (f"<stream xmlns='{STREAMS}'>", f"<iq xmlns='{CLIENT}'><y/>{CHILDREN}</iq>"),
        ("<stream>", f"<iq><y/>{CHILDREN}</iq>"),
        ("<stream xmlns='urn:x'>", f"<iq><y/>{CHILDREN}</iq>"),
        (
            HEADER.replace(CLIENT, "jabber:server"),
            f"<iq><a xmlns='urn:a'><y xmlns='jabber:server'/></a>{CHILDREN}</iq>",
        ),
        (
            f"<s:stream xmlns='jabber:component:accept' xmlns:s='{STREAMS}'>",
            f"<iq><s:y xmlns='urn:x'><z xmlns='jabber:component:accept'/></s:y>{CHILDREN}</iq>",
        ),
    ],
)
@pytest.mark.parametrize("renewed", [False, True])
def test_what_needs_a_declaration_from_elsewhere_is_written_anew(header, stanza, renewed):
    parser = opened(header)
    if renewed:
        feed(parser, b"".join(flood()))
    (element,) = feed(parser, stanza)
    assert CHILDREN not in element.to_bytes().decode()
    assert reread(element.to_bytes()) == [element]


def test_stanzas_in_pieces_and_behind_others():
    stanza = f"<message id='ü>'>ü{CHILDREN}</message>"
    text = f"<presence/> {stanza}\n{stanza}{stanza} <presence/>"
    whole = feed(opened(), stanza)[0]
    for at in range(len(text.encode())):
        parser = opened()
        got = [*parser.feed(text.encode()[:at]), *parser.feed(text.encode()[at:])]
        assert [element for each in got for element in reread(each.to_bytes())] == got
        assert got[1:4] == [whole] * 3
    assert [each.to_bytes() for each in feed(opened(), stanza * 3)] == [
        f"<message id='ü>'>ü{CHILDREN}</message>".encode()
    ] * 3


def test_stanzas_after_a_flood_of_names():
    parser = opened()
    feed(parser, b"".join(flood()))
    (element,) = feed(parser, f"<message>{CHILDREN}</message>")
    assert element.to_bytes() == f"<message>{CHILDREN}</message>".encode()


# rest


@pytest.mark.parametrize(
    ("header", "stanza"),
    [
        (HEADER, f"<message id='1'>{CHILDREN}</message>"),
        (f"<s:stream xmlns:s='{STREAMS}' xmlns='jabber:server'>", "<iq><a xmlns='urn:a'><s:b/></a></iq>"),
        (f"<stream xmlns='{STREAMS}' xmlns:c='{CLIENT}'>", "<c:iq><c:y/><z/></c:iq>"),
    ],
)
def test_a_stream_goes_on_after_a_rest(header, stanza):
    parser, other = opened(header), opened(header)
    for _ in range(3):
        assert parser.rest() and parser.rest() and parser.idle
        assert feed(parser, stanza) == feed(other, stanza)
        assert parser.rest()
        assert parser.feed(stanza[:10].encode()) == []
        assert not parser.rest() and not parser.idle
        assert feed(parser, stanza[10:]) == feed(other, stanza)
    assert parser.rest() and not parser.ended
    feed(parser, f"</{header[1:].split()[0]}>")
    assert parser.ended and not parser.rest()


def test_only_between_stanzas_is_there_rest():
    fresh = StreamParser(Limits())
    assert not fresh.rest()
    feed(fresh, HEADER)
    for begun in ("<message", ">", "<body>x</body>", "te"):
        assert feed(fresh, begun) == []
        assert not fresh.rest()
    assert len(feed(fresh, "xt</message>")) == 1
    assert fresh.rest()


def test_white_space_disturbs_no_rest():
    parser = opened()
    assert parser.rest()
    for _ in range(3):
        assert feed(parser, " \n") == []
        assert parser._reader is None and parser.idle
    (element,) = feed(parser, " <presence/>")
    assert element.name == "presence"


@pytest.mark.parametrize("data", ["x", "</wrong>", "<!-- -->", "<a><b/>" + "<c/>" * 5_000])
def test_faults_after_a_rest_are_faults(data):
    parser = opened()
    assert parser.rest()
    with pytest.raises(StreamError):
        feed(parser, data + "<x/>")
    assert not parser.rest()


@pytest.mark.parametrize("rested", [False, True])
def test_a_fault_after_a_rest_is_the_same_one(rested):
    parser = opened()
    if rested:
        assert parser.rest()
    with pytest.raises(StreamError, match="not-well-formed"):
        feed(parser, "<a>\x00</a>")


def test_limits_hold_after_a_rest():
    parser = opened(stanza_bytes=1_000)
    assert parser.rest()
    with pytest.raises(StreamError, match="1000 octets"):
        for _ in range(100):
            feed(parser, "<message to='" + "x" * 20)


def test_who_is_discarded_at_rest_stays_so():
    parser = opened()
    assert parser.rest()
    parser.discard()
    assert parser.rest()


LEAVES = st.sampled_from(
    [
        *("text", " ", "é𝄞", "'\">", "\r\n", "&gt;", "&#13;", "<![CDATA[</m>&a;]]>", "stream:"),
        *("<a/>", "<b xml:lang='de'/>", "<b\tc = '>'/>", "<stream:a/>", "<a stream:b=''/>"),
        *("<c:d xmlns:c='urn:c' c:e='>'/>", "<c:d/>"),
    ]
)
TAGS = st.sampled_from(
    [
        *("<a>{}</a>", "<a xmlns=''>{}</a>", "<a xmlns='urn:a'>{}</a >", f"<a xmlns='{CLIENT}'>{{}}</a>"),
        *("<a xmlns='jabber:server'>{}</a>", "<c:a xmlns:c='urn:c'>{}</c:a>", "<stream:a>{}</stream:a>"),
    ]
)
INSIDES = st.recursive(
    LEAVES, lambda inner: st.builds(lambda tag, parts: tag.format("".join(parts)), TAGS, st.lists(inner, max_size=4))
)
STARTS = st.sampled_from(
    ["<m{}>", "<m xmlns:c='urn:o'{}>", "<m xmlns='urn:o' xmlns:c='urn:c'{}>", "<m {} xmlns:stream='urn:o'>", "<m{}\n>"]
)
ATTRIBUTES = st.sampled_from(["", " to='a>'", ' to="\'>"', " from='&lt;' id='>'", " c='' xml:lang='>'"])


@given(STARTS, ATTRIBUTES, st.lists(INSIDES, max_size=4))
def test_any_stanza_that_goes_on_stays_what_it_is(start, attributes, inside):
    text = f"{start.format(attributes)}{''.join(inside)}<a/><a/><a/></m>"
    try:
        (element,) = feed(opened(), text)
    except StreamError:
        assert "<c:d/>" in text  # whose prefix isn't always declared
        return
    element.set("from", "a@b")
    assert reread(element.to_bytes()) == [element]
    copy = element.copy().set("id", "'")
    assert reread(copy.to_bytes()) == [copy]


# anything at all


@given(st.lists(st.sampled_from(["<a>", "</a>", "<b c='", "'/>", "<d/>", " ", "&lt;", ">", "é", "<![CDATA[", "]]>"])))
def test_pieces_of_xml_in_any_order(pieces):
    outcomes = []
    for size in (None, 1, 5):
        parser = opened()
        got, failed = [], False
        data = "".join(pieces).encode()
        try:
            for at in range(0, len(data), size or max(len(data), 1)):
                got += parser.feed(data[at : at + (size or len(data))])
        except StreamError:
            got, failed = got + parser.ready, True
        outcomes.append((got, failed))
    assert outcomes[0] == outcomes[1] == outcomes[2]


def test_the_fuzz_target_finds_nothing(form):
    env = {**os.environ, "CHIRRUP_PURE": "" if form == "compiled" else "1"}
    subprocess.run([sys.executable, FUZZ, "--runs", "300", "--seed", "1"], check=True, timeout=60, env=env)
