"""The order of service records, and what the system's resolver makes of failures."""

from __future__ import annotations

import socket
from collections import Counter
from random import Random
from typing import Any

import pytest

from chirrup.core.errors import ResolutionError
from chirrup.net.dns import SRV, SystemResolver, in_order, is_address, is_here


def test_priorities_come_first() -> None:
    records = [SRV(20, 100, 1, "c"), SRV(10, 0, 1, "a"), SRV(30, 0, 1, "d"), SRV(10, 0, 1, "b")]
    assert [record.priority for record in in_order(records)] == [10, 10, 20, 30]


def test_weights_are_chances() -> None:
    """RFC 2782: in proportion to their weight, and those of weight 0 hardly ever before the others."""
    below = Random(1).randrange
    records = [SRV(1, 60, 1, "often"), SRV(1, 30, 1, "seldom"), SRV(1, 0, 1, "hardly"), SRV(1, 10, 1, "rarely")]
    firsts = Counter(in_order(records, below)[0].target for _ in range(5000))
    assert firsts["often"] == pytest.approx(3000, abs=200)
    assert firsts["seldom"] == pytest.approx(1500, abs=200)
    assert firsts["rarely"] == pytest.approx(500, abs=200)
    assert firsts["hardly"] < 150


def test_each_is_there_once() -> None:
    records = [SRV(priority, weight, 1, f"{priority}-{weight}") for priority in range(3) for weight in range(4)]
    assert sorted(in_order(records), key=str) == sorted(records, key=str)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", True),
        ("[::1]", True),
        ("::1", True),
        ("fe80::1%eth0", True),
        ("example.org", False),
        ("1.2", False),
    ],
)
def test_addresses(host: str, address: bool) -> None:
    assert is_address(host) == address


def test_this_machine() -> None:
    assert is_here("LocalHost.")
    assert is_here("chat.localhost")
    assert not is_here("localhost.example")


async def test_the_system_knows_localhost() -> None:
    assert await SystemResolver().addresses("localhost", socket.AF_INET) == ["127.0.0.1"]


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".example", "\u0000"])
async def test_a_host_that_is_nowhere(host: str) -> None:
    with pytest.raises(ResolutionError):
        await SystemResolver().addresses(host, socket.AF_INET)


class _Servers:
    """Name servers that fail in a way, or answer."""

    def __init__(self, outcome: Any) -> None:
        self._outcome = outcome

    async def resolve(self, name: str, kind: str, **_: Any) -> Any:
        assert kind == "SRV"
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


async def _ask(outcome: Any) -> list[SRV]:
    resolver = SystemResolver()
    resolver._dns = _Servers(outcome)
    return await resolver.srv("_xmpp-client._tcp.example.org.")


async def test_answers_of_name_servers() -> None:
    import dns.name
    import dns.resolver
    from dns.rdtypes.IN.SRV import SRV as Record  # noqa: N811

    record = Record("IN", "SRV", 5, 10, 5222, dns.name.from_text("xmpp.example.org."))  # type: ignore[arg-type]
    none = Record("IN", "SRV", 0, 0, 0, dns.name.root)  # type: ignore[arg-type]
    assert await _ask([record, none]) == [SRV(5, 10, 5222, "xmpp.example.org"), SRV(0, 0, 0, "")]
    assert await _ask(dns.resolver.NXDOMAIN()) == []
    assert len(await _ask([record] * 1000)) == 100


async def test_name_servers_that_fail() -> None:
    import dns.resolver

    for error, text in (
        (dns.resolver.LifetimeTimeout(timeout=5, errors=[]), "no answer within 5 s"),
        (dns.resolver.NoNameservers(), "All nameservers failed"),
        (OSError(101, "Network is unreachable"), "Network is unreachable"),
    ):
        with pytest.raises(ResolutionError, match=rf"_xmpp-client._tcp.example.org.: {text}"):
            await _ask(error)


async def test_a_system_without_name_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    import dns.asyncresolver
    import dns.resolver

    def none() -> Any:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.asyncresolver, "Resolver", none)
    with pytest.raises(ResolutionError, match="no name servers configured"):
        await SystemResolver().srv("_xmpp-client._tcp.example.org.")
