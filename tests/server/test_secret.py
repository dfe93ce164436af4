"""The server's own secret, and what follows from it for who asks after accounts that don't exist."""

from __future__ import annotations

import pytest

from chirrup.core.errors import ConfigError
from chirrup.server.secret import load_secret
from chirrup.testing import serve


def test_it_is_made_once_and_for_its_owner_only(tmp_path):
    secret = load_secret(tmp_path)
    assert len(secret) == 32 and load_secret(tmp_path) == secret
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_no_two_are_the_same(tmp_path):
    (tmp_path / "other").mkdir()
    assert load_secret(tmp_path) != load_secret(tmp_path / "other")


def test_what_a_crash_left_is_no_secret(tmp_path):
    (tmp_path / "secret.new").write_bytes(b"half")
    assert len(load_secret(tmp_path)) == 32


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_a_file_that_is_none(tmp_path, content):
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(ConfigError, match=r"secret: should have 32 bytes"):
        load_secret(tmp_path)
    assert (tmp_path / "secret").read_bytes() == content


def test_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "secret").mkdir()
    with pytest.raises(ConfigError, match="can't be read"):
        load_secret(tmp_path)


def test_one_that_cannot_be_made(tmp_path):
    (tmp_path / "secret.new").mkdir()
    with pytest.raises(ConfigError, match="secret: can't be made: "):
        load_secret(tmp_path)


async def test_a_server_without_one_lets_go_of_its_store(tmp_path):
    (tmp_path / "secret").write_text("short")
    for _ in range(2):
        with pytest.raises(ConfigError, match="should have 32 bytes"):
            async with serve(data=tmp_path):
                pass
    (tmp_path / "secret").unlink()
    async with serve(data=tmp_path):
        pass


async def test_accounts_that_do_not_exist_look_the_same_after_a_restart(tmp_path):
    """Otherwise two log-ins, one before a restart and one after it, would tell who exists."""
    made_up = []
    for _ in range(2):
        async with serve(data=tmp_path) as server:
            credentials = server.server.credentials
            known = await credentials.look_up("localhost", "nobody")
            made_up.append(credentials.keys(known, "SHA-256"))
            assert known.barred is None
    assert made_up[0] == made_up[1]
