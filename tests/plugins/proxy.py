"""A network that isn't to be relied on: a proxy between clients and a server, which does to TCP connections what can
happen to them.

Within a connection TCP loses no octets, swaps none, and repeats none. What can happen is that it ends after any octet,
in either direction, so that what was sent before has arrived or hasn't, with one end knowing, both, or neither; that
octets come late and in other pieces; that one end is silent; that no connection can be made for a while; and that a
connection's first octets are taken twice, as two connections (RFC 7413 §2.1). What becomes of a connection is drawn
from a seeded generator when it begins, so that a run can be repeated, as far as the octets are the same.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, Final, cast

NEGOTIATION: Final = 3000
"""Octets in which a client logs in, about."""
EARLY: Final = 0.35
"""The share of faults that come within these."""
MEAN_OCTETS_UP: Final = 300
MEAN_OCTETS_DOWN: Final = 1500
"""After how many more octets the others come, on average; clients send fewer than they get."""
SILENCE: Final = 4.0
"""Seconds for which one end is left alone, at most."""
_REPEATED_SECONDS: Final = 0.2
_RESET: Final = struct.pack("ii", 1, 0)

CUTS: Final = ("reset", "close", "lose_up", "lose_down", "abandon", "vanish", "outage")
"""Faults that end a connection. All but "close" do so without warning, mid-stanza.

reset     both ends are told at once, and what was on its way is lost
close     both ends are told in order, in the middle of a stanza
lose_up   what the client sends is lost for a while, then both ends are told
lose_down the same for what the server sends: it has the client's stanzas, and the client never hears of it
abandon   the client is told, and comes back while the server still has its connection for good
vanish    the server is told, and the client hears nothing for a while
outage    as reset, and then no connection can be made, for longer than sessions can be resumed, at times
"""
NUISANCES: Final = ("delay", "repeat")
"""delay     octets are held back, and come then in pieces as small as one
repeat    what the client has sent by now comes a second time, on a connection of its own
"""


class Proxy:
    """The ways of many clients to one server."""

    def __init__(self, target: Callable[[], int], choose: random.Random, *, outage: float) -> None:
        """`target` gives the server's port on this machine; `outage` is for how many seconds a client can't get
        through, at most. It is calm until `storm` is called."""
        self.target = target
        self.choose = choose
        self.outage = outage
        self.faults: Counter[str] = Counter()
        self.stormy = False
        self._ways: list[Way] = []
        self._cut_enough: asyncio.Event | None = None
        self._enough = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Proxy:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.calm()
        for way in self._ways:
            way.close()

    async def way(self) -> Way:
        """A way to the server, for one client."""
        way = Way(self, random.Random(self.choose.random()))
        await way.open()
        self._ways.append(way)
        return way

    @property
    def cuts(self) -> int:
        """How many connections were ended."""
        return sum(self.faults[name] for name in CUTS)

    async def storm(self, cuts: int) -> None:
        """Let all that happens happen, to all connections, until so many were cut; then be calm."""
        self.stormy, self._enough, self._cut_enough = True, cuts, asyncio.Event()
        for way in self._ways:
            for passage in list(way.passages):
                passage.plan()
        await self._cut_enough.wait()
        self.calm()

    def calm(self) -> None:
        """Nothing more happens. Connections that are half gone end."""
        self.stormy = False
        for way in self._ways:
            way.out_until = 0.0
            for passage in list(way.passages):
                passage.calm()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def note(self, fault: str) -> None:
        self.faults[fault] += 1
        if self._cut_enough is not None and self.cuts >= self._enough:
            self._cut_enough.set()


class Way:
    """One client's way to the server."""

    def __init__(self, proxy: Proxy, choose: random.Random) -> None:
        self.proxy = proxy
        self.choose = choose
        self.port = 0
        self.passages: set[Passage] = set()
        self.out_until = 0.0
        """By the loop's clock, until when there are no connections."""
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(lambda: Passage(self).client, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for passage in list(self.passages):
            passage.reset()


class End(asyncio.Protocol):
    """One end of a connection that goes through the proxy."""

    def __init__(self, passage: Passage) -> None:
        self.passage = passage
        self.octets = 0
        """How many have come from there."""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        if self is self.passage.client:
            self.passage.begin()

    def data_received(self, data: bytes) -> None:
        self.passage.received(self, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.passage.ended(self)

    def write(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data)

    def close(self) -> None:
        """End it in order, after what was written."""
        if self.transport is not None:
            self.transport.close()

    def reset(self) -> None:
        """End it at once: RST, and what hasn't left is lost."""
        if self.transport is not None:
            sock = self.transport.get_extra_info("socket")
            if not self.transport.is_closing() and sock is not None and sock.fileno() >= 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.transport.abort()


class Passage:
    """A connection through the proxy, and what is to become of it."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self.client, self._server = End(self), End(self)
        self._loop = asyncio.get_running_loop()
        self._fault = ""
        self._at: End = self.client
        self._after = 0
        self._lost_from: set[End] = set()  # whose octets are lost
        self._half_gone = False
        self._held: list[tuple[End, bytes]] | None = []  # what waits to be passed on
        self._first = b""  # what the client sent at first
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """The client is there."""
        self._way.passages.add(self)
        if self._loop.time() < self._way.out_until:
            self.reset()
        else:
            self._task = self._loop.create_task(self._connect())

    async def _connect(self) -> None:
        try:
            await self._loop.create_connection(lambda: self._server, "127.0.0.1", self._way.proxy.target())
        except OSError:
            self.reset()
            return
        if self not in self._way.passages:
            self._server.reset()
            return
        if self._way.proxy.stormy:
            self.plan()
        self._pass_on()

    def plan(self) -> None:
        """Draw what is going to happen next, and when."""
        choose = self._way.choose
        self._fault = choose.choice((*CUTS, *NUISANCES))
        self._at = choose.choice((self.client, self._server))
        early = choose.random() < EARLY
        mean = MEAN_OCTETS_UP if self._at is self.client else MEAN_OCTETS_DOWN
        start = max(self._at.octets, 0 if early else NEGOTIATION)
        more = choose.randrange(1, NEGOTIATION) if early else 1 + int(choose.expovariate(1 / mean))
        self._after = start + more

    def calm(self) -> None:
        """Nothing more happens; what is half gone ends."""
        self._fault = ""
        if self._half_gone:
            self.reset()

    # -- what comes

    def received(self, source: End, data: bytes) -> None:
        if self._held is not None:
            self._held.append((source, data))
        elif self._fault and source is self._at and source.octets + len(data) >= self._after:
            until = max(0, self._after - source.octets)
            self._give(source, data[:until])
            self._strike(source, data[until:])
        else:
            self._give(source, data)

    def _give(self, source: End, data: bytes) -> None:
        source.octets += len(data)
        if source is self.client and len(self._first) < NEGOTIATION:
            self._first += data
        if source not in self._lost_from:
            (self._server if source is self.client else self.client).write(data)

    def ended(self, end: End) -> None:
        if self._half_gone and end in self._lost_from:
            return
        (self._server if end is self.client else self.client).close()
        self._way.passages.discard(self)

    def reset(self) -> None:
        self._way.passages.discard(self)
        self._half_gone = False
        self.client.reset()
        self._server.reset()

    # -- what happens

    def _strike(self, source: End, rest: bytes) -> None:
        fault, self._fault = self._fault, ""
        choose = self._way.choose
        match fault:
            case "reset":
                self.reset()
            case "close":
                self.client.close()
                self._server.close()
            case "lose_up":
                self._lose(self.client)
                self._give(source, rest)
            case "lose_down":
                self._lose(self._server)
                self._give(source, rest)
            case "abandon":
                self._lose(self.client, self._server)
                self.client.reset()
            case "vanish":
                self._lose(self.client, self._server)
                self._server.reset()
            case "outage":
                self._way.out_until = self._loop.time() + choose.uniform(0, self._way.proxy.outage)
                self.reset()
            case "delay":
                self._held = [(source, rest[start : start + 7]) for start in range(0, len(rest), 7)]
                self._loop.call_later(choose.uniform(0, 0.3), self._pass_on)
            case "repeat":
                self._way.proxy.spawn(self._repeat(self._first))
                self._give(source, rest)
        if fault in NUISANCES and self._way.proxy.stormy:
            self.plan()
        self._way.proxy.note(fault)

    def _lose(self, *ends: End) -> None:
        """What comes from these ends is lost from now on, for a while; then the connection ends. What the other end
        sends comes without a gap until then."""
        self._half_gone = True
        self._lost_from.update(ends)
        self._loop.call_later(self._way.choose.uniform(0, SILENCE), self.reset)

    def _pass_on(self) -> None:
        """Let go of what was held back, a piece each turn of the loop."""
        if self._held and self in self._way.passages:
            source, data = self._held.pop(0)
            held, self._held = self._held, None
            self.received(source, data)
            if self._held is None:  # else it is held back once more, and comes first
                self._held = held
            else:
                self._held += held
                return
            self._loop.call_soon(self._pass_on)
        else:
            self._held = None

    async def _repeat(self, octets: bytes) -> None:
        """Send octets once more, and take no notice of what is said to that."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._way.proxy.target())
        except OSError:
            return
        writer.write(octets)
        try:
            async with asyncio.timeout(_REPEATED_SECONDS):
                await reader.read()
        except (TimeoutError, OSError):
            pass
        finally:
            writer.transport.abort()
