"""`Bot`: an account, or a component, that answers people."""

from __future__ import annotations

import inspect
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

from chirrup.bot.access import EVERYBODY, Access
from chirrup.bot.arguments import UsageError
from chirrup.bot.handlers import Command, Plugin
from chirrup.bot.incoming import Incoming
from chirrup.bot.memory import Memory
from chirrup.bot.offers import offer
from chirrup.client import program
from chirrup.client.client import Client
from chirrup.client.entity import Entity
from chirrup.client.stanzas import Message
from chirrup.core.errors import ChirrupError
from chirrup.core.jid import JID
from chirrup.ext.presence.client import Presences

log: Final = logging.getLogger("chirrup.bot")

_WAITING: Final = 50
"""So many messages of one conversation may wait for the one before them; more are not answered."""
Work = tuple[Incoming, Callable[..., Any], Sequence[Any], Mapping[str, Any]]


class Bot(Plugin):
    """Something that answers people, by the handlers that its decorators note.

    Messages of one conversation are handled one after the other, conversations beside each other. A handler that fails
    is in the log, and whoever wrote is told that it failed; it ends nothing.
    """

    def __init__(
        self,
        jid: JID | str = "",
        password: str = "",
        *,
        nick: str = "",
        allow: Iterable[str] = (EVERYBODY,),
        roles: Mapping[str, Iterable[str]] | None = None,
        subscriptions: Literal["allowed", "everybody", "nobody", "ignore"] = "allowed",
        state: Path | str | None = None,
        apology: str = "Sorry, something went wrong.",
        plugins: Iterable[Plugin] = (),
        entity: Entity | None = None,
        **options: Any,
    ) -> None:
        """`jid`, `password` and further options are those of `Client`; `entity` is a client or component instead.

        `nick` is what the bot is called in rooms. It talks to those on the list `allow` (bare JIDs, domains, "*") and
        to those who have a role; `roles` names who that is in the same way. `subscriptions` says whose requests to see
        its presence it grants. `state` is a file that keeps what handlers put into `message.state`. `apology` is said
        when a handler fails.

        Raises AddressError, ConfigError and ValueError for what can't be."""
        super().__init__()
        self.entity = entity if entity is not None else Client(jid, password, **options)
        self.nick = nick or self.entity.jid.local or self.entity.jid.domain
        self.access = Access(allow, roles or {})
        self._memory = Memory(Path(state) if state else None)
        self._apology = apology
        self._subscriptions = subscriptions
        self._conversations: dict[JID, deque[Work]] = {}
        self._started = False
        for plugin in plugins:
            self.use(plugin)

    # -- life

    def run(self) -> None:
        """Connect, and answer until Ctrl-C: for programs that do nothing else. It tries until it succeeds; what is
        final, such as a wrong password, ends the program with one line that says it, and exit status 1."""
        program.run(self.serve())

    async def serve(self) -> None:
        """As `run`, in a program that has an event loop already. Raises the reason why it is offline for good."""
        await self.start()
        try:
            await self.entity.wait_closed()
        finally:
            await self.stop()

    async def start(self) -> None:
        """Connect; returns when the bot is online."""
        self._prepare()
        await self.entity.connect(retry=True)
        for handler in self.starting:
            waiting = handler(self)
            if waiting is not None:
                await waiting

    async def stop(self) -> None:
        """Go offline, and keep what is remembered."""
        await self.entity.close()
        await self._save()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _prepare(self) -> None:
        """Switch on what the bot needs, once."""
        if self._started:
            return
        self._started = True
        self.entity.on_message(self._came)
        if isinstance(self.entity, Client) and self._subscriptions != "ignore":
            self.entity.need(Presences).policy = self._lets_in
        offer(self)

    def _lets_in(self, jid: JID) -> bool:
        if self._subscriptions == "allowed":
            return self.access.allowed(jid)
        return self._subscriptions == "everybody"

    def state_of(self, jid: JID) -> dict[str, Any]:
        """What is remembered of a conversation: JSON values."""
        return self._memory.of(jid.bare.text)

    # -- messages

    def _came(self, message: Message) -> None:
        """Find who handles a message. A plain function, so that order is kept."""
        if message.outgoing or message.copied:
            return  # what the bot itself has said, or what another client of its account was told
        if message.type == "groupchat" and message.sender.resource in ("", self.nick):
            return  # what it has said in a room, or the room
        if not self.access.allowed(message.sender):
            log.info("%s isn't allowed to talk to this bot", message.sender.bare)
            return
        text, named = self._without_name(message.body)
        addressed = named or message.type != "groupchat"
        incoming = Incoming(self, message, text, addressed, self.state_of(message.sender))
        command = self._command(incoming)
        if command is not None:
            self._give_command(incoming, command)
        elif not self._give_listeners(incoming):
            for listener in self.listeners:
                if listener.pattern is None and self.access.may(message.sender, listener.role):
                    self._queue(incoming, listener.handler)

    def _without_name(self, body: str) -> tuple[str, bool]:
        """The text behind the bot's name, if it begins with that: "bot: hello", "bot, hello", "@bot hello"."""
        text = body.strip()
        start = text.removeprefix("@")
        if start[: len(self.nick)].casefold() == self.nick.casefold():
            rest = start[len(self.nick) :]
            if not rest or rest[0] in ":,; \n" or (text != start and not rest[0].isalnum()):
                return rest.lstrip(":,; \n"), True
        return text, False

    def _command(self, incoming: Incoming) -> str | None:
        """The name of the command that a message gives; of one that isn't there, where it can mean nothing else."""
        words = incoming.text.split(maxsplit=1)
        name = words[0] if words else ""
        if name in self.commands or (name == "/help" and self.commands):
            return name
        return name if self.commands and name.startswith("/") and len(name) > 1 and incoming.addressed else None

    def _give_command(self, incoming: Incoming, name: str) -> None:
        command = self.commands.get(name)
        if command is None:
            if name == "/help":
                self._queue(incoming, self._help)
            else:
                self._queue(incoming, _say, f"I don't know {name}. /help lists what I can do.")
        elif not self.access.may(incoming.sender, command.role):
            self._queue(incoming, _say, f"You may not use {name}.")
        else:
            try:
                arguments = command.signature.read(incoming.text[len(name) :])
            except UsageError as error:
                self._queue(incoming, _say, f"{error}. Usage: {command.usage}")
                return
            if command.at_once:
                self.entity.spawn(self._handle((incoming, command.handler, arguments, {})))
            else:
                self._queue(incoming, command.handler, *arguments)

    async def _help(self, incoming: Incoming) -> None:
        """What /help says."""
        lines = [
            f"{command.usage}  –  {command.help}" if command.help else command.usage
            for command in sorted(self.commands.values(), key=lambda command: command.name)
            if self.access.may(incoming.sender, command.role)
        ]
        await incoming.reply("\n".join(lines) or "There is nothing that you may tell me to do.")

    def _give_listeners(self, incoming: Incoming) -> bool:
        """Give a message to the first pattern that fits; whether there is one."""
        for listener in self.listeners:
            if listener.pattern is None or (listener.addressed and not incoming.addressed):
                continue
            match = listener.pattern.search(incoming.text if incoming.addressed else incoming.body)
            if match is not None and self.access.may(incoming.sender, listener.role):
                incoming.match = match
                named = match.groupdict()
                self._queue(incoming, listener.handler, *(() if named else match.groups()), **named)
                return True
        return False

    # -- handlers

    def _queue(self, incoming: Incoming, handler: Callable[..., Any], *arguments: Any, **named: Any) -> None:
        """Let a handler run behind those of the same conversation."""
        conversation = incoming.sender.bare
        work: Work = (incoming, handler, arguments, named)
        queue = self._conversations.get(conversation)
        if queue is None:
            self._conversations[conversation] = deque([work])
            self.entity.spawn(self._work(conversation))
        elif len(queue) < _WAITING:
            queue.append(work)
        else:
            log.warning("%s says more than the bot can answer", conversation)

    async def _work(self, conversation: JID) -> None:
        queue = self._conversations[conversation]
        try:
            while queue:
                await self._handle(queue.popleft())
        finally:
            self._conversations.pop(conversation, None)

    async def _handle(self, work: Work) -> None:
        incoming, handler, arguments, named = work
        incoming.begin()
        try:
            waiting = handler(incoming, *arguments, **named)
            if inspect.isawaitable(waiting):
                await waiting
        except Exception as error:
            log.exception("%s failed for %s", getattr(handler, "__qualname__", handler), incoming.sender.bare)
            await self._apologise(incoming, error)
        finally:
            incoming.end()
            self._memory.keep(incoming.sender.bare.text, incoming.state)
        await self._save()

    async def _apologise(self, incoming: Incoming, error: Exception) -> None:
        if self._apology:
            try:
                await incoming.reply(self._apology)
            except ChirrupError as unsent:
                log.info("%s could not be told: %s", incoming.sender.bare, unsent)

    async def _save(self) -> None:
        try:
            await self._memory.save()
        except OSError as error:
            log.error("the bot's state could not be kept: %s", error)
        except (TypeError, ValueError):
            log.exception("the bot's state could not be kept")

    # -- commands, from elsewhere than the conversation

    async def obey(self, command: Command, incoming: Incoming, values: Mapping[str, Any]) -> None:
        """Run a command with arguments that are there already."""
        waiting = command.handler(incoming, *command.signature.given(values))
        if inspect.isawaitable(waiting):
            await waiting
        self._memory.keep(incoming.sender.bare.text, incoming.state)
        await self._save()


async def _say(incoming: Incoming, text: str) -> None:
    await incoming.reply(text)
