"""Writes what an account's archive has as lines of JSON, the oldest first; of all conversations, or of one.

CHIRRUP_JID=alice@localhost CHIRRUP_PASSWORD=… python examples/archive_export.py [bob@localhost] > messages.jsonl
CHIRRUP_CA=data/certificates/localhost.crt names a certificate that the server has made itself.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator

from chirrup import ChirrupError, Client
from chirrup.ext.archive.client import Archive, Archived


def line(archived: Archived) -> str:
    message = archived.message
    told = {
        "id": archived.id,
        "time": archived.stamp.isoformat() if archived.stamp else None,
        "from": str(message.sender),
        "to": message.element.get("to"),
        "body": message.body,
    }
    return json.dumps(told, ensure_ascii=False)


async def export(client: Client, peer: str | None = None) -> AsyncIterator[str]:
    """A line for each message that has a text."""
    async for archived in client.need(Archive).messages(with_=peer, limit=200):
        if archived.message.body:
            yield line(archived)


async def main() -> None:
    jid, password = os.environ.get("CHIRRUP_JID", "alice@localhost"), os.environ.get("CHIRRUP_PASSWORD", "")
    peer = sys.argv[1] if len(sys.argv) > 1 else None
    async with Client(jid, password, ca=os.environ.get("CHIRRUP_CA"), available=False) as client:
        async for text in export(client, peer):
            print(text)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except ChirrupError as error:  # such as a wrong password, or no server
        sys.exit(f"archive_export: {error}")
