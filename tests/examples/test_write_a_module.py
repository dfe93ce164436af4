"""What docs/how-to/write-a-module.md shows: its files, as they stand there."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from chirrup.core.stanza import read_error
from chirrup.core.xml import CLIENT, Element
from chirrup.server.config import Config
from chirrup.testing import TestClient, serve

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "write-a-module.md"
FILE = re.compile(r'^```\w+ title="(?P<name>[\w.]+)"\n(?P<text>.*?)^```$', re.MULTILINE | re.DOTALL)


def files() -> dict[str, list[str]]:
    """The page's files, by name; of some it shows several."""
    found = defaultdict(list)
    for match in FILE.finditer(PAGE.read_text()):
        found[match["name"]].append(match["text"])
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, (text, *_) in files().items():
        (tmp_path / name).write_text(text)
    return tmp_path


def settings(folder: Path, *modules: str, **own: object) -> dict[str, Any]:
    return {
        "modules_folder": str(folder),
        "modules": own,
        "hosts": {"localhost": {"modules_enabled": modules}},
    }


async def ask(client: TestClient, kind: str, payload: Element, to: str | None = None) -> Element:
    return await client.ask(Element("iq", CLIENT, payload, type=kind, to=to))


async def test_good_day(folder: Path) -> None:
    async with serve(settings(folder, "good_day")) as server:
        alice = await server.client("alice")
        alice.send("<presence/>")
        await alice.settle()
        assert [stanza.child_text("body") for stanza in alice.received if stanza.name == "message"] == [
            "Good day, alice!"
        ]


async def test_no_shouting(folder: Path) -> None:
    async with serve(settings(folder, "no_shouting")) as server:
        alice = await server.client("alice", presence=True)
        bob = await server.client("bob", presence=True)
        bob.send("<message to='alice@localhost' type='chat'><body>CAN YOU HEAR ME</body></message>")
        bob.send("<message to='alice@localhost' type='chat'><body>Hello</body></message>")
        refused = await bob.receive()
        assert read_error(refused).condition == "policy-violation"
        assert (await alice.receive()).child_text("body") == "Hello"


async def test_dice(folder: Path) -> None:
    async with serve(settings(folder, "dice", dice={"max_sides": 20})) as server:
        alice = await server.client("alice")
        dice = "https://example.org/dice"
        answer = await ask(alice, "get", Element("dice", dice, sides=20), "localhost")
        assert answer.first is not None
        assert 1 <= int(answer.first.get("outcome")) <= 20
        refused = await ask(alice, "get", Element("dice", dice, sides=21), "localhost")
        assert read_error(refused).condition == "not-acceptable"
        wrong = await ask(alice, "get", Element("dice", dice, sides="many"), "localhost")
        assert read_error(wrong).condition == "bad-request"


async def test_notepad(folder: Path) -> None:
    async with serve(settings(folder, "notepad")) as server:
        alice, bob = await server.client("alice"), await server.client("bob")
        ns = "https://example.org/notepad"
        written = await ask(alice, "set", Element("note", ns, "milk"))
        assert written.get("type") == "result"
        read = await ask(alice, "get", Element("note", ns))
        assert read.child_text("note", ns) == "milk"
        other = await ask(bob, "get", Element("note", ns), "alice@localhost")
        assert read_error(other).condition == "service-unavailable"


async def test_the_test(folder: Path) -> None:
    spec = spec_from_file_location("shown_test_dice", folder / "test_dice.py")
    assert spec is not None
    assert spec.loader is not None
    shown = module_from_spec(spec)
    spec.loader.exec_module(shown)
    await shown.test_a_throw()


def test_the_configurations_and_the_entry_point() -> None:
    for text in files()["chirrup.toml"]:
        Config.model_validate(tomllib.loads(text))
    (text,) = files()["pyproject.toml"]
    assert tomllib.loads(text)["project"]["entry-points"]["chirrup.modules"] == {"dice": "chirrup_dice:DiceModule"}
