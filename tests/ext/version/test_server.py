from __future__ import annotations

import platform
from typing import Any

from chirrup import __version__
from chirrup.core.stanza import read_error
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.disco.payloads import Feature, Info
from chirrup.ext.version import NS
from chirrup.ext.version.payloads import Version
from chirrup.testing import TestClient, serve


async def ask(client: TestClient) -> Element:
    return await client.ask(Element("iq", CLIENT, Version().to_element(), type="get", to="localhost"))


async def features(client: TestClient) -> tuple[Feature, ...]:
    info = Info.find(await client.ask(Element("iq", CLIENT, Info().to_element(), type="get", to="localhost")))
    assert info is not None
    return info.features


def settings(**version: bool) -> dict[str, Any]:
    return {"modules": {"version": version}}


async def test_name_and_version_are_told_but_not_the_operating_system() -> None:
    async with serve() as server:
        alice = await server.client("alice")
        assert Version.find(await ask(alice)) == Version("Chirrup", __version__)
        assert Feature(NS) in await features(alice)


async def test_the_operating_system_where_the_operator_says_so() -> None:
    async with serve(settings(hide_os=False)) as server:
        told = Version.find(await ask(await server.client("alice")))
        assert told is not None
        assert told.os is not None
        assert platform.system() in told.os


async def test_hidden() -> None:
    async with serve(settings(hidden=True)) as server:
        alice = await server.client("alice")
        assert read_error(await ask(alice)).condition == "service-unavailable"
        assert Feature(NS) not in await features(alice)
