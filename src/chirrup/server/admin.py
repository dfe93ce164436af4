"""How `chirrup status` and the like talk to a running server: a Unix socket in the data folder.

Each line is a JSON object: `{"command": "status", "args": {}}` is answered by `{"result": …}`, or by `{"error": "…"}`
with a line for a person. Only the server's own user and root are answered, whatever the file's mode became.

The server's half is `AdminSocket`; the other is `ask` and `tell`, which block, as they are for the command line.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import os
import socket
import stat
import struct
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from chirrup.core.errors import ChirrupError
from chirrup.server.logs import get_logger

Command = Callable[..., Awaitable[Any]]
"""Called with the request's `args` by name; what it returns has to be JSON."""

MAX_REQUEST: Final = 65_536
"""Octets of the longest request."""
PATIENCE: Final = 10.0
"""Seconds in which a request has to be there, and its answer has to be taken."""
ASK_TIMEOUT: Final = 60.0
"""Seconds that a command may take before whoever asks gives up."""

_MAX_ANSWER: Final = 64 * 1024 * 1024
_MAX_SOCKET_PATH: Final = 100
_CREDENTIALS: Final = struct.Struct("3i")


class AdminSocket:
    """Answers the commands of those who may ask."""

    def __init__(self, path: Path, commands: Mapping[str, Command], *, patience: float = PATIENCE) -> None:
        self.path = path
        self._commands = commands
        self._patience = patience
        self._log = get_logger("chirrup.admin")
        self._server: asyncio.Server | None = None
        self._inode = 0
        self._busy: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to listen. ChirrupError where another server answers there, or where the folder forbids it."""
        listener = _listen(self.path)
        self._inode = self.path.stat().st_ino
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=MAX_REQUEST)

    async def stop(self) -> None:
        """Stop listening, let answers that are being made be given, remove the file. Safe to call twice."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        with contextlib.suppress(OSError):
            if self.path.stat().st_ino == self._inode:
                self.path.unlink()
        waiting = self._busy - {asyncio.current_task()}
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=self._patience)
            for task in late:
                task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._busy.add(task)
        try:
            if not _may_ask(writer):
                self._log.warning("somebody else's user tried to give commands")
                return
            async with asyncio.timeout(self._patience):
                line = await reader.readline()
            answer = await self._answer(line)
            writer.write(json.dumps(answer).encode() + b"\n")
            async with asyncio.timeout(self._patience):
                await writer.drain()
        except (OSError, TimeoutError):
            return
        except ValueError:  # readline: the request is too long
            writer.write(b'{"error": "the request is too long"}\n')
        finally:
            self._busy.discard(task)
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            name, args = request["command"], request.get("args", {})
            command = self._commands.get(name)
        except (ValueError, KeyError, TypeError, AttributeError):
            return {"error": "that is no request"}
        if command is None:
            return {"error": f"the server knows no command {name!r}; is it of another version?"}
        try:
            inspect.signature(command).bind(**args)
        except TypeError as error:
            return {"error": f"{name}: {error}"}
        try:
            return {"result": await command(**args)}
        except ChirrupError as error:
            return {"error": str(error)}
        except Exception as error:
            self._log.error("a command failed", command=name, exc_info=error)
            return {"error": "the server failed to do that; its log says why"}


def ask(path: Path, command: str, *, timeout: float = ASK_TIMEOUT, **args: object) -> Any:
    """Have a running server do something. ChirrupError when none runs, or with what it answers in the negative."""
    with _connect(path, timeout) as connection:
        if connection is None:
            raise ChirrupError(f"no server runs with this data folder: {path.parent}")
        return _converse(connection, command, args)


def tell(path: Path, command: str, *, timeout: float = ASK_TIMEOUT, **args: object) -> tuple[bool, Any]:
    """As `ask`, for what has to be done only if a server runs: whether one does, and its result."""
    with _connect(path, timeout) as connection:
        return (False, None) if connection is None else (True, _converse(connection, command, args))


def _converse(connection: socket.socket, command: str, args: Mapping[str, object]) -> Any:
    try:
        connection.sendall(json.dumps({"command": command, "args": args}).encode() + b"\n")
        with connection.makefile("rb") as lines:
            answer = json.loads(lines.readline(_MAX_ANSWER))
    except TimeoutError:
        raise ChirrupError(f"the server doesn't answer; {command} may or may not have been done") from None
    except (OSError, ValueError):
        raise ChirrupError("the server hung up without an answer; its log may say why") from None
    if "error" in answer:
        raise ChirrupError(answer["error"])
    return answer["result"]


@contextlib.contextmanager
def _connect(path: Path, timeout: float) -> Iterator[socket.socket | None]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection, _short(path) as address:
        connection.settimeout(timeout)
        try:
            connection.connect(address)
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            yield None
            return
        except PermissionError:
            raise ChirrupError(f"only the user who runs the server, and root, may talk to it at {path}") from None
        except OSError as error:
            raise ChirrupError(f"can't reach the server at {path}: {error.strerror or error}") from None
        yield connection


def _listen(path: Path) -> socket.socket:
    try:
        if path.exists() and not stat.S_ISSOCK(path.stat().st_mode):
            raise ChirrupError(f"{path} is in the way: it isn't a socket")
        with _connect(path, PATIENCE) as somebody:
            if somebody is not None:
                raise ChirrupError(f"another server runs with this data folder: {path.parent}")
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            os.fchmod(listener.fileno(), 0o600)  # Linux makes the file with this mode
            with _short(path) as address:
                listener.bind(address)
            path.chmod(0o600)
            listener.listen()
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        raise ChirrupError(f"can't make the socket for commands, {path}: {error.strerror or error}") from None
    return listener


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """An address for the socket; by way of its open folder where the path is longer than sockets' may be."""
    if len(os.fsencode(path)) <= _MAX_SOCKET_PATH:
        yield str(path)
        return
    try:
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    except FileNotFoundError:
        yield f"/proc/self/fd/-/{path.name}"  # nothing is there either
        return
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _may_ask(writer: asyncio.StreamWriter) -> bool:
    descriptor = os.dup(writer.get_extra_info("socket").fileno())
    with socket.socket(fileno=descriptor) as peer:
        _pid, user, _group = _CREDENTIALS.unpack(
            peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        )
    return user in (0, os.geteuid())
