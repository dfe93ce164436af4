"""Prints who of the account's contacts comes and goes.

CHIRRUP_JID=alice@localhost CHIRRUP_PASSWORD=… python examples/presence_watch.py
CHIRRUP_CA=data/certificates/localhost.crt names a certificate that the server has made itself.
"""

from __future__ import annotations

import asyncio
import os

from chirrup import Client, Presence
from chirrup.ext.roster.client import Roster


def line(presence: Presence, name: str) -> str:
    what = "is here" if presence.available else "has left"
    how = ", ".join(filter(None, (presence.show, presence.status)))
    return f"{name or presence.sender.bare} {what}" + (f" ({how})" if how else "")


async def watch(client: Client) -> None:
    """Until the client is closed."""
    roster = client.need(Roster)
    async for presence in client.presences(lambda presence: presence.type in ("available", "unavailable")):
        if presence.sender.bare != client.account:
            contact = roster.get(presence.sender)
            print(line(presence, contact.name if contact else ""), flush=True)


async def main() -> None:
    jid, password = os.environ["CHIRRUP_JID"], os.environ["CHIRRUP_PASSWORD"]
    client = Client(jid, password, ca=os.environ.get("CHIRRUP_CA"), features=[Roster])
    watching = asyncio.create_task(watch(client))
    async with client:
        await watching


if __name__ == "__main__":
    asyncio.run(main())
