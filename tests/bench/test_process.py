"""CPU time, memory and the end of processes under measurement."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from bench.process import Process, free_port

SPIN = """
import os, socket, sys, time
def spin(seconds):
    while time.process_time() < seconds: pass
if os.fork() == 0:
    spin(0.2)
    os._exit(0)
os.wait()
spin(0.3)
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True: listener.accept()
"""


def test_cpu_time_is_of_the_process_and_of_its_children(tmp_path: Path) -> None:
    port = free_port()
    process = Process([sys.executable, "-c", SPIN, str(port)], cwd=tmp_path, log=tmp_path / "log")
    try:
        took, cpu = process.wait_for_port(port)
        assert took >= 0.3
        assert 0.45 <= cpu <= 1.5
        assert process.peak_memory() >= process.memory() > 2**20
    finally:
        process.stop()
    assert process.cpu() == 0.0


def test_cpu_time_has_a_fine_resolution(tmp_path: Path) -> None:
    port = free_port()
    process = Process([sys.executable, "-c", SPIN, str(port)], cwd=tmp_path, log=tmp_path / "log")
    try:
        process.wait_for_port(port)
        assert process.cpu() * 100 % 1 != 0.0
    finally:
        process.stop()


def test_a_server_that_ends_at_once_is_told_with_its_last_lines(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no such setting')"]
    process = Process(command, cwd=tmp_path, log=tmp_path / "log")
    began = time.monotonic()
    with pytest.raises(RuntimeError, match="no such setting"):
        process.wait_for_port(free_port())
    assert time.monotonic() - began < 30
