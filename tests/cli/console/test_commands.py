"""Commands and the stanzas that they make."""

from __future__ import annotations

import pytest

from chirrup.cli.console import commands
from chirrup.cli.console.checking import Mistake, read

EXAMPLES = {
    "ping": "/ping localhost",
    "disco": "/disco localhost some-node",
    "items": "/items localhost",
    "version": "/version bob@localhost/x",
    "time": "/time localhost",
    "last": "/last localhost",
    "roster": "/roster",
    "message": "/message bob@localhost what a day",
    "presence": "/presence away at lunch",
    "subscribe": "/subscribe bob@localhost",
}


@pytest.mark.parametrize("name", commands.TEMPLATES)
def test_each_makes_a_stanza_that_may_be_sent(name: str) -> None:
    [stanza] = read(str(commands.make(EXAMPLES[name])))
    assert stanza.name in ("message", "presence", "iq")
    assert commands.purpose(name) and commands.usage(name).startswith(f"/{name}")


def test_arguments_get_where_they_belong() -> None:
    assert commands.make("/message bob@localhost what a day").child_text("body") == "what a day"
    disco = commands.make("/disco localhost some-node")
    assert disco.first is not None and disco.first.get("node") == "some-node"
    away = commands.make("/presence away at lunch")
    assert (away.child_text("show"), away.child_text("status")) == ("away", "at lunch")
    assert commands.make("/presence unavailable").get("type") == "unavailable"


@pytest.mark.parametrize(
    ("line", "column", "problem"),
    [
        ("/pin localhost", 1, "did you mean /ping"),
        ("/xyzzy", 1, "/help"),
        ("/", 1, "/help"),
        ("/ping", 6, "this is written /ping JID"),
        ("/ping a b c", 12, "this is written /ping JID"),
        ("/ping @", 7, "localpart"),
    ],
)
def test_mistakes(line: str, column: int, problem: str) -> None:
    with pytest.raises(Mistake, match=problem) as raised:
        commands.make(line)
    assert raised.value.column == column
