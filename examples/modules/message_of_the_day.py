"""Message of the day: a server module in one file, which greets everybody who comes online.

Copy it into the folder that `modules_folder` names in chirrup.toml, and switch it on:

    modules_folder = "modules"

    [modules.message_of_the_day]
    text = "Welcome, {user}! The server restarts tonight at eleven."

    [hosts."example.org"]
    modules_enabled = ["message_of_the_day"]
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chirrup.core.xml import CLIENT, Element
from chirrup.server import hooks
from chirrup.server.module import Module, Session, Settings


class MessageSettings(Settings):
    """What is said, and how."""

    text: str = Field(default="Welcome, {user}!", min_length=1)
    """The message; {user} stands for the name of whoever it is for."""
    type: Literal["headline", "normal"] = "headline"
    """"headline": chat programs show it and forget it; "normal": they keep it like a letter."""


class MessageOfTheDay(Module):
    """Greets everybody who comes online."""

    Settings = MessageSettings
    settings: MessageSettings

    @hooks.session_available()
    def greet(self, session: Session) -> None:
        text = self.settings.text.replace("{user}", session.jid.local)
        session.send(
            Element(
                "message",
                CLIENT,
                Element("body", CLIENT, text),
                type=self.settings.type,
                from_=self.host.jid,
                to=session.jid,
            )
        )
