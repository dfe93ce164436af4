"""What a bot remembers of each conversation: a dict of JSON values, kept in a file if it is to outlive the bot."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from chirrup.core.errors import ConfigError

State = dict[str, Any]


class Memory:
    """All conversations' dicts, by bare JID."""

    def __init__(self, file: Path | None) -> None:
        """Raises ConfigError for a file that isn't of this kind."""
        self._file = file
        self._states: dict[str, State] = {}
        self._written = ""
        self._saving = asyncio.Lock()
        if file is not None and file.exists():
            try:
                self._written = file.read_text("utf-8")
                self._states = json.loads(self._written)
            except ValueError as error:
                raise ConfigError(f"{file} is no state of a bot: {error}") from None

    def of(self, conversation: str) -> State:
        """The conversation's dict, empty at first."""
        return self._states.setdefault(conversation, {})

    def keep(self, conversation: str, state: State) -> None:
        """A handler is done with the dict: one with nothing in it is forgotten, as anybody can write to a bot."""
        if state:
            self._states[conversation] = state
        else:
            self._states.pop(conversation, None)

    async def save(self) -> None:
        """Write what has changed. Raises TypeError for values that JSON can't hold, OSError."""
        if self._file is None:
            return
        async with self._saving:
            kept = {name: state for name, state in self._states.items() if state}
            text = json.dumps(kept, ensure_ascii=False)
            if text != self._written:
                await asyncio.to_thread(_replace, self._file, text)
                self._written = text


def _replace(file: Path, text: str) -> None:
    """All of it or nothing, whatever happens."""
    draft = file.with_name(f"{file.name}.new")
    with draft.open("w", encoding="utf-8") as writing:
        writing.write(text)
        writing.flush()
        os.fsync(writing.fileno())
    draft.replace(file)
