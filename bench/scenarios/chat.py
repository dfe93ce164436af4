"""Messages between pairs of accounts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from bench.client import Connection, available, close, in_parallel
from bench.counting import Counter
from bench.peers import Running, relay
from bench.scenarios.result import Meter, Result

BODY: Final = "Shall we meet at the corner at seven?"
SMALL: Final = "<message to='{to}' type='chat' id='m1'><body>" + BODY + "</body></message>"
REALISTIC: Final = (
    "<message to='{to}' type='chat' id='7c2fd6a1-9d3b-4c55-8f0e-4c3a9e5f2b11' xml:lang='en'><body>" + BODY + "</body>"
    "<active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/>"
    "<markable xmlns='urn:xmpp:chat-markers:0'/>"
    "<origin-id xmlns='urn:xmpp:sid:0' id='7c2fd6a1-9d3b-4c55-8f0e-4c3a9e5f2b11'/></message>"
)
_NO_STORE: Final = "<no-store xmlns='urn:xmpp:hints'/></message>"
PASSING: Final = SMALL.replace("</message>", _NO_STORE)
"""A message that nobody is to keep, so that nothing but its delivery is measured."""
PASSING_REALISTIC: Final = REALISTIC.replace("</message>", _NO_STORE)
END: Final = b"</message>"
_PATIENCE: Final = 60.0
"""Seconds in which a pair may get nothing: where each message is written to disk before the next, and a server takes
all that one pair has sent before it looks at others, they wait long."""


class Pair:
    """A sender that keeps so many messages in flight to a receiver, and counts what arrives there."""

    def __init__(self, sender: Connection, receiver: Connection, message: bytes, window: int, total: int) -> None:
        self._sender = sender
        self._message = message
        self._window = window
        self._total = total
        self.sent = 0
        self._counter = Counter(END)
        self._done: asyncio.Future[None] = sender.loop.create_future()
        receiver.on_data = self._received

    @property
    def received(self) -> int:
        return self._counter.total

    @property
    def lost(self) -> int:
        """How many of those sent haven't arrived. Once a window of them is lost, the pair stands still."""
        return self.sent - self._counter.total

    def begin(self) -> None:
        self._send(self._window)

    def stop(self) -> None:
        """Send no more; what is on its way is still waited for."""
        self._total = self.sent
        self._finish()

    def _send(self, count: int) -> None:
        count = min(count, self._total - self.sent)
        if count:
            self.sent += count
            self._sender.write(self._message * count)

    def _received(self, data: bytes) -> None:
        found = self._counter.feed(data)
        if found:
            self._send(found)
            self._finish()

    def _finish(self) -> None:
        if self._counter.total >= self._total and not self._done.done():
            self._done.set_result(None)

    async def settle(self) -> None:
        """Return when the server has dealt with all that was sent: one that stores in groups has stored it then."""
        await self._sender.settle()

    async def wait(self, seconds: float) -> None:
        """Wait for all, or until nothing has come for that long: those messages are lost."""
        last = -1
        while not self._done.done() and last != self._counter.total:
            last = self._counter.total
            await asyncio.wait([self._done], timeout=seconds)


async def chat(
    server: Running,
    *,
    pairs: int,
    window: int,
    messages: int,
    body: str,
    tls: bool,
    longest: float = 60,
    patience: float = _PATIENCE,
) -> Result:
    """Pairs of accounts, messages to full JIDs, so many in flight for each pair; fewer than `messages` from a server
    that hasn't passed them on after `longest` seconds.

    After `patience` seconds in which nothing arrives, what is missing is lost."""
    if server.name == "relay":
        receivers = [await relay.join(server, "R", n, tls=tls) for n in range(pairs)]
        senders = [await relay.join(server, "S", n, tls=tls) for n in range(pairs)]
        addresses = [receiver.jid for receiver in receivers]
        return await exchange(server, senders, receivers, addresses, window, messages, body, longest, patience)
    users = await available(server.port, [f"chat{n}" for n in range(2 * pairs)], tls=tls)
    addresses = [user.jid for user in users[pairs:]]
    return await exchange(server, users[:pairs], users[pairs:], addresses, window, messages, body, longest, patience)


async def chat_bare(
    server: Running, *, pairs: int, window: int, messages: int, body: str, longest: float = 60
) -> Result:
    """As `chat`, to bare JIDs whose account has two clients of the same priority; a unit is a message, delivered
    twice where the server does so."""
    names = [f"bare{n}" for n in range(2 * pairs)]
    users = await available(server.port, names, tls=True)
    second = await available(server.port, names[pairs:], tls=True, register=False)
    receivers = users[pairs:]
    addresses = [user.jid.partition("/")[0] for user in receivers]
    counters = [Counter(END) for _ in second]
    for connection, counter in zip(second, counters, strict=True):
        connection.on_data = counter.feed
    result = await exchange(
        server, users[:pairs], receivers, addresses, window, messages, body, longest, copies=counters
    )
    close(second)
    result.figures["copies"] = 1 + sum(counter.total for counter in counters) / max(1, result.units)
    return result


async def _settled(counters: Sequence[Counter], wanted: int) -> None:
    """Wait until they have counted so many together, or nothing for a while."""
    before = -1
    while before < (total := sum(counter.total for counter in counters)) < wanted:
        before = total
        for _ in range(40):
            if sum(counter.total for counter in counters) >= wanted:
                break
            await asyncio.sleep(0.05)


async def exchange(
    server: Running,
    senders: list[Connection],
    receivers: list[Connection],
    addresses: list[str],
    window: int,
    messages: int,
    body: str,
    longest: float,
    patience: float = _PATIENCE,
    copies: Sequence[Counter] = (),
    kind: type[Pair] = Pair,
) -> Result:
    """What the scenarios here have in common; `copies` count what arrives at further clients, for which it waits
    too."""
    each = messages // len(senders)
    running = [
        kind(sender, receiver, body.format(to=address).encode(), window, each)
        for sender, receiver, address in zip(senders, receivers, addresses, strict=True)
    ]
    meter = Meter(server)
    for pair in running:
        pair.begin()
    loop = asyncio.get_running_loop()
    enough = [loop.call_later(longest, pair.stop) for pair in running]
    await asyncio.gather(*[pair.wait(patience) for pair in running])
    for timer in enough:
        timer.cancel()
    if copies:
        await _settled(copies, sum(pair.received for pair in running))
    if server.name != "relay":
        await in_parallel([pair.settle() for pair in running])
    lost = sum(pair.lost for pair in running)
    result = meter.result("message", sum(pair.received for pair in running), lost=lost)
    close(senders + receivers)
    return result
