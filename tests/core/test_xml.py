from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chirrup.core.errors import LocalProtocolError
from chirrup.core.parser import Limits, StreamParser
from chirrup.core.values import parse_element
from chirrup.core.xml import (
    CLIENT,
    STREAMS,
    XML,
    XML_LANG,
    Element,
    escape_attribute,
    escape_text,
    serialise,
    splice_to,
)

pytestmark = pytest.mark.usefixtures("form")

ROSTER = "jabber:iq:roster"


def received(data):
    """What a peer reads of octets that are sent in a stream."""
    parser = StreamParser(Limits(stanza_bytes=10_000_000))
    parser.feed(f"<stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>".encode())
    return parser.feed(data)


# building


def test_an_element_is_built_from_the_outside_in():
    iq = Element("iq", CLIENT, Element("query", ROSTER, Element("item", jid="a@b")), None, type="set", id=1)
    assert str(iq) == (
        "<iq xmlns='jabber:client' type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='a@b'/></query></iq>"
    )


def test_an_element_is_built_step_by_step():
    message = Element("message", CLIENT, type="chat")
    message.c("body", "", "hello").set(XML_LANG, "en")
    message.c("html", "urn:html").c("b").t("hel").t("lo")
    assert str(message) == (
        "<message xmlns='jabber:client' type='chat'><body xml:lang='en'>hello</body>"
        "<html xmlns='urn:html'><b>hello</b></html></message>"
    )


def test_children_without_a_namespace_take_their_parents_at_every_level():
    a = Element("a", "", Element("b", "", Element("c")), Element("d", "urn:d", Element("e")))
    assert [child.ns for child in a.elements()] == ["", "urn:d"]
    parent = Element("p", "urn:p", a)
    assert (parent.first.ns, a.child("b").ns, a.child("b").first.ns, a.child("d", "urn:d").first.ns) == (
        "urn:p",
        "urn:p",
        "urn:p",
        "urn:d",
    )


def test_attributes():
    element = Element("a", class_="x", no=None, yes=True, nay=False, number=7)
    assert element.attrs == {"class": "x", "yes": "true", "nay": "false", "number": "7"}
    assert (element.get("class"), element.get("id"), element.get("id", "none")) == ("x", "", "none")
    element.set("class", None).set("class", None).set("number", 8)
    assert element.attrs == {"yes": "true", "nay": "false", "number": "8"}


def test_the_language_of_an_element():
    assert Element("a").lang == ""
    assert Element("a").set(XML_LANG, "de").lang == "de"


# looking into it


@pytest.fixture
def message():
    return Element(
        "message",
        CLIENT,
        Element("body", CLIENT, "one"),
        " ",
        Element("x", "urn:x"),
        Element("body", "urn:x", "other"),
        Element("body", CLIENT, "two"),
        "tail",
    )


def test_children_by_name_and_namespace(message):
    assert message.child("body").text == "one"
    assert message.child("body", "urn:x").text == "other"
    assert message.child("x") is None
    assert message.child("x", "urn:x") is message.children[2]
    assert message.child_text("body") == "one"
    assert message.child_text("body", "urn:x") == "other"
    assert message.child_text("subject") == ""
    assert message.child_text("subject", default="none") == "none"
    assert message.first is message.children[0]
    assert Element("a", "", "text").first is None


def test_all_child_elements(message):
    assert [child.text for child in message.elements()] == ["one", "", "other", "two"]
    assert [child.text for child in message.elements("body")] == ["one", "other", "two"]
    assert [child.text for child in message.elements("body", CLIENT)] == ["one", "two"]
    assert [child.name for child in message.elements(ns="urn:x")] == ["x", "body"]


def test_text_is_the_elements_own(message):
    assert message.text == " tail"
    assert Element("a").text == ""


def test_removing_children(message):
    assert message.remove("body", CLIENT)
    assert [child.name for child in message.elements()] == ["x", "body"]
    assert message.text == " tail"
    assert not message.remove("body", CLIENT)


def test_a_copy_has_its_own_attributes_and_children(message):
    copy = message.copy()
    copy.set("to", "a@b").append("more")
    assert message.attrs == {}
    assert message.children[-1] == "tail"
    assert copy.first is message.first


# comparing


def test_text_in_pieces_is_equal_to_text_in_one():
    assert Element("a", "", "b", "", "c", Element("d"), "") == Element("a", "", "bc", Element("d"))


@pytest.mark.parametrize(
    "other",
    [
        Element("b", "urn:a", "text", id=1),
        Element("a", "urn:b", "text", id=1),
        Element("a", "urn:a", "text", id=2),
        Element("a", "urn:a", "texts", id=1),
        Element("a", "urn:a", Element("text"), id=1),
        "<a xmlns='urn:a' id='1'>text</a>",
    ],
)
def test_elements_differ(other):
    assert Element("a", "urn:a", "text", id=1) != other


def test_an_element_is_mutable_and_so_has_no_hash():
    with pytest.raises(TypeError):
        hash(Element("a"))


def test_what_one_sees_of_a_long_element_is_cut_short():
    assert repr(Element("a", "", "x")) == "<Element <a>x</a>>"
    assert len(repr(Element("a", "", "x" * 10_000))) < 300


# writing


def test_a_stanza_leaves_out_the_content_namespace_of_its_stream():
    message = Element(
        "message", CLIENT, Element("body", "", "hi"), Element("x", "urn:x", Element("y", CLIENT)), to="a@b"
    )
    assert message.to_bytes() == (
        b"<message to='a@b'><body>hi</body><x xmlns='urn:x'><y xmlns='jabber:client'/></x></message>"
    )


def test_elements_of_the_stream_namespace_have_the_prefix_that_the_header_declared():
    features = Element("features", STREAMS, Element("bind", "urn:bind"))
    assert features.to_bytes() == b"<stream:features><bind xmlns='urn:bind'/></stream:features>"
    assert str(features) == f"<features xmlns='{STREAMS}'><bind xmlns='urn:bind'/></features>"
    assert (features.name, features.ns) == ("features", STREAMS)


def test_within_others_they_need_no_prefix_and_can_be_read_anywhere():
    message = Element("message", CLIENT, Element("error", STREAMS, Element("body", CLIENT)))
    assert parse_element(str(message)) == message
    assert received(message.to_bytes()) == [message]
    features = Element("features", STREAMS, Element("inner"), Element("body", CLIENT))
    assert received(features.to_bytes()) == [features]


def test_an_element_without_a_namespace_takes_the_default_away():
    element = Element("a", CLIENT)
    element.children.append(Element("b"))
    assert element.to_bytes() == b"<a><b xmlns=''/></a>"


def test_elements_of_the_xml_namespace_are_written_with_its_own_prefix():
    """No other prefix may be bound to that namespace, nor may it be the default (Namespaces in XML 1.0, §3)."""
    message = Element("message", CLIENT, Element("space", XML, Element("body", CLIENT)))
    assert message.to_bytes() == b"<message><xml:space><body/></xml:space></message>"
    assert received(message.to_bytes()) == [message]


def test_attributes_of_one_local_name_in_two_namespaces_stay_apart():
    element = Element("a", CLIENT, x="0").set("urn:a}x", 1).set("urn:b}x", "2").set(XML_LANG, "en")
    assert received(element.to_bytes()) == [element]


def test_characters_that_mean_something_to_xml_are_escaped():
    assert escape_text("<&>'\"\r\n\t]]>") == "&lt;&amp;&gt;'\"&#xD;\n\t]]&gt;"
    assert escape_attribute("<&>'\"\r\n\t") == '&lt;&amp;>&apos;"&#xD;&#xA;&#x9;'


FORBIDDEN = [*(chr(c) for c in range(32) if c not in (9, 10, 13)), "\ud800", "\udfff", "\ufffe", "\uffff"]


@pytest.mark.parametrize("char", FORBIDDEN, ids=ascii)
def test_characters_that_xml_has_no_way_to_write(char):
    for element in (
        Element("a", "", f"text {char}"),
        Element("a", "", id=f"{char} value"),
        Element("a", f"urn:{char}"),
        Element("a").set(XML_LANG, char),
        Element("a").set(f"urn:{char}}}b", ""),
        Element("a", "", Element("b", "", char)),
    ):
        with pytest.raises(LocalProtocolError, match=f"U[+]{ord(char):04X} can't be sent"):
            serialise(element, "")


@pytest.mark.parametrize(
    "char", ["\t", "\n", "\r", " ", "\x7f", "\x85", "\xa0", "\u2028", "\ufdd0", "\U0010ffff"], ids=ascii
)
def test_odd_characters_that_xml_can_write(char):
    element = Element("a", CLIENT, char, id=char)
    assert received(element.to_bytes()) == [element]


@pytest.mark.parametrize("attributes", [{"type": "chat"}, {"to": "old@example.com", "type": "chat"}, {}])
def test_one_serialisation_serves_many_receivers(attributes):
    stanza = Element("message", CLIENT, Element("body", "", "hi"), **attributes)
    before, after = splice_to(stanza)
    for to in ("a@example.com", "b@example.com"):
        assert received(before + f" to='{to}'".encode() + after) == [stanza.copy().set("to", to)]
    assert stanza.attrs == attributes


# what came from a stream


INSIDE = "<body>one</body><x  xmlns='urn:x'/><y xmlns='urn:y'></y>"


@pytest.fixture
def came():
    """A stanza of which a part is written in a way that isn't ours."""
    (stanza,) = received(f"<message to='a@b'>{INSIDE}</message>".encode())
    assert stanza.to_bytes() == f"<message to='a@b'>{INSIDE}</message>".encode()
    return stanza


CHANGES = {
    "insert and append": lambda stanza: stanza.append("three").children.insert(0, "two"),
    "remove": lambda stanza: stanza.remove("x", "urn:x"),
    "children": lambda stanza: setattr(stanza, "children", stanza.children[1:]),
    "no children": lambda stanza: setattr(stanza, "children", []),
    "insert": lambda stanza: stanza.children.insert(0, "two"),
    "swap": lambda stanza: stanza.children.reverse(),
    "replace": lambda stanza: stanza.children.__setitem__(0, Element("body", CLIENT, "two")),
    "clear": lambda stanza: stanza.children.clear(),
    "ns": lambda stanza: setattr(stanza, "ns", "urn:z"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_stanza_that_was_changed_is_written_as_it_is_now(came, change):
    copy = came.copy()
    change(copy)
    assert copy != came
    assert INSIDE not in copy.to_bytes().decode().replace("to='a@b'", "")
    assert received(copy.to_bytes()) == [copy]
    assert INSIDE in came.to_bytes().decode()
    change(came)
    assert came == copy
    assert received(came.to_bytes()) == [came]


APPENDED = {
    "append": (lambda stanza: stanza.append(Element("z", "urn:z")), "<z xmlns='urn:z'/>"),
    "c": (lambda stanza: stanza.c("z", "", "two"), "<z>two</z>"),
    "t": (lambda stanza: stanza.t("<&'"), "&lt;&amp;'"),
    "several": (lambda stanza: stanza.t("two").t(" ").c("z").t("three"), "two <z>three</z>"),
    "in place of others": (
        lambda stanza: stanza.c("z", "urn:z") and stanza.remove("z", "urn:z") and stanza.c("z", STREAMS),
        f"<z xmlns='{STREAMS}'/>",
    ),
}


@pytest.mark.parametrize(("change", "written"), APPENDED.values(), ids=APPENDED.keys())
def test_what_was_appended_stands_behind_what_came(came, change, written):
    copy = came.copy()
    change(copy)
    assert copy.to_bytes() == f"<message to='a@b'>{INSIDE}{written}</message>".encode()
    assert received(copy.to_bytes()) == [copy]
    assert came.to_bytes() == f"<message to='a@b'>{INSIDE}</message>".encode()
    change(came)
    assert came.to_bytes() == copy.to_bytes() == copy.copy().to_bytes()


@pytest.mark.parametrize("char", FORBIDDEN, ids=ascii)
def test_what_was_appended_can_be_nothing_that_xml_cannot_write(came, char):
    with pytest.raises(LocalProtocolError):
        came.c("z").t(char)
        came.to_bytes()


def test_name_and_attributes_may_change(came):
    copy = came.copy().set("to", None).set("urn:z}a", "'").set(XML_LANG, "<")
    copy.name = "headline"
    assert INSIDE in copy.to_bytes().decode()
    assert received(copy.to_bytes()) == [copy]
    assert came.attrs == {"to": "a@b"}


def test_an_attribute_that_xml_cannot_write_is_found_out(came):
    with pytest.raises(LocalProtocolError):
        came.set("id", "\0").to_bytes()


def test_a_stanza_that_came_may_go_on_inside_another(came):
    outer = Element("message", CLIENT, Element("forwarded", "urn:xmpp:forward:0", came))
    assert received(outer.to_bytes()) == [outer]
    assert outer.first.child("message", CLIENT) is came
    assert parse_element(str(came)) == came


def test_one_serialisation_of_what_came_serves_many_receivers(came):
    before, after = splice_to(came)
    assert received(before + b" to='c@d'" + after) == [came.copy().set("to", "c@d")]


# any element

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=FORBIDDEN), max_size=20)
NAMES = st.text("abcxyzÄé-._0", min_size=1, max_size=5).filter(lambda name: name[0] not in "-._0")
NAMESPACES = st.sampled_from([CLIENT, STREAMS, XML, "", "urn:a", "urn:b"]) | TEXTS.filter(lambda ns: "}" not in ns)
ATTRIBUTES = st.dictionaries(NAMES | st.builds("{}}}{}".format, NAMESPACES.filter(bool), NAMES), TEXTS, max_size=4)


@st.composite
def an_element(draw, children):
    element = Element(draw(NAMES), draw(NAMESPACES))
    element.attrs = draw(ATTRIBUTES)
    element.children = draw(st.lists(TEXTS | children, max_size=4))  # as they are: append() would give them namespaces
    return element


ELEMENTS = st.recursive(an_element(st.nothing()), an_element, max_leaves=10)


@given(ELEMENTS)
def test_what_is_written_to_a_stream_is_read_there(element):
    assert received(element.to_bytes()) == [element]


@given(ELEMENTS)
def test_what_is_written_alone_is_read_alone(element):
    assert parse_element(str(element)) == element
