"""What costs what in Chirrup: samples of its stacks in a scenario, taken by py-spy, summed by part of the house."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Final

from bench import docs
from bench.measure import run
from bench.peers import Running
from bench.peers.chirrup import CHIRRUP
from bench.scenarios import Result, Scenario

_PARTS: Final = (
    (r"/chirrup/core/(parser|reader|writing|compiled|xml)", "parsing and serialising: `core/parser`, `core/writing`"),
    (r"/chirrup/core/", "addresses, negotiation: the rest of `core`"),
    (r"/chirrup/server/(router|delivery|session|account|host|iq)\b", "routing and delivery: `server`"),
    (r"/chirrup/server/", "connections and the rest of `server`"),
    (r"/chirrup/ext/", "modules: `ext`"),
    (r"/chirrup/net/", "giving octets to TLS and the socket: `net` and, called by it, uvloop, OpenSSL, the kernel"),
    (r"/chirrup/store/|sqlalchemy|sqlite3", "the store: `store`, SQLAlchemy, SQLite"),
)
_LOOP: Final = "the event loop: reading, decrypting and handshakes in uvloop, OpenSSL, the kernel"
_WAITING: Final = re.compile(r"^(_worker|WriteQueue\._work|Condition\.wait|wait|Queue\.get|get) \(")
"""Innermost frames of threads that have nothing to do, which py-spy doesn't always see."""
_FRAME: Final = re.compile(r"^(?P<name>.*) \((?P<file>.*?)(?::\d+)?\)$")


def profile(chosen: dict[str, Scenario], *, into_docs: bool) -> int:
    """Print a table for each scenario; `into_docs` puts them into docs/performance.md."""
    spy = shutil.which("py-spy", path=f"{Path(sys.executable).parent}") or shutil.which("py-spy")
    if spy is None:
        print("bench: py-spy isn't installed; '.venv/bin/pip install py-spy' mends that", file=sys.stderr)
        return 1
    parts = []
    for name, scenario in chosen.items():
        samples = _sample(spy, scenario)
        parts.append(f"**{name}** ({sum(samples.values()):,} samples)\n\n{table(samples)}")
    text = "\n\n".join(parts)
    print(text)
    if into_docs:
        docs.PAGE.write_text(docs.put(docs.PAGE.read_text(), "profile", text))
    return 0


def _sample(spy: str, scenario: Scenario) -> dict[str, int]:
    """Run a scenario on Chirrup; how often each stack was seen, with its frames from the outside in, by semicolons."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        stacks = Path(folder, "stacks.txt")

        async def watched(server: Running) -> Result:
            command = [spy, "record", "--rate", "500", "--full-filenames", "--format", "raw", "--output", str(stacks)]
            command += ["--pid", str(server.process.pid)]
            null = asyncio.subprocess.DEVNULL
            watcher = await asyncio.create_subprocess_exec(*command, stdout=null, stderr=null)
            try:
                return await scenario.work(server)
            finally:
                watcher.send_signal(signal.SIGINT)
                await watcher.wait()

        run(CHIRRUP, Scenario(watched, prepare=scenario.prepare), Path(folder, "prepared"))
        return _stacks(stacks.read_text())


def _stacks(text: str) -> dict[str, int]:
    stacks: Counter[str] = Counter()
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        if not _WAITING.match(stack.rpartition(";")[2]):
            stacks[stack] += int(count)
    return stacks


def table(stacks: dict[str, int]) -> str:
    """A Markdown table of shares: the parts of the house by the innermost frame, and their dearest functions."""
    parts: Counter[str] = Counter()
    functions: dict[str, Counter[str]] = {}
    for stack, count in stacks.items():
        innermost = stack.rpartition(";")[2]
        part = part_of(innermost)
        parts[part] += count
        functions.setdefault(part, Counter())[innermost.partition(" (")[0]] += count
    total = sum(parts.values()) or 1
    lines = ["| part | share of samples | of which |", "|---|---:|---|"]
    for part, count in parts.most_common():
        dearest = [f"`{name}` {n / total:.0%}" for name, n in functions[part].most_common(5) if n / total >= 0.01]
        lines.append(f"| {part} | {count / total:.0%} | {', '.join(dearest)} |")
    return "\n".join(lines)


def part_of(frame: str) -> str:
    """The part of the house in which a frame, `name (file:line)` as py-spy writes it, is."""
    found = _FRAME.match(frame)
    file = found["file"] if found else frame
    return next((part for pattern, part in _PARTS if re.search(pattern, file)), _LOOP if "asyncio" in file else "other")
