from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chirrup.core.errors import ConfigError
from chirrup.testing import serve

FOLDER = Path(__file__).parents[2] / "examples" / "modules"


def settings(**own: str) -> dict[str, Any]:
    return {
        "modules_folder": str(FOLDER),
        "modules": {"message_of_the_day": own},
        "hosts": {"localhost": {"modules_enabled": ["message_of_the_day"]}},
    }


async def test_whoever_comes_online_is_greeted_once() -> None:
    async with serve(settings()) as server:
        alice = await server.client("alice")
        await alice.settle()
        assert not alice.received
        alice.send("<presence/><presence><show>away</show></presence>")
        await alice.settle()
        (message,) = [stanza for stanza in alice.received if stanza.name == "message"]
        assert message.child_text("body") == "Welcome, alice!"
        assert message.attrs == {"type": "headline", "from": "localhost", "to": alice.jid.text}


async def test_the_text_and_its_kind_are_settings() -> None:
    async with serve(settings(text="2 < 3, {user}", type="normal")) as server:
        alice = await server.client("alice")
        alice.send("<presence/>")
        await alice.settle()
        (message,) = [stanza for stanza in alice.received if stanza.name == "message"]
        assert message.child_text("body") == "2 < 3, alice"
        assert message.get("type") == "normal"


@pytest.mark.parametrize("own", [{"text": ""}, {"type": "chat"}, {"txet": "Hello"}])
async def test_wrong_settings_are_told_before_anything_starts(own: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        async with serve(settings(**own)):
            raise AssertionError("unreachable")


def test_it_is_short_enough_to_be_read_at_a_glance() -> None:
    assert len((FOLDER / "message_of_the_day.py").read_text().splitlines()) < 60
