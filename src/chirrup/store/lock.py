"""The lock by which one server holds a database file against another."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

POLL: Final = 0.05


class ServerLock:
    """An flock'ed file that also says whose it is. The file stays; only the lock on it counts, and that goes with
    the process, however it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    @property
    def held(self) -> bool:
        return self._file is not None

    def acquire(self, wait: float = 0.0) -> bool:
        """Take it; False if another has it and doesn't give it back within `wait` seconds. Raises OSError."""
        file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < deadline:
                    time.sleep(POLL)
                    continue
                os.close(file)
                return False
            except BaseException:
                os.close(file)
                raise
            break
        self._file = file
        # The name in it is a courtesy: on a full disk it is missing.
        with suppress(OSError):
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        return True

    def holder(self) -> int | None:
        """The process that took it last, if the file tells."""
        try:
            return int(self.path.read_text())
        except (OSError, ValueError):
            return None

    def release(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)
