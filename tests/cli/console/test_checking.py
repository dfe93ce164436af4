"""What is typed, and where its mistakes are."""

from __future__ import annotations

import pytest

from chirrup.cli.console.checking import Mistake, Unfinished, read

PING = "<ping xmlns='urn:xmpp:ping'/>"


@pytest.mark.parametrize(
    "text",
    [
        "<presence/>",
        "  <message to='bob@localhost'>\n<body>ü</body>\n</message>\n",
        f"<iq type='get' to='localhost'>{PING}</iq>",
        "<iq type='result' id='1'/>",
        "<message type='something else'/>",
    ],
)
def test_stanzas(text: str) -> None:
    [stanza] = read(text)
    assert stanza.name in text


def test_several_stanzas() -> None:
    assert [stanza.name for stanza in read("<presence/><message/>")] == ["presence", "message"]


@pytest.mark.parametrize(
    "text", ["<message", "<message>", "<message><body>hello</body>", "<message to='b", "<message>\n"]
)
def test_what_may_become_right(text: str) -> None:
    with pytest.raises(Unfinished):
        read(text)


@pytest.mark.parametrize(
    ("text", "line", "column", "problem"),
    [
        ("<message><body>hello</bod></message>", 1, 23, "mismatched"),
        ("<message>\n  <body>a & b</body>\n</message>", 2, 12, "not well-formed"),
        ("<message><body>üü & b</body></message>", 1, 20, "not well-formed"),
        ("<message>&nbsp;</message>", 1, 10, "undefined"),
        ("<x:message/>", 1, 1, "prefix"),
        ("hello", 1, 1, "white space"),
        ("<message>\n</message>  hello", 2, 11, "white space"),
        ("<message/></stream:stream>", 1, 11, "/quit"),
        ("<message><!-- a --></message>", 1, 10, "comment"),
        ("<?php ?><message/>", 1, 1, "processing instruction"),
        ("<query xmlns='jabber:iq:roster'/>", 1, 1, "is no stanza"),
        ("<message>\n</message><foo/>", 2, 11, "is no stanza"),
        ("<message to='@'/>", 1, 10, "localpart"),
        ("<presence type='away'/>", 1, 11, "type is one of"),
        ("<iq><ping xmlns='urn:xmpp:ping'/></iq>", 1, 1, "has a type"),
        ("<iq type='get'/>", 1, 1, "exactly one payload, not 0"),
        (f"<iq type='set'>{PING}{PING}</iq>", 1, 1, "exactly one payload, not 2"),
    ],
)
def test_mistakes_and_their_places(text: str, line: int, column: int, problem: str) -> None:
    with pytest.raises(Mistake) as raised:
        read(text)
    mistake = raised.value
    assert not isinstance(mistake, Unfinished)
    assert problem in mistake.problem
    assert (mistake.line, mistake.column) == (line, column), mistake
    assert text[: mistake.position(text)].count("\n") == line - 1


def test_nothing_is_no_stanza() -> None:
    with pytest.raises(Mistake, match="no stanza"):
        read(" \n")
