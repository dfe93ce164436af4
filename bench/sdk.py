"""Client libraries side by side: what a message costs that is answered, what an idle client takes of memory, and what
an import takes.

    python -m bench.sdk [--messages 5000] [--clients 50] [--aioxmpp PYTHON]

The server is Chirrup, in a process of its own; so is each library. What counts is the CPU time of the library's
process, on which neither the server nor the generator has much influence. An import is made in a fresh interpreter,
with bytecode that is there already, several times; the quickest counts. aioxmpp runs in another interpreter, as it
wants libraries of another time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
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
_IMPORTS: Final = 12
"""How often each import is tried."""
IMPORTS: Final = {
    "import chirrup": ("chirrup", "import chirrup"),
    "chirrup.Client": ("chirrup", "import chirrup; chirrup.Client"),
    "chirrup.Bot": ("chirrup", "import chirrup; chirrup.Bot"),
    "slixmpp.ClientXMPP": ("slixmpp", "from slixmpp import ClientXMPP"),
    "aioxmpp.PresenceManagedClient": ("aioxmpp", "from aioxmpp import PresenceManagedClient"),
}
"""By what it is for: whose it is, and the statement."""


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


def import_time(python: str, statement: str) -> float:
    """Seconds of CPU time that a statement takes as the first of a program."""
    program = f"import time; began = time.process_time(); {statement}; print(time.process_time() - began)"
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}  # which a machine for development may have set
    command = [python, "-c", program]
    return min(float(subprocess.check_output(command, env=env, cwd=ROOT)) for _ in range(_IMPORTS))


def measure_imports(pythons: dict[str, str]) -> None:
    print(f"{'':32}{'ms of CPU time':>14}")
    for what, (library, statement) in IMPORTS.items():
        if library in pythons:
            print(f"{what:32}{import_time(pythons[library], statement) * 1e3:14.1f}")


async def measure(options: argparse.Namespace, pythons: dict[str, str], port: int) -> None:
    for number in range(options.clients + WARM_UP):
        (await generator.connect(port, f"user{number}", register=True)).close()
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
    pythons = {"chirrup": sys.executable, "slixmpp": sys.executable}
    if options.aioxmpp:
        pythons["aioxmpp"] = options.aioxmpp
    measure_imports(pythons)
    print()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        pair = certificates.make("localhost", folder, time.time())
        server = CHIRRUP.start(folder, pair.certificate, pair.key)
        try:
            asyncio.run(measure(options, pythons, server.port))
        finally:
            server.process.stop()


if __name__ == "__main__":
    main()
