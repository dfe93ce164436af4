"""What a session writes to before its client has been told that it has one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chirrup.core.errors import StreamError

if TYPE_CHECKING:
    from chirrup.server.c2s import ClientConnection
    from chirrup.server.session import Session


class Held:
    """A connection whose client is still being answered: what is written meanwhile comes behind the answer."""

    __slots__ = ("_connection", "_octets", "_written", "peer")

    congested: Final = False

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._written: list[bytes] = []
        self._octets = 0
        self.peer = connection.peer

    def release(self, session: Session) -> None:
        """The answer is written: let the rest follow, and what will come go to the connection itself."""
        session.connect(self._connection)
        for written in self._written:
            self._connection.write(written)
        session.log.info("session begins")

    def write(self, data: bytes) -> None:
        self._written.append(data)
        self._octets += len(data)
        if self._octets > self._connection.send_buffer_bytes:
            self._connection.overflowed()

    def fail(self, error: StreamError) -> None:
        self._connection.fail(error)

    def failed(self, error: StreamError) -> None:
        self._connection.failed(error)

    def pause_reading(self, why: str) -> None:
        self._connection.pause_reading(why)

    def resume_reading(self, why: str) -> None:
        self._connection.resume_reading(why)

    def abort(self) -> None:
        self._connection.abort()

    def hand_over(self) -> None:
        self._connection.hand_over()
