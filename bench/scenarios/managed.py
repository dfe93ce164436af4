"""Messages between pairs of accounts whose clients have stream management and carbons switched on, as most have."""

from __future__ import annotations

from typing import Final

from bench.client import Connection, available, in_parallel
from bench.counting import Counter
from bench.peers import Running
from bench.scenarios.chat import Pair, exchange
from bench.scenarios.result import Result

ENABLE: Final = b"<enable xmlns='urn:xmpp:sm:3' resume='true'/>"
CARBONS: Final = b"<iq type='set' id='carbons'><enable xmlns='urn:xmpp:carbons:2'/></iq>"
REQUEST: Final = b"<r xmlns='urn:xmpp:sm:3'/>"
REQUESTED: Final = b"<r "


class ManagedPair(Pair):
    """A sender asks for an acknowledgement each time that it sends; a receiver acknowledges when it is asked."""

    def __init__(self, sender: Connection, receiver: Connection, message: bytes, window: int, total: int) -> None:
        super().__init__(sender, receiver, message, window, total)
        self._receiver = receiver
        self._requested = Counter(REQUESTED)

    async def settle(self) -> None:
        """Only an acknowledgement says that all is stored; answers to questions don't wait for that."""
        await super().settle()
        self._sender.write(REQUEST)
        await self._sender.expect(b"h='%d'" % (self.sent + 1), seconds=300)

    def _send(self, count: int) -> None:
        super()._send(count)
        if count:
            self._sender.write(REQUEST)

    def _received(self, data: bytes) -> None:
        super()._received(data)
        if self._requested.feed(data):
            self._receiver.write(b"<a xmlns='urn:xmpp:sm:3' h='%d'/>" % self.received)


async def manage(connection: Connection) -> None:
    """Switch both on. The client counts only messages, so nothing else is to come from now on."""
    connection.write(CARBONS)
    await connection.expect(b"carbons")
    connection.write(ENABLE)
    await connection.expect(b"<enabled")


async def chat_managed(
    server: Running, *, pairs: int, window: int, messages: int, body: str, longest: float = 60
) -> Result:
    """As `chat` with TLS, with stream management and carbons at both ends."""
    users = await available(server.port, [f"managed{n}" for n in range(2 * pairs)], tls=True)
    await in_parallel([manage(user) for user in users])
    receivers = users[pairs:]
    addresses = [user.jid for user in receivers]
    return await exchange(
        server, users[:pairs], receivers, addresses, window, messages, body, longest, kind=ManagedPair
    )
