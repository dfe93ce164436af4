"""`chirrup send`: one message, from the command line."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

from chirrup.cli.passwords import login_password
from chirrup.client.client import Client
from chirrup.client.stanzas import Message
from chirrup.core.errors import ChirrupError, StanzaError
from chirrup.core.jid import JID


def send(sender: str, to: Sequence[str], body: str | None, **options: Any) -> None:
    """Send it to each, and return when the server has taken it over. Raises ChirrupError where it couldn't be sent."""
    addresses = [JID(jid) for jid in to]
    password = login_password(sender, from_terminal=body is not None or sys.stdin.isatty())
    text = sys.stdin.read().rstrip("\n") if body is None else body
    if not text:
        raise ChirrupError("there is nothing to send")
    asyncio.run(_send(Client(sender, password, reconnect=False, available=False, **options), addresses, text))


async def _send(client: Client, to: Sequence[JID], text: str) -> None:
    async with client:
        messages = [Message(jid, text) for jid in to]
        errors = client.messages(lambda message: message.type == "error")
        for message in messages:
            await client.send(message)
        await client.settle()
        refused = [_reason(await anext(errors)) for _ in range(len(errors))]
    if refused:
        raise ChirrupError("\n".join(refused))


def _reason(message: Message) -> str:
    error = message.error
    assert isinstance(error, StanzaError)
    return f"{message.sender}: {error}"
