"""The console on a terminal: a line to type into, and above it what comes and goes."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterable
from io import StringIO
from pathlib import Path
from typing import Any, Final

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.validation import ValidationError, Validator
from rich.console import Console as Rich
from rich.text import Text

from chirrup.cli.console import commands
from chirrup.cli.console.checking import Mistake, Unfinished, read
from chirrup.cli.console.completing import Completions, known_payloads
from chirrup.cli.console.pretty import show, visible
from chirrup.cli.console.watching import Direction
from chirrup.client.entity import Entity
from chirrup.core.errors import ChirrupError, Disconnected
from chirrup.core.xml import Element

HISTORY: Final = "console-history"
_SECRETS: Final = ("<password", "<auth", "<secret")
"""Stanzas with these aren't kept in the history."""
_ARROWS: Final = {"in": ("←", "bold magenta"), "out": ("→", "bold blue")}


class Screen:
    """What is seen and typed."""

    def __init__(self, data: Path) -> None:
        self.ready = False
        """Whether there is somewhere to show stanzas; it keeps them until then."""
        self._raw = False
        self._completions = Completions(known_payloads())
        self._session: PromptSession[str] = PromptSession(
            history=_history(data),
            completer=_Completer(self._completions),
            complete_while_typing=True,
            validator=_Checker(),
            validate_while_typing=False,
            multiline=True,
            key_bindings=_keys(),
        )

    # -- what is seen

    def show(self, direction: Direction, element: Element) -> None:
        arrow, style = _ARROWS[direction]
        for name in ("from", "to"):
            if name in element.attrs:
                self._completions.meet(visible(element.attrs[name]))
        body = Text(visible(str(element))) if self._raw else show(element)
        self._print(Text(f"{arrow} {time.strftime('%H:%M:%S')}", style), body)

    def _print(self, *texts: Text) -> None:
        out = StringIO()
        rich = Rich(file=out, force_terminal=True, color_system="standard", highlight=False, legacy_windows=False)
        for text in texts:
            rich.print(text, soft_wrap=True)
        sys.stdout.write(out.getvalue())
        sys.stdout.flush()

    # -- what is typed

    async def serve(self, entity: Entity) -> None:
        """Until the person leaves, or the connection is lost, which is raised."""
        with patch_stdout(raw=True):
            self.ready = True
            self._print(Text(f"Logged in as {visible(entity.jid.text)}. /help tells what can be typed here.", "bold"))
            ended = asyncio.ensure_future(entity.wait_closed())
            try:
                while await self._turn(entity, ended):
                    pass
            finally:
                ended.cancel()
                self.ready = False

    async def _turn(self, entity: Entity, ended: asyncio.Future[None]) -> bool:
        typing = asyncio.ensure_future(self._session.prompt_async(f"{entity.jid.bare}> "))
        await asyncio.wait((typing, ended), return_when=asyncio.FIRST_COMPLETED)
        if not typing.done():
            typing.cancel()
            await asyncio.wait((typing,))
            ended.result()
            raise Disconnected("the server has closed the connection")
        try:
            line = typing.result().strip()
        except EOFError:
            return False
        try:
            return not line or await self._do(entity, line)
        except ChirrupError as error:
            self._print(Text(visible(str(error)), "bold red"))
            return True

    async def _do(self, entity: Entity, line: str) -> bool:
        if not line.startswith("/"):
            for stanza in read(line):
                await entity.send(stanza)
            return True
        match commands.name_of(line):
            case "quit":
                return False
            case "help":
                self._help()
            case "raw":
                self._raw = not self._raw
                self._print(Text("Stanzas are shown as they are written." if self._raw else "Stanzas are indented."))
            case _:
                await entity.send(commands.make(line))
        return True

    def _help(self) -> None:
        self._print(
            Text("A stanza is typed as XML; Enter sends it when it is whole. Tab completes. These are shorter:"),
            *(
                Text.assemble((f"  {commands.usage(name):34}", "cyan"), commands.purpose(name))
                for name in commands.NAMES
            ),
        )


class _Checker(Validator):
    """Lets nothing pass that can't be sent, and puts the cursor where the mistake is."""

    def validate(self, document: Document) -> None:
        text = document.text.strip()
        if not text:
            return
        try:
            if not text.startswith("/"):
                read(text)
            elif commands.name_of(text) in commands.TEMPLATES:
                commands.make(text)
        except Mistake as mistake:
            indent = len(document.text) - len(document.text.lstrip())
            raise ValidationError(indent + mistake.position(text), str(mistake)) from None


class _Completer(Completer):
    def __init__(self, completions: Completions) -> None:
        self._completions = completions

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        for one in self._completions.find(document.text_before_cursor):
            yield Completion(one.text, -one.replaces, display_meta=one.meaning)


class _History(FileHistory):
    def store_string(self, string: str) -> None:
        if not any(secret in string for secret in _SECRETS):
            super().store_string(string)


def _history(data: Path) -> _History:
    """The history in the data folder, for its owner only."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = data / HISTORY
    os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    return _History(str(file))


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def enter(event: KeyPressEvent) -> Any:
        """Send what is whole; go on in a new line where the end is missing."""
        buffer = event.current_buffer
        state = buffer.complete_state
        if state is not None and state.current_completion is not None:
            buffer.complete_state = None
            return
        text = buffer.text.strip()
        try:
            if text and not text.startswith("/"):
                read(text)
        except Unfinished:
            buffer.insert_text("\n")
            return
        except Mistake:
            pass  # the validator says what and where
        buffer.validate_and_handle()

    @keys.add("c-c")
    def clear(event: KeyPressEvent) -> Any:
        """Begin anew; Ctrl-D leaves."""
        event.current_buffer.reset()

    return keys
