"""`chirrup send`: one message, with files if need be, from the command line."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chirrup.cli.passwords import login_password
from chirrup.client.client import Client
from chirrup.client.stanzas import Message
from chirrup.core.errors import ChirrupError, StanzaError
from chirrup.core.jid import JID
from chirrup.net.tls import client_context


def send(
    sender: str,
    to: Sequence[str],
    body: str | None,
    files: Sequence[Path] = (),
    *,
    ca: Path | None,
    verify: bool,
    **options: Any,
) -> None:
    """Send it to each, and return when the server has taken it over. Raises ChirrupError where it couldn't be sent."""
    addresses = [JID(jid) for jid in to]
    for file in files:
        _check(file)
    asked = body is None and not files
    password = login_password(sender, from_terminal=not asked or sys.stdin.isatty())
    text = sys.stdin.read().rstrip("\n") if asked else body
    if not text and not files:
        raise ChirrupError("there is nothing to send")
    client = Client(sender, password, reconnect=False, available=False, ca=ca, verify=verify, **options)
    asyncio.run(_send(client, addresses, text or "", files, ca, verify=verify))


def _check(file: Path) -> None:
    """Raises ChirrupError for a file that can't be sent, before anything is."""
    try:
        with file.open("rb"):
            pass
    except OSError as error:
        raise ChirrupError(f"{file} can't be read: {error.strerror}") from None


async def _send(
    client: Client, to: Sequence[JID], text: str, files: Sequence[Path], ca: Path | None, *, verify: bool
) -> None:
    async with client:
        messages = [Message(jid, text) for jid in to] if text else []
        for file in files:
            messages += await _uploaded(client, to, file, ca, verify=verify)
        errors = client.messages(lambda message: message.type == "error")
        for message in messages:
            await client.send(message)
        await client.settle()
        refused = [_reason(await anext(errors)) for _ in range(len(errors))]
    if refused:
        raise ChirrupError("\n".join(dict.fromkeys(refused)))


async def _uploaded(client: Client, to: Sequence[JID], file: Path, ca: Path | None, *, verify: bool) -> list[Message]:
    """Put a file where it can be fetched, and the messages that say where. The web server is trusted as the XMPP
    server is."""
    from chirrup.ext.oob.payloads import Link
    from chirrup.ext.upload.client import Uploads

    uploads = client.need(Uploads)
    if uploads.context is None:
        uploads.context = await asyncio.to_thread(client_context, ca=ca, verify=verify, alpn=("http/1.1",))
    try:
        url = await uploads.upload(file)
    except ChirrupError as error:
        raise ChirrupError(f"{file}: {error}") from error
    return [Message(jid, url, Link(url)) for jid in to]


def _reason(message: Message) -> str:
    error = message.error
    assert isinstance(error, StanzaError)
    return f"{message.sender}: {error}"
