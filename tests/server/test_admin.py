from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from chirrup.core.errors import ChirrupError
from chirrup.server import admin
from chirrup.server.admin import MAX_REQUEST, AdminSocket, ask, tell


async def greet(name: str, loud: bool = False) -> str:
    return f"hello {name}" + ("!" if loud else "")


async def refuse() -> None:
    raise ChirrupError("not today")


async def fail() -> None:
    raise RuntimeError("inner workings")


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    server = AdminSocket(tmp_path / "admin.sock", {"greet": greet, "refuse": refuse, "fail": fail}, patience=0.2)
    await server.start()
    yield server.path
    await server.stop()


async def asked(path: Path, command: str, **args: object) -> Any:
    return await asyncio.to_thread(ask, path, command, **args)


async def raw(path: Path, data: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(data)
    answer = await reader.read()
    writer.close()
    return answer


async def test_commands_are_answered(path: Path) -> None:
    assert await asked(path, "greet", name="ann") == "hello ann"
    assert await asked(path, "greet", name="ann", loud=True) == "hello ann!"
    assert await asyncio.to_thread(tell, path, "greet", name="bob") == (True, "hello bob")


@pytest.mark.parametrize(
    ("command", "args", "message"),
    [
        ("refuse", {}, "not today"),
        ("fail", {}, "the server failed to do that; its log says why"),
        ("dance", {}, "the server knows no command 'dance'; is it of another version?"),
        ("greet", {}, "greet: missing a required argument: 'name'"),
        ("greet", {"name": "x", "soft": 1}, "greet: got an unexpected keyword argument 'soft'"),
    ],
)
async def test_what_cannot_be_done_is_said(path: Path, command: str, args: dict[str, Any], message: str) -> None:
    with pytest.raises(ChirrupError) as caught:
        await asked(path, command, **args)
    assert str(caught.value) == message
    assert await asked(path, "greet", name="still here") == "hello still here"


async def test_a_fault_of_ours_is_in_the_log(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ChirrupError):
        await asked(path, "fail")
    assert "inner workings" in caplog.text


@pytest.mark.parametrize(
    "request_line",
    [b"hello", b"[]", b"3", b"{}", b'{"command": []}', b"\xff", b'{"command": "greet", "args": 3}'],
)
async def test_what_is_no_request_is_refused(path: Path, request_line: bytes) -> None:
    assert "error" in json.loads(await raw(path, request_line + b"\n"))


async def test_requests_are_bounded_in_size_and_time(path: Path) -> None:
    assert b"too long" in await raw(path, b"x" * (MAX_REQUEST * 2))
    assert await raw(path, b'{"command": ') == b""


async def test_only_the_owner_may_open_it(path: Path) -> None:
    assert stat.S_IMODE((await asyncio.to_thread(path.stat)).st_mode) == 0o600


async def test_users_other_than_the_owner_and_root_get_no_answer(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "_CREDENTIALS", _Credentials(user=4711))
    with pytest.raises(ChirrupError, match="hung up"):
        await asked(path, "greet", name="mallory")
    monkeypatch.setattr(admin, "_CREDENTIALS", _Credentials(user=os.geteuid()))
    assert await asked(path, "greet", name="ann") == "hello ann"


class _Credentials:
    """Says of every peer that it is of one user."""

    size = 12

    def __init__(self, user: int) -> None:
        self.user = user

    def unpack(self, data: bytes) -> tuple[int, int, int]:
        assert len(data) == self.size
        return (1, self.user, 1)


async def test_no_server(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    with pytest.raises(ChirrupError, match=f"^no server runs with this data folder: {tmp_path}$"):
        ask(path, "status")
    assert tell(path, "status") == (False, None)
    assert tell(tmp_path / "none" / "admin.sock", "status") == (False, None)
    assert tell(tmp_path / ("n" * 120) / "admin.sock", "status") == (False, None)


async def test_a_second_server_is_refused_and_the_first_goes_on(path: Path) -> None:
    with pytest.raises(ChirrupError, match="another server runs with this data folder"):
        await AdminSocket(path, {}).start()
    assert await asked(path, "greet", name="ann") == "hello ann"


async def test_a_socket_left_by_a_killed_server_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    assert tell(path, "greet", name="ann") == (False, None)
    server = AdminSocket(path, {"greet": greet})
    await server.start()
    assert await asked(path, "greet", name="ann") == "hello ann"
    await server.stop()
    await server.stop()
    assert not path.exists()


async def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    path.write_text("precious")
    with pytest.raises(ChirrupError, match="is in the way"):
        await AdminSocket(path, {}).start()
    assert path.read_text() == "precious"


async def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ChirrupError, match="No such file or directory"):
        await AdminSocket(tmp_path / "none" / "admin.sock", {}).start()


async def test_a_folder_with_a_long_name(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 120) / "admin.sock"
    path.parent.mkdir()
    server = AdminSocket(path, {"greet": greet})
    await server.start()
    assert await asked(path, "greet", name="ann") == "hello ann"
    await server.stop()
    assert not path.exists()


async def test_answers_being_made_are_given_before_it_stops(tmp_path: Path) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> str:
        begun.set()
        await go_on.wait()
        return "done"

    server = AdminSocket(tmp_path / "admin.sock", {"slow": slow})
    await server.start()
    asking = asyncio.create_task(asked(server.path, "slow"))
    await begun.wait()
    stopping = asyncio.create_task(server.stop())
    await asyncio.sleep(0)
    go_on.set()
    assert await asking == "done"
    await stopping
