"""The listeners: sockets for clients and components, the certificates they show, and the connections they took."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from chirrup.core.errors import ConfigError, StreamError
from chirrup.core.parser_pool import ParserPool
from chirrup.net.certificates import KeyPair
from chirrup.net.clock import Timer
from chirrup.net.connection import keep_alive
from chirrup.net.tls import CertificateStore
from chirrup.server.c2s import ClientConnection
from chirrup.server.component import ComponentConnection
from chirrup.server.limits import room_for_connections
from chirrup.server.rest import Rounds
from chirrup.server.toml_lines import key_path

if TYPE_CHECKING:
    from chirrup.server.app import Server
    from chirrup.server.config import ComponentListener, Config, DirectTLSListener, Listener

_POLL: Final = 30.0
"""Seconds between looks at the certificates' files."""
_HANDSHAKE: Final = 20.0
"""Seconds that a TLS handshake may take."""
_SILENT: Final = 60.0
"""Seconds after which it is told again that there is no room for connections."""


class Listeners:
    """All sockets that a server listens on."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._sockets: list[tuple[str, asyncio.Server]] = []
        self._store: CertificateStore | None = None
        self._timer: Timer | None = None
        self.open: set[ClientConnection] = set()
        """The clients' connections that stand."""
        self.parsers = ParserPool()
        self._room = room_for_connections()
        self._tell_full_at = 0.0
        self._rounds = Rounds(server.clock, lambda: self.open)
        self._components: set[ComponentConnection] = set()

    @property
    def store(self) -> CertificateStore:
        assert self._store is not None, "the listeners were not started"
        return self._store

    async def start(self) -> None:
        """Read or make the certificates and open the sockets; ConfigError names what is in the way."""
        config = self._server.config
        self._store = self._certificates(config)
        for line in self._store.remarks(self._server.clock.time()):
            self._server.log.warning(line)
        self._watch()
        self._rounds.start()
        listen = config.listen
        if listen.c2s.enabled:
            await self._listen("c2s", listen.c2s, partial(self._client, False, listen.c2s.plaintext))
        if listen.c2s_direct_tls.enabled:
            await self._listen("c2s_direct_tls", listen.c2s_direct_tls, partial(self._client, True, False))
        if self._server.components:
            await self._listen("component", listen.component, self._component)

    def _certificates(self, config: Config) -> CertificateStore:
        pairs = {
            name: KeyPair(host.certificate, host.key) if host.certificate and host.key else None
            for name, host in config.hosts.items()
        }
        try:
            return CertificateStore(
                pairs,
                folder=config.data / "certificates",
                now=self._server.clock.time(),
                authorities=config.listen.client_authorities,
            )
        except ConfigError as error:
            raise config.error(key_path(error.key), error.problem) from None

    def _client(self, direct_tls: bool, plaintext: bool) -> ClientConnection:
        return ClientConnection(self._server, self, direct_tls=direct_tls, plaintext=plaintext)

    def _component(self) -> ComponentConnection:
        return ComponentConnection(self._server, self._server.components, self._components)

    async def _listen(
        self,
        kind: str,
        config: Listener | DirectTLSListener | ComponentListener,
        make: Callable[[], asyncio.BaseProtocol],
    ) -> None:
        loop = asyncio.get_running_loop()
        port = config.port
        for address in config.addresses:
            try:
                # Python would bind "::" for IPv6 only, so both wildcards can have the port.
                socket = await loop.create_server(make, address, port, reuse_address=True, backlog=1024)
            except OSError as error:
                unknown = error.errno == errno.EADDRNOTAVAIL and address in ("::", "::1")
                if unknown or error.errno == errno.EAFNOSUPPORT:
                    self._server.log.info("no such address family on this machine", address=address)
                    continue
                raise ConfigError(_explain(error, kind, address, port), key=f"listen.{kind}") from None
            for each in socket.sockets:
                keep_alive(each)
            self._sockets.append((kind, socket))
            if config.port == 0:
                port = socket.sockets[0].getsockname()[1]  # the same port at every address

    @property
    def listening(self) -> list[tuple[str, str, int]]:
        return [
            (kind, str(name[0]), int(name[1]))
            for kind, server in self._sockets
            for name in (socket.getsockname() for socket in server.sockets)
        ]

    def full(self) -> bool:
        """Whether there are more connections than may be open."""
        if len(self.open) <= self._room:
            return False
        now = self._server.clock.monotonic()
        if now >= self._tell_full_at:
            self._tell_full_at = now + _SILENT
            cure = "allow more open files: LimitNOFILE in a unit of systemd, ulimit -n in a shell"
            self._server.log.warning("no room for more connections: they are cut off", most=self._room, cure=cure)
        return True

    def certificates(self) -> dict[str, int]:
        """Days that the certificate of each host is still good for."""
        now = self._server.clock.time()
        return {name: self.store.certificate(name).days_left(now) for name in self._server.hosts}

    # -- changes

    def _watch(self) -> None:
        self._timer = self._server.clock.call_later(_POLL, self._poll_and_watch)

    def _poll_and_watch(self) -> None:
        self.poll()
        self._watch()

    def poll(self) -> list[str]:
        """Take up certificates that changed on disk; what was done, a line each."""
        notices = self.store.poll(self._server.clock.time())
        for notice in notices:
            (self._server.log.warning if notice.trouble else self._server.log.info)(notice.text)
        return [notice.text for notice in notices]

    def reload(self, config: Config) -> list[str]:
        """Take up a new configuration's certificates; connections that stand stay."""
        old = self._server.config
        if _certificates_of(old) == _certificates_of(config) and not config.listen.client_authorities:
            return self.poll()
        self._store = self._certificates(config)
        return ["certificates: read anew"]

    # -- end

    async def stop(self, reason: StreamError, *, drain: float) -> None:
        """Take no more connections, end every stream with `reason`, and give clients `drain` seconds to take leave."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._rounds.stop()
        for _, server in self._sockets:
            server.close()
        self._sockets.clear()
        for connection in self._connections:
            connection.fail(reason)
        waiting = [connection.gone for connection in self._connections]
        if waiting:
            await asyncio.wait(waiting, timeout=drain)
        for connection in self._connections:
            connection.abort()

    @property
    def _connections(self) -> list[ClientConnection | ComponentConnection]:
        return [*self.open, *self._components]


def _explain(error: OSError, kind: str, address: str, port: int) -> str:
    where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    if error.errno == errno.EADDRINUSE:
        return f"another program listens on {where} already; stop it or choose another port"
    if error.errno == errno.EACCES:
        return f"not allowed to listen on {where}; ports below 1024 need root or CAP_NET_BIND_SERVICE"
    return f"can't listen on {where}: {error.strerror or error}"


def _certificates_of(config: Config) -> object:
    return config.listen.client_authorities, {name: (host.certificate, host.key) for name, host in config.hosts.items()}
