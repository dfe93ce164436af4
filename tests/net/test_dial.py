"""Where a domain's servers are, and which of their addresses is connected to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest

from chirrup.core.errors import NetworkError, ResolutionError
from chirrup.net import dial
from chirrup.net.dial import SERVERS, Dialer, Target, find
from chirrup.net.dns import SRV
from chirrup.testing import FakeClock

V4, V6 = socket.AF_INET, socket.AF_INET6


class Names:
    """A resolver with names of its own. An address that is a future comes when that is done."""

    def __init__(self, srv: dict[str, Any] | None = None, hosts: dict[str, list[str]] | None = None) -> None:
        self._srv = srv or {}
        self._hosts = hosts or {}
        self.gates: dict[tuple[str, int], asyncio.Event] = {}

    async def srv(self, name: str) -> list[SRV]:
        found = self._srv.get(name, [])
        if isinstance(found, Exception):
            raise found
        return list(found)

    async def addresses(self, host: str, family: socket.AddressFamily) -> list[str]:
        gate = self.gates.get((host, family))
        if gate is not None:
            await gate.wait()
        found = [one for one in self._hosts.get(host, []) if (":" in one) == (family is V6)]
        if not found:
            raise ResolutionError(f"{host}: Name or service not known")
        return found


DIRECT, STARTTLS = "_xmpps-client._tcp.example.org.", "_xmpp-client._tcp.example.org."


async def where(srv: dict[str, Any], **options: Any) -> list[Target]:
    return await find("example.org", resolver=Names(srv), below=lambda _: 0, **options)


# -- finding


async def test_both_services_are_one_list() -> None:
    """XEP-0368 §3: by priority and weight, whichever it is."""
    found = await where(
        {DIRECT: [SRV(10, 0, 443, "b"), SRV(30, 0, 5223, "d")], STARTTLS: [SRV(5, 0, 5222, "a"), SRV(20, 0, 5222, "c")]}
    )
    assert [(target.host, target.port, target.direct_tls) for target in found] == [
        ("a", 5222, False), ("b", 443, True), ("c", 5222, False), ("d", 5223, True),
    ]  # fmt: skip


async def test_without_records_it_is_the_domain_itself() -> None:
    assert await where({}) == [Target("example.org", 5222)]
    assert await where({}, service=SERVERS) == [Target("example.org", 5269)]


async def test_where_nobody_can_tell_it_is_the_domain_itself() -> None:
    error = ResolutionError("no answer")
    assert await where({DIRECT: error, STARTTLS: error}) == [Target("example.org", 5222)]
    assert await where({DIRECT: error, STARTTLS: [SRV(0, 0, 1, "a")]}) == [Target("a", 1)]


async def test_a_service_that_is_not_offered() -> None:
    no = [SRV(0, 0, 0, "")]
    assert await where({DIRECT: no, STARTTLS: [SRV(0, 0, 5222, "a")]}) == [Target("a", 5222)]
    with pytest.raises(ResolutionError, match=r"example\.org says that it doesn't offer this service: _xmpps-client"):
        await where({DIRECT: no, STARTTLS: no})
    with pytest.raises(ResolutionError, match="doesn't offer"):
        await where({STARTTLS: no})


@pytest.mark.parametrize("domain", ["localhost", "127.0.0.1", "[::1]"])
async def test_of_some_domains_nobody_is_asked(domain: str) -> None:
    class Silent(Names):
        async def srv(self, name: str) -> list[SRV]:
            raise AssertionError

    assert await find(domain, resolver=Silent()) == [Target(domain, 5222)]


async def test_domains_are_asked_for_as_dns_spells_them() -> None:
    resolver = Names({"_xmpp-client._tcp.xn--bcher-kva.example.": [SRV(0, 0, 1, "a")]})
    assert await find("bücher.example", resolver=resolver) == [Target("a", 1)]


# -- connecting


class Net:
    """Connections that are made by a test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tried: list[tuple[str, int]] = []
        self.outcomes: dict[str, asyncio.Future[Any]] = {}
        self.clock = FakeClock()
        monkeypatch.setattr(dial, "_connect", self._connect)

    async def _connect(self, address: str, port: int) -> socket.socket:
        self.tried.append((address, port))
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.outcomes[address] = future
        await future
        return socket.socket()

    def accept(self, address: str) -> None:
        self.outcomes[address].set_result(None)

    def refuse(self, address: str) -> None:
        self.outcomes[address].set_exception(ConnectionRefusedError(111, "as asyncio calls it"))

    @property
    def addresses(self) -> list[str]:
        return [address for address, _ in self.tried]


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> Net:
    return Net(monkeypatch)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def dialer(net: Net, resolver: Names, *targets: Target) -> Dialer:
    return Dialer(targets, resolver=resolver, clock=net.clock)


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it didn't come to that")


async def test_families_take_turns_and_the_slow_are_overtaken(net: Net) -> None:
    """RFC 8305 §§4 and 5: IPv6 first, then in turn, a quarter of a second apart; who answers first wins."""
    names = Names(hosts={"a": ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"]})
    connecting = asyncio.create_task(dialer(net, names, Target("a", 1)).connect())
    for expected in range(1, 5):
        await settle()
        assert len(net.tried) == expected
        net.clock.advance(dial.ATTEMPT_DELAY)
    assert net.addresses == ["2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2"]
    net.accept("192.0.2.1")
    sock, target = await connecting
    sock.close()
    assert target == Target("a", 1)
    assert net.clock.waiting == 0
    assert all(outcome.cancelled() for address, outcome in net.outcomes.items() if address != "192.0.2.1")


async def test_a_refusal_brings_the_next_at_once(net: Net) -> None:
    names = Names(hosts={"a": ["192.0.2.1", "192.0.2.2"]})
    connecting = asyncio.create_task(dialer(net, names, Target("a", 1)).connect())
    await until(lambda: len(net.tried) == 1)
    net.refuse("192.0.2.1")
    await until(lambda: len(net.tried) == 2)
    net.refuse("192.0.2.2")
    with pytest.raises(NetworkError) as caught:
        await connecting
    assert str(caught.value) == "192.0.2.1 port 1: Connection refused; 192.0.2.2 port 1: Connection refused"


async def test_ipv6_is_waited_for_a_moment(net: Net) -> None:
    names = Names(hosts={"a": ["192.0.2.1", "2001:db8::1"]})
    names.gates["a", V6] = asyncio.Event()
    connecting = asyncio.create_task(dialer(net, names, Target("a", 1)).connect())
    await settle()
    assert net.tried == []
    net.clock.advance(dial.RESOLUTION_DELAY)
    await until(lambda: net.addresses == ["192.0.2.1"])
    names.gates["a", V6].set()
    await settle()
    net.clock.advance(dial.ATTEMPT_DELAY)
    await until(lambda: net.addresses == ["192.0.2.1", "2001:db8::1"])
    net.accept("2001:db8::1")
    (await connecting)[0].close()


async def test_another_priority_comes_after_all_of_the_first(net: Net) -> None:
    """XEP-0495 §4: a group of targets is exhausted before the next is even looked up."""
    names = Names(hosts={"a": ["192.0.2.1"], "b": ["192.0.2.2"], "c": ["192.0.2.3"]})
    targets = [Target("a", 1, priority=1), Target("b", 2, priority=1), Target("c", 3, True, priority=2)]
    connecting = asyncio.create_task(dialer(net, names, *targets).connect())
    await until(lambda: len(net.tried) == 1)
    net.clock.advance(dial.ATTEMPT_DELAY)
    await until(lambda: len(net.tried) == 2)
    net.clock.advance(1)
    await settle()
    assert net.tried == [("192.0.2.1", 1), ("192.0.2.2", 2)]
    net.clock.advance(dial.ATTEMPT_SECONDS)
    await until(lambda: len(net.tried) == 3)
    net.accept("192.0.2.3")
    sock, target = await connecting
    sock.close()
    assert target == targets[2]


async def test_each_address_is_connected_to_once(net: Net) -> None:
    """Whoever isn't content with a connection asks for another."""
    names = Names(hosts={"a": ["192.0.2.1", "192.0.2.2"], "b": ["192.0.2.1"]})
    dialing = dialer(net, names, Target("a", 1), Target("b", 1, priority=2))
    for address in ("192.0.2.1", "192.0.2.2"):
        connecting = asyncio.create_task(dialing.connect())
        await until(lambda address=address: address in net.outcomes)  # type: ignore[misc]
        net.accept(address)
        (await connecting)[0].close()
    with pytest.raises(NetworkError, match="nothing is left"):
        await dialing.connect()


async def test_names_that_nobody_knows(net: Net) -> None:
    with pytest.raises(ResolutionError, match=r"^a: Name or service not known; b: Name or service not known$"):
        await dialer(net, Names(), Target("a", 1), Target("b", 1)).connect()


async def test_a_look_up_that_takes_too_long(net: Net) -> None:
    names = Names(hosts={"a": ["192.0.2.1"]})
    names.gates["a", V4] = names.gates["a", V6] = asyncio.Event()
    connecting = asyncio.create_task(dialer(net, names, Target("a", 1)).connect())
    await settle()
    net.clock.advance(5)
    with pytest.raises(ResolutionError, match="looking up the addresses of a: nothing for 5 s"):
        await connecting


async def test_cancelling_leaves_nothing_behind(net: Net) -> None:
    names = Names(hosts={"a": ["192.0.2.1"]})
    connecting = asyncio.create_task(dialer(net, names, Target("a", 1)).connect())
    await until(lambda: len(net.tried) == 1)
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    assert net.clock.waiting == 0
    assert net.outcomes["192.0.2.1"].cancelled()


async def test_a_real_connection() -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sock, _ = await Dialer([Target("127.0.0.1", port)], resolver=Names(), clock=FakeClock()).connect()
    assert sock.getpeername() == ("127.0.0.1", port)
    sock.close()
    server.close()
