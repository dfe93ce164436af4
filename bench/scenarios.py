"""What is measured. A scenario is given a running server, does its work, and says what it found.

Every figure of CPU time is the server's, over the time in which the units were processed, by /proc; the generator's
own is taken too, so that it is known when that was the limit.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bench.client import Connection, Counter, connect, in_parallel
from bench.peers import Running, relay

BODY = "Shall we meet at the corner at seven?"
SMALL = "<message to='{to}' type='chat' id='m1'><body>" + BODY + "</body></message>"
REALISTIC = (
    "<message to='{to}' type='chat' id='7c2fd6a1-9d3b-4c55-8f0e-4c3a9e5f2b11' xml:lang='en'><body>" + BODY + "</body>"
    "<active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/>"
    "<markable xmlns='urn:xmpp:chat-markers:0'/>"
    "<origin-id xmlns='urn:xmpp:sid:0' id='7c2fd6a1-9d3b-4c55-8f0e-4c3a9e5f2b11'/></message>"
)
END = b"</message>"


@dataclass(slots=True)
class Result:
    """What one run of a scenario found."""

    unit: str
    units: int
    seconds: float
    cpu: float
    """Seconds of the server's CPU time."""
    generator_cpu: float
    lost: int = 0
    peak_memory: int = 0
    figures: dict[str, float] = field(default_factory=dict)
    """Further figures by name: latencies in ms, KiB a session."""

    @property
    def cpu_us(self) -> float:
        """Microseconds of the server's CPU time a unit."""
        return self.cpu / self.units * 1e6 if self.units else 0.0

    @property
    def generator_was_limit(self) -> bool:
        """The generator was busy all the time, and busier than the server: throughput says nothing of the server."""
        return self.generator_cpu > 0.95 * self.seconds and self.generator_cpu > self.cpu


class Meter:
    """Takes the server's and the generator's CPU time over a stretch of work."""

    def __init__(self, server: Running) -> None:
        self._server = server
        self._cpu = server.process.cpu()
        self._own = time.process_time()
        self._began = time.perf_counter()

    def result(self, unit: str, units: int, *, lost: int = 0, **figures: float) -> Result:
        seconds = time.perf_counter() - self._began
        own = time.process_time() - self._own
        process = self._server.process
        return Result(unit, units, seconds, process.cpu() - self._cpu, own, lost, process.peak_memory(), dict(figures))


class Pair:
    """A sender that keeps so many messages in flight to a receiver, and counts what arrives there."""

    def __init__(self, sender: Connection, receiver: Connection, message: bytes, window: int, total: int) -> None:
        self._sender = sender
        self._message = message
        self._window = window
        self._total = total
        self._sent = 0
        self._counter = Counter(END)
        self._done: asyncio.Future[None] = sender.loop.create_future()
        receiver.on_data = self._received

    @property
    def received(self) -> int:
        return self._counter.total

    def begin(self) -> None:
        self._send(self._window)

    def _send(self, count: int) -> None:
        count = min(count, self._total - self._sent)
        if count:
            self._sent += count
            self._sender.write(self._message * count)

    def _received(self, data: bytes) -> None:
        found = self._counter.feed(data)
        if found:
            self._send(found)
            if self._counter.total >= self._total and not self._done.done():
                self._done.set_result(None)

    async def wait(self, seconds: float) -> None:
        """Wait for all, or until nothing has come for that long: those messages are lost."""
        last = -1
        while not self._done.done() and last != self._counter.total:
            last = self._counter.total
            await asyncio.wait([self._done], timeout=seconds)


async def chat(server: Running, *, pairs: int, window: int, messages: int, body: str, tls: bool) -> Result:
    """Pairs of accounts, messages to full JIDs, so many in flight for each pair."""
    if server.name == "relay":
        receivers = [await relay.join(server, "R", n, tls=tls) for n in range(pairs)]
        senders = [await relay.join(server, "S", n, tls=tls) for n in range(pairs)]
        return await _chat(server, senders, receivers, [r.jid for r in receivers], window, messages, body)
    users = await _available(server, [f"chat{n}" for n in range(2 * pairs)], tls=tls)
    return await _chat(server, users[:pairs], users[pairs:], [u.jid for u in users[pairs:]], window, messages, body)


async def chat_bare(server: Running, *, pairs: int, window: int, messages: int) -> Result:
    """As `chat`, to bare JIDs whose account has two clients of the same priority; a unit is a message, delivered
    twice where the server does so."""
    names = [f"bare{n}" for n in range(2 * pairs)]
    users = await _available(server, names, tls=True)
    second = await _available(server, names[pairs:], tls=True, register=False)
    receivers = users[pairs:]
    addresses = [user.jid.partition("/")[0] for user in receivers]
    counters = [Counter(END) for _ in second]
    for connection, counter in zip(second, counters, strict=True):
        connection.on_data = counter.feed
    result = await _chat(server, users[:pairs], receivers, addresses, window, messages, SMALL, spare=second)
    result.figures["copies"] = 1 + sum(counter.total for counter in counters) / max(1, result.units)
    return result


async def _chat(
    server: Running,
    senders: list[Connection],
    receivers: list[Connection],
    addresses: list[str],
    window: int,
    messages: int,
    body: str,
    spare: list[Connection] | None = None,
) -> Result:
    each = messages // len(senders)
    running = [
        Pair(sender, receiver, body.format(to=address).encode(), window, each)
        for sender, receiver, address in zip(senders, receivers, addresses, strict=True)
    ]
    meter = Meter(server)
    for pair in running:
        pair.begin()
    await asyncio.gather(*[pair.wait(5) for pair in running])
    received = sum(pair.received for pair in running)
    result = meter.result("message", received, lost=each * len(senders) - received)
    _close(senders + receivers + (spare or []))
    return result


async def offline(server: Running, *, senders: int, messages: int) -> Result:
    """Messages to accounts that are away. A sender asks for an answer after each ten, which acknowledges them: they
    have to be stored by then."""
    users = await _available(server, [f"sender{n}" for n in range(senders)], tls=True)
    aways = await _available(server, [f"away{n}" for n in range(senders)], tls=True, presence=False)
    _close(aways)
    await asyncio.sleep(0.5)
    each = min(messages // senders, 900) // 10 * 10
    meter = Meter(server)

    async def send(user: Connection, number: int) -> None:
        batch = SMALL.format(to=f"away{number}@localhost").encode() * 10
        for _ in range(each // 10):
            user.write(batch)
            await user.settle()

    await asyncio.gather(*[send(user, number) for number, user in enumerate(users)])
    result = meter.result("message", each * senders)
    _close(users)
    counted = 0
    for number in range(senders):
        away = await connect(server.port, f"away{number}")
        counter = Counter(END)
        away.on_data = counter.feed
        away.write(b"<presence/>")
        for _ in range(100):
            before = counter.total
            await asyncio.sleep(0.05)
            if counter.total >= each or (counter.total == before and before):
                break
        counted += counter.total
        away.close()
    result.lost = each * senders - counted
    return result


async def idle(server: Running, *, sessions: int) -> Result:
    """So many TLS sessions, logged in and available, that do nothing: KiB of memory for each, and CPU time a log-in."""
    accounts = min(100, sessions)
    _close(await _available(server, [f"idle{n}" for n in range(accounts)], tls=True, presence=False))
    await asyncio.sleep(1)
    before = server.process.memory()
    meter = Meter(server)
    users = await in_parallel([connect(server.port, f"idle{n % accounts}", f"r{n}") for n in range(sessions)], most=32)
    result = meter.result("log-in", sessions)
    await asyncio.sleep(2)
    result.figures["KiB a session"] = (server.process.memory() - before) / sessions / 1024
    result.figures["log-ins a second"] = sessions / result.seconds
    _close(users)
    return result


async def presence(server: Running, *, users: int, contacts: int, changes: int) -> Result:
    """Users with mutual subscriptions who all change their presence; a unit is a presence delivered."""
    names = [f"pres{n}" for n in range(users)]
    connections = await _available(server, names, tls=True, presence=False)
    counters = []
    for connection in connections:
        connection.write(b"<presence/>")
    await in_parallel([connection.settle() for connection in connections])
    # Both sides of each pair ask and grant; whatever order that is processed in, it ends as "both".
    for number, connection in enumerate(connections):
        for step in range(1, contacts // 2 + 1):
            for other in (names[(number + step) % users], names[(number - step) % users]):
                connection.write(f"<presence to='{other}@localhost' type='subscribe'/>".encode())
    await in_parallel([connection.settle() for connection in connections])
    for number, connection in enumerate(connections):
        for step in range(1, contacts // 2 + 1):
            for other in (names[(number + step) % users], names[(number - step) % users]):
                connection.write(f"<presence to='{other}@localhost' type='subscribed'/>".encode())
    await in_parallel([connection.settle() for connection in connections])
    await asyncio.sleep(1)
    for connection in connections:
        counter = Counter(b"<show>")
        connection.on_data = counter.feed
        counters.append(counter)
    wanted = users * (contacts // 2 * 2) * changes
    meter = Meter(server)
    for show in itertools.islice(itertools.cycle(("away", "chat", "dnd", "xa")), changes):
        for connection in connections:
            connection.write(f"<presence><show>{show}</show></presence>".encode())
        await asyncio.sleep(0)
    before = -1
    while (total := sum(counter.total for counter in counters)) < wanted and total != before:
        before = total
        for _ in range(40):
            await asyncio.sleep(0.05)
            if sum(counter.total for counter in counters) >= wanted:
                break
    # A session's own copy of its presence comes back to it as well: it isn't counted as lost or delivered twice.
    total = sum(counter.total for counter in counters)
    result = meter.result("delivery", total, lost=max(0, wanted - total))
    _close(connections)
    return result


async def latency(server: Running, *, pairs: int, rate: int, seconds: float) -> Result:
    """Messages at a fixed rate over TLS; how long each takes from the sender's write to the receiver's read, in ms."""
    users = await _available(server, [f"lat{n}" for n in range(2 * pairs)], tls=True)
    senders, receivers = users[:pairs], users[pairs:]
    sent: list[list[float]] = [[] for _ in range(pairs)]
    took: list[float] = []

    def watch(number: int) -> Callable[[bytes], None]:
        counter = Counter(END)

        def look(data: bytes) -> None:
            now = time.perf_counter()
            first = counter.total
            found = counter.feed(data)
            took.extend(now - moment for moment in sent[number][first : first + found])

        return look

    for number, receiver in enumerate(receivers):
        receiver.on_data = watch(number)
    messages = [SMALL.format(to=receiver.jid).encode() for receiver in receivers]
    meter = Meter(server)
    began = time.perf_counter()
    total = int(rate * seconds)
    for index in range(total):
        due = began + index / rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        number = index % pairs
        sent[number].append(time.perf_counter())
        senders[number].write(messages[number])
    for _ in range(100):
        if len(took) >= total:
            break
        await asyncio.sleep(0.05)
    result = meter.result("message", len(took), lost=total - len(took))
    ordered = sorted(took)
    for name, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)):
        result.figures[f"{name} ms"] = ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1e3
    result.figures["mean ms"] = statistics.fmean(took) * 1e3
    _close(users)
    return result


async def _available(
    server: Running, names: list[str], *, tls: bool, presence: bool = True, register: bool = True
) -> list[Connection]:
    """Clients that are logged in, their accounts made first, and available."""
    users = await in_parallel([connect(server.port, name, tls=tls, register=register) for name in names], most=16)
    if presence:
        for user in users:
            user.write(b"<presence/>")
        await in_parallel([user.settle() for user in users])
    return users


def _close(users: list[Connection]) -> None:
    for user in users:
        user.close()


Scenario = Callable[[Running], Awaitable[Result]]


def scenarios(scale: float = 1.0) -> dict[str, Scenario]:
    """The scenarios by name, in the order in which they are reported; `scale` shrinks or grows the work."""

    def of(count: int) -> int:
        return max(1, int(count * scale))

    return {
        "chat, plain": lambda s: chat(s, pairs=20, window=64, messages=of(40_000), body=SMALL, tls=False),
        "chat, TLS": lambda s: chat(s, pairs=20, window=64, messages=of(40_000), body=SMALL, tls=True),
        "chat, TLS, realistic": lambda s: chat(s, pairs=20, window=64, messages=of(40_000), body=REALISTIC, tls=True),
        "chat, plain, one in flight": lambda s: chat(s, pairs=20, window=1, messages=of(20_000), body=SMALL, tls=False),
        "chat, TLS, one in flight": lambda s: chat(s, pairs=20, window=1, messages=of(20_000), body=SMALL, tls=True),
        "chat to bare JIDs, two clients": lambda s: chat_bare(s, pairs=20, window=64, messages=of(40_000)),
        "offline": lambda s: offline(s, senders=20, messages=of(18_000)),
        "log-ins and 2,000 idle sessions": lambda s: idle(s, sessions=of(2_000)),
        "presence": lambda s: presence(s, users=of(500), contacts=20, changes=10),
        "latency at 2,000/s": lambda s: latency(s, pairs=20, rate=2_000, seconds=10 * scale),
    }
