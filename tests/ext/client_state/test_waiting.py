from __future__ import annotations

from chirrup.ext.client_state.waiting import Waiting


def test_stanzas_wait_in_their_order() -> None:
    waiting = Waiting()
    for stanza in (b"a", b"bb", b"a"):
        waiting.add(stanza)
    assert (len(waiting), waiting.octets) == (3, 4)
    assert waiting.take() == [b"a", b"bb", b"a"]
    assert (len(waiting), waiting.octets, waiting.take()) == (0, 0, [])


def test_a_newer_one_takes_the_place_of_an_older_at_the_end() -> None:
    waiting = Waiting()
    waiting.add(b"first", "romeo")
    waiting.add(b"between", "tybalt")
    waiting.add(b"later", "romeo")
    assert (len(waiting), waiting.octets) == (2, 12)
    assert waiting.take() == [b"between", b"later"]


def test_what_has_been_taken_is_due_no_more() -> None:
    waiting = Waiting()
    waiting.add(b"a")
    waiting.due = 1.0
    waiting.take()
    assert waiting.due is None
