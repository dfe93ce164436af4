from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime
from enum import Enum
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chirrup.core.errors import PayloadError
from chirrup.core.jid import JID
from chirrup.core.payload import (
    Payload,
    attribute,
    child,
    child_text,
    child_texts,
    children,
    flag,
    payload,
    rest,
    text,
)
from chirrup.core.values import parse_element
from chirrup.core.xml import CLIENT, XML_LANG, Element

LIBRARY = "urn:example:library"
OTHER = "urn:example:other"


class Shelf(Enum):
    OPEN = "open"
    RARE = "rare"


@payload("author", LIBRARY)
class Author(Payload):
    """Who wrote it."""

    name: str = text()
    jid: JID | None = attribute(default=None)
    lang: str | None = attribute(XML_LANG, default=None)


@payload("edition", LIBRARY)
class Edition(Payload):
    """One printing."""

    year: int = attribute()


@payload("loan", OTHER)
class Loan(Payload):
    """Who has it, and until when."""

    to: JID = text()
    until: datetime = attribute()

    def __post_init__(self) -> None:
        if self.until.year < 2000:
            raise PayloadError("<loan/> ended in the last century")


@payload("book", LIBRARY)
class Book(Payload):
    """A book, with a field of each kind and type."""

    isbn: str = attribute()
    author: Author = child(Author)
    class_: str = attribute(default="fiction")
    pages: int | None = attribute("page-count", default=None)
    price: float = attribute(default=0.0)
    lent: bool = attribute(default=False)
    binding: Literal["paper", "cloth"] | None = attribute(default=None)
    shelf: Shelf = attribute(default=Shelf.OPEN)
    title: str | None = child_text("title", default=None)
    cover: bytes = child_text("cover", OTHER, default=b"")
    readers: tuple[JID, ...] = child_texts("reader")
    editions: tuple[Edition, ...] = children(Edition)
    loan: Loan | None = child(Loan, default=None)
    signed: bool = flag("signed")
    extensions: tuple[Element, ...] = rest()


AUTHOR = Author("Jane Austen")
BOOK = Book("1", AUTHOR)
FULL = Book(
    isbn="978-0-14-143951-8",
    author=Author("Jane Austen", jid=JID("jane@example.com"), lang="en"),
    class_="novel",
    pages=480,
    price=7.5,
    lent=True,
    binding="cloth",
    shelf=Shelf.RARE,
    title="Pride & Prejudice",
    cover=b"\x00\xff",
    readers=(JID("darcy@example.com"), JID("bingley@example.com/hall")),
    editions=(Edition(1813), Edition(year=2003)),
    loan=Loan(JID("jane@example.com"), until=datetime(2026, 1, 31, 12, tzinfo=UTC)),
    signed=True,
    extensions=(Element("stamp", OTHER, "Hampshire"), Element("title", OTHER)),
)
FULL_XML = (
    "<book xmlns='urn:example:library' isbn='978-0-14-143951-8' class='novel' page-count='480' price='7.5' lent='true' "
    "binding='cloth' shelf='rare'>"
    "<author jid='jane@example.com' xml:lang='en'>Jane Austen</author>"
    "<title>Pride &amp; Prejudice</title>"
    "<cover xmlns='urn:example:other'>AP8=</cover>"
    "<reader>darcy@example.com</reader><reader>bingley@example.com/hall</reader>"
    "<edition year='1813'/><edition year='2003'/>"
    "<loan xmlns='urn:example:other' until='2026-01-31T12:00:00Z'>jane@example.com</loan>"
    "<signed/>"
    "<stamp xmlns='urn:example:other'>Hampshire</stamp><title xmlns='urn:example:other'/>"
    "</book>"
)
FULL_JSON = {
    "isbn": "978-0-14-143951-8",
    "author": {"name": "Jane Austen", "jid": "jane@example.com", "lang": "en"},
    "class": "novel",
    "pages": 480,
    "price": 7.5,
    "lent": True,
    "binding": "cloth",
    "shelf": "rare",
    "title": "Pride & Prejudice",
    "cover": "AP8=",
    "readers": ["darcy@example.com", "bingley@example.com/hall"],
    "editions": [{"year": 1813}, {"year": 2003}],
    "loan": {"to": "jane@example.com", "until": "2026-01-31T12:00:00Z"},
    "signed": True,
    "extensions": [
        "<stamp xmlns='urn:example:other'>Hampshire</stamp>",
        "<title xmlns='urn:example:other'/>",
    ],
}


def book(*children_, **attributes):
    """A <book/> that is whole but for what is given here."""
    attributes.setdefault("isbn", "1")
    return Element("book", LIBRARY, Element("author", LIBRARY, "Jane Austen"), *children_, **attributes)


# XML


def test_every_kind_of_field_is_read():
    assert Book.parse(parse_element(FULL_XML)) == FULL


def test_every_kind_of_field_is_written():
    assert str(FULL.to_element()) == FULL_XML


def test_what_is_left_out_is_the_default():
    assert Book.parse(book()) == BOOK


def test_what_equals_its_default_is_not_written():
    same = replace(BOOK, class_="fiction", price=0.0, shelf=Shelf.OPEN)
    assert str(same.to_element()) == "<book xmlns='urn:example:library' isbn='1'><author>Jane Austen</author></book>"


def test_an_empty_child_is_an_empty_text():
    assert Book.parse(book(Element("title"))).title == ""
    assert replace(BOOK, title="").to_element().child("title").children == []


def test_of_children_that_may_stand_there_once_the_first_counts():
    assert Book.parse(book(Element("title", LIBRARY, "Emma"), Element("title", LIBRARY, "Persuasion"))).title == "Emma"


def test_children_of_another_namespace_are_the_rest():
    stranger = Element("title", OTHER, "Emma")
    made = Book.parse(book(stranger, "\n  ", Element("signed")))
    assert (made.title, made.extensions, made.signed) == (None, (stranger,), True)


@pytest.mark.parametrize(
    ("element", "message"),
    [
        (Element("book", OTHER), "<book xmlns='urn:example:other'/> is no <book xmlns='urn:example:library'/>"),
        (Element("tape", LIBRARY), "<tape xmlns='urn:example:library'/> is no <book xmlns='urn:example:library'/>"),
        (Element("book", LIBRARY), "<book/> lacks the attribute 'isbn'"),
        (Element("book", LIBRARY, isbn=1), "<book/> lacks the child <author/>"),
        (book().set("page-count", "many"), "the attribute 'page-count' of <book/> is wrong: 'many' is no integer"),
        (book(price="1,5"), "the attribute 'price' of <book/> is wrong: '1,5' is no finite number"),
        (book(lent="yes"), "the attribute 'lent' of <book/> is wrong: 'yes' is neither true nor false"),
        (book(binding="gold"), "the attribute 'binding' of <book/> is wrong: 'gold' is none of paper, cloth"),
        (book(shelf=""), "the attribute 'shelf' of <book/> is wrong: '' is none of open, rare"),
        (book(Element("cover", OTHER, "?")), "the child <cover/> of <book/> is wrong: '[?]' is no base64"),
        (book(Element("edition")), "<edition/> lacks the attribute 'year'"),
        (book(Element("reader", LIBRARY, "@")), "a child <reader/> of <book/> is wrong: "),
        (
            Element("book", LIBRARY, Element("author", LIBRARY, jid="@"), isbn=1),
            "the attribute 'jid' of <author/> is wrong: ",
        ),
        (book(Element("loan", OTHER, "a@b")), "<loan/> lacks the attribute 'until'"),
        (book(Element("loan", OTHER, until="2026-01-31T12:00:00Z")), "the text of <loan/> is wrong: "),
        (book(Element("loan", OTHER, "a@b", until="1999-01-31T12:00:00Z")), "<loan/> ended in the last century"),
    ],
)
def test_what_is_wrong_is_named(element, message):
    with pytest.raises(PayloadError, match=message):
        Book.parse(element)


def test_a_long_value_is_cut_short_in_the_error():
    with pytest.raises(PayloadError) as raised:
        Book.parse(book(lent="x" * 10_000))
    assert len(str(raised.value)) < 200


def test_find_takes_the_first_in_a_stanza():
    message = Element("message", CLIENT, Author("Jane Austen").to_element(), Author("A. N. Other").to_element())
    assert Author.find(message) == AUTHOR
    assert Loan.find(message) is None
    with pytest.raises(PayloadError, match="lacks the attribute 'until'"):
        Loan.find(Element("message", CLIENT, Element("loan", OTHER, "a@example.com")))


# JSON


def test_every_kind_of_field_in_json():
    assert FULL.to_json() == FULL_JSON
    assert Book.from_json(json.loads(json.dumps(FULL_JSON))) == FULL


def test_defaults_are_left_out_of_json():
    assert BOOK.to_json() == {"isbn": "1", "author": {"name": "Jane Austen"}}


def test_null_is_as_good_as_left_out():
    assert Book.from_json({"isbn": "1", "author": {"name": "Jane Austen"}, "title": None, "editions": None}) == BOOK


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"isbn": None}, "book lacks the key 'isbn'"),
        ({"publisher": "Egerton"}, "book has no key 'publisher'"),
        ({"class_": "novel"}, "book has no key 'class_'"),
        ({"isbn": 1}, "book, key 'isbn': 1 is no string"),
        ({"pages": "480"}, "book, key 'pages': '480' is no integer"),
        ({"pages": True}, "book, key 'pages': True is no integer"),
        ({"price": float("nan")}, "book, key 'price': nan is no finite number"),
        ({"lent": 1}, "book, key 'lent': 1 is neither true nor false"),
        ({"signed": "yes"}, "book, key 'signed': 'yes' is neither true nor false"),
        ({"binding": "gold"}, "book, key 'binding': 'gold' is none of paper, cloth"),
        ({"cover": "?"}, "book, key 'cover': '[?]' is no base64"),
        ({"title": "\x00"}, "book, key 'title': U[+]0000 can't be sent"),
        ({"title": "\ud800"}, "book, key 'title': U[+]D800 can't be sent"),
        ({"readers": "darcy@example.com"}, "book, key 'readers': a list is wanted"),
        ({"readers": ["@"]}, "book, key 'readers': "),
        ({"author": {}}, "book, key 'author': author lacks the key 'name'"),
        ({"author": "Jane Austen"}, "book, key 'author': author: an object is wanted, and this is a str"),
        ({"editions": [{"year": 1, "age": 1}]}, "book, key 'editions': edition has no key 'age'"),
        ({"extensions": ["<stamp>"]}, "book, key 'extensions': '<stamp>' is not one whole element"),
        ({"extensions": ["<!-- -->"]}, "book, key 'extensions': '<!-- -->' is no XML: XMPP has no place for a comment"),
    ],
)
def test_what_is_wrong_in_json_is_named(change, message):
    with pytest.raises(PayloadError, match=message):
        Book.from_json({**FULL_JSON, **change})


@pytest.mark.parametrize("value", [None, [], "book", 1])
def test_json_that_is_no_object(value):
    with pytest.raises(PayloadError, match="book: an object is wanted"):
        Book.from_json(value)


# the class itself


def test_a_payload_is_an_immutable_value():
    assert Author("Jane Austen") == AUTHOR
    assert hash(Author("Jane Austen")) == hash(AUTHOR)
    with pytest.raises(FrozenInstanceError):
        AUTHOR.name = "A. N. Other"
    assert not hasattr(AUTHOR, "__dict__")


def test_the_class_knows_its_name():
    assert (Book.NAME, Book.NS) == ("book", LIBRARY)


class Wrong:
    """Declarations that can't work, each to be made a payload."""

    class Untold(Payload):
        when: complex = attribute()

    class Flag(Payload):
        there: str = flag("there")

    class Many(Payload):
        names: list[str] = child_texts("name")

    class Ambiguous(Payload):
        value: int | str = attribute()

    class Bare(Payload):
        value: int = 3


@pytest.mark.parametrize("name", ["Untold", "Flag", "Many", "Ambiguous", "Bare"])
def test_a_declaration_that_cannot_work_fails_at_once(name):
    with pytest.raises(TypeError, match=rf"Wrong\.{name}\.\w+: "):
        payload("wrong", LIBRARY)(getattr(Wrong, name))


def test_a_class_can_extend_another():
    @payload("manuscript", LIBRARY)
    class Manuscript(Author):
        """An author's own hand."""

        age: int = attribute(default=0)

    assert str(Manuscript("Jane Austen", age=200).to_element()) == (
        "<manuscript xmlns='urn:example:library' age='200'>Jane Austen</manuscript>"
    )
    assert Author.parse(AUTHOR.to_element()) == AUTHOR


# any value

XML_TEXT = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"], exclude_characters="\ufffe\uffff"))
JIDS = st.sampled_from([JID("a@example.com"), JID("example.com"), JID("a@example.com/Ä b")])
MOMENTS = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(9999, 1, 1), timezones=st.just(UTC))
AUTHORS = st.builds(Author, name=XML_TEXT, jid=st.none() | JIDS, lang=st.none() | XML_TEXT)
BOOKS = st.builds(
    Book,
    isbn=XML_TEXT,
    author=AUTHORS,
    class_=XML_TEXT,
    pages=st.none() | st.integers(-(10**20), 10**20),
    price=st.floats(allow_nan=False, allow_infinity=False),
    lent=st.booleans(),
    binding=st.sampled_from([None, "paper", "cloth"]),
    shelf=st.sampled_from(Shelf),
    title=st.none() | XML_TEXT,
    cover=st.binary(),
    readers=st.lists(JIDS).map(tuple),
    editions=st.lists(st.builds(Edition, st.integers(0, 3000))).map(tuple),
    loan=st.none() | st.builds(Loan, to=JIDS, until=MOMENTS),
    signed=st.booleans(),
    extensions=st.lists(st.builds(lambda value: Element("stamp", OTHER, value), XML_TEXT)).map(tuple),
)


@given(BOOKS)
def test_what_is_written_is_read_again(made):
    assert Book.parse(made.to_element()) == made
    assert Book.from_json(json.loads(json.dumps(made.to_json()))) == made
