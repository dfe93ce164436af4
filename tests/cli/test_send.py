from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chirrup.testing import serve


@pytest.fixture
def server() -> Iterator[tuple[int, list[str], Callable[[], None]]]:
    """A server in a thread of its own: its port, what bob gets there, and a function that waits for one message."""
    ready, done = threading.Event(), threading.Event()
    got: list[str] = []
    came = threading.Semaphore(0)
    port: list[int] = []

    async def run() -> None:
        async with serve() as running:
            await running.add_account("alice", "secret")
            bob = await running.client("bob", presence=True)
            port.append(running.port())
            ready.set()

            async def receive() -> None:
                while True:
                    stanza = await bob.receive()
                    if stanza.name == "message":
                        got.append(stanza.child_text("body"))
                        came.release()

            receiving = asyncio.create_task(receive())
            await asyncio.to_thread(done.wait, 30)
            receiving.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    assert ready.wait(30)

    def wait() -> None:
        assert came.acquire(timeout=30)

    yield port[0], got, wait
    done.set()
    thread.join()


@pytest.fixture
def options(server: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("CHIRRUP_PASSWORD", "secret")
    return ["--from", "alice@localhost", "--host", "127.0.0.1", "--port", str(server[0]), "--no-verify"]


def test_a_message_is_sent(chirrup: Callable[..., Any], server: Any, options: list[str]) -> None:
    assert chirrup("send", "bob@localhost", "-m", "hello", *options).status == 0
    server[2]()
    assert chirrup("send", "bob@localhost", *options, stdin="from a pipe\nof two lines\n").status == 0
    server[2]()
    assert chirrup("send", "bob@localhost", "-m", "unbound", "--no-channel-binding", *options).status == 0
    server[2]()
    assert server[1] == ["hello", "from a pipe\nof two lines", "unbound"]


def test_what_cannot_be_sent(chirrup: Callable[..., Any], options: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    ran = chirrup("send", "nobody@localhost", "bob@localhost", "-m", "hello", *options)
    assert (ran.status, ran.err) == (1, "chirrup: nobody@localhost: service-unavailable\n")
    assert chirrup("send", "@", "-m", "hello", *options).status == 1
    assert "nothing to send" in chirrup("send", "bob@localhost", *options, stdin="").err
    monkeypatch.setenv("CHIRRUP_PASSWORD", "swordfish")
    ran = chirrup("send", "bob@localhost", "-m", "hello", *options)
    assert ran.status == 1
    assert "alice@localhost" in ran.err
    assert "swordfish" not in ran.err
    monkeypatch.delenv("CHIRRUP_PASSWORD")
    assert "CHIRRUP_PASSWORD" in chirrup("send", "bob@localhost", *options, stdin="hello").err
