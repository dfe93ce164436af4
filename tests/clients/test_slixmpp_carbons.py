"""A conversation on two devices, both of them slixmpp."""

from __future__ import annotations

import asyncio
from typing import Any

TIMEOUT = 20.0


async def test_two_devices(online: Any) -> None:
    erin, frank, tablet = await online("erin"), await online("frank"), await online("frank")
    copies: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
    tablet.register_plugin("xep_0280")
    tablet.add_event_handler("carbon_sent", lambda copy: copies.put_nowait(("sent", copy["carbon_sent"])))
    tablet.add_event_handler("carbon_received", lambda copy: copies.put_nowait(("received", copy["carbon_received"])))
    await tablet.plugin["xep_0280"].enable()

    async with asyncio.timeout(TIMEOUT):
        frank.send_message("erin@localhost", "which light breaks?", mtype="chat")
        await erin.next("message")
        kind, copy = await copies.get()
        assert (kind, copy["body"], copy["from"]) == ("sent", "which light breaks?", frank.boundjid)

        erin.send_message(frank.boundjid, "it is the east", mtype="chat")
        await frank.next("message")
        kind, copy = await copies.get()
        assert (kind, copy["body"], copy["from"]) == ("received", "it is the east", erin.boundjid)

        await tablet.plugin["xep_0280"].disable()
        erin.send_message(frank.boundjid, "and Juliet is the sun", mtype="chat")
        await frank.next("message")
        await tablet.plugin["xep_0199"].ping("localhost")
        assert copies.empty()
