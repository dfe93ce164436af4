"""Finding a domain's servers and connecting to them: SRV records (RFC 6120 §3.2, XEP-0368), then all addresses by
happy eyeballs (RFC 8305, with priorities and weights as XEP-0495 has them).

    targets = await find("example.org", resolver=SystemResolver())
    dialer = Dialer(targets, resolver=…, clock=…)
    sock, target = await dialer.connect()      # and again, if what answers there is of no use
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby, zip_longest
from typing import Any, Final

from chirrup.core.errors import ConfigError, DeadlineError, NetworkError, ResolutionError
from chirrup.net.certificates import ascii_name
from chirrup.net.clock import Clock, sleep
from chirrup.net.deadline import Deadline
from chirrup.net.dns import LOOKUP_SECONDS, SRV, Resolver, in_order, is_address, is_here

XEPS: Final = ((495, "0.1.0", ""),)

RESOLUTION_DELAY: Final = 0.05
"""Seconds that the first host's IPv6 addresses are waited for when others are known already (RFC 8305 §3)."""
ATTEMPT_DELAY: Final = 0.25
"""Seconds after which the next address is tried beside those that haven't answered (RFC 8305 §5)."""
ATTEMPT_SECONDS: Final = 10.0
"""After how long an address that doesn't answer is given up."""

_FAMILIES: Final = (socket.AF_INET6, socket.AF_INET)
_MOST_ADDRESSES: Final = 20
"""So many addresses of one host are tried."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service as DNS knows it."""

    direct_tls: str
    """The name of its records for TLS from the first octet; "" where there is no such thing."""
    starttls: str
    port: int
    """Where it is without records."""


CLIENTS: Final = Service("_xmpps-client._tcp", "_xmpp-client._tcp", 5222)
SERVERS: Final = Service("_xmpps-server._tcp", "_xmpp-server._tcp", 5269)


@dataclass(frozen=True, slots=True)
class Target:
    """A place to connect to."""

    host: str
    """A name or an IP address."""
    port: int
    direct_tls: bool = False
    priority: int = 0

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def checked_port(port: int) -> int:
    """The same port. Raises ConfigError for what can be none."""
    if not 0 < port < 65_536:
        raise ConfigError(f"{port} is no port: they are from 1 to 65535", key="port")
    return port


async def find(
    domain: str,
    *,
    resolver: Resolver,
    service: Service = CLIENTS,
    below: Callable[[int], int] = random.randrange,
) -> list[Target]:
    """Where a domain offers the service, in the order in which to try.

    Raises ResolutionError if it says that it doesn't. Without records, or where nobody can tell, it is the domain
    itself (RFC 6120 §3.2.2)."""
    itself = [Target(domain, service.port)]
    if is_address(domain) or is_here(domain):
        return itself
    names = [(f"{prefix}.{ascii_name(domain)}.", prefix == service.direct_tls) for prefix in _prefixes(service)]
    answers = await asyncio.gather(*(resolver.srv(name) for name, _ in names), return_exceptions=True)
    found: dict[SRV, bool] = {}
    refused = False
    for (_, direct), answer in zip(names, answers, strict=True):
        if isinstance(answer, ResolutionError):
            continue
        if isinstance(answer, BaseException):
            raise answer
        for record in answer:
            if record.target:
                found.setdefault(record, direct)
            else:
                refused = True
    if found:
        return [Target(record.target, record.port, found[record], record.priority) for record in in_order(found, below)]
    if refused:
        asked = " and ".join(name for name, _ in names)
        raise ResolutionError(f"{domain} says that it doesn't offer this service: {asked}")
    return itself


def _prefixes(service: Service) -> tuple[str, ...]:
    return (service.direct_tls, service.starttls) if service.direct_tls else (service.starttls,)


class Dialer:
    """Connects to one target after the other, each address once."""

    def __init__(self, targets: Sequence[Target], *, resolver: Resolver, clock: Clock) -> None:
        self._groups = [tuple(group) for _, group in groupby(targets, key=lambda target: target.priority)]
        self._resolver = resolver
        self._clock = clock
        self._tried: set[tuple[str, int]] = set()
        self._failures: dict[str, None] = {}

    async def connect(self) -> tuple[socket.socket, Target]:
        """A connection to the best target that answers and wasn't connected to yet.

        Raises ResolutionError or NetworkError, with all that went wrong, when nothing is left to try."""
        looked_up = False
        while self._groups:
            race = _Race(self._groups[0], self._resolver, self._clock, self._tried, self._failures)
            won = await race.run()
            looked_up = looked_up or race.found_any
            if won is not None:
                return won
            del self._groups[0]
        text = "; ".join(self._failures) or "nothing is left to connect to"
        raise NetworkError(text) if looked_up or self._tried else ResolutionError(text)


class _Race:
    """One priority group: look-ups and attempts beside one another, of which the first connection wins."""

    def __init__(
        self,
        targets: Sequence[Target],
        resolver: Resolver,
        clock: Clock,
        tried: set[tuple[str, int]],
        failures: dict[str, None],
    ) -> None:
        self._targets = targets
        self._resolver = resolver
        self._clock = clock
        self._tried = tried
        self._failures = failures
        self._addresses: dict[tuple[int, socket.AddressFamily], list[str]] = {}
        self._won: tuple[socket.socket, Target] | None = None
        self._lookups: set[asyncio.Task[None]] = set()
        self._attempts: set[asyncio.Task[None]] = set()
        self._unfound: set[int] = set()
        self.found_any = False

    async def run(self) -> tuple[socket.socket, Target] | None:
        timer: asyncio.Task[None] | None = None
        began = failed = False
        for place, target in enumerate(self._targets):
            for family in _FAMILIES:
                self._lookups.add(_task(self._look_up(place, target, family)))
        try:
            while self._won is None:
                due = timer is None or timer.done() or failed
                if not began and self._addresses and timer is None:
                    timer = _task(sleep(self._clock, RESOLUTION_DELAY))
                began = began or self._may_begin or (timer is not None and timer.done())
                if began and (due or not self._attempts) and (after := self._next()) is not None:
                    self._attempts.add(_task(self._attempt(*after)))
                    _cancel(timer)
                    timer = _task(sleep(self._clock, ATTEMPT_DELAY))
                waiting = self._lookups | self._attempts
                if not waiting:
                    return None
                if timer is not None and not timer.done():
                    waiting.add(timer)
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                failed = any(task.done() for task in self._attempts)
                self._lookups = {task for task in self._lookups if not task.done()}
                self._attempts = {task for task in self._attempts if not task.done()}
            won, self._won = self._won, None
            return won
        finally:
            await self._clear(timer)

    @property
    def _may_begin(self) -> bool:
        """The best host's IPv6 addresses are there, or all that will be."""
        return bool(self._addresses.get((0, socket.AF_INET6))) or not self._lookups

    def _next(self) -> tuple[str, Target] | None:
        """The best address that wasn't tried: by the host's place, the families in turn."""
        for place, target in enumerate(self._targets):
            pairs = zip_longest(*(self._addresses.get((place, family), ()) for family in _FAMILIES))
            for address in (address for pair in pairs for address in pair if address is not None):
                if (address, target.port) not in self._tried:
                    self._tried.add((address, target.port))
                    return address, target
        return None

    async def _look_up(self, place: int, target: Target, family: socket.AddressFamily) -> None:
        host = target.host.removeprefix("[").removesuffix("]")
        try:
            if is_address(host):
                found = [host] if (":" in host) == (family is socket.AF_INET6) else []
            else:
                async with Deadline(self._clock, LOOKUP_SECONDS, f"looking up the addresses of {host}"):
                    found = await self._resolver.addresses(ascii_name(host), family)
        except (ResolutionError, DeadlineError) as error:
            if place in self._unfound:  # the other family has none either
                self._failures.setdefault(str(error))
            found = []
        if found:
            self._addresses[place, family] = found[:_MOST_ADDRESSES]
            self.found_any = True
        else:
            self._unfound.add(place)

    async def _attempt(self, address: str, target: Target) -> None:
        where = f"{address} port {target.port}"
        try:
            async with Deadline(self._clock, ATTEMPT_SECONDS, f"connecting to {where}"):
                sock = await _connect(address, target.port)
        except DeadlineError as error:
            self._failures.setdefault(str(error))
        except OSError as error:
            self._failures.setdefault(f"{where}: {os.strerror(error.errno) if error.errno else error}")
        else:
            if self._won is None:
                self._won = sock, target
            else:
                sock.close()

    async def _clear(self, timer: asyncio.Task[None] | None) -> None:
        left = [*self._lookups, *self._attempts, *([timer] if timer is not None else [])]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        if self._won is not None:  # the caller was cancelled
            self._won[0].close()


async def _connect(address: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        place: Any = (address, port)
        if "%" in address:
            place = socket.getaddrinfo(address, port, family, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)[0][4]
        await loop.sock_connect(sock, place)
    except BaseException:
        sock.close()
        raise
    return sock


def _task(coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    return asyncio.get_running_loop().create_task(coroutine)


def _cancel(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
