"""Two streams in memory."""

from __future__ import annotations

import pytest

from chirrup.core.errors import StanzaError, StreamError
from chirrup.core.stream import (
    Authenticated,
    BindRefused,
    BindRequest,
    ClientPolicy,
    ClientStream,
    Credentials,
    HostPolicy,
    NeedKeys,
    Ready,
    ServerStream,
    StartTLS,
)
from chirrup.testing import Pair, pair


def of(events, kind):
    return [event for event in events if isinstance(event, kind)]


def test_both_ends_are_ready_and_agree():
    ends = pair()
    assert ends.server.jid == ends.client.jid == "alice@localhost/garden"
    assert of(ends.server_events, Ready) and of(ends.client_events, Ready)
    assert of(ends.server_events, StartTLS) and ends.server.security is not None
    assert of(ends.server_events, Authenticated)[0].mechanism == "SCRAM-SHA-256-PLUS"


def test_what_was_said_can_be_read():
    transcript = pair().transcript
    assert transcript[0].startswith("C: <?xml version='1.0'?><stream:stream ")
    assert transcript[1].startswith("S: <?xml version='1.0'?><stream:stream ")
    assert any(line.startswith("S: <success") for line in transcript)


@pytest.mark.parametrize("octets", [1, 7, None])
def test_octets_in_pieces_make_no_difference(octets):
    assert pair(octets=octets).client.jid == "alice@localhost/garden"


def test_other_people_at_other_domains():
    ends = pair(Credentials("bob", "other"), domain="example.org", resource="")
    assert ends.client.jid == "bob@example.org/made-up"


def test_an_answer_replaces_what_the_program_would_do():
    def refuse(stream, event):
        return stream.refuse(StanzaError("conflict"))

    def take_another(stream, event):
        return stream.bind("another")

    def answer(stream, event):
        refused = event.resource == "garden"
        return refuse(stream, event) if refused else stream.bound(stream.identity.account.with_resource("another"))

    ends = pair(answers={BindRequest: answer, BindRefused: take_another})
    assert ends.client.jid == "alice@localhost/another"


def test_the_error_that_ended_the_stream_is_raised():
    def fail(stream, event):
        return stream.fail(StreamError("internal-server-error"))

    with pytest.raises(StreamError, match="internal-server-error"):
        pair(answers={BindRequest: fail})


def test_streams_that_came_to_a_halt_show_how_far_they_came():
    with pytest.raises(AssertionError, match="negotiation came to a halt:\nC: "):
        pair(answers={NeedKeys: lambda stream, event: None})


def test_ends_of_ones_own_are_taken_step_by_step():
    numbers = iter(range(1000))
    ends = Pair(
        ClientStream("localhost", ClientPolicy(), make_id=lambda: str(next(numbers)), make_nonce=lambda: "n"),
        ServerStream(make_id=lambda: str(next(numbers)), make_nonce=lambda: "m"),
        host=HostPolicy("elsewhere.example"),
    )
    ends.client.open()
    ends.exchange()
    with pytest.raises(StreamError, match="host-unknown"):
        ends.check_ready()
