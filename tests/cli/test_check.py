from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from chirrup.net import certificates
from chirrup.server.modules import DEFAULT


@pytest.fixture
def config(elsewhere: Path) -> Path:
    file = elsewhere / "chirrup.toml"
    file.write_text(f"""
data = "data"
store = "postgresql://chirrup:s3cret@db/chat"
[listen.c2s]
addresses = ["::1"]
plaintext = true
[hosts."example.org"]
modules_disabled = {list(DEFAULT)}
[hosts."guests.example.org"]
authentication = "anonymous"
modules_disabled = {list(DEFAULT)}
""")
    file.chmod(0o600)
    return file


def test_what_would_run(chirrup: Any, config: Path) -> None:
    ran = chirrup("check", "config")
    assert ran.status == 0, ran.err
    for told in (
        f"data   {config.parent / 'data'}",
        "store  postgresql://chirrup@db/chat",
        "listen port 5222 for clients, STARTTLS, on ::1",
        "port 5222 lets clients log in without TLS",
        "listen port 5223 for clients, direct TLS, on :: and 0.0.0.0",
        "host   example.org: accounts",
        "host   guests.example.org: anybody, as a guest",
        "certificate: will be made at the first start",
    ):
        assert told in ran.out
    assert "s3cret" not in ran.out
    assert not (config.parent / "data").exists()


def test_the_days_that_certificates_have_left(chirrup: Any, config: Path) -> None:
    certificates.make("example.org", config.parent / "data" / "certificates", time.time())
    out = chirrup("check", "config").out
    days = re.search(r"example\.org\.crt, (\d+) days left", out)
    assert days
    assert abs(int(days[1]) - certificates.SELF_MADE_DAYS) <= 2
    assert "warning: is self-made" in out


def test_certificates_and_modules_that_cannot_be_used(chirrup: Any, config: Path) -> None:
    (config.parent / "a.pem").write_text("no certificate")
    text = config.read_text().replace(
        '[hosts."example.org"]',
        '[hosts."example.org"]\ncertificate = "a.pem"\nkey = "none.pem"\nmodules_enabled = ["no_such_module"]',
    )
    config.write_text(text)
    ran = chirrup("check", "config")
    assert ran.status == 1
    assert ran.out == ""
    first, second = ran.err.splitlines()
    assert first.startswith('chirrup: chirrup.toml:8: hosts."example.org".certificate: ')
    assert second.startswith('chirrup: chirrup.toml:10: hosts."example.org".modules_enabled: ')
    assert "no_such_module" in second


def test_what_is_not_there(chirrup: Any, elsewhere: Path) -> None:
    (elsewhere / "chirrup.toml").write_text("""
modules_folder = "none"
listen.client_authorities = "none.pem"
[hosts."example.org"]
modules_disabled = ["archiv"]
[components."example.org"]
secret = "something long"
""")
    ran = chirrup("check", "config")
    assert (ran.status, ran.out) == (1, "")
    folder, authorities, module, component = ran.err.splitlines()
    assert folder == f"chirrup: chirrup.toml:2: modules_folder: there is no folder {elsewhere / 'none'}"
    assert authorities.startswith("chirrup: chirrup.toml:3: listen.client_authorities: can't use the certificates in ")
    assert module.startswith('chirrup: chirrup.toml:5: hosts."example.org".modules_disabled: there is no module')
    assert component.startswith('chirrup: chirrup.toml:6: components."example.org": is a host too; ')


def test_which_modules_handle_what(chirrup: Any, elsewhere: Path) -> None:
    (elsewhere / "modules").mkdir()
    (elsewhere / "modules" / "early.py").write_text("""
from chirrup.server import hooks
from chirrup.server.module import Module

class Early(Module):
    @hooks.message_unclaimed(before=["offline"])
    def listen(self, account, stanza, to, origin):
        return False
""")
    (elsewhere / "chirrup.toml").write_text("""
data = "data"
modules_folder = "modules"
[hosts."example.org"]
modules_enabled = ["early"]
modules_disabled = ["ping"]
[hosts."guests.example.org"]
authentication = "anonymous"
""")
    ran = chirrup("check", "hooks")
    assert (ran.status, ran.err) == (0, "")
    first, second = ran.out.split("host guests.example.org\n")
    assert first.startswith("host example.org\n")
    unclaimed = re.search(r"^  message_unclaimed +(.+)$", first, re.MULTILINE)
    assert unclaimed
    handlers = unclaimed[1].split(", ")
    assert handlers.index("early.listen") < handlers.index("offline.keep")
    assert "urn:xmpp:ping" not in first
    assert re.search(r"^  iq urn:xmpp:ping\n    get ping +to host, own +ping\.pong$", second, re.MULTILINE)
    assert "offline" not in second
    assert not (elsewhere / "data").exists()


def test_modules_that_cannot_stand_together(chirrup: Any, elsewhere: Path) -> None:
    (elsewhere / "modules").mkdir()
    (elsewhere / "modules" / "ping_too.py").write_text("""
from chirrup.ext.ping.payloads import Ping
from chirrup.server.module import Addressee, Module, iq_get

class PingToo(Module):
    @iq_get(Ping, to=[Addressee.HOST])
    def pong(self, request):
        return None
""")
    (elsewhere / "chirrup.toml").write_text(
        'data = "data"\nmodules_folder = "modules"\nhosts.localhost.modules_enabled = ["ping_too"]\n'
    )
    ran = chirrup("check", "hooks")
    assert ran.status == 1
    assert ran.out == ""
    assert "ping_too.pong and ping.pong" in ran.err
    assert "Traceback" not in ran.err


COMPONENT = """
data = "data"
[components."pubsub.example.org"]
secret = "something long"
[modules.delegation.components."pubsub.example.org"]
"http://jabber.org/protocol/pubsub" = {}
[hosts."example.org"]
modules_enabled = [MODULES]
modules_disabled = ["archive"]
[hosts."guests.example.org"]
authentication = "anonymous"
"""


def test_what_components_answer(chirrup: Any, elsewhere: Path) -> None:
    (elsewhere / "chirrup.toml").write_text(COMPONENT.replace("MODULES", '"delegation"'))
    ran = chirrup("check", "hooks")
    assert (ran.status, ran.err) == (0, "")
    pubsub = r"^  iq http://jabber.org/protocol/pubsub\n    instead of others +delegation\."
    assert re.search(pubsub, ran.out, re.MULTILINE)


def test_modules_that_would_not_run_are_not_told(chirrup: Any, elsewhere: Path) -> None:
    (elsewhere / "chirrup.toml").write_text(COMPONENT.replace("MODULES", ""))
    out = chirrup("check", "config").out
    members, guests = re.findall(r"^ +modules: (.+)$", out, re.MULTILINE)
    assert "offline" in members.split(", ") and "offline" not in guests.split(", ")
    assert "archive" not in members
    assert "warning: [modules.delegation] has settings, and no host has that module" in out


def test_a_module_that_lacks_another(chirrup: Any, elsewhere: Path) -> None:
    text = COMPONENT.replace("MODULES", '"delegation"').replace('["archive"]', '["disco"]')
    (elsewhere / "chirrup.toml").write_text(text)
    ran = chirrup("check", "config")
    assert ran.status == 1
    assert "'delegation' needs disco, which this host doesn't have" in ran.err


@pytest.mark.parametrize("what", ["config", "hooks"])
def test_it_fits_a_terminal(chirrup: Any, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    (elsewhere / "chirrup.toml").write_text(COMPONENT.replace("MODULES", '"delegation"'))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    lines = chirrup("check", what).out.splitlines()
    ours = [line for line in lines if str(elsewhere) not in line]
    assert max(map(len, ours)) <= 80
    assert "disco.host_info" in " ".join(lines) or "disco, roster" in " ".join(lines)


def test_files_and_folders_that_cannot_be_written(chirrup: Any, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a warning, as the server may run as somebody else."""
    folder = config.parent
    log, pid = folder / "none" / "chirrup.log", folder / "pid"
    config.write_text(f"pid_file = '{pid}'\n{config.read_text()}[log]\nto = '{log}'\n")
    ran = chirrup("check", "config")
    assert (ran.status, f"warning: log.to: there is no folder {log.parent}\n" in ran.out) == (0, True)
    log.mkdir(parents=True)
    assert f"warning: log.to: {log} is a folder\n" in chirrup("check", "config").out
    log.rmdir()
    assert "warning" not in chirrup("check", "config").out
    log.touch()
    refused = {folder, log}  # whoever runs the tests may be root, who can write everything
    monkeypatch.setattr("os.access", lambda path, mode: path not in refused)
    told = [line for line in chirrup("check", "config").out.splitlines() if line.startswith("warning")]
    assert told == [
        f"warning: {key} can't be written by the user that this runs as"
        for key in (f"data: {folder}", f"log.to: {log}", f"pid_file: {pid}")
    ]
    (folder / "data").touch()
    assert f"warning: data: {folder / 'data'} is no folder" in chirrup("check", "config").out


@pytest.mark.parametrize("secret", ["store", "component"])
def test_secrets_that_everybody_can_read(chirrup: Any, config: Path, secret: str) -> None:
    told = "warning: everybody can read chirrup.toml, which has a secret: chmod o-rwx it"
    without = config.read_text().replace("chirrup:s3cret@", "")
    if secret == "component":
        config.write_text(without + '[components."irc.example.org"]\nsecret = "s3cret that is long enough"\n')
    for mode, warned in ((0o644, True), (0o640, False)):
        config.chmod(mode)
        ran = chirrup("check", "config")
        assert (ran.status, told in ran.out.splitlines(), "s3cret" in ran.out) == (0, warned, False), ran.err
    config.write_text(without)
    config.chmod(0o644)
    assert "can read" not in chirrup("check", "config").out
