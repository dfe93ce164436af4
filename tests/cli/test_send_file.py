"""`chirrup send --file`, with a service that gives places and a web server that has them."""

from __future__ import annotations

import asyncio
import ssl
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from chirrup import Component
from chirrup.client.feature import Feature, Request
from chirrup.ext.upload import NS
from chirrup.ext.upload.payloads import Get, Put, Slot, SlotRequest
from chirrup.net import certificates
from chirrup.testing import PASSWORD, TestServer, serve

SECRET = "a secret of some length"


class Handler(BaseHTTPRequestHandler):
    def do_PUT(self) -> None:
        files: dict[str, bytes] = self.server.files  # type: ignore[attr-defined]
        files[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Any]:
    """A web server with TLS that keeps what is put there."""
    pair = certificates.make("localhost", tmp_path / "web", time.time())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.files, server.url = {}, f"https://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class Places(Feature):
    features = (NS,)


@asynccontextmanager
async def uploads(server: TestServer, url: str) -> AsyncIterator[None]:
    upload = Component("upload.localhost", secret=SECRET, port=server.port("component"), category="store", type="file")
    upload.need(Places)

    @upload.on_request(SlotRequest)
    def give(request: Request[SlotRequest]) -> Slot:
        place = f"{url}/{request.payload.filename}"
        return Slot(Put(place), Get(place))

    async with upload:
        yield


async def send(server: TestServer, *args: str) -> tuple[int | None, str]:
    """Its status, and what it says."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "chirrup.cli", "send", "bob@localhost", "--from", "alice@localhost", "--host",
        "127.0.0.1", "--port", str(server.port()), "--no-verify", *args,
        stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        env={"CHIRRUP_PASSWORD": PASSWORD, "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    async with asyncio.timeout(30):
        _, err = await process.communicate()
    return process.returncode, err.decode()


async def test_files_are_shared(web: Any, tmp_path: Path) -> None:
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_text("first")
    two.write_text("second")
    async with serve({"components": {"upload.localhost": {"secret": SECRET}}}) as server, uploads(server, web.url):
        await server.add_account("alice")
        bob = await server.client("bob", presence=True)
        assert await send(server, "-m", "look:", "--file", str(one), "-f", str(two)) == (0, "")
        messages = [await bob.receive() for _ in range(3)]
        assert [message.child_text("body") for message in messages] == [
            "look:", f"{web.url}/one.txt", f"{web.url}/two.txt",
        ]  # fmt: skip
        link = messages[1].child("x", "jabber:x:oob")
        assert link is not None and link.child_text("url") == f"{web.url}/one.txt"
        assert web.files == {"/one.txt": b"first", "/two.txt": b"second"}
        assert await send(server, "--file", str(one)) == (0, ""), "without a text"
        assert (await bob.receive()).child_text("body") == f"{web.url}/one.txt"


async def test_files_that_cannot_be_sent(tmp_path: Path) -> None:
    file = tmp_path / "one.txt"
    file.write_text("first")
    async with serve() as server:
        await server.add_account("alice")
        bob = await server.client("bob", presence=True)
        status, err = await send(server, "-m", "look:", "--file", str(file))
        assert (status, "no service for uploads" in err) == (1, True), err
        status, err = await send(server, "-m", "look:", "--file", str(tmp_path / "none.txt"))
        assert (status, err) == (1, f"chirrup: {tmp_path}/none.txt can't be read: No such file or directory\n")
        await bob.settle()
        assert not bob.received, "nothing was sent, where not all could be"
