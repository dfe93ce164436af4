from __future__ import annotations

import contextlib
import io
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest
from tests.plugins.stores import stored

from chirrup.core.sasl import keys_match
from chirrup.server.admin import ASK_TIMEOUT
from chirrup.server.auth import ALGORITHMS, ITERATIONS

CONFIG = """
data = "data"
[hosts."example.org"]
[hosts."ö.example"]
[hosts."guests.example.org"]
authentication = "anonymous"
"""


@pytest.fixture(autouse=True)
def configured(elsewhere: Path) -> Path:
    file = elsewhere / "chirrup.toml"
    file.write_text(CONFIG)
    return file


def fits(local: str, password: str, host: str = "example.org") -> bool:
    keys = stored(lambda store: store.accounts.keys(host, local))
    assert set(keys) == set(ALGORITHMS)
    assert all(each.iterations == ITERATIONS >= 10_000 for each in keys.values())
    assert len({each.salt for each in keys.values()}) == len(ALGORITHMS)
    return all(keys_match(each, password) for each in keys.values())


def test_the_password_is_a_line_of_standard_input_when_there_is_no_terminal(chirrup: Any) -> None:
    ran = chirrup("user", "add", "Alice@Example.org", stdin="open sesame\nmore\n")
    assert (ran.status, ran.out) == (0, "alice@example.org is added\n")
    assert ran.err.startswith("making the data folder ")
    assert ran.err.count("\n") == 1
    assert fits("alice", "open sesame")
    assert not fits("alice", "sesame")


def test_only_keys_are_kept(chirrup: Any, elsewhere: Path) -> None:
    chirrup("user", "add", "alice@example.org", stdin="open sesame\n")
    kept = b"".join(file.read_bytes() for file in (elsewhere / "data").iterdir())
    assert b"alice" in kept
    assert b"sesame" not in kept


def test_nobody_else_may_look_into_the_data_folder(chirrup: Any, elsewhere: Path) -> None:
    chirrup("user", "add", "alice@example.org", stdin="x\n")
    assert stat.S_IMODE((elsewhere / "data").stat().st_mode) == 0o700


def test_a_password_is_prepared_by_opaque_string(chirrup: Any) -> None:
    chirrup("user", "add", "alice@ö.example", stdin="a\u00a0b\n")
    assert fits("alice", "a b", "ö.example")


def test_on_a_terminal_the_password_is_asked_for_twice(
    chirrup: Any, terminal: type[io.StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["one", "two", "three", "three"])
    prompts = []

    def getpass(prompt: str) -> str:
        prompts.append(prompt)
        return next(answers)

    monkeypatch.setattr("chirrup.cli.passwords.getpass", getpass)
    ran = chirrup("user", "add", "alice@example.org", stdin=terminal())
    assert prompts == ["Password for alice@example.org: ", "Once more: "] * 2
    assert ran.status == 0
    assert "not the same" in ran.err
    assert fits("alice", "three")


def test_a_password_on_the_command_line_is_warned_of(chirrup: Any) -> None:
    ran = chirrup("user", "add", "alice@example.org", "--password", "sesame")
    assert ran.status == 0
    assert "can be seen by other users" in ran.err
    assert "sesame" not in ran.out + ran.err
    assert fits("alice", "sesame")


@pytest.mark.parametrize(
    ("args", "stdin", "complaint"),
    [
        (["add", "bob@example.org"], "", "no password: there is no terminal to ask at, and nothing on standard input"),
        (["add", "bob@example.org"], "\n", "a password must not be empty"),
        (["add", "bob@example.org"], "a\x07b\n", "a password must not be empty, nor have control"),
        (["add", "bob@nowhere"], "x\n", "nowhere is not served here; the configuration has example.org, ö.example"),
        (["add", "bob@guests.example.org"], "x\n", "guests.example.org has no accounts"),
        (["add", "bob"], "x\n", "bob: an account's address is like alice@example.org"),
        (["add", "b@example.org/r"], "x\n", "b@example.org/r: an account's address is like alice@example.org"),
        (["add", "b b@example.org"], "x\n", "localpart"),
        (["add", "ann@example.org"], "x\n", "ann@example.org exists already; chirrup user passwd sets its password"),
        (["passwd", "bob@example.org"], "x\n", "there is no account bob@example.org"),
        (["remove", "bob@example.org", "--yes"], "", "there is no account bob@example.org"),
        (["remove", "ann@example.org"], "y\n", "there is no terminal to ask at; --yes goes without asking"),
        (["show", "bob@example.org"], "", "there is no account bob@example.org"),
        (["list", "nowhere"], "", "nowhere is not served here"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_nothing_else(
    chirrup: Any, args: list[str], stdin: str, complaint: str
) -> None:
    chirrup("user", "add", "ann@example.org", stdin="first\n")
    ran = chirrup("user", *args, stdin=stdin)
    assert ran.status == 1
    assert ran.err.startswith("chirrup: ")
    assert complaint in ran.err
    assert ran.err.count("\n") == 1
    assert stored(lambda store: store.accounts.names("example.org")) == ["ann"]
    assert fits("ann", "first")


def test_add_needs_an_address_or_a_file(chirrup: Any) -> None:
    assert chirrup("user", "add").status == 2
    assert chirrup("user", "add", "a@example.org", "--from", "x").status == 2
    assert chirrup("user", "add", "--password", "p", "--from", "x").status == 2


def test_a_new_password(chirrup: Any) -> None:
    chirrup("user", "add", "alice@example.org", stdin="old\n")
    ran = chirrup("user", "passwd", "alice@example.org", stdin="new\n")
    assert (ran.status, ran.out) == (0, "alice@example.org has a new password\n")
    assert fits("alice", "new")
    assert not fits("alice", "old")


def test_removing_asks_first(chirrup: Any, terminal: type[io.StringIO]) -> None:
    chirrup("user", "add", "alice@example.org", stdin="x\n")
    ran = chirrup("user", "remove", "alice@example.org", stdin=terminal("\n"))
    assert (ran.status, ran.err) == (1, "chirrup: alice@example.org stays\n")
    assert stored(lambda store: store.accounts.names("example.org")) == ["alice"]
    ran = chirrup("user", "remove", "alice@example.org", stdin=terminal("y\n"))
    assert (ran.status, ran.err) == (0, "")
    assert stored(lambda store: store.accounts.names("example.org")) == []


def test_a_server_that_takes_long_to_remove_is_waited_for(chirrup: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    def tell(_socket: Path, _command: str, *, timeout: float = ASK_TIMEOUT, **_args: object) -> tuple[bool, bool]:
        waited.append(timeout)
        return True, True

    monkeypatch.setattr("chirrup.cli.accounts.tell", tell)
    assert chirrup("user", "remove", "alice@example.org", "--yes").status == 0
    assert waited[0] > 10 * ASK_TIMEOUT


def test_looking_at_accounts(chirrup: Any) -> None:
    for jid in ("carl@example.org", "ann@example.org", "ann@ö.example"):
        chirrup("user", "add", jid, stdin="x\n")
    assert chirrup("user", "list").out == "ann@example.org\ncarl@example.org\nann@ö.example\n"
    assert chirrup("user", "list", "Ö.example").out == "ann@ö.example\n"
    shown = chirrup("user", "show", "ann@example.org").out
    assert "last log-in  never\n" in shown
    assert "SCRAM-SHA-256" in shown


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_root_works_as_the_owner_of_the_data_folder(chirrup: Any) -> None:
    chirrup("user", "list")  # imports all, from where somebody else may not be allowed to read
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        os.chown(data, 4711, 4711)
        child = os.fork()
        if child == 0:  # giving up root's rights is for good
            status = 1
            with contextlib.suppress(BaseException):
                status = chirrup("user", "add", "alice@example.org", "--data", folder, stdin="x\n").status
            os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        assert {file.stat().st_uid for file in data.iterdir()} == {4711}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_who_may_look_neither_here_nor_into_the_data_folder_is_told_who_may(chirrup: Any) -> None:
    chirrup("user", "list")  # imports all, from where somebody else may not be allowed to read
    with tempfile.TemporaryDirectory() as folder:
        child = os.fork()
        if child == 0:
            said = ""
            with contextlib.suppress(BaseException):
                os.setuid(4711)
                said = chirrup("user", "list", "--data", folder).err
            os._exit("run as the folder's owner" not in said)
        assert os.waitpid(child, 0)[1] == 0
