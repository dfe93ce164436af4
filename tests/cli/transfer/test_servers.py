"""Accounts moved from the servers that people have, each as the operating system has it: with the same password, and
with all that is theirs."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bench.peers import Peer, ejabberd, prosody
from tests.plugins import moving
from tests.plugins.needs import unavailable

from bench import client as generator
from chirrup.net import certificates
from chirrup.testing import serve

Run = Callable[..., Any]
_ID = re.compile(r" id='[\w-]{22}'")
_EXPORT = (
    "{ok, _} = application:ensure_all_started(ejabberd), timer:sleep(200), "
    'io:format("~p", [ejabberd_piefxis:export_server("FOLDER")]), init:stop().'
)


@pytest.fixture(autouse=True)
def configured(elsewhere: Path) -> None:
    Path("chirrup.toml").write_text('data = "data"\n')
    Path("data").mkdir()


def _new(name: str) -> Path:
    folder = Path(name).absolute()
    folder.mkdir()
    return folder


async def _furnish(peer: Peer, folder: Path) -> None:
    """Have a server run in a folder, and be used, and stop."""
    pair = certificates.make("localhost", folder, time.time())
    running = await asyncio.to_thread(peer.start, folder, pair.certificate, pair.key)
    try:
        for name in ("alice", "bob", "carol"):
            (await generator.connect(running.port, name, register=True)).close()
        place: dict[str, Any] = {"host": "127.0.0.1", "port": running.port, "ca": pair.certificate}
        if peer is ejabberd.EJABBERD:
            place["channel_binding"] = False  # that of Debian 12 offers it, and knows no type for TLS 1.3
        await moving.furnish(place)
    finally:
        await asyncio.to_thread(running.process.stop, politely=True)


async def _look(folder: Path, **left_out: bool) -> None:
    """Serve what was imported, and look for all of it."""
    async with serve(data=folder) as server:
        place = {"host": "127.0.0.1", "port": server.port(), "ca": folder / "certificates" / "localhost.crt"}
        await moving.look_for_everything(place, **left_out)


def test_from_prosody(chirrup: Run) -> None:
    if prosody.version() is None:
        unavailable("prosody")
    folder = _new("prosody")
    asyncio.run(_furnish(prosody.PROSODY, folder))
    tried = chirrup("import", str(folder), "--dry-run")
    ran = chirrup("import", str(folder))
    assert (tried.status, ran.status, ran.err) == (0, 0, ""), ran.err
    assert tried.out.replace("would be ", "") == ran.out
    assert "3 accounts imported" in ran.out and "no problems" in ran.out
    again = chirrup("import", str(folder))
    assert "0 archived messages imported, 10 were here already" in again.out
    asyncio.run(_look(Path("data")))


def test_from_prosody_and_on(chirrup: Run) -> None:
    """What was imported is exported, and imported into another server."""
    if prosody.version() is None:
        unavailable("prosody")
    folder = _new("prosody")
    asyncio.run(_furnish(prosody.PROSODY, folder))
    assert chirrup("import", str(folder)).status == 0
    assert chirrup("export", "accounts.xml").status == 0
    ran = chirrup("import", "accounts.xml", "--data", "other")
    assert (ran.status, "no problems" in ran.out) == (0, True), ran.err
    assert chirrup("export", "again.xml", "--data", "other").status == 0
    first, second = [_ID.sub("", Path(file).read_text()) for file in ("accounts.xml", "again.xml")]
    assert first == second, "but for the ids in archives, which are each server's own"
    asyncio.run(_look(Path("other")))


def test_from_prosody_that_keeps_xml(chirrup: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As much as its storage of XEP-0227 can hold; the rest isn't asked of it."""
    if prosody.version() is None:
        unavailable("prosody")
    stores = "".join(f'{store} = "xep0227"; ' for store in ("accounts", "roster", "vcard", "private"))
    monkeypatch.setattr(prosody, "CONFIGURATION", f"{prosody.CONFIGURATION}\nstorage = {{{{ {stores} }}}}\n")
    folder = _new("prosody")
    asyncio.run(_furnish(prosody.PROSODY, folder))
    ran = chirrup("import", str(folder))
    assert (ran.status, ran.err) == (0, ""), ran.err

    async def look() -> None:
        async with serve(data=Path("data")) as server:
            certificate = Path("data/certificates/localhost.crt")
            alice = moving.client("alice", {"host": "127.0.0.1", "port": server.port(), "ca": certificate})
            asked = alice.presences(lambda presence: presence.type == "subscribe")
            async with alice:
                await moving.look_at_contacts(alice)
                await moving.look_at_card_and_private_xml(alice)
                assert (await anext(asked)).sender.text == "carol@localhost"

    asyncio.run(look())


def test_from_ejabberd(chirrup: Run) -> None:
    if ejabberd.version() is None:
        unavailable("ejabberd")
    folder = _new("ejabberd")
    asyncio.run(_furnish(ejabberd.EJABBERD, folder))
    exported = _export_ejabberd(folder)
    ran = chirrup("import", str(exported))
    assert (ran.status, ran.err) == (0, ""), ran.err
    assert "3 accounts imported" in ran.out and "2 waiting messages imported" in ran.out
    asyncio.run(_look(Path("data"), events=False, archive=False))


def _export_ejabberd(folder: Path) -> Path:
    """What `ejabberdctl export_piefxis` does, without Erlang's distribution."""
    out = folder / "exported"
    out.mkdir()
    environment = {
        **os.environ,
        "EJABBERD_CONFIG_PATH": str(folder / "ejabberd.yml"),
        "EJABBERD_LOG_PATH": str(folder / "export.log"),
        "EJABBERD_PID_PATH": str(folder / "export.pid"),
        "ERL_CRASH_DUMP": "/dev/null",
        "ERL_LIBS": next(str(found.parent) for found in Path("/usr/lib").glob("*/ejabberd-*")),
        "HOME": str(folder),
    }
    command = ["erl", "-noinput", "-mnesia", "dir", f'"{folder}/mnesia"', "-eval", _EXPORT.replace("FOLDER", str(out))]
    ran = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert any(out.iterdir()), ran.stdout + ran.stderr
    return out
