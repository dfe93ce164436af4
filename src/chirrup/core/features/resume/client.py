"""The initiating entity's half of stream management: a `Management` that outlives connections, and its two features.

    management = Management()
    while True:
        stream = ClientStream(…, features=managed(CLIENT_FEATURES, management))
        …                                       # until Ready
        for octets in management.unacknowledged:    # after SessionResumed: what the server lacks, as it stands
            transport.write(octets)
        …                                       # for each stanza written: management.sent(octets, now)
        …                                       # for each stanza handled: management.count()
        …                                       # for each element in NS:  transport.write(management.handle(element))
        management.disconnected()

Where a session couldn't be resumed, `management.lost` has what its server never acknowledged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from chirrup.core.errors import PayloadError, StanzaError, StreamError
from chirrup.core.features import ClientFeature, ClientSide, Event
from chirrup.core.features.bind import ClientBind
from chirrup.core.features.resume.elements import (
    LARGEST,
    NS,
    Enable,
    Enabled,
    Resume,
    Resumed,
    acknowledgement,
    read_failed,
    read_handled,
    request,
)
from chirrup.core.features.resume.ledger import Ledger
from chirrup.core.features.sasl2.client import ClientInline, ClientSASL2
from chirrup.core.record import record
from chirrup.core.states import Outcome
from chirrup.core.xml import Element


@record
class SessionResumed(Event):
    """To a client: its former session goes on, with its JID, presence and all that it missed."""


@record
class NotResumed(Event):
    """To a client: its former session is gone; it begins a new one. What was lost is in the management's `lost`."""

    error: StanzaError


class Management:
    """A client's stream management, from one connection to the next."""

    def __init__(self, *, resume: bool = True, max: int | None = None) -> None:  # noqa: A002 - the attribute's name
        """`resume` asks for sessions that can be resumed, for `max` seconds if the server agrees."""
        self._resume = resume
        self._max = max
        self.ledger = Ledger()
        self.jid = ""
        """The full JID of the session that may be resumed."""
        self.id = ""
        """The server's name for it; "" where it can't be resumed."""
        self.location = ""
        """Where the server wants the client to come back, as `host` or `host:port`; "" for the usual place."""
        self.seconds: int | None = None
        """For how long it can be resumed, if the server says so."""
        self.lost: list[tuple[bytes, float]] = []
        """What no server has acknowledged and none will, with when it was sent: to be sent anew, or given up."""
        self._counts_out = False  # <enable/> was sent
        self._counts_in = False  # <enabled/> has come

    # -- while a stream is ready

    @property
    def enabled(self) -> bool:
        """Whether both ends count."""
        return self._counts_in

    @property
    def pending(self) -> bool:
        """Whether the server was asked to count, and hasn't answered: until it has, a session that is lost can't be
        resumed, and what was sent in it is lost or isn't."""
        return self._counts_out and not self._counts_in

    @property
    def unacknowledged(self) -> Iterable[bytes]:
        """What the server hasn't acknowledged, as it was sent, oldest first."""
        return self.ledger.queue

    def sent(self, stanza: bytes, stamp: float) -> int:
        """Note a stanza that is written now; its number, 0 where nobody counts. It is acknowledged when
        `ledger.acknowledged` has got there."""
        return self.ledger.add(stanza, stamp) if self._counts_out else 0

    def count(self) -> None:
        """Note that one of the server's stanzas was handled."""
        if self._counts_in:
            self.ledger.handled += 1

    def ask(self) -> bytes:
        """What asks the server for its acknowledgement; empty where nobody counts."""
        return request().to_bytes() if self._counts_out else b""

    def acknowledge(self) -> bytes:
        """What tells the server how much was handled, as before an orderly end; empty where nobody counts."""
        return acknowledgement(self.ledger.handled).to_bytes() if self._counts_in else b""

    def handle(self, element: Element) -> bytes:
        """Take a first-level element of this namespace; what is to be written in return. Raises StreamError."""
        match element.name:
            case "r":
                return self.acknowledge()
            case "a":
                self.ledger.acknowledge(read_handled(element))
            case "enabled":
                self.take_enabled(element)
            case "failed":
                read_failed(element)
                self._counts_out = self._counts_in = False
                self._give_up()
            case _:
                raise StreamError("unsupported-stanza-type", f"<{element.name[:40]}/> isn't for a client")
        return b""

    def disconnected(self) -> None:
        """The connection is gone."""
        self._counts_out = self._counts_in = False

    def ended(self) -> None:
        """The stream was closed in order: there is nothing to come back to."""
        self.disconnected()
        self._give_up()

    # -- while one is negotiated; also for what is done inline (XEP-0388, XEP-0386)

    def resume_element(self) -> Element | None:
        """The request to go on with the former session, if there is one."""
        if not self.id:
            return None
        return Resume(self.id, self.ledger.handled & LARGEST).to_element()

    def take_resumed(self, element: Element) -> str:
        """The server goes on; the full JID. What is in `unacknowledged` is to be sent once more, before anything else.
        Raises StreamError."""
        try:
            resumed = Resumed.parse(element)
        except PayloadError as error:
            raise StreamError("invalid-xml", str(error)) from None
        if resumed.previd != self.id:
            raise StreamError("invalid-xml", "the server resumed another session than it was asked to")
        self.ledger.acknowledge(resumed.h)
        self._counts_out = self._counts_in = True
        return self.jid

    def take_failed(self, element: Element) -> StanzaError:
        """The server doesn't go on: what it didn't acknowledge by now is lost. Raises StreamError."""
        error, handled = read_failed(element)
        if handled is not None:
            self.ledger.acknowledge(handled)
        self._give_up()
        return error

    def enable_element(self) -> Element:
        """The request to count in a new session; whatever is sent behind it counts."""
        self.begin()
        return self.wish()

    def wish(self) -> Element:
        """The same as long as nothing of the former session is given up: it is to be followed by `begin`."""
        return Enable(self._resume, self._max if self._resume else None).to_element()

    def begin(self) -> None:
        """A new session begins, whose server was asked to count; what is sent from now on counts."""
        self._give_up()
        self._counts_out, self._counts_in = True, False

    def take_enabled(self, element: Element) -> None:
        """The server counts too. Raises StreamError."""
        if not self._counts_out or self._counts_in:
            raise StreamError("policy-violation", "stream management was enabled without being asked for")
        try:
            enabled = Enabled.parse(element)
        except PayloadError as error:
            raise StreamError("invalid-xml", str(error)) from None
        self._counts_in = True
        if enabled.resume and enabled.id:
            self.id, self.seconds, self.location = enabled.id, enabled.max, enabled.location or ""

    def _give_up(self) -> None:
        self.lost += self.ledger.clear()
        self.ledger = Ledger()
        self.id = self.location = ""
        self.seconds = None


class ClientResume(ClientFeature):
    """Comes back to the former session, where there is one."""

    offers = frozenset({("sm", NS)})
    takes = frozenset({("resumed", NS), ("failed", NS)})

    def __init__(self, management: Management) -> None:
        self._management = management

    def begin(self, stream: ClientSide, features: Element) -> Outcome | None:
        if stream.identity is None or stream.jid or features.child("sm", NS) is None:
            return None
        wanted = self._management.resume_element()
        if wanted is None:
            return None
        stream.write(wanted)
        return Outcome.TURN

    def handle(self, stream: ClientSide, element: Element) -> Outcome:
        if element.name == "resumed":
            stream.jid = self._management.take_resumed(element)
            stream.emit(SessionResumed())
            return Outcome.DONE
        stream.emit(NotResumed(self._management.take_failed(element)))
        return Outcome.NEXT


class ClientEnable(ClientFeature):
    """Switches stream management on in a new session. It doesn't wait for the answer, which comes when the stream is
    ready."""

    offers = frozenset({("sm", NS)})

    def __init__(self, management: Management) -> None:
        self._management = management

    def begin(self, stream: ClientSide, features: Element) -> Outcome | None:
        if stream.jid and features.child("sm", NS) is not None:
            stream.write(self._management.enable_element())
            self._management.jid = stream.jid
        return None


class InlineManagement(ClientInline):
    """Both along with log-in: `<resume/>` beside Bind 2's `<bind/>`, `<enable/>` within."""

    ns = NS

    def __init__(self, management: Management) -> None:
        self._management = management
        self._asked = False

    def ask(self, stream: ClientSide, offer: Element) -> Element | None:
        wanted = self._management.resume_element()
        self._asked = wanted is not None
        return wanted

    def ask_to_bind(self, stream: ClientSide) -> Element | None:
        return self._management.wish()

    def answered(self, stream: ClientSide, answer: Element) -> None:
        if not self._asked:
            raise StreamError("policy-violation", "the server answers where nothing was asked")
        self._asked = False
        if answer.name == "resumed":
            stream.jid = self._management.take_resumed(answer)
            stream.emit(SessionResumed())
        else:
            stream.emit(NotResumed(self._management.take_failed(answer)))

    def bound(self, stream: ClientSide, answers: Sequence[Element]) -> None:
        management = self._management
        management.begin()
        management.jid = stream.jid
        if answers and answers[0].name == "enabled":
            management.take_enabled(answers[0])
        else:
            management.ended()


def managed(
    features: Sequence[Callable[[], ClientFeature]], management: Management
) -> tuple[Callable[[], ClientFeature], ...]:
    """A client's features with stream management among them: `<resume/>` comes before binding, `<enable/>` last; or
    both along with log-in, where that can be."""
    found: list[Callable[[], ClientFeature]] = []
    for make in features:
        if make is ClientBind:
            found.append(partial(ClientResume, management))
        found.append(partial(ClientSASL2, (InlineManagement(management),)) if make is ClientSASL2 else make)
    return (*found, partial(ClientEnable, management))
