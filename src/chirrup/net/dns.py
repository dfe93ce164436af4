"""Looking up names: service records (RFC 2782) and addresses, asynchronously and within a deadline."""

from __future__ import annotations

import asyncio
import ipaddress
import random
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from chirrup.core.errors import ResolutionError
from chirrup.net.certificates import ascii_name

LOOKUP_SECONDS: Final = 5.0
"""After how long a look-up of service records is given up."""

_MOST_RECORDS: Final = 100
"""So many records of a service are looked at; nobody has more of them."""


@dataclass(frozen=True, slots=True)
class SRV:
    """A service record. A target of "" says that the service isn't offered (RFC 2782, "Target")."""

    priority: int
    weight: int
    port: int
    target: str


class Resolver(Protocol):
    """Who looks names up."""

    async def srv(self, name: str) -> list[SRV]:
        """The service records of `_service._proto.name`, in no order; ResolutionError where nobody could say."""
        ...

    async def addresses(self, host: str, family: socket.AddressFamily) -> list[str]:
        """The addresses of a host in one family, best first; ResolutionError where there are none."""
        ...


class SystemResolver:
    """Addresses as the system sees them, its hosts file included; service records from its name servers."""

    def __init__(self) -> None:
        self._dns: Any = None

    async def srv(self, name: str) -> list[SRV]:
        if self._dns is None:
            self._dns = await asyncio.to_thread(_name_servers)  # importing dnspython takes a while
        import dns.exception
        import dns.resolver

        try:
            answer = await self._dns.resolve(name, "SRV", lifetime=LOOKUP_SECONDS, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise ResolutionError(f"{name}: {_reason(error)}") from None
        return [
            SRV(record.priority, record.weight, record.port, record.target.to_text(omit_final_dot=True).rstrip("."))
            for record in list(answer)[:_MOST_RECORDS]
        ]

    async def addresses(self, host: str, family: socket.AddressFamily) -> list[str]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, None, family=family, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise ResolutionError(f"{host}: {_reason(error)}") from None
        return [str(info[4][0]) for info in found]


def _name_servers() -> Any:
    import dns.asyncresolver
    import dns.resolver

    try:
        return dns.asyncresolver.Resolver()
    except dns.resolver.NoResolverConfiguration:
        return _NoNameServers()


class _NoNameServers:
    """What stands for the system's name servers where it names none."""

    async def resolve(self, *_: object, **__: object) -> Any:
        raise OSError(None, "the system has no name servers configured")


def _reason(error: Exception) -> str:
    """The error in a few words: those of dnspython tell a story."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if type(error).__name__ == "LifetimeTimeout":
        return f"no answer within {LOOKUP_SECONDS:g} s"
    return str(error).split(":")[0].strip() or type(error).__name__


def is_address(host: str) -> bool:
    """Whether a host is an IP address, in brackets or not, and so isn't looked up."""
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]").partition("%")[0])
    except ValueError:
        return False
    return True


def is_here(host: str) -> bool:
    """Whether a host is this machine by its name, of which no name server is asked (RFC 6761 §6.3)."""
    name = ascii_name(host)
    return name == "localhost" or name.endswith(".localhost")


def in_order(records: Iterable[SRV], below: Callable[[int], int] = random.randrange) -> list[SRV]:
    """Records by priority, and by chance as their weights ask (RFC 2782, "Usage rules"). `below(n)` is a random number
    under n."""
    ordered: list[SRV] = []
    rest = sorted(records, key=lambda record: (record.priority, record.weight))
    while rest:
        group = [record for record in rest if record.priority == rest[0].priority]
        mark = below(sum(record.weight for record in group) + 1)
        reached = 0
        for record in group:
            reached += record.weight
            if reached >= mark:
                break
        ordered.append(record)
        rest.remove(record)
    return ordered
