"""Files go to a small web server, by places that a component gives."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from chirrup import Component, StanzaError
from chirrup.client.feature import Feature, Request
from chirrup.core.errors import NetworkError
from chirrup.ext.disco.client import Disco
from chirrup.ext.forms.payloads import Field, Form
from chirrup.ext.oob.payloads import Link
from chirrup.ext.upload import NS
from chirrup.ext.upload.client import Uploads
from chirrup.ext.upload.payloads import Get, Header, Put, Slot, SlotRequest
from chirrup.testing import TestServer, serve

SECRET = "a secret of some length"


class Web(ThreadingHTTPServer):
    """Keeps what is put there."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.headers: list[tuple[str, str]] = []
        self.begun = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Web

    def do_PUT(self) -> None:
        self.server.begun.set()
        self.server.headers = list(self.headers.items())
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", self.server.url + "/file")
        else:
            self.server.files[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(507 if self.path == "/full" else 201)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def web() -> Iterator[Web]:
    server = Web()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class Places(Feature):
    """What service discovery tells."""

    features = (NS,)


@asynccontextmanager
async def service(server: TestServer, put: str, *headers: Header) -> AsyncIterator[list[SlotRequest]]:
    """Gives one place, to everybody, and notes who asked."""
    upload = Component("upload.localhost", secret=SECRET, port=server.port("component"), category="store", type="file")
    upload.need(Places)
    fields = (Field.of("FORM_TYPE", NS, "hidden"), Field.of("max-file-size", "1000000"))
    upload.need(Disco).add_form(Form("result", fields=fields))
    asked: list[SlotRequest] = []

    @upload.on_request(SlotRequest)
    def give(request: Request[SlotRequest]) -> Slot:
        if request.payload.filename == "refused":
            raise StanzaError("forbidden", "Only premium members are allowed to upload files")
        asked.append(request.payload)
        return Slot(Put(put, headers), Get("https://download.localhost/file"))

    async with upload:
        yield asked


SETTINGS = {"components": {"upload.localhost": {"secret": SECRET}}}


async def test_a_file(web: Web, tmp_path: Path) -> None:
    file = tmp_path / "très cool.jpg"
    file.write_bytes(bytes(range(256)) * 1000)
    headers = (
        Header("authorization", "Basic Base64\nString=="), Header("Cookie", "a=1"), Header("cookie", "b=2"),
        Header("Host", "forged"), Header("Content-Length", "1"), Header("X-Other", "x"),
    )  # fmt: skip
    async with (
        serve(SETTINGS) as server, service(server, web.url + "/file?a=b", *headers) as asked,
        await server.sdk("alice") as alice, await server.sdk("bob") as bob, asyncio.timeout(20),
    ):  # fmt: skip
        uploads, heard = alice.need(Uploads), bob.messages()
        uploads.insecure = True
        assert await uploads.upload(file) == "https://download.localhost/file"
        assert web.files["/file?a=b"] == file.read_bytes()
        assert asked == [SlotRequest("très cool.jpg", 256_000, "image/jpeg")]
        told = [(name, value) for name, value in web.headers if name not in ("Host", "Accept-Encoding")]
        assert told == [
            ("Content-Length", "256000"), ("Content-Type", "image/jpeg"), ("Authorization", "Basic Base64String=="),
            ("Cookie", "a=1"), ("Cookie", "b=2"),
        ]  # fmt: skip
        await uploads.share(bob.account, b"<p>Hi", "hi.html")
        message = await anext(heard)
        link = message.get(Link)
        assert link is not None
        assert message.body == link.url == "https://download.localhost/file"
        assert web.files["/file?a=b"] == b"<p>Hi"


async def test_what_is_refused(web: Web, tmp_path: Path) -> None:
    async with (
        serve(SETTINGS) as server, await server.sdk("alice") as alice, asyncio.timeout(20)
    ):  # fmt: skip
        uploads = alice.need(Uploads)
        with pytest.raises(StanzaError, match="no service for uploads"):
            await uploads.upload(b"x")
        async with service(server, web.url + "/file") as asked:
            with pytest.raises(NetworkError, match="isn't an https: one"):
                await uploads.upload(b"x")
            uploads.insecure = True
            with pytest.raises(StanzaError, match="premium"):
                await uploads.upload(b"x", "refused")
            asked.clear()
            with pytest.raises(StanzaError, match="1000000 are allowed"):
                await uploads.upload(b"x" * 1_000_001)
            assert asked == []
            with pytest.raises(FileNotFoundError):
                await uploads.upload(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("/full", "507"),
        ("/elsewhere", "302"),
        ("/a b", "is none"),
        ("file:///etc/passwd", "https"),
        ("http://127.0.0.1:1/", "127"),
    ],
)
async def test_web_servers_that_do_not_take_it(web: Web, place: str, said: str) -> None:
    url = web.url + place if place.startswith("/") else place
    async with (
        serve(SETTINGS) as server, service(server, url), await server.sdk("alice") as alice, asyncio.timeout(20)
    ):  # fmt: skip
        alice.need(Uploads).insecure = True
        with pytest.raises(NetworkError, match=said):
            await alice.need(Uploads).upload(b"x")


async def test_an_upload_can_be_broken_off(web: Web) -> None:
    """The web server takes nothing; the program doesn't have to wait for it."""
    silent = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with (
        serve(SETTINGS) as server, service(server, f"http://127.0.0.1:{port}/") as asked,
        await server.sdk("alice") as alice, asyncio.timeout(20),
    ):  # fmt: skip
        alice.need(Uploads).insecure = True
        uploading = asyncio.create_task(alice.need(Uploads).upload(b"x" * 900_000))
        while not asked:
            await alice.settle()
        uploading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await uploading
        await alice.settle()
    silent.close()
