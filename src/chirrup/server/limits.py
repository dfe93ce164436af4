"""How much one peer may ask of the server: octets a second, connections an address, failed log-ins."""

from __future__ import annotations

import ipaddress
import resource
import sys
from collections import Counter, OrderedDict
from typing import Final

_MAX_TRACKED: Final = 50_000
"""Addresses whose failed log-ins are remembered; the longest untouched goes first."""

_MAX_DELAY: Final = 16.0

_RESERVED: Final = 100
"""Open files that aren't connections."""


class Allowance:
    """A bucket of octets that refills steadily; one a connection.

    `spend` returns how many seconds the connection must not be read, 0 while it keeps within its rate.
    """

    __slots__ = ("_burst", "_left", "_rate", "since")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self.since = now
        """When octets last came."""

    def spend(self, octets: int, now: float) -> float:
        left = self._left + (now - self.since) * self._rate
        if left > self._burst:
            left = self._burst
        left -= octets
        self._left, self.since = left, now
        return 0.0 if left >= 0 else -left / self._rate


def room_for_connections() -> int:
    """How many connections this process may have, each of which is an open file. The rest is for the database, the log,
    certificates and commands, which would all fail where connections have every file that the system allows."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return sys.maxsize
    return files - min(_RESERVED, files // 2)


class Connections:
    """Counts open connections by address; an IPv6 /64 is one address, being one customer's."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._open: Counter[str] = Counter()

    def admit(self, address: str) -> bool:
        """Count a new connection in, unless there are too many from there already."""
        key = network(address)
        if self._open[key] >= self.most:
            return False
        self._open[key] += 1
        return True

    def leave(self, address: str) -> None:
        key = network(address)
        self._open[key] -= 1
        if self._open[key] <= 0:
            del self._open[key]

    def __len__(self) -> int:
        return self._open.total()


class FailedLogins:
    """Remembers failed log-ins by address, to slow and then refuse whoever guesses.

    Never by account: guessing at somebody's password from elsewhere must not lock the owner out.
    """

    def __init__(self, slow_after: int, refuse_after: int, window: float) -> None:
        self.slow_after = slow_after
        self.refuse_after = refuse_after
        self.window = window
        self._failed: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def note(self, address: str, now: float) -> None:
        """A log-in from this address failed."""
        key = network(address)
        count, _ = self._recent(key, now)
        self._failed[key] = (count + 1, now)
        self._failed.move_to_end(key)
        if len(self._failed) > _MAX_TRACKED:
            self._failed.popitem(last=False)

    def delay(self, address: str, now: float) -> float:
        """Seconds to wait before the next failure is told."""
        count, _ = self._recent(network(address), now)
        return 0.0 if count <= self.slow_after else min(_MAX_DELAY, 2.0 ** (count - self.slow_after - 1))

    def refused(self, address: str, now: float) -> float:
        """Seconds for which this address may not try again; 0 when it may."""
        count, last = self._recent(network(address), now)
        return 0.0 if count < self.refuse_after else last + self.window - now

    def _recent(self, key: str, now: float) -> tuple[int, float]:
        count, last = self._failed.get(key, (0, now))
        if now - last > self.window:
            self._failed.pop(key, None)
            return 0, now
        return count, last


def network(address: str) -> str:
    """What counts as one peer: an IPv4 address, or the /64 that an IPv6 address lies in."""
    if ":" not in address:
        return address
    parsed = ipaddress.IPv6Address(address.partition("%")[0])
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((parsed, 64), strict=False).network_address)
