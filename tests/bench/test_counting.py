"""The generator's counting, wherever the octets are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from bench.counting import Answers, Counter
from hypothesis import given
from hypothesis import strategies as st

END = b"</message>"
STREAM = b"<message><body>1</body></message>" * 3 + b"</mess<x/></message><message>"
PING = (
    b"<message><body>hi</body></message><iq type='get' id='p1' from='alice@localhost' to='alice@localhost/a'>"
    b"<ping xmlns='urn:xmpp:ping'/></iq><message/>"
)
PONG = b"<iq type='result' id='p1' to='alice@localhost'/>"


@pytest.mark.parametrize("cut", range(len(STREAM) + 1))
def test_a_needle_is_counted_once_wherever_it_is_cut(cut: int) -> None:
    counter = Counter(END)
    found = counter.feed(STREAM[:cut]) + counter.feed(STREAM[cut:])
    assert (found, counter.total) == (4, 4)


def test_a_needle_is_counted_in_single_octets() -> None:
    counter = Counter(END)
    assert sum(counter.feed(STREAM[i : i + 1]) for i in range(len(STREAM))) == 4


def test_a_needle_of_one_octet() -> None:
    counter = Counter(b">")
    assert [counter.feed(piece) for piece in (b"<a>", b"<b>", b"")] == [1, 1, 0]


@given(
    st.lists(st.sampled_from([END, b"<", b"</", b"</mess", b"age>", b"x"])), st.lists(st.integers(0, 60), max_size=5)
)
def test_it_counts_what_bytes_count_does(parts: list[bytes], cuts: list[int]) -> None:
    data = b"".join(parts)
    counter = Counter(END)
    edges = [0, *sorted(cuts), len(data)]
    for start, end in pairwise(edges):
        counter.feed(data[start:end])
    assert counter.total == data.count(END)


@pytest.mark.parametrize("cut", range(len(PING) + 1))
def test_a_ping_is_answered_once_wherever_it_is_cut(cut: int) -> None:
    answers = Answers()
    assert answers.feed(PING[:cut]) + answers.feed(PING[cut:]) == PONG


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (b'<iq id="p2" type="get"><ping/></iq>', b"<iq type='result' id='p2'/>"),
        (b"<iq id='a' type='result'/>", b""),
        (b"<iq id='a' type='error'><ping/></iq>", b""),
        (b"<iq id='a' type='get'/><iq id='b' type='get'/>", b"<iq type='result' id='a'/><iq type='result' id='b'/>"),
        (b"<iqs id='a' type='get'/>", b""),
    ],
)
def test_only_questions_are_answered(data: bytes, answer: bytes) -> None:
    assert Answers().feed(data) == answer
