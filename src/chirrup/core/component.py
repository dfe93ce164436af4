"""The component protocol (XEP-0114), at both ends, without I/O: a stream header each, and a secret that both know.

The end that is ready gives its `parser` to whoever goes on, and in `stanzas` what came with the last octets. A
StreamError that `receive` raises ends the stream: what is to be said then is `farewell(error)`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Final

from chirrup.core.errors import AddressError, StreamError
from chirrup.core.framing import TCP_FRAMING, farewell
from chirrup.core.jid import JID
from chirrup.core.parser import Limits, StreamParser
from chirrup.core.stanza import read_stream_error
from chirrup.core.xml import CLIENT, STREAMS, Element

NS: Final = "jabber:component:accept"
XEPS: Final = ((114, "1.6", 'the method "accept"'),)


def proof(stream_id: str, secret: str) -> str:
    """What a component shows instead of the secret (§3)."""
    return hashlib.sha1((stream_id + secret).encode(), usedforsecurity=False).hexdigest()


class _End:
    """What the two ends share."""

    def __init__(self, limits: Limits) -> None:
        self.parser = StreamParser(limits)
        self.stanzas: list[Element] = []
        """First-level elements that came behind the handshake."""
        self._out: list[bytes] = []

    def take(self) -> bytes:
        """What is to be sent now."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def _elements(self, data: bytes) -> list[Element]:
        """What is whole now; the peer's own error is raised."""
        elements = self.parser.feed(data)
        for element in elements:
            if element.name == "error" and element.ns == STREAMS:
                raise read_stream_error(element)
        return elements

    def _write_header(self, **attributes: str) -> None:
        self._out.append(TCP_FRAMING.header(attributes, NS))


class ServerHandshake(_End):
    """The server's end."""

    def __init__(self, secret_of: Callable[[str], str | None], *, make_id: Callable[[], str], limits: Limits) -> None:
        """`secret_of` gives the secret of a domain, None for one that no component may have. `make_id` makes stream
        ids, unpredictable. `limits` hold from the first octet on."""
        super().__init__(limits)
        self.domain = ""
        """The component's domain, once its header is here."""
        self._secret_of = secret_of
        self._id = make_id()
        self._secret: str | None = None
        self._opened = False

    def receive(self, data: bytes) -> bool:
        """Take octets; whether the component has shown that it knows the secret."""
        headless = self.parser.header is None
        elements = self._elements(data)
        if headless and self.parser.header is not None:
            self._open(self.parser.header)
        if not elements:
            return False
        first = elements[0]
        if first.name != "handshake" or first.ns != CLIENT:
            raise StreamError("not-authorized", "a component sends its <handshake/> first")
        self._check(first.text.strip())
        self.stanzas = elements[1:]
        self._out.append(b"<handshake/>")
        return True

    def farewell(self, error: StreamError) -> bytes:
        """The end of the stream with an error, after a header where there was none (RFC 6120 §4.9.1.2)."""
        if not self._opened:
            self._write_header(id=self._id)
        return self.take() + farewell(error)

    def _open(self, header: Element) -> None:
        TCP_FRAMING.check_header(header, self.parser.prefixes, NS)
        try:
            jid = JID(header.get("to"))
        except AddressError as error:
            raise StreamError("improper-addressing", f"'to' should be the component's domain: {error}") from None
        if jid.text != jid.domain:
            raise StreamError("improper-addressing", "a component is a domain, not an account")
        self._secret = self._secret_of(jid.domain)
        if self._secret is None:
            raise StreamError("host-unknown", f"no component is configured for {jid.domain}")
        self.domain = jid.domain
        self._opened = True
        self._write_header(**{"from": jid.domain, "id": self._id})

    def _check(self, shown: str) -> None:
        assert self._secret is not None, "elements come after the header"
        if not hmac.compare_digest(shown.encode(), proof(self._id, self._secret).encode()):
            raise StreamError("not-authorized", "the component's secret is another")


class ClientHandshake(_End):
    """The component's end."""

    def __init__(self, domain: str, secret: str, *, limits: Limits) -> None:
        super().__init__(limits)
        self._domain = domain
        self._secret = secret
        self._answered = False
        self._write_header(to=domain)

    def receive(self, data: bytes) -> bool:
        """Take octets; whether the server has accepted the component. Raises the StreamError that the server sends
        instead, of which "not-authorized" means the secret and "host-unknown" the domain."""
        elements = self._elements(data)
        header = self.parser.header
        if header is not None and not self._answered:
            self._answer(header)
        if not elements:
            return False
        if elements[0].name != "handshake" or elements[0].ns != CLIENT:
            raise StreamError("unsupported-stanza-type", "a server answers a handshake by <handshake/>")
        self.stanzas = elements[1:]
        return True

    def _answer(self, header: Element) -> None:
        TCP_FRAMING.check_header(header, self.parser.prefixes, NS)
        stream_id = header.get("id")
        if not stream_id:
            raise StreamError("bad-format", "the server's header has no id to answer")
        self._answered = True
        self._out.append(b"<handshake>%b</handshake>" % proof(stream_id, self._secret).encode())
