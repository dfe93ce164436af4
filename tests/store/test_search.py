"""What of a stanza can be searched for."""

from __future__ import annotations

import time

import pytest

from chirrup.core.values import parse_element
from chirrup.store.search import words


def written(inside: str) -> str:
    """A message as it is stored."""
    return parse_element(f"<message xmlns='jabber:client'>{inside}</message>").to_bytes().decode()


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("<body>hi</body>", "hi"),
        ("<subject xml:lang='en'>a &lt; b</subject><body>c &amp; d</body>", "a < b c & d"),
        ("<body><![CDATA[<b>bold</b>]]></body>", "<b>bold</b>"),
        ("<body xmlns='urn:x' a='1' b='&gt;/'>x<i>y</i></body>", "x y "),
        ("<body/><x xmlns='y'>hidden</x><body>shown</body>", "shown"),
        ("<body-x xmlns='y'>hidden</body-x><x xmlns='y' body='hidden'/>", ""),
    ],
)
def test_bodies_and_subjects(inside: str, expected: str) -> None:
    assert words(written(inside)) == expected


@pytest.mark.parametrize("empty", ["<subject/>", "<subject a='&gt;'/>", "<body a='1' b='/&gt;'/>"])
def test_thousands_of_empty_ones_are_no_work(empty: str) -> None:
    """Each was looked for up to the end of the stanza: seconds for one message, with the whole server waiting."""
    stanza = written(f"<x xmlns='y'>{empty * 4_900}</x><y xmlns='y'>{'x' * 100_000}</y>")
    started = time.process_time()
    assert words(stanza) == ""
    assert time.process_time() - started < 0.5


def test_no_more_than_fits_an_index() -> None:
    assert len(words(f"<message><body>{'x' * 300_000}</body></message>")) == 131_072
