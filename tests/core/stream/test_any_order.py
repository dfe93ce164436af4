"""Whatever a peer says, in whatever order and pieces: an answer or an orderly end, and the same one each time."""

from __future__ import annotations

import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chirrup.core.states import State
from chirrup.core.stream import Credentials, Failed, Security

SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
BIND = "urn:ietf:params:xml:ns:xmpp-bind"
HEADER = (
    "<?xml version='1.0'?><stream:stream {}='im.example.com' version='1.0' xmlns='jabber:client'"
    " xmlns:stream='http://etherx.jabber.org/streams'>"
)
SHARED = [
    "<message/>",
    "<a xmlns='urn:example'>text &gt; text</a>",
    "<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
    "</stream:stream>",
    " \n",
    "x",
    "<",
    ">",
    "<!-- -->",
    "</a>",
    "&amp;",
    "\u00e9",
]
TO_SERVER = [
    HEADER.format("to"),
    f"<auth xmlns='{SASL}' mechanism='PLAIN'>AGp1bGlldAByMG0zMG15cjBtMzA=</auth>",
    f"<auth xmlns='{SASL}' mechanism='PLAIN'/>",
    f"<auth xmlns='{SASL}' mechanism='SCRAM-SHA-1'>biwsbj1qdWxpZXQscj1hYmM=</auth>",
    f"<response xmlns='{SASL}'>AGp1bGlldAByMG0zMG15cjBtMzA=</response>",
    f"<abort xmlns='{SASL}'/>",
    f"<iq type='set' id='1'><bind xmlns='{BIND}'/></iq>",
    f"<iq type='get' id='1'><bind xmlns='{BIND}'/></iq>",
    "<iq type='set' id='1'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>",
]
TO_CLIENT = [
    HEADER.format("from"),
    f"<stream:features><mechanisms xmlns='{SASL}'><mechanism>PLAIN</mechanism></mechanisms></stream:features>",
    f"<stream:features><bind xmlns='{BIND}'/></stream:features>",
    "<stream:features/>",
    f"<challenge xmlns='{SASL}'/>",
    f"<success xmlns='{SASL}'/>",
    f"<failure xmlns='{SASL}'><not-authorized/></failure>",
    f"<iq type='result' id='iq-1'><bind xmlns='{BIND}'><jid>juliet@im.example.com/x</jid></bind></iq>",
    "<iq type='error' id='iq-1'><error type='cancel'/></iq>",
    "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
]
# Mostly in an order that gets somewhere: the next thing in the list, or any.
HAPPY_SERVER = [TO_SERVER[0], TO_SERVER[1], TO_SERVER[0], TO_SERVER[6]]
HAPPY_CLIENT = [TO_CLIENT[0], TO_CLIENT[1], TO_CLIENT[5], TO_CLIENT[0], TO_CLIENT[2], TO_CLIENT[7]]


def scripts(happy, others):
    start = st.integers(0, len(happy)).map(lambda n: happy[:n])
    return st.tuples(start, st.lists(st.sampled_from(others + SHARED), max_size=6)).map(
        lambda parts: parts[0] + parts[1]
    )


def play(program, octets, size):
    """All that the program's end says to these octets, and the events that it gave; texts of errors apart, which say
    how far the parser had come."""
    said = b""
    for at in range(0, len(octets), size):
        if program.stream.state is State.READY:
            break
        program.feed(octets[at : at + size])
        said += program.stream.take()
    events = [event.error.condition if isinstance(event, Failed) else repr(event) for event in program.events]
    return re.sub("<text.*?</text>", "", said.decode()), events


def check(program, said):
    """What was said ends when it says so."""
    assert said.count("</stream:stream>") <= 1
    if "</stream:stream>" in said:
        assert said.endswith("</stream:stream>")
        assert program.stream.state in (State.CLOSED, State.CLOSING)


any_order = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@any_order
@given(script=scripts(HAPPY_SERVER, TO_SERVER))
def test_a_server(serve, script):
    octets = "".join(script).encode()
    results = []
    for size in (len(octets) or 1, 1):
        server = serve(security=Security())
        results.append(play(server, octets, size))
        check(server, results[-1][0])
    assert results[0] == results[1]


@any_order
@given(script=scripts(HAPPY_CLIENT, TO_CLIENT))
def test_a_client(dial, script):
    octets = "".join(script).encode()
    results = []
    for size in (len(octets) or 1, 1):
        client = dial(Credentials("juliet", "r0m30myr0m30"), security=Security())
        client.stream.open()
        results.append(play(client, octets, size))
        check(client, results[-1][0])
    assert results[0] == results[1]
