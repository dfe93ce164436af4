from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.plugins.stores import stored

from chirrup.cli import bulk
from chirrup.core.sasl import keys_match


@pytest.fixture(autouse=True)
def configured(elsewhere: Path) -> None:
    (elsewhere / "chirrup.toml").write_text('data = "data"\n[hosts."a.org"]\n[hosts."b.org"]\n')


def fits(host: str, local: str, password: str) -> bool:
    keys = stored(lambda store: store.accounts.keys(host, local))
    return keys_match(keys["SHA-1"], password)


def test_csv_and_json_lines(chirrup: Any, elsewhere: Path) -> None:
    lines = [
        "jid,password",
        "Ann@a.org,one",
        'bob@b.org,"t,""wo"',
        json.dumps({"jid": "carl@a.org", "password": "dreizehn ☃"}),
        "",
    ]
    (elsewhere / "users").write_text("\r\n".join(lines), encoding="utf-8-sig")
    ran = chirrup("user", "add", "--from", "users")
    assert (ran.status, ran.out) == (0, "3 added, 0 existed already, 0 lines left out\n")
    assert fits("a.org", "ann", "one")
    assert fits("b.org", "bob", 't,"wo')


def test_standard_input(chirrup: Any) -> None:
    assert chirrup("user", "add", "--from", "-", stdin="ann@a.org,one\n").status == 0
    assert fits("a.org", "ann", "one")


def test_bad_lines_are_told_with_their_numbers_and_the_others_are_added(chirrup: Any, elsewhere: Path) -> None:
    chirrup("user", "add", "ann@a.org", stdin="first\n")
    (elsewhere / "users").write_text(
        "ann@a.org,second\nbob@a.org\nbob@c.org,x\n\nbob@a.org,\n@,x\n[1]\n{]\n"
        '{"jid": 1, "password": "x"}\ncarl@a.org,sesame\nCarl@a.org,other\n'
    )
    ran = chirrup("user", "add", "--from", "users")
    assert ran.status == 1
    assert ran.out == "1 added, 1 existed already, 8 lines left out\n"
    assert [int(line.split(":")[2]) for line in ran.err.splitlines()] == [2, 3, 5, 6, 7, 8, 9, 11]
    assert "carl@a.org is in line 10 already" in ran.err
    assert "sesame" not in ran.out + ran.err
    assert fits("a.org", "ann", "first")
    assert fits("a.org", "carl", "sesame")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"nonsense\n", "users: no account could be read from it"),
        (b"", "users: it is empty"),
        (b"ann@a.org,x\nb\xfc@a.org,x\n", "users:2: is not in UTF-8"),
    ],
)
def test_files_without_use(chirrup: Any, elsewhere: Path, content: bytes, complaint: str) -> None:
    (elsewhere / "users").write_bytes(content)
    ran = chirrup("user", "add", "--from", "users")
    assert ran.status == 1
    assert ran.err.endswith(f"chirrup: {complaint}\n")
    assert not (elsewhere / "data").exists()


def test_a_file_that_is_not_there(chirrup: Any) -> None:
    ran = chirrup("user", "add", "--from", "users")
    assert (ran.status, ran.err) == (1, "chirrup: users: No such file or directory\n")


def test_many_bad_lines_do_not_flood_the_terminal(chirrup: Any, elsewhere: Path) -> None:
    (elsewhere / "users").write_text("bad\n" * 500)
    ran = chirrup("user", "add", "--from", "users")
    assert len(ran.err.splitlines()) < 30
    assert "and 480 more lines like these" in ran.err


def test_more_than_a_batch(chirrup: Any, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "BATCH", 3)
    (elsewhere / "users").write_text("".join(f"u{n}@{host},pw{n}\n" for n in range(5) for host in ("a.org", "b.org")))
    assert chirrup("user", "add", "--from", "users").out.startswith("10 added")
    assert stored(lambda store: store.accounts.count("b.org")) == 5
    assert fits("b.org", "u4", "pw4")
