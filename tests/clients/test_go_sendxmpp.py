"""Messages from the command line: go-sendxmpp, which trusts the server's self-made certificate and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.needs("go-sendxmpp")


@pytest.fixture
def send(server: Any, tmp_path: Path) -> Callable[..., Awaitable[tuple[int, str]]]:
    """Sends a message from alice; the exit status, and what the program had to say."""

    async def run(text: str, to: str, *options: str, password: str = "secret", trust: Path | None = None) -> Any:
        port = server.direct_tls_port if "--tls" in options else server.port
        process = await asyncio.create_subprocess_exec(
            "go-sendxmpp", "-u", "alice@localhost", "-p", password, "-j", f"localhost:{port}", *options, to,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env={"HOME": str(tmp_path), "SSL_CERT_FILE": str(trust or server.certificate)},
        )  # fmt: skip
        async with asyncio.timeout(20):
            out, _ = await process.communicate(text.encode())
        return process.returncode, out.decode()

    return run


@pytest.mark.parametrize("options", [(), ("--tls",)], ids=["STARTTLS", "direct TLS"])
async def test_to_somebody_who_is_there(send: Any, online: Any, options: tuple[str, ...]) -> None:
    bob = await online("bob")
    assert await send("hello bob", "bob@localhost", *options) == (0, "")
    said = await bob.next("message")
    assert said["from"].bare == "alice@localhost"
    assert said["body"].strip() == "hello bob"


async def test_to_somebody_who_is_not_there(send: Any, online: Any) -> None:
    for text in ("first", "second"):
        assert await send(text, "carol@localhost") == (0, "")
    carol = await online("carol")
    for text in ("first", "second"):
        said = await carol.next("message")
        assert said["body"].strip() == text
        assert said["delay"]["stamp"]


async def test_a_certificate_that_is_not_trusted(send: Any, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    status, said = await send("hello", "bob@localhost", trust=tmp_path / "empty.pem")
    assert status == 1
    assert "certificate" in said


async def test_a_wrong_password(send: Any, server: Any) -> None:
    status, said = await send("hello", "bob@localhost", password="wrong")
    assert status == 1
    assert "not-authorized" in said, said
    (complaint,) = server.complaints
    assert " log-in failed " in complaint
    assert " user=alice " in complaint
    server.forget_log()
