"""The limit: a bare uvloop relay, which moves the octets of each pair from one socket to the other and does no more.

`python -m bench.relay PORT CERTIFICATE KEY` listens on PORT in the clear and on PORT + 1 with TLS. A connection says
`S n` or `R n` in its first line; what a sender sends goes to the receiver of the same number.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from typing import cast

import uvloop


class Relay(asyncio.Protocol):
    def __init__(self, receivers: dict[bytes, asyncio.Transport]) -> None:
        self._receivers = receivers
        self._to: asyncio.Transport | None = None
        self._number = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._to is not None:
            self._to.write(data)
            return
        line, _, rest = data.partition(b"\n")
        kind, _, self._number = line.partition(b" ")
        if kind == b"R":
            self._receivers[self._number] = self._transport
        else:
            self._to = self._receivers[self._number]
            if rest:
                self._to.write(rest)
        self._transport.write(b"ok\n")


async def main(port: int, certificate: str, key: str) -> None:
    loop = asyncio.get_running_loop()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    receivers: dict[bytes, asyncio.Transport] = {}
    await loop.create_server(lambda: Relay(receivers), "127.0.0.1", port + 1, ssl=context)
    await loop.create_server(lambda: Relay(receivers), "127.0.0.1", port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
