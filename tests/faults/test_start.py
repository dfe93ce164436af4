"""What the server does when it finds its data in a bad way: it says so in one line, and touches nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.plugins.on_postgres import only_on_sqlite

pytestmark = only_on_sqlite


def one_line(text: str) -> str:
    assert text.startswith("chirrup: ") and text.count("\n") == 1, text
    return text


def test_a_second_server_on_the_same_data_is_refused_and_the_first_goes_on(server_process) -> None:
    server = server_process()
    server.start()
    line = one_line(server.refuses_to_start())
    assert f"another server (process {server.process.pid}) has it open" in line
    assert str(server.data / "chirrup.db") in line
    assert "localhost" in server.command("status")
    assert server.stop() == 0


def all_garbage(content: bytes) -> bytes:
    return b"no database " * 1000


def header_overwritten(content: bytes) -> bytes:
    return bytes(100) + content[100:]


def second_half_zeroed(content: bytes) -> bytes:
    half = len(content) // 2
    return content[:half] + bytes(len(content) - half)


def cut_off(content: bytes) -> bytes:
    return content[: len(content) // 3]


@pytest.mark.parametrize("damage", [all_garbage, header_overwritten, second_half_zeroed, cut_off])
def test_a_damaged_database_is_refused_and_left_as_it_is(server_process, damage: Callable[[bytes], bytes]) -> None:
    server = server_process()
    server.start()
    server.add_accounts("alice", "bob")
    assert server.stop() == 0
    database: Path = server.data / "chirrup.db"
    database.write_bytes(damage(database.read_bytes()))
    found = database.read_bytes()
    line = one_line(server.refuses_to_start())
    assert str(database) in line
    assert "restore a backup" in line
    assert database.read_bytes() == found
