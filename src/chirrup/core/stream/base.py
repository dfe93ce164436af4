"""What the two ends of a stream share: the states, the parser, what waits to be sent, and the end."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar, Final

from chirrup.core.errors import AddressError, LocalProtocolError, StreamError
from chirrup.core.features import Event, Identity, Security
from chirrup.core.framing import Framing, farewell
from chirrup.core.jid import JID
from chirrup.core.parser import CONTENT_NAMESPACES, Limits, StreamParser
from chirrup.core.record import record
from chirrup.core.stanza import is_stanza, read_stream_error
from chirrup.core.states import PEER_FAULTS, Own, Peer, Signal, State, Table
from chirrup.core.xml import CLIENT, STREAMS, Element

VERSION: Final = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})")


@record
class Ready(Event):
    """Negotiation is over: take `parser` and `leftover`, and go on without the stream."""


@record
class Closed(Event):
    """Both halves of the stream are closed: send what `take()` has, then close the connection."""


@record
class Failed(Event):
    """The stream ended with an error: send what `take()` has, then close the connection."""

    error: StreamError
    received: bool = False
    """Whether it was the peer that sent the error."""


def unexpected(element: Element) -> StreamError:
    """The error for a first-level element that nobody takes (RFC 6120 §4.8.3, §4.8.4, §4.9.3.12)."""
    if is_stanza(element):
        return StreamError("not-authorized", "stanzas come after negotiation")
    if not element.ns or (element.ns in CONTENT_NAMESPACES and element.ns != CLIENT):
        return StreamError("invalid-namespace", f"<{element.name[:40]}/> is not in a namespace of this stream")
    return StreamError("unsupported-stanza-type", f"<{element.name[:40]}/> is nothing that is known here")


def sender_of(header: Element) -> tuple[JID | None, StreamError | None]:
    """The header's `from`, or what is wrong with it."""
    text = header.get("from")
    try:
        return JID(text) if text else None, None
    except AddressError as error:
        return None, StreamError("improper-addressing", str(error))


def check_version(header: Element) -> None:
    """RFC 6120 §4.7.5: a minor version that is higher makes no difference, another major version all of it."""
    match = VERSION.fullmatch(header.get("version"))
    if match is None or int(match[1]) != 1:
        raise StreamError("unsupported-version", "this is XMPP 1.0")


class Stream:
    """One end of a stream under negotiation."""

    _table: ClassVar[Table]
    _pauses: ClassVar[frozenset[State]]

    def __init__(
        self,
        *,
        make_id: Callable[[], str],
        make_nonce: Callable[[], str],
        limits: Limits,
        security: Security | None,
        content: str,
        framing: Framing,
    ) -> None:
        self.make_id = make_id
        self.make_nonce = make_nonce
        self.security = security
        self.identity: Identity | None = None
        self.jid = ""
        self.state = State.HEADER
        self.parser = StreamParser(limits)
        self._content = content
        self._framing = framing
        self._in, self._position = b"", 0  # what came in, and how much of it the parser had
        self._out: list[bytes] = []
        self._events: list[Event] = []
        self._opened = False  # whether our header of the present stream was written
        self._fresh = True  # whether the parser had nothing yet

    @property
    def paused(self) -> bool:
        """Whether the program must act before anything more is read."""
        return self.state in self._pauses

    @property
    def _over(self) -> bool:
        return self.state in (State.CLOSING, State.CLOSED)

    @property
    def leftover(self) -> bytes:
        """What came in and the parser hasn't had."""
        return self._in[self._position :]

    @property
    def limits(self) -> Limits:
        """What the peer may send at present."""
        return self.parser.limits

    def receive(self, data: bytes) -> list[Event]:
        """Take octets from the peer."""
        if self.state is State.CLOSED:
            return []
        if self.state is State.READY:
            raise LocalProtocolError("the stream is ready: feed its parser")
        self._in, self._position = self.leftover + data, 0
        return self._go_on()

    def take(self) -> bytes:
        """What is to be sent now."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def close(self) -> list[Event]:
        """Close our half; `Closed` follows when the peer has closed its own (RFC 6120 §4.4)."""
        if self._over:
            return []
        if self._opened and self.state is not State.HANDSHAKE:
            self._out.append(self._framing.close())
            self._move(Own.CLOSE)
        else:
            self.state = State.CLOSED
            self.emit(Closed())
        return self._go_on()

    def fail(self, error: StreamError) -> list[Event]:
        """End the stream with an error."""
        self._fail(error)
        return self._go_on()

    def secured(self, security: Security) -> list[Event]:
        """The TLS handshake is done: to a client that means that the certificate is the domain's. All that was learnt
        before is forgotten (RFC 6120 §5.4.3.3)."""
        if self._over:
            return []
        self._move(Own.SECURED)
        self.security = security
        self._in, self._position = b"", 0
        self._restart(self.limits)
        return self._go_on()

    def answer(self, answer: object) -> list[Event]:
        """Answer the question of the last event. The methods of either end do so for the features that are here."""
        if self._over:
            return []
        if self.state is not State.QUESTION:
            raise LocalProtocolError("nothing was asked")
        try:
            self._answered(answer)
        except StreamError as error:
            self._fail(error)
        return self._go_on()

    # -- for features

    def write(self, element: Element) -> None:
        self._out.append(self._framing.element(element))

    def emit(self, event: Event) -> None:
        self._events.append(event)

    # -- inside

    def _header_came(self, header: Element) -> None:
        raise NotImplementedError

    def _element_came(self, element: Element) -> None:
        raise NotImplementedError

    def _write_header(self) -> None:
        raise NotImplementedError

    def _answered(self, answer: object) -> None:
        """Give the program's answer to the feature that asked."""
        raise NotImplementedError

    def _redirected(self, error: StreamError) -> Event:
        """The event for a stream error of the peer's."""
        return Failed(error, received=True)

    def _move(self, signal: Signal) -> None:
        """Go where the table says."""
        target = self._table[self.state].get(signal)
        if target is not None:
            self.state = target
        elif signal in PEER_FAULTS:
            raise StreamError(*PEER_FAULTS[signal])
        else:
            raise LocalProtocolError(f"{signal.name} is not possible in state {self.state.name}")

    def _go_on(self) -> list[Event]:
        """Read on as far as may be, and give what happened."""
        try:
            self._read()
        except StreamError as error:
            self._fail(error)
        events, self._events = self._events, []
        return events

    def _read(self) -> None:
        """Feed the parser up to one ">" at a time, so that what follows a restart goes to the next parser."""
        while not self.paused and self.state is not State.CLOSED:
            if self.parser.ended:
                self._peer_closed()
            elif self._position == len(self._in):
                break
            else:
                start = self._position
                self._position = self._in.find(b">", start) + 1 or len(self._in)
                self._feed(self._in[start : self._position])
        if self.state is State.HANDSHAKE and self.leftover.strip():
            raise StreamError("policy-violation", "nothing may come between STARTTLS and the handshake")
        if len(self._in) - self._position > self.limits.stanza_bytes:
            raise StreamError("policy-violation", "too much was sent ahead")

    def _feed(self, piece: bytes) -> None:
        headless = self.parser.header is None
        if self._fresh:
            piece = piece.lstrip()  # a line break after what made the stream restart
            self._fresh = not piece
        elements = self.parser.feed(piece)
        if self.state is State.CLOSING:
            return
        if headless and self.parser.header is not None:
            self._header_came(self.parser.header)
        for element in elements:
            if element.name == "error" and element.ns == STREAMS:
                self._peer_failed(read_stream_error(element))
            else:
                self._element_came(element)

    def _restart(self, limits: Limits) -> None:
        self.parser.discard()
        self.parser = StreamParser(limits)
        self._opened, self._fresh = False, True

    def _peer_closed(self) -> None:
        if self.state is not State.CLOSING:
            self._out.append(self._framing.close())
        self._move(Peer.CLOSE)
        self.emit(Closed())

    def _peer_failed(self, error: StreamError) -> None:
        """RFC 6120 §4.9.1.1: who receives an error closes the stream."""
        self._out.append(self._framing.close())
        self._move(Own.FAIL)
        self.emit(self._redirected(error))

    def _fail(self, error: StreamError) -> None:
        if self.state is State.CLOSED:
            return
        if self.state is State.CLOSING:
            self._move(Own.FAIL)
            self.emit(Closed())
            return
        if self.state is not State.HANDSHAKE:  # where only TLS may be spoken
            if not self._opened:
                self._write_header()
            self._out.append(farewell(error, self._framing))
        self._move(Own.FAIL)
        self.emit(Failed(error))

    def _end(self) -> None:
        self._out.append(self._framing.close())
        self.emit(Closed())
