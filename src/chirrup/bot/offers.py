"""A bot's commands offered as ad-hoc commands too, with a form made of the parameters (XEP-0050)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from chirrup.bot.arguments import MISSING
from chirrup.bot.handlers import Command
from chirrup.bot.incoming import Incoming
from chirrup.client.stanzas import Message
from chirrup.core.jid import JID
from chirrup.core.payload import Payload
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.commands import execution
from chirrup.ext.commands.client import Commands
from chirrup.ext.forms.declared import Questions, form, question

if TYPE_CHECKING:
    from chirrup.bot.bot import Bot


def offer(bot: Bot) -> None:
    """Offer all commands that the bot has."""
    if not bot.commands:
        return
    commands = bot.entity.need(Commands)
    for command in bot.commands.values():
        node = f"bot:{command.name.lstrip('/')}"
        allowed = partial(_allowed, bot, command)
        commands.add(execution.Command(node, command.help or command.name, partial(_run, bot, command), allowed))


def _allowed(bot: Bot, command: Command, jid: JID) -> bool:
    return bot.access.allowed(jid) and bot.access.may(jid, command.role)


async def _run(bot: Bot, command: Command, running: execution.Execution) -> execution.Outcome:
    """Ask for the arguments, and answer with what the handler replies."""
    values: dict[str, Any] = {}
    if command.signature.arguments:
        asked = await running.ask(_questions(command))
        values = {argument.name: getattr(asked, argument.name) for argument in command.signature.arguments}
    given = Given(bot, running.requester, command.usage)
    await bot.obey(command, given, values)
    return "\n".join(given.said) or None


class Given(Incoming):
    """A command that came as such: what is replied is the command's outcome."""

    def __init__(self, bot: Bot, sender: JID, text: str) -> None:
        element = Element("message", CLIENT, Element("body", CLIENT, text), type="chat", from_=sender)
        message = Message.received(element, sender, bot.entity)
        super().__init__(bot, message, text, True, bot.state_of(sender))
        self.said: list[str] = []

    async def reply(self, body: str, *payloads: Payload | Element) -> Message:
        self.said.append(body)
        return self.make_reply(body, *payloads)


def _questions(command: Command) -> type[Questions]:
    """The form for a command's parameters."""
    namespace: dict[str, Any] = {"__annotations__": {}}
    for argument in command.signature.arguments:
        required = not argument.several and argument.default is MISSING
        type_ = argument.type if required else argument.type | None
        several = tuple.__class_getitem__((argument.type, ...))
        namespace["__annotations__"][argument.name] = several if argument.several else type_
        default = {} if required or argument.several else {"default": argument.default}
        namespace[argument.name] = question(argument.name.replace("_", " ").capitalize(), **default)
    return form(title=command.help or command.name)(type("Arguments", (Questions,), namespace))
