from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from chirrup import Client
from chirrup.core.errors import StreamError
from chirrup.ext.commands.client import Commands
from chirrup.ext.forms.payloads import Form
from chirrup.server.modules import DEFAULT

TIMEOUT = 30


class Service:
    """`chirrup serve` as systemd runs it: in a process of its own that tells when it is ready."""

    def __init__(self, process: subprocess.Popen[str], notifications: socket.socket) -> None:
        self.process = process
        self._notifications = notifications

    def notified(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self._notifications.recv(4096).decode().splitlines())

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Exit status and log."""
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=TIMEOUT)
        return self.process.returncode, err


@pytest.fixture
def config(elsewhere: Path) -> Path:
    file = elsewhere / "chirrup.toml"
    file.write_text(f"""
data = "data"
pid_file = "pid"
limits.offline_messages = 5
[listen.c2s]
addresses = ["127.0.0.1"]
port = 0
[listen.c2s_direct_tls]
enabled = false
[hosts.localhost]
modules_disabled = {list(DEFAULT)}
""")
    return file


@contextmanager
def running(*args: str, notify: bool, files: int | None = None) -> Iterator[Service]:
    """`files` is how many it may open."""
    command = [sys.executable, "-m", "chirrup.cli", "serve", *args]
    if files is not None:
        command = ["sh", "-c", f'ulimit -n {files} && exec "$@"', "sh", *command]
    with ExitStack() as stack:
        notifications = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        notifications.settimeout(TIMEOUT)
        environment = {
            name: value for name, value in os.environ.items() if name not in ("NOTIFY_SOCKET", "JOURNAL_STREAM")
        }
        if notify:
            notifications.bind("\0chirrup-test-" + str(os.getpid()))
            environment["NOTIFY_SOCKET"] = "@chirrup-test-" + str(os.getpid())
        process = stack.enter_context(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        )
        try:
            yield Service(process, notifications)
        finally:
            process.kill()


@pytest.fixture
def service(config: Path) -> Iterator[Service]:
    with running(notify=True) as service:
        assert service.notified()["READY"] == "1"
        yield service


def test_it_tells_whoever_starts_it_where_it_is_and_what_to_do_next(config: Path) -> None:
    with running("--data", "other", notify=False) as service:
        assert service.process.stdout is not None
        lines = [service.process.stdout.readline() for _ in range(5)]
        service.end()
    assert re.fullmatch(r"Chirrup \S+ is serving localhost\.\n", lines[0])
    assert re.fullmatch(r"  clients, STARTTLS: port \d+ on 127\.0\.0\.1\n", lines[1])
    assert lines[2] == f"  data: {config.parent / 'other'}\n"
    assert lines[3] == "  configuration: chirrup.toml\n"
    assert lines[4] == "  no accounts on localhost yet. To add one: chirrup user add alice@localhost --data other\n"


def test_it_stops_cleanly_when_told_to(service: Service, elsewhere: Path) -> None:
    assert (elsewhere / "pid").read_text() == f"{service.process.pid}\n"
    status, log = service.end()
    assert status == 0, log
    assert service.notified() == {"STOPPING": "1"}
    assert "signal=SIGTERM" in log
    assert "Traceback" not in log
    assert not (elsewhere / "pid").exists()
    assert not (elsewhere / "data" / "admin.sock").exists()


def test_it_stops_cleanly_at_ctrl_c(service: Service) -> None:
    status, log = service.end(signal.SIGINT)
    assert status == 0, log
    assert "Traceback" not in log


def test_it_reloads_at_sighup(service: Service, config: Path) -> None:
    config.write_text(config.read_text().replace("offline_messages = 5", "offline_messages = 7"))
    service.process.send_signal(signal.SIGHUP)
    told = service.notified()
    assert told["RELOADING"] == "1"
    assert int(told["MONOTONIC_USEC"]) > 0
    assert service.notified()["READY"] == "1"
    assert "limits: taken over" in service.end()[1]


def test_a_wrong_configuration_is_not_taken_over(service: Service, config: Path, chirrup: Callable[..., Any]) -> None:
    good = config.read_text()
    config.write_text("dta = 1\n" + good)
    service.process.send_signal(signal.SIGHUP)
    assert service.notified()["RELOADING"] == "1"
    assert service.notified()["READY"] == "1"
    config.write_text(good)
    assert chirrup("status").status == 0
    assert "chirrup.toml:1: dta: unknown key" in service.end()[1]


def listening(chirrup: Callable[..., Any]) -> int:
    """The port of the server that runs."""
    found: int = json.loads(chirrup("status", "--json").out)["listening"][0][2]
    return found


def test_an_administrator_restarts_it(config: Path, chirrup: Callable[..., Any]) -> None:
    """The same process goes on with what the configuration says now; systemd sees a reload, not an end."""
    config.write_text(config.read_text().replace(f"modules_disabled = {list(DEFAULT)}", 'admins = ["root@localhost"]'))
    assert chirrup("user", "add", "root@localhost", stdin="x\n").status == 0

    async def restart(port: int) -> str:
        async with Client("root@localhost", "x", host="127.0.0.1", port=port, verify=False, reconnect=False) as root:
            commands = root.need(Commands)
            stage = await commands.give("localhost", "http://jabber.org/protocol/admin#restart")
            assert stage.form is not None
            return (await stage.submit(Form.of("submit", "", {"delay": "0"}))).notes[0].text

    with running(notify=True) as service:
        assert service.notified()["READY"] == "1"
        good, at = config.read_text(), listening(chirrup)
        config.write_text("dta = 1\n" + good)
        assert "it would not start again: " in asyncio.run(restart(at))
        config.write_text(good)
        assert asyncio.run(restart(at)) == "the service restarts in 0 seconds"
        assert service.notified()["RELOADING"] == "1"
        told = service.notified()
        assert (told["READY"], told["MAINPID"]) == ("1", str(service.process.pid))
        assert asyncio.run(restart(listening(chirrup))), "as often as one likes"
        assert (service.notified()["RELOADING"], service.notified()["READY"]) == ("1", "1")
        status, log = service.end()
    assert (status, log.count(" ready"), "Traceback" in log) == (0, 3, False), log


def test_asking_the_running_server(service: Service, chirrup: Callable[..., Any]) -> None:
    ran = chirrup("status")
    assert ran.status == 0, ran.err
    assert "127.0.0.1" in ran.out
    assert "localhost" in ran.out
    assert '"uptime_seconds"' in chirrup("status", "--json").out
    assert chirrup("reload").out == "nothing has changed\n"


def test_accounts_while_it_runs(service: Service, chirrup: Callable[..., Any]) -> None:
    assert chirrup("user", "add", "alice@localhost", stdin="x\n").status == 0
    assert chirrup("user", "list").out == "alice@localhost\n"
    ran = chirrup("user", "remove", "alice@localhost", "--yes")
    assert (ran.status, ran.out, ran.err) == (0, "alice@localhost is removed\n", "")
    assert chirrup("user", "remove", "alice@localhost", "--yes").status == 1
    assert chirrup("user", "list").out == ""


def test_who_has_the_former_password_is_sent_away(service: Service, chirrup: Callable[..., Any]) -> None:
    chirrup("user", "add", "alice@localhost", stdin="old\n")

    async def see() -> None:
        options: dict[str, Any] = {"host": "127.0.0.1", "port": listening(chirrup), "verify": False}
        async with Client("alice@localhost", "old", reconnect=False, **options) as alice:
            ran = await asyncio.to_thread(chirrup, "user", "passwd", "alice@localhost", stdin="new\n")
            assert ran.status == 0, ran.err
            with pytest.raises(StreamError, match="the password was changed; log in again"):
                await alice.wait_closed()

    asyncio.run(see())


def test_connections_do_not_take_the_files_that_the_rest_needs(config: Path, chirrup: Callable[..., Any]) -> None:
    config.write_text(config.read_text().replace("offline_messages = 5", "connections_per_address = 1000"))

    async def crowd(port: int) -> None:
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(140)]
        ends = [asyncio.ensure_future(reader.read()) for reader, _ in opened]
        over = await asyncio.gather(*ends[100:], return_exceptions=True)
        assert [end for end in over if end and not isinstance(end, ConnectionResetError)] == []
        assert not any(end.done() for end in ends[:100])
        ran = await asyncio.to_thread(chirrup, "user", "add", "alice@localhost", stdin="x\n")
        assert ran.status == 0, ran.err
        assert json.loads((await asyncio.to_thread(chirrup, "status", "--json")).out)["connections"] == 100
        for end in ends:
            end.cancel()

    with running(notify=True, files=200) as service:
        assert service.notified()["READY"] == "1"
        asyncio.run(crowd(listening(chirrup)))
        log = service.end()[1]
    assert log.count("no room for more connections") == 1, log


def test_a_second_server_on_the_same_data_is_refused(service: Service) -> None:
    with running(notify=False) as second:
        _, err = second.process.communicate(timeout=TIMEOUT)
    assert second.process.returncode == 1
    assert err.count("\n") == 1
    assert err.startswith("chirrup: ")
    assert "Traceback" not in err


def test_a_port_in_use_is_one_line_that_names_it(config: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config.write_text(config.read_text().replace("port = 0", f"port = {port}"))
        with running(notify=False) as service:
            _, err = service.process.communicate(timeout=TIMEOUT)
    assert service.process.returncode == 1
    complaint = err.splitlines()[-1]
    assert complaint.startswith("chirrup: ")
    assert str(port) in complaint
    assert "another program" in complaint
    assert "Traceback" not in err


def test_a_pid_file_that_cannot_be_written(config: Path) -> None:
    config.write_text(config.read_text().replace('"pid"', '"none/pid"'))
    with running(notify=False) as service:
        _, err = service.process.communicate(timeout=TIMEOUT)
    assert service.process.returncode == 1
    assert re.search(r"^chirrup: .*pid_file: can't write .*none/pid: No such file or directory$", err, re.MULTILINE)
    assert "Traceback" not in err


def test_what_keeps_it_from_starting_is_told_with_its_line(config: Path, chirrup: Callable[..., Any]) -> None:
    (config.parent / "file").touch()
    config.write_text(config.read_text() + '[hosts."example.org"]\ncertificate = "none.pem"\nkey = "none.pem"\n')
    (line,) = chirrup("serve").err.splitlines()
    assert line.startswith('chirrup: chirrup.toml:13: hosts."example.org".certificate: can\'t read ')
    (line,) = chirrup("serve", "--data", "file/data").err.splitlines()
    assert line.startswith("chirrup: chirrup.toml:2: data: can't make the folder ")


def test_settings_that_nothing_reads_are_told_of(config: Path) -> None:
    config.write_text(config.read_text() + "[modules.archve]\ndays = 3\n")
    with running(notify=True) as service:
        service.notified()
        assert "[modules.archve] has settings, and no host has that module" in service.end()[1]


def test_accounts_of_a_host_that_is_no_more_are_told_of(config: Path, chirrup: Callable[..., Any]) -> None:
    assert chirrup("user", "add", "alice@localhost", stdin="x\n").status == 0
    config.write_text(config.read_text().replace("[hosts.localhost]", '[hosts."Example.org"]'))
    with running(notify=True) as service:
        service.notified()
        assert "accounts of a host that the configuration doesn't have" in service.end()[1]
    config.write_text(config.read_text().replace('[hosts."Example.org"]', "[hosts.LOCALHOST]"))
    with running(notify=True) as service:
        service.notified()
        assert "accounts of a host" not in service.end()[1]
