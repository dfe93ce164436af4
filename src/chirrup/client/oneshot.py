"""`chirrup.send`: one message, without a client that stays."""

from __future__ import annotations

from typing import Any

from chirrup.client.client import Client
from chirrup.client.stanzas import Message
from chirrup.core.jid import JID
from chirrup.core.payload import Payload
from chirrup.core.xml import Element


async def send(
    jid: JID | str,
    password: str = "",
    *,
    to: JID | str,
    body: str,
    payloads: tuple[Payload | Element, ...] = (),
    **options: Any,
) -> None:
    """Log in, send one message, and leave. `options` are those of `Client`.

    Returns when the server has taken the message over; an error that it knew by then is raised as StanzaError, as is
    whatever keeps the client from connecting (AuthenticationError, NetworkError, StreamError). Nobody sees the account
    come or go, and nothing is left behind."""
    message = Message(to, body, *payloads)
    options = {"reconnect": False, "default_features": False, "available": False, **options}
    async with Client(jid, password, **options) as client:
        returned = client.messages(lambda came: came.type == "error" and came.id == message.id)
        await client.send(message)
        await client.settle()
        if len(returned):
            error = (await anext(returned)).error
            assert error is not None
            raise error
