"""Client libraries side by side: what a message costs that is answered, and what an idle client takes of memory.

    python -m bench.sdk [--messages 5000] [--clients 50] [--aioxmpp PYTHON]

The server is Chirrup, in a process of its own; so is each library. What counts is the CPU time of the library's
process, on which neither the server nor the generator has much influence. aioxmpp runs in another interpreter, as it
wants libraries of another time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from bench import client as generator
from bench.peers.chirrup import CHIRRUP
from chirrup.net import certificates

ROOT: Final = Path(__file__).parents[1]
WARM_UP: Final = 5
PACE: Final = 50
"""Messages on their way at a time."""
_LONGEST: Final = 300


async def run(python: str, library: str, port: int, mode: str, count: int) -> dict[str, Any]:
    """One library at one task, from the start of its process to its end."""
    process = await asyncio.create_subprocess_exec(
        python, "-m", f"bench.libraries.with_{library}", str(port), mode, str(count), cwd=ROOT,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    try:
        async with asyncio.timeout(_LONGEST):
            if await process.stdout.readline() != b"ready\n":
                raise RuntimeError(f"{library} doesn't get ready")
            process.stdin.write(b"\n")
            if mode == "messages":
                await _talk(port, count)
            found: dict[str, Any] = json.loads(await process.stdout.readline())
            return found
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _talk(port: int, count: int) -> None:
    """Write so many messages to the library, and wait for as many answers."""
    user = await generator.connect(port, "user1", "talker")
    text = "<message type='chat' to='user0@localhost/bench' id='m{}'><body>Hello, this is message {}</body></message>"
    for start in range(0, count, PACE):
        numbers = range(start, min(start + PACE, count))
        user.write("".join(text.format(number, number) for number in numbers).encode())
        await user.expect(b"</message>", len(numbers))
    user.close()


async def measure(options: argparse.Namespace, port: int) -> None:
    for number in range(options.clients + WARM_UP):
        (await generator.connect(port, f"user{number}", register=True)).close()
    pythons = {"chirrup": sys.executable, "slixmpp": sys.executable}
    if options.aioxmpp:
        pythons["aioxmpp"] = options.aioxmpp
    print(f"{'':10}{'µs a message':>14}{'messages/s':>14}{'KiB a client':>14}")
    for library, python in pythons.items():
        runs = [await run(python, library, port, "messages", options.messages) for _ in range(3)]
        cost = min(found["cpu"] for found in runs) / options.messages
        idle = await run(python, library, port, "idle", options.clients)
        print(f"{library:10}{cost * 1e6:14.1f}{1 / cost:14,.0f}{idle['kib']:14.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--messages", type=int, default=5000, help="how many are answered")
    parser.add_argument("--clients", type=int, default=50, help="how many are idle")
    parser.add_argument("--aioxmpp", metavar="PYTHON", help="an interpreter that has aioxmpp")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        pair = certificates.make("localhost", folder, time.time())
        server = CHIRRUP.start(folder, pair.certificate, pair.key)
        try:
            asyncio.run(measure(options, server.port))
        finally:
            server.process.stop()


if __name__ == "__main__":
    main()
