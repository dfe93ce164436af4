from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chirrup.bot import Bot
from chirrup.cli.bot import configured

PLUGIN = """
from chirrup import Incoming, Plugin

plugin = Plugin()

@plugin.command("/ping")
async def ping(message: Incoming) -> None:
    await message.reply("pong")
"""
CONFIG = """
jid = "bot@example.org"
plugins = ["my_plugin"]
allow = ["example.org"]
state = "state.json"
"""


@pytest.fixture(autouse=True)
def files(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (elsewhere / "my_plugin.py").write_text(PLUGIN)
    (elsewhere / "my_bot.py").write_text("from chirrup import Bot\nbot = Bot('bot@example.org', 'x')\nother = 1\n")
    (elsewhere / "broken.py").write_text("import nothing_of_that_name\n")
    (elsewhere / "bot.toml").write_text(CONFIG)
    monkeypatch.setattr(sys, "path", [str(elsewhere), *sys.path])
    monkeypatch.setenv("CHIRRUP_BOT_PASSWORD", "secret")
    yield
    for name in ("my_plugin", "my_bot", "broken"):
        sys.modules.pop(name, None)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Bot]:
    """The bots that were run, which takes no time here."""
    bots: list[Bot] = []
    monkeypatch.setattr(Bot, "run", lambda bot: bots.append(bot))
    return bots


def test_a_bot_of_a_module(chirrup: Callable[..., Any], ran: list[Bot]) -> None:
    assert chirrup("bot", "run", "my_bot:bot").status == 0
    assert chirrup("bot", "run", "my_bot").status == 0
    assert [bot.nick for bot in ran] == ["bot", "bot"]


def test_a_bot_of_a_file(chirrup: Callable[..., Any], ran: list[Bot], elsewhere: Path) -> None:
    assert chirrup("bot", "run", "--config", "bot.toml").status == 0
    (bot,) = ran
    assert list(bot.commands) == ["/ping"]
    assert configured(elsewhere / "bot.toml").nick == "bot"


def test_a_file_in_another_encoding(chirrup: Callable[..., Any], elsewhere: Path) -> None:
    (elsewhere / "bot.toml").write_text('jid = "müller@example.org"', "latin-1")
    assert chirrup("bot", "run", "--config", "bot.toml").err == (
        "chirrup: bot.toml: is not in UTF-8; save it in that encoding\n"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ('port = "x"', "port"),
        ('ca = "none.crt"', "ca: there is no file"),
        ('colour = "red"', "colour"),
        ('allow = ["a b@c"]', "a b@c"),
        ('plugins = ["nowhere"]', "there is no module 'nowhere' here"),
        ('plugins = ["broken"]', "nothing_of_that_name"),
        ('plugins = ["my_bot:other"]', "my_bot:other should be a Plugin; it is a int"),
        ("plugins = [", "is no TOML"),
    ],
)
def test_a_file_with_a_slip(
    chirrup: Callable[..., Any], ran: list[Bot], elsewhere: Path, change: str, said: str
) -> None:
    key = change.partition(" ")[0]
    lines = [line for line in CONFIG.splitlines() if not line.startswith(f"{key} ")]
    (elsewhere / "bot.toml").write_text("\n".join([*lines, change]))
    came = chirrup("bot", "run", "-c", "bot.toml")
    assert came.status == 1
    assert said in came.err
    assert not ran


def test_no_password(chirrup: Callable[..., Any], ran: list[Bot], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHIRRUP_BOT_PASSWORD")
    assert "CHIRRUP_BOT_PASSWORD" in chirrup("bot", "run", "-c", "bot.toml").err


def test_one_or_the_other(chirrup: Callable[..., Any]) -> None:
    assert "either" in chirrup("bot", "run").err
    assert "either" in chirrup("bot", "run", "my_bot:bot", "-c", "bot.toml").err
