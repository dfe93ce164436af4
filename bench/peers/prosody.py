"""Prosody, from Debian, with each of its two ways to store."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Final

from bench.peers import Peer, Running, debian_version
from bench.process import Process, free_port

CONFIGURATION: Final = """
run_as_root = true
data_path = "{folder}"
pidfile = "{folder}/prosody.pid"
modules_enabled = {{
  "disco"; "roster"; "saslauth"; "tls"; "private"; "vcard"; "ping"; "register"; "time"; "uptime"; "version";
  "lastactivity"; "server_contact_info"; "carbons"; "smacks"; "mam"; "blocklist"; "csi_simple"; "pep";
}}
modules_disabled = {{ "s2s" }}
c2s_ports = {{ {port} }}
c2s_interfaces = {{ "127.0.0.1" }}
c2s_require_encryption = false
allow_unencrypted_plain_auth = false
allow_registration = true
default_archive_policy = true
c2s_stanza_size_limit = 262144
storage = "{storage}"
storage_archive_item_limit = 1000000
sql = {{ driver = "SQLite3"; database = "{folder}/prosody.sqlite" }}
authentication = "internal_hashed"
password_hash = "SHA-256"
log = {{ warn = "{folder}/prosody.log" }}
network_backend = "epoll"
VirtualHost "localhost"
  ssl = {{ certificate = "{certificate}"; key = "{key}" }}
"""


def version() -> str | None:
    return None if shutil.which("prosody") is None else debian_version("prosody")


def version_with_sqlite() -> str | None:
    return version() if any(Path("/usr/lib").glob("*/lua/*/dbd/sqlite3.so")) else None


def start(name: str, storage: str, folder: Path, certificate: Path, key: Path) -> Running:
    port = free_port()
    file = folder / "prosody.cfg.lua"
    file.write_text(CONFIGURATION.format(folder=folder, port=port, certificate=certificate, key=key, storage=storage))
    process = Process(["prosody", "--config", str(file), "-F"], cwd=folder, log=folder / "output.log")
    return Running(name, version() or "", process, port, *process.wait_for_port(port))


PROSODY: Final = Peer("prosody", "prosody", version, partial(start, "prosody", "internal"))
"""With files for each account, its default."""

PROSODY_SQLITE: Final = Peer(
    "prosody-sqlite", "lua-dbi-sqlite3", version_with_sqlite, partial(start, "prosody-sqlite", "sql"), variant=True
)
"""With one SQLite database, as Chirrup has it."""
