"""An echo for a whole domain: whatever address of echo.localhost is written to, it answers.

The server's chirrup.toml has to know it:

    [components."echo.localhost"]
    secret = "eight characters or more"

    CHIRRUP_SECRET=… python examples/echo_component.py
"""

from __future__ import annotations

import os

from chirrup import Component, Message, Presence

component = Component("echo.localhost", secret=os.environ.get("CHIRRUP_SECRET", ""), name="Echo")


@component.on_message
async def echo(message: Message) -> None:
    await message.reply(message.body)


@component.on_presence
async def welcome(presence: Presence) -> None:
    """Everybody may see that it is there."""
    if presence.type == "subscribe":
        me = presence.element.get("to")
        for kind in ("subscribed", "available"):
            await component.send(Presence(presence.sender.bare, type=kind).speaking_as(me))


if __name__ == "__main__":
    component.run()
