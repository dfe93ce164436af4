"""What a bot, or a plugin for bots, does: its handlers, noted by decorators."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from chirrup.bot.arguments import Signature
from chirrup.core.record import record

if TYPE_CHECKING:
    from chirrup.bot.bot import Bot

H = TypeVar("H", bound=Callable[..., Any])


@record
class Listener:
    """A handler for messages whose text fits a pattern, or for all of them."""

    handler: Callable[..., Any]
    pattern: re.Pattern[str] | None
    addressed: bool
    """Whether it is for messages to the bot alone; in a conversation of two all are."""
    role: str
    """Who may; "" for all whom the bot talks to."""


@record
class Command:
    """A handler that is called by its name, with arguments."""

    name: str
    handler: Callable[..., Any]
    signature: Signature
    role: str
    at_once: bool
    help: str

    @property
    def usage(self) -> str:
        return f"{self.name} {self.signature.usage}".strip()


class Plugin:
    """Handlers that bots can `use`: a module of them has one, by the name of `plugin`.

    plugin = Plugin()

    @plugin.command("/weather")
    async def weather(message: Incoming, city: str, days: int = 1) -> None:
        "Tells how the weather will be."
    """

    def __init__(self) -> None:
        self.listeners: list[Listener] = []
        self.commands: dict[str, Command] = {}
        self.starting: list[Callable[[Bot], Awaitable[None] | None]] = []

    @overload
    def on_message(self, handler: H) -> H: ...
    @overload
    def on_message(self, *, role: str = "") -> Callable[[H], H]: ...
    def on_message(self, handler: Any = None, *, role: str = "") -> Any:
        """Call this with each message that no command and no pattern has taken."""

        def note(handler: H) -> H:
            self.listeners.append(Listener(handler, None, False, role))
            return handler

        return note if handler is None else note(handler)

    def hear(self, pattern: str, *, role: str = "") -> Callable[[H], H]:
        """Call this with messages in whose text the pattern is found, wherever. What its groups match are further
        arguments, named groups by name. Of all patterns the first one that fits takes the message."""
        return self._listen(pattern, False, role)

    def respond(self, pattern: str, *, role: str = "") -> Callable[[H], H]:
        """The same for messages that are addressed to the bot, and for the text after its name."""
        return self._listen(pattern, True, role)

    def _listen(self, pattern: str, addressed: bool, role: str) -> Callable[[H], H]:
        compiled = re.compile(pattern, re.IGNORECASE)

        def note(handler: H) -> H:
            self.listeners.append(Listener(handler, compiled, addressed, role))
            return handler

        return note

    def command(self, name: str, *, role: str = "", at_once: bool = False) -> Callable[[H], H]:
        """Call this by its name, such as "/weather", with arguments as the function's parameters say; the first of
        these is the message. The docstring is what /help tells. `at_once` doesn't wait for what the conversation is
        busy with.

        Raises ValueError where there is such a command, or the parameters are of no type that people can type."""

        def note(handler: H) -> H:
            if name in self.commands:
                raise ValueError(f"there is a command {name} already")
            text = " ".join((handler.__doc__ or "").split("\n\n")[0].split())
            self.commands[name] = Command(name, handler, Signature.of(handler), role, at_once, text)
            return handler

        return note

    def on_start(self, handler: Callable[[Bot], Awaitable[None] | None]) -> Callable[[Bot], Awaitable[None] | None]:
        """Call this when the bot is online for the first time."""
        self.starting.append(handler)
        return handler

    def use(self, plugin: Plugin) -> None:
        """Take over another's handlers. ValueError where both have a command of a name."""
        for name in plugin.commands:
            if name in self.commands:
                raise ValueError(f"two plugins have a command {name}")
        self.listeners += plugin.listeners
        self.commands.update(plugin.commands)
        self.starting += plugin.starting
