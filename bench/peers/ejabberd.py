"""ejabberd, from Debian."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from bench.peers import Peer, Running, debian_version
from bench.process import Process, free_port

CONFIGURATION: Final = """
loglevel: warning
hosts:
  - localhost
certfiles:
  - "{pem}"
listen:
  -
    port: {port}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    max_stanza_size: 262144
    starttls: true
auth_password_format: scram
auth_scram_hash: sha256
registration_timeout: infinity
access_rules:
  everybody:
    allow: all
shaper: {{}}
shaper_rules:
  max_user_sessions: 10000
  max_user_offline_messages: 5000
modules:
  mod_blocking: {{}}
  mod_caps: {{}}
  mod_carboncopy: {{}}
  mod_client_state: {{}}
  mod_disco: {{}}
  mod_roster:
    versioning: true
  mod_offline: {{}}
  mod_last: {{}}
  mod_mam:
    default: always
  mod_ping: {{}}
  mod_private: {{}}
  mod_privacy: {{}}
  mod_pubsub:
    plugins: [flat, pep]
  mod_register:
    ip_access: everybody
    access: everybody
  mod_stream_mgmt: {{}}
  mod_time: {{}}
  mod_vcard: {{}}
  mod_version: {{}}
"""


def version() -> str | None:
    return None if shutil.which("ejabberdctl") is None or shutil.which("erl") is None else debian_version("ejabberd")


def start(folder: Path, certificate: Path, key: Path) -> Running:
    """Without Erlang's distribution, so that no epmd is needed; its schedulers don't spin while they wait, which would
    be counted against it."""
    port = free_port()
    pem = folder / "both.pem"
    pem.write_bytes(certificate.read_bytes() + key.read_bytes())
    file = folder / "ejabberd.yml"
    file.write_text(CONFIGURATION.format(port=port, pem=pem))
    environment = {
        "EJABBERD_CONFIG_PATH": str(file),
        "EJABBERD_LOG_PATH": str(folder / "ejabberd.log"),
        "EJABBERD_PID_PATH": str(folder / "ejabberd.pid"),
        "ERL_CRASH_DUMP": "/dev/null",
        "ERL_LIBS": next(str(found.parent) for found in Path("/usr/lib").glob("*/ejabberd-*")),
        "HOME": str(folder),
    }
    command = [
        "erl", "-noinput", "+K", "true", "+P", "250000", "+Q", "65536",
        "+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none",
        "-mnesia", "dir", f'"{folder}/mnesia"', "-s", "ejabberd",
    ]  # fmt: skip
    process = Process(command, cwd=folder, env=environment, log=folder / "output.log")
    return Running("ejabberd", version() or "", process, port, *process.wait_for_port(port))


EJABBERD: Final = Peer("ejabberd", "ejabberd", version, start)
