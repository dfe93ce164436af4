"""What can happen to a database file: each has its own error, in a line that says what to do."""

# ruff: noqa: ASYNC240 - these loops have nothing else to do

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import stat
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chirrup.core.errors import StoreDamaged, StoreError, StoreFull, StoreLocked
from chirrup.store import Connection, Store
from chirrup.store.message_rows import Range

ALICE = "alice@example.org"
Opener = Callable[..., Awaitable[Store]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "chirrup.db"


async def fill(store: Store, count: int, size: int = 1000) -> None:
    for number in range(count):
        store.log("offline").append(ALICE, f"{number} ".ljust(size, "x"), stamp=1.0)
    await store.settled()


def one_line(error: pytest.ExceptionInfo[StoreError]) -> str:
    line = str(error.value)
    assert "\n" not in line
    return line


# -- the file


async def test_the_file_is_its_owners_alone(file: Path, open_store: Opener) -> None:
    store = await open_store(file, exclusive=True)
    await fill(store, 1)
    files = sorted(file.parent.iterdir())
    assert [path.name for path in files] == ["chirrup.db", "chirrup.db-shm", "chirrup.db-wal", "chirrup.db.lock"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


@pytest.mark.parametrize("name", ["with space %20?mode=ro#x.db", "ünïcode.db"])
async def test_a_path_is_taken_as_it_is(tmp_path: Path, open_store: Opener, name: str) -> None:
    store = await open_store(f"sqlite:///{tmp_path / name}")
    await store.close()
    assert (tmp_path / name).stat().st_size > 0


async def test_a_relative_path(tmp_path: Path, open_store: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    await open_store("sqlite:///relative.db")
    assert (tmp_path / "relative.db").exists()


async def test_settings_that_durability_rests_on(file: Path, open_store: Opener) -> None:
    store = await open_store(file)

    def pragmas(connection: Connection) -> list[object]:
        names = "journal_mode", "synchronous", "foreign_keys"
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    assert await store.submit(pragmas) == ["wal", 2, 1]


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "mysql://root@localhost/chirrup", "postgresql://host:x/y"])
async def test_an_address_that_names_no_database(url: str, open_store: Opener) -> None:
    with pytest.raises(StoreError, match="postgresql://user:password@host/database"):
        await open_store(url)


async def test_a_folder_that_is_not_there(tmp_path: Path, open_store: Opener) -> None:
    with pytest.raises(StoreError, match=r"nowhere: no such folder: create it") as caught:
        await open_store(tmp_path / "nowhere" / "chirrup.db")
    one_line(caught)


async def test_a_folder_in_place_of_the_file(tmp_path: Path, open_store: Opener) -> None:
    with pytest.raises(StoreError, match="is a folder"):
        await open_store(tmp_path)


@contextmanager
def nobody() -> Iterator[None]:
    """Root may write everywhere, so it is somebody else in here."""
    if os.geteuid() != 0:
        yield
        return
    os.setresgid(65534, 65534, 0)
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)


async def test_what_may_not_be_written(open_store: Opener) -> None:
    folder = Path(tempfile.mkdtemp(prefix="chirrup-"))
    try:
        file = folder / "chirrup.db"
        await (await open_store(file, exclusive=True)).close()
        folder.chmod(0o555)
        with nobody(), pytest.raises(StoreError, match="no permission to write: run as the folder's owner") as caught:
            await open_store(file)
        assert str(folder) in one_line(caught)
        folder.chmod(0o777)
        file.chmod(0o444)
        with nobody(), pytest.raises(StoreError, match=r"chirrup\.db: no permission: make the file belong") as caught:
            await open_store(file)
        one_line(caught)
        file.chmod(0o666)
        (folder / "chirrup.db.lock").chmod(0o400)
        with nobody(), pytest.raises(StoreError, match=r"chirrup\.db\.lock: Permission denied") as caught:
            await open_store(file, exclusive=True)
        one_line(caught)
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)


# -- locked


async def test_a_second_server_is_told_who_has_it(file: Path, open_store: Opener) -> None:
    first = await open_store(file, exclusive=True)
    with pytest.raises(StoreLocked) as caught:
        await open_store(file, exclusive=True)
    assert f"{file}: another server (process {os.getpid()}) has it open" in one_line(caught)
    await first.value("a").set(ALICE, "1")
    await first.close()
    assert await (await open_store(file, exclusive=True)).value("a").get(ALICE) == "1"


async def test_a_command_works_beside_the_server(file: Path, open_store: Opener) -> None:
    server = await open_store(file, exclusive=True)
    command = await open_store(file)
    await command.accounts.create("example.org", "alice", [], created=1.0)
    await command.close()
    assert await server.accounts.exists("example.org", "alice")
    await server.value("a").set(ALICE, "1")


async def test_a_backup_is_made_while_the_server_writes(file: Path, tmp_path: Path, open_store: Opener) -> None:
    """As docs/how-to/operate.md has it; and archives can be searched in the copy."""
    server = await open_store(file, exclusive=True)
    messages = server.messages
    for number in range(300):
        value = f"<message><body>one of {number}</body></message>"
        await messages.add((ALICE, messages.next_id(1.0), "bob@example.org", "", value, True, False))
    while not await messages.index(ALICE):
        pass
    copy = tmp_path / "copy.db"
    making = asyncio.create_task(asyncio.to_thread(back_up, file, copy))
    written = 0
    while not making.done():
        await server.value("a").set(ALICE, str(written))
        written += 1
    await making
    assert written
    restored = await open_store(copy, exclusive=True)
    found = await restored.messages.page(ALICE, Range(text="299"), limit=10)
    assert ["one of 299" in message.value for message in found] == [True]
    assert await restored.messages.index(ALICE)
    await restored.value("a").set(ALICE, "after")


def back_up(file: Path, copy: Path) -> None:
    connection = sqlite3.connect(file)
    connection.execute("VACUUM INTO ?", (str(copy),))
    connection.close()


async def test_a_lock_file_left_behind_is_no_lock(file: Path, open_store: Opener) -> None:
    file.with_name("chirrup.db.lock").write_text("1\n")
    await open_store(file, exclusive=True)
    assert file.with_name("chirrup.db.lock").read_text() == f"{os.getpid()}\n"


async def test_another_program_that_keeps_writing(
    file: Path, open_store: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chirrup.store.sqlite.SERVER_PATIENCE", 0.1)
    store = await open_store(file, exclusive=True)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    group = [store.value("a").set(ALICE, "1"), store.log("b").append(ALICE, "2", stamp=1.0)]
    await store.settled()
    assert all(isinstance(future.exception(), StoreLocked) for future in group)
    assert not store.health().healthy
    assert await store.value("a").get(ALICE) is None  # queries go on meanwhile
    other.execute("ROLLBACK")
    other.close()
    await store.value("a").set(ALICE, "3")
    assert store.health().healthy


# -- damaged


@pytest.mark.parametrize("exclusive", [True, False])
async def test_a_file_that_is_no_database(file: Path, open_store: Opener, exclusive: bool) -> None:
    file.write_text("Dear diary, " * 1000)
    with pytest.raises(StoreDamaged, match="file is not a database: restore a backup") as caught:
        await open_store(file, exclusive=exclusive)
    assert str(file) in one_line(caught)
    assert file.read_text() == "Dear diary, " * 1000


@pytest.mark.parametrize("exclusive", [True, False])
async def test_a_file_that_was_cut_off(file: Path, open_store: Opener, exclusive: bool) -> None:
    store = await open_store(file)
    await fill(store, 200)
    await store.close()
    os.truncate(file, file.stat().st_size // 4096 // 2 * 4096)
    before = file.read_bytes()
    with pytest.raises(StoreDamaged, match="restore a backup"):
        await open_store(file, exclusive=exclusive)
    assert file.read_bytes() == before


async def test_a_page_that_was_overwritten(file: Path, open_store: Opener) -> None:
    store = await open_store(file)
    await fill(store, 2000)
    await store.close()
    size = file.stat().st_size
    with file.open("r+b") as raw:
        raw.seek(size // 8192 * 4096)
        raw.write(os.urandom(size // 4))
    with pytest.raises(StoreDamaged, match="restore a backup") as caught:
        await open_store(file, exclusive=True)
    one_line(caught)
    # A command doesn't look at every page; it meets the damage when it reads there.
    store = await open_store(file)
    with pytest.raises(StoreDamaged, match="restore a backup") as caught:
        await store.log("offline").read(ALICE, limit=5000)
    one_line(caught)
    assert store.health().last_error == str(caught.value)


# -- full


async def check_full_and_freed(store: Store, free: Callable[[], Awaitable[object]]) -> None:
    """Fill the disk, then make room: only what was acknowledged is there, and storing goes on."""
    log = store.log("offline")
    stored = 0
    for _ in range(200):
        group = [log.append(ALICE, "x" * 20_000, stamp=1.0) for _ in range(5)]
        await store.settled()
        failed = [future for future in group if future.exception() is not None]
        if failed:
            break
        stored += len(group)
    assert len(failed) == len(group), "a group is stored whole or not at all"
    assert all(isinstance(future.exception(), StoreFull) for future in failed)
    assert "no room left" in str(failed[0].exception())
    assert await log.count(ALICE) == stored > 0
    assert not store.health().healthy, "that queries go on makes nothing better"
    await free()
    assert await log.append(ALICE, "x" * 20_000, stamp=1.0) > stored
    assert await log.count(ALICE) == stored + 1
    assert store.health().healthy


async def test_a_file_that_may_not_grow(file: Path, open_store: Opener) -> None:
    store = await open_store(file, exclusive=True)
    await store.submit(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count = 400"))
    # After the fault the writer works on a connection of its own making, without this limit.
    await check_full_and_freed(store, lambda: asyncio.sleep(0))


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "none", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount the tiny file system that this fills")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


async def test_a_full_disk(tiny_disk: Path, open_store: Opener) -> None:
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(bytes(2**19))
    store = await open_store(tiny_disk / "chirrup.db", exclusive=True)
    await check_full_and_freed(store, lambda: asyncio.to_thread(ballast.unlink))
    stored = await store.log("offline").count(ALICE)
    await store.close()
    store = await open_store(tiny_disk / "chirrup.db", exclusive=True)
    assert await store.log("offline").count(ALICE) == stored


async def test_a_disk_that_is_full_from_the_start(tiny_disk: Path, open_store: Opener) -> None:
    with (tiny_disk / "ballast").open("wb", buffering=0) as ballast, pytest.raises(OSError, match="No space"):
        while True:
            ballast.write(bytes(4096))
    with pytest.raises(StoreFull, match="no room left on the disk: free some") as caught:
        await open_store(tiny_disk / "chirrup.db", exclusive=True)
    one_line(caught)
    (tiny_disk / "ballast").unlink()
    await open_store(tiny_disk / "chirrup.db", exclusive=True)
