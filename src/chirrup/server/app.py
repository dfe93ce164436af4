"""`Server`, the composition root: puts store, hosts, modules and listeners together, and takes them apart again."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Iterator
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from chirrup import __version__
from chirrup.core.errors import ChirrupError, ConfigError, StoreError, StreamError
from chirrup.net.clock import Clock, SystemClock
from chirrup.server.admin import AdminSocket
from chirrup.server.auth import Credentials
from chirrup.server.component import Component
from chirrup.server.config import (
    ComponentConfig,
    Config,
    HostConfig,
    Listen,
    check_modules_folder,
    module_settings,
    unread,
)
from chirrup.server.config_faults import check, component_faults
from chirrup.server.copies import Copies
from chirrup.server.host import Host
from chirrup.server.limits import Connections, FailedLogins
from chirrup.server.listen import Listeners
from chirrup.server.logs import get_logger, reconfigure
from chirrup.server.module import Module
from chirrup.server.modules import announced, chosen, drop_lacking, find, missing
from chirrup.server.router import Router
from chirrup.server.secret import load_secret
from chirrup.store import Store

if TYPE_CHECKING:
    from chirrup.server.session import Session

T = TypeVar("T")
M = TypeVar("M", Listen, HostConfig)

_PATIENCE: Final = 1.0
"""Seconds that clients have to acknowledge what they were given when the server stops, and the rest is kept for them;
and seconds that the server has to acknowledge what it was given."""
_DRAIN: Final = 5.0
"""Seconds that clients have to take what was sent to them when the server stops."""


class Server:
    """An XMPP server. Several can live in one process, as they do in tests.

    server = Server(Config(...))
    await server.start()
    ...
    await server.stop()
    """

    def __init__(self, config: Config, *, clock: Clock | None = None) -> None:
        self.config = config
        self._begun_with = config
        self.clock: Clock = clock or SystemClock()
        self.version = __version__
        self._started: float = self.clock.monotonic()
        self.stop_requested = asyncio.Event()
        """Set when an administrator asks for the end: whoever runs the server stops it then."""
        self.restartable = False
        """Set by whoever runs the server, and starts it again when it was stopped with `restart_requested`."""
        self.restart_requested = False
        self.log = get_logger("chirrup.server")
        self.router = Router()
        self.hosts: dict[str, Host] = {}
        self.components: dict[str, Component] = {}
        """The domains of external components."""
        self.connections = Connections(config.limits.connections_per_address)
        self.failed_logins = FailedLogins(
            config.limits.failed_logins, config.limits.failed_logins_refuse, config.limits.failed_login_window
        )
        self.store: Store
        self.secret: bytes
        """The server's own, the same after a restart: to derive from, under a label each, what only it may know."""
        self.credentials: Credentials
        self.copies: Copies
        self._listeners = Listeners(self)
        self._admin: AdminSocket | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    # -- life

    async def start(self) -> None:
        """Open the store, start the hosts, listen. ChirrupError where anything is in the way; nothing is left running
        then."""
        check_modules_folder(self.config)
        try:
            self.config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            problem = f"can't make the folder {self.config.data}: {error.strerror}"
            raise self.config.error(("data",), problem) from None
        self.store = await Store.open(self.config.store_url, exclusive=True)
        self.store.when_held(self._storage_fails)
        try:
            self.secret = load_secret(self.config.data)
            self.credentials = Credentials(self.store, self.secret)
            self.copies = Copies(self.store.messages, self.clock)
            for fault in component_faults(self.config):
                raise fault
            for domain, component in self.config.components.items():
                self._add_component(domain, component)
            for name in self.config.hosts:
                await self._start_host(name)
            for line in unread(self.config, {module.name() for host in self.hosts.values() for module in host.modules}):
                self.log.warning(line)
            await self._tell_of_former_hosts()
            await self._listeners.start()
            self._admin = AdminSocket(self.config.admin_socket, self._admin_commands())
            await self._admin.start()
        except BaseException:
            await self.stop()
            raise
        self._started = self.clock.monotonic()

    @property
    def uptime(self) -> float:
        """Seconds since it started, however the time of day was set."""
        return self.clock.monotonic() - self._started

    async def _tell_of_former_hosts(self) -> None:
        for domain in set(await self.store.accounts.hosts()) - {host.jid.domain for host in self.hosts.values()}:
            self.log.warning(
                "the database has accounts of a host that the configuration doesn't have: nobody can use them",
                host=domain,
                accounts=await self.store.accounts.count(domain),
            )

    async def _start_host(self, name: str) -> None:
        config = self.config.hosts[name]
        host = Host(self, config, name)
        modules = [
            kind(host, module_settings(self.config, name, module, kind.Settings))
            for module, kind in self._kinds(host).items()
        ]
        self.hosts[name] = host
        self.router.add(host.jid.domain, host)
        await host.start(modules)

    def _kinds(self, host: Host) -> dict[str, type[Module]]:
        """A host's modules by name: those chosen, less those that lack what they need."""
        config = host.config
        kinds: dict[str, type[Module]] = {}
        packages = announced()
        for error in missing(config.modules_disabled, self.config.modules_folder, packages):
            raise self.config.error(("hosts", host.name, "modules_disabled"), error.problem)
        for name in chosen(config.modules_enabled, config.modules_disabled):
            try:
                kind = find(name, self.config.modules_folder, packages)
            except ConfigError as error:
                raise self.config.error(("hosts", host.name, "modules_enabled"), error.problem) from error
            if not (host.anonymous and kind.needs_accounts):
                kinds[name] = kind
        for name, needed in drop_lacking(kinds):
            if name in config.modules_enabled:
                problem = f"{name!r} needs {' and '.join(sorted(needed))}, which this host doesn't have"
                raise self.config.error(("hosts", host.name, "modules_enabled"), problem)
            host.log.debug("module left out", module=name, lacks=", ".join(sorted(needed)))
        return kinds

    def _add_component(self, domain: str, config: ComponentConfig) -> None:
        component = self.components[domain] = Component(self, domain, config)
        self.router.add(domain, component)

    async def stop(self) -> None:
        """End every stream with `system-shutdown`, let what is queued be written, commit, close. Safe to call twice."""
        await asyncio.gather(*[host.pacer.ask_all(_PATIENCE) for host in self.hosts.values()])
        await self._settle()
        await self._listeners.stop(StreamError("system-shutdown"), drain=_DRAIN)
        if self._admin is not None:
            await self._admin.stop()
            self._admin = None
        for component in self.components.values():
            component.give_up()
            self.router.remove(component.domain)
        self.components.clear()
        for host in self.hosts.values():
            await host.stop()
            self.router.remove(host.jid.domain)
        self.hosts.clear()
        pending = [task for task in self._tasks if task is not asyncio.current_task()]
        if pending:
            _, late = await asyncio.wait(pending, timeout=_DRAIN)
            for task in late:
                task.cancel()
        if hasattr(self, "credentials"):
            self.credentials.close()
        if hasattr(self, "store"):
            await self.store.close()

    def _storage_fails(self) -> None:
        for host in self.hosts.values():
            for session in list(host.sessions()):
                session.storage_fails()

    async def _settle(self) -> None:
        """Deal with what has come from clients, and tell those who count how much that is (XEP-0198 §4): they would
        send it once more when the server is back, which doesn't know of it any more."""
        loop = asyncio.get_running_loop()
        waiting: list[asyncio.Future[None]] = []

        def settled(session: Session, done: asyncio.Future[None]) -> None:
            session.acknowledge()
            done.set_result(None)

        for host in self.hosts.values():
            for session in host.sessions():
                if session.management is not None and not (session.detached or session.closing):
                    session.wire.pause_reading("stopping")
                    waiting.append(loop.create_future())
                    session.settle(partial(settled, session, waiting[-1]))
        if waiting:
            await asyncio.wait(waiting, timeout=_PATIENCE)

    def check(self) -> None:
        """Read the configuration from its file. Raises ConfigError where the server couldn't start with it."""
        check(self.config.again())

    async def reload(self, config: Config) -> list[str]:
        """Take over what can change while the server runs; a line for each thing done or left for a restart.

        Certificates are read anew, limits hold for new connections and hosts and modules are as before. Raises
        ConfigError where a server couldn't start with it; all stays as it is then."""
        check(config)
        lines = self._listeners.reload(config)
        old, self.config = self.config, config
        limits = config.limits
        if old.log != config.log and reconfigure(config.log):
            lines.append("log: taken over")
        self.connections.most = limits.connections_per_address
        self.failed_logins.slow_after = limits.failed_logins
        self.failed_logins.refuse_after = limits.failed_logins_refuse
        self.failed_logins.window = limits.failed_login_window
        if old.limits != limits:
            lines.append("limits: taken over for new connections")
        lines += [f"{key}: has changed; restart the server for it to take effect" for key in self._left_for_a_restart()]
        return lines or ["nothing has changed"]

    def _left_for_a_restart(self) -> Iterator[str]:
        """The keys whose values aren't those with which the server began, and that it can't take over."""
        begun, now = self._begun_with, self.config
        for field in ("data", "store", "modules_folder", "modules", "components"):
            if getattr(begun, field) != getattr(now, field):
                yield field
        if _but_certificates(begun.listen) != _but_certificates(now.listen):
            yield "listen"
        former, hosts = ({name: _but_certificates(host) for name, host in it.hosts.items()} for it in (begun, now))
        for name in sorted({*former, *hosts}):
            if former.get(name) != hosts.get(name):
                yield f"hosts.{name}"

    # -- what there is to know

    @property
    def listening(self) -> list[tuple[str, str, int]]:
        """Kind of listener, address and port, for each socket."""
        return self._listeners.listening

    def status(self) -> dict[str, Any]:
        """What `chirrup status` shows: plain JSON values."""
        return {
            "version": self.version,
            "uptime_seconds": round(self.uptime),
            "connections": len(self.connections),
            "hosts": {
                name: {
                    "sessions": sum(1 for _ in host.sessions()),
                    "detached": sum(session.detached for session in host.sessions()),
                    "modules": [m.name() for m in host.modules],
                }
                for name, host in self.hosts.items()
            },
            "components": {domain: component.connection is not None for domain, component in self.components.items()},
            "listening": [list(item) for item in self.listening],
            "certificates": self._listeners.certificates(),
            "store": {"url": self.config.store_shown, **asdict(self.store.health())},
        }

    def _admin_commands(self) -> dict[str, Any]:
        async def status() -> dict[str, Any]:
            return self.status()

        async def reload() -> list[str]:
            return await self.reload(self.config.again())

        async def password_changed(jid: str) -> None:
            local, _, domain = jid.partition("@")
            if host := self.hosts.get(domain):
                host.password_changed(local)

        async def account_changed(jid: str) -> None:
            """Its data has changed in the store: whoever uses it comes back, and finds what is there now."""
            local, _, domain = jid.partition("@")
            host = self.hosts.get(domain)
            account = host.accounts.get(local) if host else None
            if host is not None and account is not None:
                host.end_sessions(account, StreamError("reset", "the account was imported; log in again"))
                host.forget(account)

        async def remove_account(jid: str) -> bool:
            local, _, domain = jid.partition("@")
            host = self.hosts.get(domain)
            return host is not None and await host.remove_account(local)

        return {
            "status": status,
            "reload": reload,
            "password_changed": password_changed,
            "account_changed": account_changed,
            "remove_account": remove_account,
        }

    # -- tasks

    def spawn(self, work: Awaitable[T]) -> asyncio.Task[T]:
        """Run something to its end in the background. A failure is logged; the server waits for it when it stops."""
        coroutine = work if inspect.iscoroutine(work) else _awaiting(work)
        task: asyncio.Task[T] = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            if isinstance(error, ChirrupError):
                tell = self.log.info if isinstance(error, StoreError) else self.log.error  # the store has told once
                tell("background work failed", reason=str(error))
            else:
                self.log.error("background work failed", exc_info=error)


async def _awaiting(work: Awaitable[T]) -> T:
    return await work


def _but_certificates(table: M) -> M:
    """A table of the configuration without what is taken over while the server runs."""
    without = {"certificate", "key", "client_authorities", "resume_location"} & type(table).model_fields.keys()
    return table.model_copy(update=dict.fromkeys(without))
