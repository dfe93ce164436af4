"""`chirrup serve`: one server in this process, with signals, readiness, and a word to whoever started it."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import sys
from collections import defaultdict
from typing import NoReturn

import uvloop

from chirrup import __version__
from chirrup.cli import notify
from chirrup.cli.which import command
from chirrup.core.accelerator import FORM
from chirrup.core.errors import ChirrupError
from chirrup.server import logs
from chirrup.server.app import Server
from chirrup.server.config import Config

_KINDS = {"c2s": "clients, STARTTLS", "c2s_direct_tls": "clients, direct TLS", "component": "components"}


def run(config: Config) -> None:
    """Serve until SIGTERM or SIGINT, or until an administrator ends it. Raises ChirrupError where the server can't
    start."""
    logs.configure(config.log)
    _raise_file_limit()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        again = runner.run(_Service(config).run())
    if again:
        _start_again()


def _start_again() -> NoReturn:
    """Become the same program anew, as the same process: whoever watches over it needn't know."""
    sys.stdout.flush()
    try:
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    except OSError as error:
        raise ChirrupError(f"can't start again: {sys.executable}: {error.strerror}") from None


class _Service:
    def __init__(self, config: Config) -> None:
        self._config = config
        self._log = logs.get_logger("chirrup.serve")
        self._server = Server(config)
        self._server.restartable = True
        self._reloads: asyncio.Queue[None] = asyncio.Queue()

    async def run(self) -> bool:
        """Whether it is to be started again."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked_to_stop, number)
        loop.add_signal_handler(signal.SIGHUP, self._reloads.put_nowait, None)
        await self._server.start()
        _settle_memory()
        try:
            with notify.pid_file(self._config.pid_file):
                await self._announce()
                reloader = loop.create_task(self._reload_when_asked())
                await self._server.stop_requested.wait()
                reloader.cancel()
        finally:
            if self._server.restart_requested:
                notify.reloading()  # of a process that stops systemd would expect the end
            else:
                notify.stopping()
            await self._server.stop()
        self._log.info("stopped")
        return self._server.restart_requested

    def _asked_to_stop(self, number: signal.Signals) -> None:
        """The first time stop in an orderly way; a second signal does what it would do to any program."""
        self._server.restart_requested = False
        self._log.info("stopping", signal=signal.Signals(number).name)
        asyncio.get_running_loop().remove_signal_handler(number)
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self._server.stop_requested.set()

    async def _reload_when_asked(self) -> None:
        while True:
            await self._reloads.get()
            notify.reloading()
            try:
                config = self._server.config.again()
                logs.configure(config.log)
                for line in await self._server.reload(config):
                    self._log.info(line)
            except ChirrupError as error:
                for line in str(error).splitlines():
                    self._log.error("not reloaded, all stays as it was", reason=line)
            except Exception as error:
                self._log.error("the reload failed", exc_info=error)
            notify.ready(self._status())

    def _status(self) -> str:
        return f"serving {', '.join(self._server.hosts)}"

    async def _announce(self) -> None:
        """Say that it runs: to systemd, to the log, and to a person unless the log is for programs."""
        where = _where(self._server.listening)
        greets = self._config.log.format == "human" and "NOTIFY_SOCKET" not in os.environ
        beside = {} if greets and self._config.log.to == "stderr" else {"listens": "; ".join(where)}
        self._log.info("ready", version=__version__, parser=FORM, hosts=", ".join(self._config.hosts), **beside)
        if greets:
            print(f"Chirrup {__version__} is {self._status()}.", flush=True)
            for line in (*where, *await self._next_steps()):
                print(f"  {line}", flush=True)
        notify.ready(self._status())

    async def _next_steps(self) -> list[str]:
        lines = [f"data: {self._config.data}", f"configuration: {self._config.file or 'none, so all is as by default'}"]
        for name, host in self._config.hosts.items():
            if host.authentication == "accounts" and not await self._server.store.accounts.count(name):
                hint = command(self._config, "user", "add", f"alice@{name}")
                lines.append(f"no accounts on {name} yet. To add one: {hint}")
        return lines


def _where(listening: list[tuple[str, str, int]]) -> list[str]:
    """A line for each kind of listener and port: `clients, STARTTLS: port 5222 on :: and 0.0.0.0`."""
    addresses: dict[tuple[str, int], list[str]] = defaultdict(list)
    for kind, address, port in listening:
        addresses[kind, port].append(address)
    return [f"{_KINDS.get(kind, kind)}: port {port} on {' and '.join(at)}" for (kind, port), at in addresses.items()]


def _settle_memory() -> None:
    """The garbage collector needn't look at what is there for good. What comes later has hardly any cycles, so that it
    may look more seldom too: usually it takes a twelfth of a log-in, and its pauses grow with the sessions."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    gc.enable()


def _raise_file_limit() -> None:
    """Each connection is an open file; take as many as this process may have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
