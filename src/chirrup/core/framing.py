"""How a stream begins and ends on the wire over TCP: `<stream:stream …>` and `</stream:stream>` (RFC 6120 §4.2, §4.4).

A stream asks its `Framing` for all octets that it sends, and to judge the peer's header. The binding for WebSocket,
with `<open/>` and `<close/>` and a namespace declaration in every message (RFC 7395 §3), is another `Framing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from chirrup.core.errors import StreamError
from chirrup.core.stanza import write_stream_error
from chirrup.core.xml import CLIENT, STREAMS, XML_LANG, Element, escape_attribute


class Framing(Protocol):
    """The octets of a stream."""

    def header(self, attributes: Mapping[str, str], content: str) -> bytes:
        """The stream header with these attributes, keyed as `Element` keys them, and this content namespace."""

    def element(self, element: Element) -> bytes:
        """One first-level element."""

    def close(self) -> bytes:
        """The end of the stream."""

    def check_header(self, header: Element, prefixes: Mapping[str, str], content: str) -> None:
        """Raise StreamError unless `header`, with the namespaces it declared, opens a stream of that content."""


class TCP:
    """RFC 6120 §4: one XML document in each direction."""

    __slots__ = ()

    def header(self, attributes: Mapping[str, str], content: str) -> bytes:
        written = "".join(
            f" {'xml:lang' if key == XML_LANG else key}='{escape_attribute(value)}'"
            for key, value in attributes.items()
        )
        return (f"<?xml version='1.0'?><stream:stream xmlns='{content}' xmlns:stream='{STREAMS}'{written}>").encode()

    def element(self, element: Element) -> bytes:
        return element.to_bytes()

    def close(self) -> bytes:
        return b"</stream:stream>"

    def check_header(self, header: Element, prefixes: Mapping[str, str], content: str) -> None:
        """RFC 6120 §4.8. The stream namespace may be the default one only where the content is jabber:client,
        which each stanza then declares itself ("prefix-free canonicalization")."""
        if header.ns != STREAMS:
            raise StreamError("invalid-namespace", f"the stream's namespace is {STREAMS}")
        if header.name != "stream":
            raise StreamError("bad-format", "a stream opens with <stream:stream>")
        default = prefixes.get("", "")
        if prefixes.get("stream") != STREAMS and default != STREAMS:
            raise StreamError("bad-namespace-prefix", "the prefix of the stream's namespace is 'stream'")
        if default != content and (default not in ("", STREAMS) or content != CLIENT):
            raise StreamError("invalid-namespace", f"stanzas here are in {content}")


TCP_FRAMING: Final[Framing] = TCP()


def farewell(error: StreamError | None = None, framing: Framing = TCP_FRAMING) -> bytes:
    """What ends a stream that is open: the error, if there is one, and the end of the stream."""
    if error is None:
        return framing.close()
    return framing.element(write_stream_error(error)) + framing.close()
