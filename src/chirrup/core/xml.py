"""`Element`, the one representation of XML in the house, and the way it is written.

An element has a local `name`, a namespace `ns`, a dict of attributes and a list of children, which are elements
and strings in document order. Attribute names are local names; an attribute in a namespace is keyed
`namespace}name`, as expat reports it (`XML_LANG` is the one that matters).

The content namespaces `jabber:client`, `jabber:server` and `jabber:component:accept` are all `jabber:client`
inside; what is written for a stream leaves the content namespace out, because the stream's header declared it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Self

from chirrup.core import accelerator, writing
from chirrup.core.writing import CLIENT, STREAMS, XML, XML_LANG, escape_attribute, escape_text

__all__ = [
    "CLIENT",
    "CONTENT_NAMESPACES",
    "STREAMS",
    "XML",
    "XML_LANG",
    "Element",
    "Received",
    "escape_attribute",
    "escape_text",
    "serialise",
    "splice_to",
]

CONTENT_NAMESPACES: Final = frozenset({CLIENT, "jabber:server", "jabber:component:accept"})


class Element:
    """An XML element.

    Built from the outside in, so that code has the shape of what it sends:

        Element("iq", CLIENT, Element("query", ROSTER, Element("item", jid=contact)), type="set", id="r1")

    or step by step: `c()` adds a child and returns it, `t()` adds text and returns the element itself.
    A child made without a namespace takes its parent's. Attributes that are `None` are left out; Python's
    reserved words get a trailing underscore (`from_`).
    """

    __slots__ = ("attrs", "children", "name", "ns")

    name: str
    ns: str
    attrs: dict[str, str]
    children: list[Element | str]

    def __init__(self, name: str, ns: str = "", /, *children: Element | str | None, **attrs: object) -> None:
        self.name = name
        self.ns = ns
        self.attrs = {}
        self.children = []
        for key, value in attrs.items():
            self.set(key.rstrip("_"), value)
        for child in children:
            if child is not None:
                self.append(child)

    # -- attributes

    def get(self, attribute: str, default: str = "") -> str:
        """The attribute's value, or `default`."""
        return self.attrs.get(attribute, default)

    def set(self, attribute: str, value: object) -> Self:
        """Set an attribute; `None` removes it, booleans become `true` and `false`."""
        if value is None:
            self.attrs.pop(attribute, None)
        elif isinstance(value, bool):
            self.attrs[attribute] = "true" if value else "false"
        else:
            self.attrs[attribute] = str(value)
        return self

    @property
    def lang(self) -> str:
        """`xml:lang` of this very element, or the empty string."""
        return self.attrs.get(XML_LANG, "")

    # -- children

    def append(self, child: Element | str) -> Self:
        if isinstance(child, Element) and not child.ns:
            child._inherit(self.ns)
        self.children.append(child)
        return self

    def _inherit(self, ns: str) -> None:
        self.ns = ns
        for child in self.children:
            if isinstance(child, Element) and not child.ns:
                child._inherit(ns)

    def c(self, name: str, ns: str = "", /, text: str | None = None, **attrs: object) -> Element:
        """Add a child element and return the child."""
        child = Element(name, ns or self.ns, text, **attrs)
        self.children.append(child)
        return child

    def t(self, text: str) -> Self:
        """Add character data and return this element."""
        self.children.append(text)
        return self

    @property
    def text(self) -> str:
        """The element's own character data, without that of its descendants."""
        children = self.children
        if len(children) == 1 and isinstance(children[0], str):
            return children[0]
        return "".join([child for child in children if isinstance(child, str)])

    def child(self, name: str, ns: str | None = None) -> Element | None:
        """The first child element of that name, in `ns` or, left out, in this element's namespace."""
        if ns is None:
            ns = self.ns
        for child in self.children:
            if type(child) is not str and child.name == name and child.ns == ns:  # type: ignore[union-attr]
                return child  # type: ignore[return-value]
        return None

    def child_text(self, name: str, ns: str | None = None, default: str = "") -> str:
        """The character data of `child(name, ns)`, or `default` where there is no such child."""
        child = self.child(name, ns)
        return default if child is None else child.text

    def elements(self, name: str | None = None, ns: str | None = None) -> Iterator[Element]:
        """The child elements, all of them or those with that name and that namespace."""
        for child in self.children:
            if isinstance(child, Element) and (name is None or child.name == name) and (ns is None or child.ns == ns):
                yield child

    @property
    def first(self) -> Element | None:
        """The first child element: an IQ's payload, an error's condition."""
        for child in self.children:
            if isinstance(child, Element):
                return child
        return None

    def remove(self, name: str, ns: str) -> bool:
        """Remove every child element of that name and namespace; whether there was one."""
        kept = [c for c in self.children if not (isinstance(c, Element) and c.name == name and c.ns == ns)]
        found = len(kept) != len(self.children)
        self.children = kept
        return found

    # -- as a whole

    def copy(self) -> Element:
        """An element with its own attributes and list of children; the children themselves are shared."""
        new = Element.__new__(Element)
        new.name = self.name
        new.ns = self.ns
        new.attrs = self.attrs.copy()
        new.children = self.children.copy()
        return new

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Element):
            return NotImplemented
        return (
            self.name == other.name
            and self.ns == other.ns
            and self.attrs == other.attrs
            and _joined(self.children) == _joined(other.children)
        )

    __hash__ = None  # type: ignore[assignment]  # an element is mutable

    def __str__(self) -> str:
        return serialise(self, "")

    def __repr__(self) -> str:
        text = serialise(self, "")
        return f"<Element {text if len(text) <= 200 else text[:199] + '…'}>"

    def to_bytes(self) -> bytes:
        """The element as it is written to a stream whose header declared the content namespace."""
        return write(self, CLIENT)


class Received(Element):
    """A first-level element that a stream brought, with the octets of what is inside.

    As long as the children that it came with are its first ones, those octets are written again as they stand, and
    only the start tag anew, and what was appended. To change something inside a child, put a changed copy in the
    child's place: the child itself is shared with every copy of the stanza, and changes of it in place aren't written.
    """

    __slots__ = ("came", "inside")

    came: list[Element | str]
    """The children that `inside` says, which no copy of the stanza changes."""
    inside: bytes
    """What stood between the tags, in a place where `jabber:client` was the default namespace and no prefix declared
    but `stream`, which isn't used."""

    def __init__(self, element: Element, inside: bytes) -> None:
        """`element`, whose attributes and children this one takes."""
        self.name = element.name
        self.ns = element.ns
        self.attrs = element.attrs
        self.children = element.children
        self.came = element.children.copy()
        self.inside = inside

    def copy(self) -> Received:
        new = Received.__new__(Received)
        new.name = self.name
        new.ns = self.ns
        new.attrs = self.attrs.copy()
        new.children = self.children.copy()
        new.came = self.came
        new.inside = self.inside
        return new

    def to_bytes(self) -> bytes:
        return write_again(self)


def _joined(children: list[Element | str]) -> list[Element | str]:
    """Children with neighbouring strings joined and empty ones left out, as XML can't tell them apart."""
    joined: list[Element | str] = []
    for child in children:
        if isinstance(child, str) and joined and isinstance(joined[-1], str):
            joined[-1] += child
        elif child != "":
            joined.append(child)
    return joined


# -- writing


def serialise(element: Element, ns: str) -> str:
    """The element as XML text in a place where `ns` is the default namespace.

    Where that is a stream's content namespace, an element of the stream namespace gets the prefix `stream`, which
    every stream header declares; within other elements it declares its namespace, as they may be read elsewhere.
    Raises LocalProtocolError for characters that XML 1.0 can't carry (§2.2 there).
    """
    return write(element, ns).decode()


def splice_to(stanza: Element) -> tuple[bytes, bytes]:
    """The stanza in two halves between which ` to='…'` goes, so that one serialisation serves many receivers."""
    to = stanza.attrs.pop("to", None)
    written = stanza.to_bytes()
    if to is not None:
        stanza.attrs["to"] = to
    cut = 1 + len(stanza.name)
    return written[:cut], written[cut:]


if accelerator.FORM == "compiled":
    accelerator.reader.prepare(Element, Received)
    accelerator.writer.prepare(Element, Received)
    write, write_again = accelerator.writer.write, accelerator.writer.write_again
else:
    write, write_again = writing.write, writing.write_again
