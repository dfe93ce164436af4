"""Where modules come from, and what is refused at the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from chirrup.core.errors import ChirrupError, ConfigError
from chirrup.server.modules import DEFAULT, chosen, find

GREETER = """
from chirrup.server import hooks
from chirrup.server.module import Module, Settings, iq_get

class GreeterSettings(Settings):
    greeting: str = "hello"

class Greeter(Module):
    "Greets."
    Settings = GreeterSettings

    @iq_get(("greet", "urn:test"))
    def greet(self, request):
        return request.payload.__class__("greeting", "urn:test", self.settings.greeting)
"""
GREET = "<iq type='get' id='1' to='localhost'><greet xmlns='urn:test'/></iq>"


def test_the_default_modules_less_and_more():
    assert chosen((), ()) == list(DEFAULT)
    assert chosen(("motd",), ("ping", "disco")) == [
        *(name for name in DEFAULT if name not in ("ping", "disco")),
        "motd",
    ]
    assert chosen(("ping",), ()) == list(DEFAULT)


@pytest.mark.parametrize("name", DEFAULT)
def test_every_default_module_is_there_and_says_what_it_is_for(name):
    module = find(name, None)
    assert module.name() == name
    assert module.describe()


async def test_a_module_from_a_folder(chirrup_server, module):
    async with chirrup_server(module(GREETER)) as server:
        alice = await server.client("alice")
        alice.send(GREET)
        assert (await alice.receive()).first.text == "hello"


async def test_its_settings_are_those_of_the_configuration(chirrup_server, module):
    settings = module(GREETER)
    settings["modules"] = {"under_test": {"greeting": "good morning"}}
    async with chirrup_server(settings) as server:
        alice = await server.client("alice")
        alice.send(GREET)
        assert (await alice.receive()).first.text == "good morning"


async def test_settings_that_it_does_not_know_are_refused(chirrup_server, module):
    settings = module(GREETER)
    settings["modules"] = {"under_test": {"greetings": "good morning"}}
    with pytest.raises(ConfigError, match="greetings"):
        async with chirrup_server(settings):
            pass


async def test_a_host_without_it_does_not_know_it(chirrup_server, module):
    settings = module(GREETER)
    settings["hosts"]["other.example"] = {}
    async with chirrup_server(settings) as server:
        alice = await server.client("alice")
        alice.send(GREET.replace("localhost", "other.example"))
        assert (await alice.receive()).child("error").first.name == "service-unavailable"


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("import nothing_of_that_name", "can't be imported: ModuleNotFoundError"),
        ("1 +", "can't be imported: SyntaxError"),
        ("x = 1", "should define one Module; it defines 0"),
        (GREETER + "\nclass Another(Module): pass\n", "should define one Module; it defines 2"),
    ],
)
def test_a_file_that_is_no_module_is_refused(tmp_path: Path, code, fault):
    (tmp_path / "odd.py").write_text(code)
    with pytest.raises(ConfigError, match=fault):
        find("odd", tmp_path)


def test_a_module_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"there is no module 'pign'; did you mean \"ping\"\?"):
        find("pign", tmp_path)
    (tmp_path / "mine.py").write_text(GREETER)
    with pytest.raises(ConfigError, match=r"there is no module 'zzzz'; known here: .*archive, .*mine, .*privilege"):
        find("zzzz", tmp_path)


async def test_a_module_that_is_switched_off_by_a_wrong_name_is_told_of(chirrup_server):
    with pytest.raises(
        ConfigError, match=r"hosts\.localhost\.modules_disabled: there is no module 'archiv'; .*\"archive\""
    ):
        async with chirrup_server({"hosts": {"localhost": {"modules_disabled": ["archiv"]}}}):
            pass


async def test_what_a_host_would_not_have_anyway_may_be_switched_off(chirrup_server, tmp_path: Path):
    (tmp_path / "mine.py").write_text(GREETER)
    disabled = {"hosts": {"localhost": {"modules_disabled": ["mine", "privilege", "archive"]}}}
    async with chirrup_server({"modules_folder": str(tmp_path), **disabled}) as server:
        assert await server.client("alice")


async def test_a_folder_of_modules_that_is_not_there_is_told_of(chirrup_server, tmp_path: Path):
    with pytest.raises(ConfigError, match=r"modules_folder: there is no folder .*/none"):
        async with chirrup_server({"modules_folder": str(tmp_path / "none")}):
            pass


async def test_two_handlers_for_one_iq_are_refused(chirrup_server, module):
    code = GREETER.replace('("greet", "urn:test")', '("ping", "urn:xmpp:ping")')
    with pytest.raises(ChirrupError, match=r"both under_test\.greet and ping\.pong answer get ping in urn:xmpp:ping"):
        async with chirrup_server(module(code)):
            pass
