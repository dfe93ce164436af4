"""Stream management (XEP-0198)."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chirrup.core.errors import LocalProtocolError, PayloadError, StanzaError, StreamError
from chirrup.core.features.resume import (
    NS,
    Enable,
    Enabled,
    Ledger,
    Management,
    NotResumed,
    Resume,
    Resumed,
    ResumeRequest,
    SessionResumed,
    acknowledgement,
    failed,
    managed,
    read_failed,
    read_handled,
)
from chirrup.core.jid import JID
from chirrup.core.stanza import write_stream_error
from chirrup.core.states import State
from chirrup.core.stream import (
    CLIENT_FEATURES,
    BindRequest,
    ClientPolicy,
    ClientStream,
    Credentials,
    Ready,
    Security,
    ServerStream,
)
from chirrup.core.xml import Element
from chirrup.testing.pair import MECHANISMS, HostPolicy, Pair

STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
PLAIN = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldAByMG0zMG15cjBtMzA=</auth>"
BIND = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
LARGEST = 2**32 - 1
UNEXPECTED = f"<failed xmlns='{NS}'><unexpected-request xmlns='{STANZAS}'/></failed>"


def stanza(number):
    return b"<message id='%d'/>" % number


# -- elements


def test_elements_are_as_in_the_specification():
    assert str(Enable().to_element()) == f"<enable xmlns='{NS}'/>"
    assert str(Enable(resume=True, max=60).to_element()) == f"<enable xmlns='{NS}' resume='true' max='60'/>"
    enabled = Enabled("some-long-sm-id", True, location="[2001:41D0:1:A49b::1]:9222").to_element()
    assert enabled.attrs == {"id": "some-long-sm-id", "resume": "true", "location": "[2001:41D0:1:A49b::1]:9222"}
    assert str(Resume("some-long-sm-id", 7).to_element()) == f"<resume xmlns='{NS}' previd='some-long-sm-id' h='7'/>"
    assert str(failed(StanzaError("unexpected-request"))) == UNEXPECTED
    assert failed(StanzaError("item-not-found"), 2**32 + 1).get("h") == "1"


@pytest.mark.parametrize(("written", "resume"), [("1", True), ("true", True), ("0", False), ("false", False)])
def test_booleans_of_both_styles(written, resume):
    assert Enable.parse(Element("enable", NS, resume=written)).resume is resume


@pytest.mark.parametrize("max_", ["0", "-1", "soon", ""])
def test_a_time_that_is_none(max_):
    with pytest.raises(PayloadError):
        Enable.parse(Element("enable", NS, max=max_))


@pytest.mark.parametrize("h", ["", "x", "-1", "+1", "1.0", " 1", "٣", str(2**32), "0" * 11, None])
def test_a_count_that_is_none(h):
    with pytest.raises(StreamError) as caught:
        read_handled(Element("a", NS, h=h))
    assert caught.value.condition == "invalid-xml"
    if h not in (" 1", "+1", "0" * 11):  # XML Schema's numbers may have these
        with pytest.raises(PayloadError):
            Resumed.parse(Element("resumed", NS, previd="x", h=h))


@pytest.mark.parametrize("h", [0, 1, LARGEST])
def test_a_count(h):
    assert read_handled(acknowledgement(h)) == h
    assert read_handled(acknowledgement(h + 2**32)) == h


def test_a_failure_is_read():
    error, handled = read_failed(failed(StanzaError("item-not-found"), 4))
    assert (error.condition, handled) == ("item-not-found", 4)
    error, handled = read_failed(Element("failed", NS))
    assert (error.condition, handled) == ("undefined-condition", None)


# -- the ledger


def test_what_was_acknowledged_is_let_go():
    ledger = Ledger()
    assert [ledger.add(stanza(number), 10.0 + number) for number in range(5)] == [1, 2, 3, 4, 5]
    assert ledger.acknowledge(3) == 3
    assert ledger.acknowledge(3) == 0
    assert list(ledger.queue) == [stanza(3), stanza(4)]
    assert ledger.octets == 2 * len(stanza(3))
    assert ledger.clear() == [(stanza(3), 13.0), (stanza(4), 14.0)]
    assert (ledger.octets, len(ledger.queue)) == (0, 0)


def test_a_count_that_is_too_high():
    ledger = Ledger()
    for number in range(8):
        ledger.add(stanza(number), 0)
    with pytest.raises(StreamError) as caught:
        ledger.acknowledge(10)
    assert ledger.sent == 8
    written = write_stream_error(caught.value)
    assert written.child("undefined-condition", "urn:ietf:params:xml:ns:xmpp-streams") is not None
    too_high = written.child("handled-count-too-high", NS)
    assert too_high is not None
    assert too_high.attrs == {"h": "10", "send-count": "8"}


def test_a_count_from_before_says_nothing():
    ledger = Ledger()
    for number in range(8):
        ledger.add(stanza(number), 0)
    ledger.acknowledge(5)
    assert ledger.acknowledge(4) == 0
    assert ledger.is_past(0)
    assert not ledger.is_past(5)
    assert not ledger.is_past(6)
    assert ledger.sent == 8
    with pytest.raises(StreamError):
        ledger.acknowledge(LARGEST)


class Wrapping(RuleBasedStateMachine):
    """The ledger against plain lists, begun close to where counts become 0 again."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.ledger.acknowledged = self.base = 2**32 - 20
        self.sent: list[bytes] = []
        self.known = 0

    @rule(size=st.integers(0, 50))
    def send(self, size: int) -> None:
        self.sent.append(b"x" * size)
        assert self.ledger.add(self.sent[-1], float(len(self.sent))) == self.base + len(self.sent)

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        count = data.draw(st.integers(self.known, len(self.sent)))
        assert self.ledger.acknowledge((self.base + count) % 2**32) == count - self.known
        self.known = count

    @rule(behind=st.integers(1, 1000))
    def acknowledge_what_was(self, behind: int) -> None:
        assert self.ledger.acknowledge((self.base + self.known - behind) % 2**32) == 0
        assert self.ledger.is_past((self.base + self.known - behind) % 2**32)

    @rule(ahead=st.integers(1, 2**30))
    def acknowledge_too_much(self, ahead: int) -> None:
        with pytest.raises(StreamError):
            self.ledger.acknowledge((self.base + len(self.sent) + ahead) % 2**32)

    @invariant()
    def agrees(self) -> None:
        waiting = self.sent[self.known :]
        assert list(self.ledger.queue) == waiting
        assert list(self.ledger.stamps) == [float(number + 1) for number in range(self.known, len(self.sent))]
        assert self.ledger.octets == sum(map(len, waiting))
        assert self.ledger.sent == self.base + len(self.sent)


TestWrapping = Wrapping.TestCase


# -- the server's end


@pytest.fixture
def server(serve):
    server = serve(security=Security())
    server.greet()
    return server


def log_in(server):
    assert "<success" in server.say(PLAIN)
    return server.greet()


def resume(server, answer, text=f"<resume xmlns='{NS}' previd='p' h='3'/>"):
    server.answers[ResumeRequest] = answer
    return server.say(text)


def test_it_is_offered_after_authentication(serve, read):
    server = serve(security=Security())
    assert read(server.greet()).elements[0].child("sm", NS) is None
    assert read(log_in(server)).elements[0].child("sm", NS) == Element("sm", NS)


@pytest.mark.parametrize("name", ["resume", "enable", "r", "a"])
def test_nothing_of_it_comes_before_authentication(server, name):
    assert server.say(f"<{name} xmlns='{NS}' previd='p' h='3'/>") == UNEXPECTED
    assert not server.of(ResumeRequest)
    log_in(server)


@pytest.mark.parametrize("name", ["enable", "r", "a"])
def test_all_but_resumption_comes_after_binding(server, name):
    log_in(server)
    assert server.say(f"<{name} xmlns='{NS}' h='0'/>") == UNEXPECTED
    assert "<jid>" in server.say(BIND)
    assert server.of(Ready)


def test_a_session_goes_on(server):
    log_in(server)
    said = resume(server, lambda stream, _: stream.resumed(JID("juliet@im.example.com/balcony"), 2**32 + 5))
    assert said == f"<resumed xmlns='{NS}' previd='p' h='5'/>"
    assert server.of(ResumeRequest) == [ResumeRequest("p", 3)]
    assert server.events[-1] == Ready()
    assert server.stream.jid == "juliet@im.example.com/balcony"


def test_what_comes_behind_the_request_is_left_for_the_session(server):
    log_in(server)
    text = f"<resume xmlns='{NS}' previd='p' h='3'/><message/>"
    resume(server, lambda stream, _: stream.resumed(JID("juliet@im.example.com/balcony"), 0), text)
    assert server.stream.leftover == b"<message/>"


@pytest.mark.parametrize("handled", [None, 12])
def test_a_session_that_is_gone(server, handled):
    log_in(server)
    said = resume(server, lambda stream, _: stream.not_resumed(StanzaError("item-not-found"), handled))
    h = f" h='{handled}'" if handled is not None else ""
    assert said == f"<failed xmlns='{NS}'{h}><item-not-found xmlns='{STANZAS}'/></failed>"
    assert server.stream.state is State.FEATURES
    server.say(BIND)
    assert server.of(BindRequest)
    assert server.of(Ready)


@pytest.mark.parametrize("attributes", ["", "h='1'", "previd='p'", "previd='p' h='-1'", f"previd='p' h='{2**32}'"])
def test_a_request_that_is_none(server, attributes):
    log_in(server)
    assert "<bad-request" in server.say(f"<resume xmlns='{NS}' {attributes}/>")
    assert not server.of(ResumeRequest)


def test_a_request_in_single_octets(server):
    log_in(server)
    server.answers[ResumeRequest] = lambda stream, _: stream.resumed(JID("juliet@im.example.com/balcony"), 0)
    server.feed(f"<resume xmlns='{NS}' previd='p' h='3'/>".encode(), 1)
    assert server.of(ResumeRequest) == [ResumeRequest("p", 3)]


@pytest.mark.parametrize("answer", [None, JID("juliet@im.example.com/balcony"), StanzaError("item-not-found")])
def test_an_answer_that_is_none(server, answer):
    log_in(server)
    with pytest.raises(LocalProtocolError):
        resume(server, lambda stream, _: stream.answer(answer))


# -- both ends


class Sessions:
    """A server's program that resumes what it enabled."""

    def __init__(self, handled: int = 0, gone: bool = False) -> None:
        self.handled = handled
        self.gone = gone
        self.asked: list[ResumeRequest] = []

    def answer(self, stream, event):
        self.asked.append(event)
        if self.gone:
            return stream.not_resumed(StanzaError("item-not-found"), self.handled)
        return stream.resumed(JID("alice@localhost/garden"), self.handled)


def connect(management, sessions=None, octets=None):
    numbers = iter(range(1000))
    ends = Pair(
        ClientStream(
            "localhost",
            ClientPolicy(Credentials("alice", "secret"), "garden"),
            make_id=lambda: f"i{next(numbers)}",
            make_nonce=lambda: f"c{next(numbers)}",
            features=managed(CLIENT_FEATURES, management),
        ),
        ServerStream(make_id=lambda: f"s{next(numbers)}", make_nonce=lambda: f"n{next(numbers)}"),
        host=HostPolicy("localhost", mechanisms=MECHANISMS),
        answers={ResumeRequest: sessions.answer} if sessions else None,
        octets=octets,
    )
    ends.client.open()
    ends.exchange()
    ends.check_ready()
    return ends


@pytest.fixture
def management():
    """One that has had a session: three stanzas sent, one acknowledged, two received."""
    management = Management(max=300)
    ends = connect(management)
    assert ends.client.take() == Enable(resume=True, max=300).to_element().to_bytes()
    for number in range(3):
        assert management.sent(stanza(number), float(number)) == number + 1
    assert management.handle(Enabled("the id", True, 120, "there:5222").to_element()) == b""
    management.count()
    management.count()
    assert management.handle(acknowledgement(1)) == b""
    return management


def test_a_client_switches_it_on_and_counts(management):
    assert management.enabled
    assert (management.id, management.seconds, management.location) == ("the id", 120, "there:5222")
    assert management.jid == "alice@localhost/garden"
    assert list(management.unacknowledged) == [stanza(1), stanza(2)]
    assert management.handle(Element("r", NS)) == acknowledgement(2).to_bytes()
    assert management.ask() == Element("r", NS).to_bytes()


@pytest.mark.parametrize("octets", [None, 1])
def test_a_client_comes_back(management, octets):
    management.disconnected()
    sessions = Sessions(2)
    ends = connect(management, sessions, octets)
    assert sessions.asked == [ResumeRequest("the id", 2)]
    assert ends.client_events[-2:] == [SessionResumed(), Ready()]
    assert ends.client.jid == "alice@localhost/garden"
    assert list(management.unacknowledged) == [stanza(2)]
    assert ends.client.take() == b""
    assert management.sent(stanza(3), 3.0) == 4
    assert management.handle(acknowledgement(4)) == b""
    assert not management.lost


def test_a_client_whose_session_is_gone_begins_anew(management):
    management.disconnected()
    ends = connect(management, Sessions(2, gone=True))
    (failed_,) = [event for event in ends.client_events if isinstance(event, NotResumed)]
    assert failed_.error.condition == "item-not-found"
    assert management.lost == [(stanza(2), 2.0)]
    assert ends.client.take() == Enable(resume=True, max=300).to_element().to_bytes()
    assert management.sent(stanza(9), 9.0) == 1
    assert not management.enabled
    assert management.resume_element() is None


def test_counts_begin_with_the_request_and_with_its_answer():
    management = Management(resume=False)
    management.count()
    assert management.sent(stanza(0), 0.0) == 0
    assert management.ask() == b""
    connect(management)
    management.count()  # before <enabled/>
    assert management.sent(stanza(1), 0.0) == 1
    management.handle(Enabled().to_element())
    assert management.handle(Element("r", NS)) == acknowledgement(0).to_bytes()
    assert not management.id


def test_a_server_that_refuses_to_count():
    management = Management()
    connect(management)
    management.sent(stanza(1), 1.0)
    assert management.handle(failed(StanzaError("internal-server-error"))) == b""
    assert management.lost == [(stanza(1), 1.0)]
    assert management.sent(stanza(2), 2.0) == 0
    assert management.handle(Element("r", NS)) == b""


def test_a_stream_that_ended_in_order_has_nothing_to_come_back_to(management):
    management.ended()
    assert management.resume_element() is None
    assert management.lost == [(stanza(1), 1.0), (stanza(2), 2.0)]


@pytest.mark.parametrize(
    ("element", "condition"),
    [
        (acknowledgement(4), "undefined-condition"),
        (Element("a", NS), "invalid-xml"),
        (Enabled("another", True).to_element(), "policy-violation"),
        (Element("resumed", NS, previd="the id", h=0), "unsupported-stanza-type"),
    ],
)
def test_a_server_that_makes_no_sense(management, element, condition):
    with pytest.raises(StreamError) as caught:
        management.handle(element)
    assert caught.value.condition == condition


@pytest.mark.parametrize(
    "attributes", [{"previd": "another", "h": 2}, {"previd": "the id"}, {"previd": "the id", "h": 9}]
)
def test_a_server_that_resumes_something_else(management, attributes):
    with pytest.raises(StreamError):
        management.take_resumed(Element("resumed", NS, **attributes))
