"""Chirrup, from this tree."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from bench.peers import Peer, Running
from bench.process import Process, free_port
from chirrup import __version__

CONFIGURATION: Final = """
data = "{folder}"
[log]
level = "warning"
to = "{folder}/chirrup.log"
[listen.c2s]
addresses = ["127.0.0.1"]
port = {port}
plaintext = true
[listen.c2s_direct_tls]
enabled = false
[limits]
bytes_per_second = 1000000000
burst_bytes = 1000000000
connections_per_address = 100000
resources_per_account = 10000
offline_messages = 5000
seconds_before_login = 600
[hosts.localhost]
certificate = "{certificate}"
key = "{key}"
[modules.registration]
mode = "open"
registrations_per_hour = 1000000
"""


def start(folder: Path, certificate: Path, key: Path) -> Running:
    port = free_port()
    file = folder / "chirrup.toml"
    file.write_text(CONFIGURATION.format(folder=folder, port=port, certificate=certificate, key=key))
    command = [sys.executable, "-m", "chirrup", "serve", "--config", str(file)]
    # As with an installed package there is bytecode, from the second start on, also where developers want none written.
    bytecode = {"PYTHONDONTWRITEBYTECODE": ""}
    process = Process(command, cwd=folder, env=bytecode, log=folder / "output.log")
    return Running("chirrup", __version__, process, port, *process.wait_for_port(port))


CHIRRUP: Final = Peer("chirrup", "", lambda: __version__, start)
