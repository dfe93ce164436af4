from __future__ import annotations

import io
import json
import logging
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chirrup.core.errors import ConfigError
from chirrup.core.xml import CLIENT, Element
from chirrup.server import logs
from chirrup.server.config import LogConfig


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in (None, "chirrup", logs.WIRE)]
    before = [(logger.level, list(logger.handlers)) for logger in loggers]
    yield
    for logger, (level, handlers) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = handlers
    logging.captureWarnings(False)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def message(body: str) -> Element:
    element = Element("message", CLIENT, to="bob@example.org", type="chat")
    element.c("body").t(body)
    return element


def test_importing_configures_nothing() -> None:
    program = "import logging, chirrup.server.wire_log; print(logging.root.handlers, logging.root.level)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == f"[] {logging.WARNING}\n"


def test_a_line_to_read(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(LogConfig())
    logs.stream_log("2f9c", "192.0.2.1").bind(host="example.org").info(
        "logged in", mechanism="SCRAM-SHA-256", reason="a b"
    )
    line = capsys.readouterr().err
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d info     logged in +"
        r" stream=2f9c host=example\.org peer=192\.0\.2\.1 mechanism=SCRAM-SHA-256 reason='a b'\n",
        line,
    ), line


def test_colours_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    logs.configure(LogConfig())
    logs.get_logger("chirrup.x").info("ready")
    assert re.fullmatch(r"\x1b\[2m\d\d:\d\d:\d\d\x1b\[0m \x1b\[32minfo    \x1b\[0m ready\n", terminal.getvalue())
    monkeypatch.setenv("NO_COLOR", "1")
    logs.configure(LogConfig())
    logs.get_logger("chirrup.x").info("plain")
    assert terminal.getvalue().count("\x1b") == 4


def test_a_line_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(LogConfig(format="json"))
    try:
        raise RuntimeError("oh")
    except RuntimeError as error:
        logs.stream_log("2f9c", "::1").error("failed", exc_info=error, count=3, level="mine", time=1)
    line = json.loads(capsys.readouterr().err)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line.pop("exception").endswith("RuntimeError: oh")
    assert line == {
        "level": "error",
        "logger": "chirrup.stream",
        "event": "failed",
        "stream": "2f9c",
        "peer": "::1",
        "count": 3,
    }


def test_auto_is_json_where_nobody_reads(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    logs.configure(LogConfig(format="auto"))
    logs.get_logger("chirrup.x").info("ready")
    assert json.loads(capsys.readouterr().err)["event"] == "ready"
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    logs.configure(LogConfig(format="auto"))
    logs.get_logger("chirrup.x").info("ready")
    assert "{" not in terminal.getvalue()


def test_in_the_journal_lines_have_a_priority_and_no_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal"
    with path.open("w") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        monkeypatch.setattr(sys, "stderr", stream)
        logs.configure(LogConfig())
        logs.get_logger("chirrup.x").warning("low on disk", left=3)
    assert path.read_text() == f"<4>{'low on disk':32} left=3\n"


def test_neither_secrets_nor_bodies_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(LogConfig(level="debug"))
    log = logs.get_logger("chirrup.x")
    log.debug("odd", stanza=message("meet me at nine"), password="hunter2", body="hello", data=b"hello")
    line = capsys.readouterr().err
    assert "bob@example.org" in line
    for secret in ("meet", "hunter2", "hello"):
        assert secret not in line


def test_peers_can_neither_forge_lines_nor_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(LogConfig())
    logs.get_logger("chirrup.x").info("said\ngoodbye", text="a\nb", escape="\x1b[2J")
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "\x1b" not in line


def test_levels(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(LogConfig(level="info"))
    logs.get_logger("chirrup.x").debug("too fine")
    logging.getLogger("asyncio").info("of others")
    logging.getLogger("asyncio").warning("slow %s", "callback")
    assert capsys.readouterr().err.split()[3:] == ["slow", "callback", "logger=asyncio"]


def test_configuring_again_replaces_what_was(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    logs.configure(LogConfig())
    logs.configure(LogConfig(to=str(tmp_path / "log")))
    logs.get_logger("chirrup.x").info("ready")
    assert capsys.readouterr().err == ""
    assert (tmp_path / "log").read_text().count("ready") == 1


def test_a_program_that_embeds_the_server_keeps_its_own_handlers(tmp_path: Path) -> None:
    before = list(logging.getLogger().handlers)
    assert not logs.reconfigure(LogConfig(to=str(tmp_path / "log")))
    assert logging.getLogger().handlers == before
    logs.configure(LogConfig())
    assert logs.reconfigure(LogConfig(to=str(tmp_path / "log")))
    logs.get_logger("chirrup.x").info("ready")
    assert "ready" in (tmp_path / "log").read_text()


def test_a_log_file_may_be_moved_away(tmp_path: Path) -> None:
    file = tmp_path / "chirrup.log"
    logs.configure(LogConfig(to=str(file)))
    log = logs.get_logger("chirrup.x")
    log.info("one")
    file.rename(tmp_path / "chirrup.log.1")
    log.info("two")
    assert "one" in (tmp_path / "chirrup.log.1").read_text()
    assert "two" in file.read_text()
    assert file.stat().st_mode & 0o007 == 0


def test_a_log_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"log\.to: can't write to .*: No such file or directory"):
        logs.configure(LogConfig(to=str(tmp_path / "none" / "log")))


def test_syslog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.sock"
    monkeypatch.setattr(logs, "_SYSLOG_SOCKETS", (str(path),))
    with pytest.raises(ConfigError, match=r"log\.to: no syslog listens at"):
        logs.configure(LogConfig(to="syslog"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind(str(path))
        logs.configure(LogConfig(to="syslog"))
        logs.get_logger("chirrup.x").error("out of room")
        assert daemon.recv(1000) == f"<27>chirrup[{os.getpid()}]: out of room\0".encode()


def test_an_embedding_program_gets_plain_records(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        logs.stream_log("2f9c", "::1").info("logged in")
    assert caplog.messages == ["logged in"]
    assert caplog.records[0].values == {"stream": "2f9c", "peer": "::1"}
