"""The writer in Python: elements as XML text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chirrup.core.errors import LocalProtocolError

if TYPE_CHECKING:
    from chirrup.core.xml import Element, Received

CLIENT: Final = "jabber:client"
STREAMS: Final = "http://etherx.jabber.org/streams"
XML: Final = "http://www.w3.org/XML/1998/namespace"
XML_LANG: Final = f"{XML}}}lang"


def write(element: Element, ns: str) -> bytes:
    """The octets of `serialise`, which says more of them."""
    if element.ns == STREAMS and ns == CLIENT:
        element = element.copy()
        element.name, element.ns = f"stream:{element.name}", ns
    out: list[str] = []
    _write(element, ns, out)
    return "".join(out).encode()


def write_again(stanza: Received) -> bytes:
    """What came inside the stanza as it stands, if that is still true."""
    children, came = stanza.children, stanza.came
    if stanza.ns != CLIENT or children[: len(came)] != came:
        return write(stanza, CLIENT)
    tag = [f"<{stanza.name}"]
    _write_attributes(stanza.attrs, tag)
    more: list[str] = []
    if len(children) > len(came):
        _write_all(children[len(came) :], CLIENT, more)
    more.append(f"</{stanza.name}>")
    return b"%b>%b%b" % ("".join(tag).encode(), stanza.inside, "".join(more).encode())


def _write(element: Element, ns: str, out: list[str]) -> None:
    name = element.name
    own = element.ns
    if own != ns:
        if own == XML:
            name, own = f"xml:{name}", ns  # no other prefix may be bound to it, nor may it be the default
            out.append(f"<{name}")
        else:
            out.append(f"<{name} xmlns='{escape_attribute(own)}'")
    else:
        out.append(f"<{name}")
    if element.attrs:
        _write_attributes(element.attrs, out)
    children = element.children
    if not children:
        out.append("/>")
        return
    out.append(">")
    _write_all(children, own, out)
    out.append(f"</{name}>")


def _write_all(children: list[Element | str], ns: str, out: list[str]) -> None:
    for child in children:
        if type(child) is not str:
            _write(child, ns, out)  # type: ignore[arg-type]
        elif child.isprintable() and not ("&" in child or "<" in child or ">" in child):
            out.append(child)
        else:
            out.append(escape_text(child))


def _write_attributes(attrs: dict[str, str], out: list[str]) -> None:
    for key, value in attrs.items():
        plain = value.isprintable() and not ("'" in value or "&" in value or "<" in value)
        written = value if plain else escape_attribute(value)
        if "}" not in key:
            out.append(f" {key}='{written}'")
        elif key == XML_LANG:
            out.append(f" xml:lang='{written}'")
        else:
            out.append(_prefixed(key, written, f"a{list(attrs).index(key)}"))


def _prefixed(key: str, written: str, prefix: str) -> str:
    """An attribute in a namespace; its value is escaped already."""
    ns, _, name = key.rpartition("}")
    if ns == XML:
        return f" xml:{name}='{written}'"
    return f" xmlns:{prefix}='{escape_attribute(ns)}' {prefix}:{name}='{written}'"


_FORBIDDEN: Final = frozenset(
    [chr(c) for c in range(0x20) if chr(c) not in "\t\n\r"] + [chr(c) for c in (0xFFFE, 0xFFFF)]
)


def _check(text: str) -> None:
    if text.isprintable():
        return
    for char in text:
        if char in _FORBIDDEN or "\ud800" <= char <= "\udfff":
            raise LocalProtocolError(f"U+{ord(char):04X} can't be sent: XML 1.0 has no way to write it")


def escape_text(text: str) -> str:
    """Character data, escaped; a carriage return is kept by a character reference."""
    _check(text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("\r", "&#xD;") if "\r" in text else text


def escape_attribute(value: str) -> str:
    """An attribute's value, escaped for single quotes; white space survives normalisation (XML 1.0 §3.3.3)."""
    _check(value)
    value = value.replace("&", "&amp;").replace("<", "&lt;").replace("'", "&apos;")
    if value.isprintable():
        return value
    return value.replace("\t", "&#x9;").replace("\n", "&#xA;").replace("\r", "&#xD;")
