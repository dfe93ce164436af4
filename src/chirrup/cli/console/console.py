"""The console itself: logs in, takes what is typed or piped into it, and shows what comes and goes."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from chirrup.cli.console import commands
from chirrup.cli.console.checking import Mistake, Unfinished, read
from chirrup.cli.console.watching import Direction, WatchedClient, WatchedComponent
from chirrup.cli.passwords import login_password
from chirrup.client.entity import Entity
from chirrup.core.errors import ChirrupError, Disconnected
from chirrup.core.xml import Element

_CHUNK: Final = 65_536
_AHEAD: Final = 4
"""Octets that are read at once, and how many times so many before those before them are sent."""


def console(jid: str, data: Path, *, component: bool, host: str, port: int | None, wait: float, **options: Any) -> None:
    """Log in and serve whoever types, or the lines of standard input. Raises ChirrupError for what ends it early."""
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    password = login_password(jid, from_terminal=sys.stdin.isatty())
    console = Console()
    entity: Entity
    if component:
        where: dict[str, Any] = {"host": host or "127.0.0.1", **({"port": port} if port else {})}
        entity = WatchedComponent(console.watched, jid, secret=password, reconnect=False, **where)
    else:
        entity = WatchedClient(console.watched, jid, password, reconnect=False, host=host, port=port, **options)
    asyncio.run(console.run(entity, data if interactive else None, wait))


class Console:
    """One run. Stanzas that come before there is a screen wait for it."""

    def __init__(self) -> None:
        self._seen: list[tuple[Direction, Element]] = []
        self._unanswered: set[str] = set()
        self._answered = asyncio.Event()
        self._screen: Any = None
        self._output: asyncio.Future[None] | None = None  # fails when standard output does

    async def run(self, entity: Entity, data: Path | None, wait: float) -> None:
        """`data` is where to keep the history; without it there is no terminal, and lines are read."""
        if data is not None:
            from chirrup.cli.console.screen import Screen

            self._screen = Screen(data)
        self._output = asyncio.get_running_loop().create_future()
        async with entity:
            if self._screen is None:
                await self._pipe(entity, wait)
                return
            for direction, element in self._seen:
                self._screen.show(direction, element)
            await self._screen.serve(entity)

    def watched(self, direction: Direction, element: Element) -> None:
        """A stanza has come or gone."""
        if self._screen is not None and self._screen.ready:
            self._screen.show(direction, element)
        elif self._screen is not None:
            self._seen.append((direction, element))
        elif direction == "in":
            self._print(element)
            if element.name == "iq" and element.get("type") in ("result", "error"):
                self._unanswered.discard(element.get("id"))
                self._answered.set()

    # -- without a terminal

    def _print(self, element: Element) -> None:
        """Whoever calls this has a connection to look after, which goes on when nobody reads what is printed."""
        assert self._output is not None
        try:
            print(element, flush=True)
        except OSError as error:
            if not self._output.done():
                self._output.set_exception(error)

    async def _pipe(self, entity: Entity, wait: float) -> None:
        """Send the stanzas and commands of standard input, and wait for the answers to what was asked."""
        assert self._output is not None
        ended = asyncio.ensure_future(entity.wait_closed())
        reading = asyncio.ensure_future(self._send_all(entity, wait))
        try:
            await asyncio.wait((ended, reading, self._output), return_when=asyncio.FIRST_COMPLETED)
            if self._output.done():
                self._output.result()
            elif reading.done():
                reading.result()
            else:
                ended.result()
                raise Disconnected("the server has closed the connection")
        finally:
            ended.cancel()
            reading.cancel()
            self._output.cancel()

    async def _send_all(self, entity: Entity, wait: float) -> None:
        text, begun, number = "", 1, 0
        async for line in _lines():
            number += 1
            if not text:
                if not line.strip():
                    continue
                begun = number
            text += line
            try:
                stanzas = _stanzas(text.rstrip("\n"))
            except Unfinished:
                continue
            except Mistake as mistake:
                raise _placed(mistake, begun) from None
            if stanzas is None:
                break
            text = ""
            for stanza in stanzas:
                await self._send(entity, stanza)
        if text.strip():
            raise _placed(Mistake("the end of this stanza is missing"), begun)
        await self._answers(wait)

    async def _send(self, entity: Entity, stanza: Element) -> None:
        if stanza.name == "iq" and stanza.get("type") in ("get", "set"):
            self._unanswered.add(stanza.attrs.setdefault("id", entity.make_id()))
        await entity.send(stanza)

    async def _answers(self, wait: float) -> None:
        try:
            async with asyncio.timeout(wait):
                while self._unanswered:
                    self._answered.clear()
                    await self._answered.wait()
        except TimeoutError:
            ids = ", ".join(sorted(self._unanswered))
            raise ChirrupError(f"no answer within {wait:g} seconds to {ids}") from None


async def _lines() -> AsyncIterator[str]:
    """The lines of standard input. A thread that nobody waits for reads it, without a lock that Python's end would wait
    for: the connection's end must be the program's, also while no line comes."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[bytes] = asyncio.Queue(_AHEAD)
    number = sys.stdin.fileno()

    def read_all() -> None:
        with suppress(RuntimeError, CancelledError):  # the loop is closed
            while True:
                data = os.read(number, _CHUNK)
                asyncio.run_coroutine_threadsafe(queue.put(data), loop).result()
                if not data:
                    return

    threading.Thread(target=read_all, daemon=True).start()
    left = b""
    while data := await queue.get():
        *lines, left = (left + data).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace") + "\n"
    if left:
        yield left.decode(errors="replace")


def _stanzas(text: str) -> list[Element] | None:
    """What a line or more of the input stands for; None for the end. Raises Mistake."""
    if not text.startswith("/"):
        return read(text)
    name = commands.name_of(text)
    if name == "quit":
        return None
    if name in commands.LOCAL:
        raise Mistake(f"/{name} is for terminals")
    return [commands.make(text)]


def _placed(mistake: Mistake, begun: int) -> ChirrupError:
    return ChirrupError(f"standard input, {Mistake(mistake.problem, mistake.line + begun - 1, mistake.column)}")
