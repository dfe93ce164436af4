"""A client puts files where others can fetch them (XEP-0363)."""

from __future__ import annotations

import asyncio
import io
import mimetypes
import os
import ssl
from pathlib import Path
from typing import BinaryIO, Final

from chirrup.client.entity import Entity
from chirrup.client.feature import Feature
from chirrup.client.stanzas import Message
from chirrup.core.errors import ChirrupError, PayloadError, StanzaError
from chirrup.core.jid import JID
from chirrup.core.record import record
from chirrup.ext.disco.client import Disco
from chirrup.ext.disco.payloads import Info
from chirrup.ext.forms.payloads import Form
from chirrup.ext.oob.payloads import Link
from chirrup.ext.upload import ALLOWED_HEADERS, NS
from chirrup.ext.upload.payloads import Put, Slot, SlotRequest
from chirrup.ext.upload.put import Upload

_ALLOWED: Final = {name.lower(): name for name in ALLOWED_HEADERS}
_UNKNOWN_TYPE: Final = "application/octet-stream"


@record
class Service:
    """Who gives places for files."""

    jid: JID
    largest: int | None
    """Octets that a file may have, if it says."""


class Uploads(Feature):
    """Uploads files.

    url = await client.need(Uploads).upload(Path("holiday.jpg"))
    await client.need(Uploads).share("juliet@example.org", Path("holiday.jpg"))
    """

    xeps = ((363, "1.2.0", ""),)

    def __init__(self, entity: Entity) -> None:
        super().__init__(entity)
        self.insecure = False
        """Whether files go over HTTP without TLS, too: for tests."""
        self.context: ssl.SSLContext | None = None
        """How the web server's certificate is checked; by default as the system does."""
        self.seconds = 60.0
        """For how long the web server may be silent."""
        self._service: Service | None = None

    def session_ended(self) -> None:
        self._service = None

    async def service(self) -> Service | None:
        """The server's service for uploads; None if it has none."""
        if self._service is None:
            disco, host = self.need(Disco), self.entity.jid.host
            for jid in (host, *[item.jid for item in await disco.items(host) if item.node is None]):
                try:
                    info = await disco.info(jid)
                except (StanzaError, PayloadError):
                    continue
                if any(feature.var == NS for feature in info.features):
                    self._service = Service(jid, _largest(info))
                    break
        return self._service

    async def slot(self, filename: str, size: int, content_type: str = _UNKNOWN_TYPE) -> Slot:
        """A place for a file. Raises StanzaError: "item-not-found" where the server has no such service, else as that
        refuses, for one "not-acceptable" for a file that is too large."""
        service = await self.service()
        if service is None:
            raise StanzaError("item-not-found", f"{self.entity.jid.domain} has no service for uploads")
        if service.largest is not None and size > service.largest:
            raise StanzaError("not-acceptable", f"the file has {size} octets; {service.largest} are allowed")
        request = SlotRequest(filename, size, content_type)
        return await self.entity.request(request, to=service.jid, result=Slot)

    async def upload(self, file: Path | bytes, filename: str = "", content_type: str = "") -> str:
        """Upload a file, or octets; the address where it can be fetched. The filename is told to all who get the
        address.

        Raises StanzaError where there is no place for it, NetworkError, and OSError for a file that can't be read."""
        name = filename or (file.name if isinstance(file, Path) else "file")
        kind = content_type or mimetypes.guess_type(name)[0] or _UNKNOWN_TYPE
        opened = await asyncio.to_thread(_open, file)
        running: asyncio.Future[None] | None = None
        try:
            size = await asyncio.to_thread(_size, opened)
            slot = await self.slot(name, size, kind)
            upload = Upload(slot.put.url, _headers(slot.put), insecure=self.insecure, seconds=self.seconds)
            running = asyncio.ensure_future(asyncio.to_thread(upload.run, opened, size, kind, self.context))
            await asyncio.shield(running)
        finally:
            if running is None or running.done():
                opened.close()
            else:  # whoever waited was cancelled; the thread ends without anybody
                upload.stop()
                running.add_done_callback(lambda ended: _abandoned(ended, opened))
        return slot.get.url

    async def share(self, to: JID | str, file: Path | bytes, filename: str = "", content_type: str = "") -> Message:
        """Upload a file, and send somebody its address in a message, which clients show as the file (XEP-0066 §3).
        Raises as `upload` and `Entity.send` do."""
        url = await self.upload(file, filename, content_type)
        message = Message(to, url, Link(url))
        await self.entity.send(message)
        return message


def _abandoned(ended: asyncio.Future[None], opened: BinaryIO) -> None:
    opened.close()
    if not ended.cancelled():
        ended.exception()  # that it failed is what was wanted


def _open(file: Path | bytes) -> BinaryIO:
    return io.BytesIO(file) if isinstance(file, bytes) else file.open("rb")


def _size(file: BinaryIO) -> int:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size


def _largest(info: Info) -> int | None:
    for element in info.forms:
        try:
            form = Form.parse(element)
        except ChirrupError:
            continue
        value = form.values("max-file-size") if form.form_type == NS else ()
        if value and value[0].isascii() and value[0].isdigit() and len(value[0]) < 20:
            return int(value[0])
    return None


def _headers(put: Put) -> list[tuple[str, str]]:
    """Those that may be said (§5), without line breaks."""
    headers = [(_ALLOWED.get(_line(header.name).lower()), _line(header.value)) for header in put.headers]
    return [(name, value) for name, value in headers if name is not None]


def _line(text: str) -> str:
    return text.replace("\r", "").replace("\n", "").strip()
