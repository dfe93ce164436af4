"""However the benchmark ends, the servers that it began end with it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WAITS = "import os, socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); s.accept(); s.accept()"
BENCH = f"""
import asyncio, sys
from pathlib import Path
from bench import __main__ as command
from bench.peers import Peer, Running
from bench.process import Process, free_port
from bench.scenarios import Scenario

def start(folder, certificate, key):
    port = free_port()
    process = Process([sys.executable, "-c", {WAITS!r}, str(port)], cwd=folder, log=folder / "log")
    return Running("waits", "1", process, port, *process.wait_for_port(port))

async def work(server):
    print(server.process.pid, flush=True)
    if sys.argv[1] == "raise":
        sys.stdin.readline()
        raise LookupError("a bug of the generator")
    await asyncio.sleep(1000)

command.SERVERS = {{"waits": Peer("waits", "", lambda: "1", start)}}
command.scenarios = lambda scale=1.0: {{"wait": Scenario(work)}}
sys.exit(command.main([]))
"""


@pytest.mark.parametrize(("end", "status"), [("SIGTERM", 143), ("SIGINT", 130), ("SIGKILL", -9), ("raise", 1)])
def test_no_server_outlives_the_benchmark(end: str, status: int, tmp_path: Path) -> None:
    command = [sys.executable, "-c", BENCH, end]
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, stderr=null) as bench:
        assert bench.stdin is not None
        assert bench.stdout is not None
        server = os.pidfd_open(int(bench.stdout.readline()))
        try:
            if end == "raise":
                bench.stdin.close()
            else:
                bench.send_signal(signal.Signals[end])
            assert bench.wait(30) == status
            assert select.select([server], [], [], 30)[0], "the server still runs"
        finally:
            os.close(server)
    assert end == "SIGKILL" or not any(tmp_path.iterdir()), "its folders are left"


STUCK = """
import sys
from pathlib import Path
from bench.process import Process, free_port
process = Process([sys.executable, "-c", "import time; time.sleep(1000)"], cwd=Path("."), log=Path(sys.argv[1]))
try:
    process.wait_for_port(free_port(), seconds=0.1)
except RuntimeError as error:
    print(process.memory(), error)
"""


def test_a_server_that_never_listens_is_ended(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STUCK, str(tmp_path / "log")]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ran.stdout.startswith("0 nothing listens on port"), ran
