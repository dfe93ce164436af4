"""Log lines: values that are bound to a logger, over the standard library's logging.

Loggers come from `get_logger` and `stream_log`; without `configure` they behave as any library's, and their lines go
where the program that embeds the server sends them. `chirrup serve` calls `configure`.

What people say to each other and what they log in with stays out of all logs but the wire log (see `wire_log`):
an `Element` given as a value is shown by its addresses only, and values named like secrets are masked.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from logging.handlers import SysLogHandler, WatchedFileHandler
from pathlib import Path
from typing import Any, Final, Literal, TextIO, cast

from chirrup.core.errors import ConfigError
from chirrup.core.xml import Element
from chirrup.server.config import LogConfig

WIRE: Final = "chirrup.wire"
"""The logger of the wire log."""

_MASK: Final = "…"
_SECRETS: Final = frozenset({"body", "keys", "password", "secret", "store_url", "token"})
_SHOWN_ATTRIBUTES: Final = ("type", "id", "from", "to")
_SYSLOG_SOCKETS: Final = ("/dev/log", "/var/run/syslog")
_COLOURS: Final = {"debug": "2", "info": "32", "warning": "33", "error": "31;1", "critical": "31;1"}
_PRIORITIES: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}


class Logger:
    """A logger with values that each of its lines carries. A line is an event, in words that are always the same, and
    the values that make it this one."""

    __slots__ = ("_logger", "_values")

    def __init__(self, logger: logging.Logger, values: Mapping[str, object]) -> None:
        self._logger = logger
        self._values = values

    def bind(self, **values: object) -> Logger:
        """A logger with these values too."""
        return Logger(self._logger, {**self._values, **values})

    def debug(self, event: str, **values: object) -> None:
        self._write(logging.DEBUG, event, values)

    def info(self, event: str, **values: object) -> None:
        self._write(logging.INFO, event, values)

    def warning(self, event: str, *, exc_info: BaseException | bool | None = None, **values: object) -> None:
        self._write(logging.WARNING, event, values, exc_info)

    def error(self, event: str, *, exc_info: BaseException | bool | None = None, **values: object) -> None:
        self._write(logging.ERROR, event, values, exc_info)

    def exception(self, event: str, **values: object) -> None:
        """An error, with the traceback of the exception that is being handled."""
        self._write(logging.ERROR, event, values, True)

    def _write(
        self, level: int, event: str, values: Mapping[str, object], exc_info: BaseException | bool | None = None
    ) -> None:
        if self._logger.isEnabledFor(level):
            shown = _without_secrets({**self._values, **values})
            self._logger.log(level, event, exc_info=exc_info, extra={"values": shown})


def get_logger(name: str, **values: object) -> Logger:
    """A logger whose lines carry these values."""
    return Logger(logging.getLogger(name), values)


def stream_log(stream_id: str, peer: str) -> Logger:
    """The logger of one stream: each of its lines names the stream and the peer's address."""
    return get_logger("chirrup.stream", stream=stream_id, peer=peer)


def configure(log: LogConfig) -> None:
    """Send this process's log lines where the configuration says, in place of where an earlier call sent them.

    Other libraries' lines below "warning" are left out. Raises ConfigError for a file or a syslog that can't be used.
    """
    handler = _handler(log)
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each.formatter, LineFormatter)]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(max(logging.WARNING, getattr(logging, log.level.upper())))
    logging.getLogger("chirrup").setLevel(log.level.upper())
    logging.getLogger(WIRE).setLevel(logging.DEBUG if log.wire else logging.CRITICAL)
    logging.getLogger("psycopg").setLevel(logging.ERROR)  # it warns of lost connections, which the store tells of
    logging.captureWarnings(True)


def reconfigure(log: LogConfig) -> bool:
    """As `configure`, but only where that was called before: a server that is embedded has no say in where its
    program's lines go. Says whether it was done."""
    ours = any(isinstance(handler.formatter, LineFormatter) for handler in logging.getLogger().handlers)
    if ours:
        configure(log)
    return ours


class LineFormatter(logging.Formatter):
    """Makes a line of a record: of ours, with the values bound to it, and of other libraries'."""

    def __init__(
        self, render: Callable[[Mapping[str, Any]], str], *, time: Literal["utc", "full", "short", ""]
    ) -> None:
        super().__init__()
        self._render = render
        self._time = time

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {}
        if self._time:
            line["time"] = self._stamp(record.created)
        line["level"] = record.levelname.lower()
        line["logger"] = record.name
        line["event"] = record.getMessage()
        values: Mapping[str, Any] = getattr(record, "values", {})
        line.update((name, values[name]) for name in ("stream", "host") if name in values)
        line.update((name, value) for name, value in values.items() if name not in line)
        if record.exc_info and record.exc_info[0]:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = record.stack_info
        return self._render(line)

    def _stamp(self, seconds: float) -> str:
        moment = datetime.fromtimestamp(seconds, UTC)
        if self._time == "utc":
            return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return moment.astimezone().strftime("%H:%M:%S" if self._time == "short" else "%Y-%m-%d %H:%M:%S")


class HumanRenderer:
    """`12:03:04 info     logged in  stream=2f9c host=example.org`, and a traceback on lines of its own.

    Nothing that a peer made up can forge a line or send the terminal a command: what isn't printable is escaped.
    """

    def __init__(self, *, colours: bool = False, level: Literal["word", "journal", ""] = "word") -> None:
        self._colours = colours
        self._level = level

    def __call__(self, line: Mapping[str, Any]) -> str:
        rest = dict(line)
        time, level, event = rest.pop("time", ""), rest.pop("level"), _printable(rest.pop("event"))
        below = [rest.pop(name) for name in ("exception", "stack") if name in rest]
        if rest["logger"].startswith("chirrup"):
            del rest["logger"]
        parts = [self._colour(time, "2")] if time else []
        if self._level == "word":
            parts.append(self._colour(f"{level:8}", _COLOURS.get(level, "")))
        parts.append(f"{event:32}" if rest else event)
        parts += [f"{self._colour(name, '36')}={_value(value)}" for name, value in rest.items()]
        text = "\n".join((" ".join(parts), *below))
        return f"<{_PRIORITIES.get(level, 5)}>{text}" if self._level == "journal" else text

    def _colour(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colours and code else text


def _json(line: Mapping[str, Any]) -> str:
    import json

    return json.dumps(line, ensure_ascii=False, default=str)


def _without_secrets(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _MASK if name in _SECRETS else _short(value) for name, value in values.items()}


def _short(value: object) -> object:
    if isinstance(value, Element):
        shown = "".join(f" {name}={text!r}" for name in _SHOWN_ATTRIBUTES if (text := value.get(name)))
        return f"<{value.name}{shown}>"
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value)} bytes"
    return value


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _value(value: object) -> str:
    text = str(value)
    plain = text.isprintable() and text and not set(text) & set(" =\"'")
    return text if plain else repr(text)


def _handler(log: LogConfig) -> logging.Handler:
    human = log.format in ("human", "auto")
    if log.to == "syslog":
        handler: logging.Handler = _syslog()
        formatter = LineFormatter(HumanRenderer(level="") if human else _json, time="" if human else "utc")
    elif log.to == "stderr":
        handler = logging.StreamHandler(sys.stderr)
        formatter = _terminal_formatter(sys.stderr, log.format)
    else:
        handler = _file(Path(log.to))
        human = log.format == "human"
        formatter = LineFormatter(HumanRenderer() if human else _json, time="full" if human else "utc")
    handler.setFormatter(formatter)
    return handler


def _terminal_formatter(stream: TextIO, wanted: str) -> LineFormatter:
    on_terminal, in_journal = stream.isatty(), _is_journal(stream)
    if wanted == "json" or (wanted == "auto" and not on_terminal and not in_journal):
        return LineFormatter(_json, time="utc")
    if in_journal:
        return LineFormatter(HumanRenderer(level="journal"), time="")
    colours = on_terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    return LineFormatter(HumanRenderer(colours=colours), time="short" if on_terminal else "full")


def _is_journal(stream: TextIO) -> bool:
    """Whether this is systemd's journal, which adds the time and takes the level from a prefix (sd-daemon(3))."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


class _LogFile(WatchedFileHandler):
    """A file that others than its owner and group can't read, also when it is made anew after a rotation."""

    def _open(self) -> TextIO:  # type: ignore[override]
        os.close(os.open(self.baseFilename, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o640))
        return cast("TextIO", super()._open())


def _file(path: Path) -> logging.Handler:
    try:
        return _LogFile(path, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"can't write to {path}: {error.strerror}", key="log.to") from None


def _syslog() -> SysLogHandler:
    for socket in _SYSLOG_SOCKETS:
        if Path(socket).exists():
            try:
                handler = SysLogHandler(socket, SysLogHandler.LOG_DAEMON)
            except OSError:
                continue
            handler.ident = f"chirrup[{os.getpid()}]: "
            return handler
    raise ConfigError(f"no syslog listens at {' or '.join(_SYSLOG_SOCKETS)}", key="log.to")
