from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from chirrup.core.errors import ConfigError
from chirrup.server.config import Config, HostConfig, load, module_settings, parse


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, file="c.toml")
    return str(caught.value)


def test_no_file_is_a_server_for_localhost() -> None:
    config = load(None)
    assert list(config.hosts) == ["localhost"]
    assert config.file == ""
    assert config.listen.c2s.port == 5222
    assert not config.listen.c2s.plaintext


@pytest.mark.parametrize(
    ("euid", "environment", "folder"),
    [
        (0, {}, "/var/lib/chirrup"),
        (1000, {"HOME": "/home/ann"}, "/home/ann/.local/share/chirrup"),
        (1000, {"HOME": "/home/ann", "XDG_DATA_HOME": "/data/ann"}, "/data/ann/chirrup"),
        (1000, {"HOME": "/home/ann", "XDG_DATA_HOME": "not/absolute"}, "/home/ann/.local/share/chirrup"),
    ],
)
def test_where_data_is_kept_when_nothing_says_where(
    monkeypatch: pytest.MonkeyPatch, euid: int, environment: dict[str, str], folder: str
) -> None:
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "geteuid", lambda: euid)
    assert load(None).data == Path(folder)


def test_a_whole_file(tmp_path: Path) -> None:
    file = tmp_path / "chirrup.toml"
    file.write_text(
        """
data = "state"
store = "postgresql://chirrup:s3cret@db/chat"
modules_folder = "mods"
pid_file = ""
[log]
level = "debug"
format = "json"
to = "logs/chirrup.log"
[listen.c2s]
addresses = ["127.0.0.1", "::1"]
plaintext = true
[listen.c2s_direct_tls]
enabled = false
[limits]
resource_conflict = "rename"
[modules.registration]
mode = "open"
[hosts."Example.ORG"]
certificate = "example.pem"
key = "/etc/example.key"
admins = ["Alice@Example.org"]
modules_disabled = ["version"]
[hosts."guests.example.org"]
authentication = "anonymous"
""",
        encoding="utf-8-sig",
    )
    config = load(file)
    assert config.file == str(file)
    assert config.data == tmp_path / "state"
    assert config.modules_folder == tmp_path / "mods"
    assert config.pid_file is None
    assert config.log.to == str(tmp_path / "logs/chirrup.log")
    assert config.listen.c2s.addresses == ("127.0.0.1", "::1")
    assert config.listen.c2s.plaintext
    assert not config.listen.c2s_direct_tls.enabled
    assert config.limits.resource_conflict == "rename"
    assert list(config.hosts) == ["example.org", "guests.example.org"]
    host = config.hosts["example.org"]
    assert host.certificate == tmp_path / "example.pem"
    assert host.key == Path("/etc/example.key")
    assert host.admins == ("alice@example.org",)
    assert host.modules_disabled == ("version",)
    assert config.hosts["guests.example.org"].authentication == "anonymous"


def test_models_can_be_made_without_a_file_and_not_changed(tmp_path: Path) -> None:
    config = Config(data=tmp_path, hosts={"EXAMPLE.org": HostConfig(modules_disabled=("ping",))})
    assert config.hosts["example.org"].modules_disabled == ("ping",)
    with pytest.raises(ValidationError):
        config.data = tmp_path / "other"


FAULTS = r"""
dta = "x"
→ 1: dta: unknown key; did you mean "data"?

[limits]
#
byts_per_second = 1
→ 3: limits.byts_per_second: unknown key; did you mean "bytes_per_second"?

[listen.s2s]
→ 1: listen.s2s: unknown key; did you mean "c2s"?

[log]
zzz.qq = 1
→ 2: log.zzz: unknown key; known here: format, level, to, wire

[hosts."a.org"]
admin = []
→ 2: hosts."a.org".admin: unknown key; did you mean "admins"?

listen.c2s = {port = "5222"}
→ 1: listen.c2s.port: should be a whole number, such as 5222 (it is "5222")

[listen.c2s]
port = 70000
→ 2: listen.c2s.port: should be at most 65535 (it is 70000)

[log]
wire = "no"
→ 2: log.wire: should be true or false (it is "no")

data = 3
→ 1: data: should be a text in quotes, such as "example.org" (it is 3)

log = 3
→ 1: log: should be a table (it is 3)

[[limits]]
→ 1: limits: should be a table (it is a list)

limits.stanza_bytes = 9_999
→ 1: limits.stanza_bytes: should be at least 10000 (it is 9999)

log.level = "warn"
→ 1: log.level: should be "debug", "info", "warning" or "error"; did you mean "warning"? (it is "warn")

listen.c2s.addresses = [
"::",
"local"]
→ 3: listen.c2s.addresses[1]: should be an IP address, such as "::" or "127.0.0.1" (it is "local")

listen.c2s.addresses = "::"
→ 1: listen.c2s.addresses: should be a list, such as ["one", "two"] (it is "::")

[limits]
failed_logins = 30
→ 1: limits.failed_logins_refuse: should be at least failed_logins, which is 30 (it is 20)

store = "mysql://u:hidden@h/d"
→ 1: store: should be "sqlite", "sqlite:///path/to/file" or "postgresql://user:password@host/database"

[hosts.chat.example.org]
[hosts.chat.example.org.modules.archive]
→ 1: hosts.chat.example: unknown key; a domain stands in quotes, as in [hosts."chat.example.org"]

[hosts.localhost.module.archive]
→ 1: hosts.localhost.module: unknown key; did you mean "modules"?

[components.chat.example.org]
secret = "long enough"
→ 1: components.chat.secret: is missing
c.toml:1: components.chat.example: unknown key; a domain stands in quotes, as in [components."chat.example.org"]

[components."chat.example.org"]
secret = "short"
→ 2: components."chat.example.org".secret: should have at least 8 characters

hosts = {}
→ 1: hosts: should have at least 1 in it (it is a table)

[hosts."a/b"]
→ 1: hosts."a/b": should be a domain, such as "example.org"

[hosts."ö.org"]
[hosts."Ö.org"]
→ 2: hosts."Ö.org": is the same host as "ö.org"; take one of them out

[hosts.local]
admins = ["bob"]
→ 2: hosts.local.admins[0]: should be the address of an account, such as "alice@example.org" (it is "bob")

[hosts.local]
certificate = "a.pem"
→ 1: hosts.local.key: certificate and key belong together: give both, or neither

[hosts.local]
key = "a.pem"
→ 2: hosts.local.key: certificate and key belong together: give both, or neither

[hosts.local]
mechanisms = ["SCRAM-SHA1"]
→ 2: hosts.local.mechanisms: no mechanism is called "SCRAM-SHA1"; did you mean "SCRAM-SHA-1"?

[hosts.local]
authentication = "anonymous"
mechanisms = ["PLAIN"]
→ 3: hosts.local.mechanisms: an anonymous host has only the mechanism "ANONYMOUS"

[hosts.local]
modules_enabled = ["x"]
modules_disabled = ["x"]
→ 3: hosts.local.modules_disabled: "x" is in modules_enabled too; take it out of one of them

data = 1
data = 2
→ 2: Cannot overwrite a value; see https://toml.io for how it is written

a = [1,
2
→ 2: Unclosed array; see https://toml.io for how it is written
"""


@pytest.mark.parametrize("case", FAULTS.strip().split("\n\n"))
def test_one_fault_is_one_line_with_file_line_key_and_cure(case: str) -> None:
    text, _, message = case.partition("\n→ ")
    assert refusal(text) == f"c.toml:{message}"


def test_all_faults_are_told_at_once_in_the_order_of_the_file() -> None:
    told = refusal('[hosts."a b"]\nadmins = 1\n[limits]\nx = 1\n[log]\nlevel = 3\n').split("\n")
    assert [line.split(": ")[:2] for line in told] == [
        ["c.toml:1", 'hosts."a b"'],
        ["c.toml:2", 'hosts."a b".admins'],
        ["c.toml:4", "limits.x"],
        ["c.toml:6", "log.level"],
    ]


def test_the_error_of_one_fault_has_its_parts() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("\nlog.wire = 1", file="c.toml")
    assert (caught.value.file, caught.value.line, caught.value.key) == ("c.toml", 2, "log.wire")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    with pytest.raises(ConfigError, match=r"none\.toml: there is no such file; `chirrup init` writes one"):
        load(missing)
    with pytest.raises(ConfigError, match="can't be read: Is a directory"):
        load(tmp_path)
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b'# fine\ndata = "\xfcber"\n')
    with pytest.raises(ConfigError, match=r"latin\.toml:2: is not in UTF-8"):
        load(latin)


@pytest.mark.parametrize(
    ("store", "url", "shown"),
    [
        ("sqlite", "sqlite:////data/chirrup.db", "sqlite:////data/chirrup.db"),
        ("sqlite:///x/y.db", "sqlite:////etc/x/y.db", "sqlite:////etc/x/y.db"),
        ("sqlite:////x/y.db", "sqlite:////x/y.db", "sqlite:////x/y.db"),
        ("postgresql://u:s3cr@t@h:5/d", "postgresql://u:s3cr@t@h:5/d", "postgresql://u@h:5/d"),
        ("postgres://u@h/d", "postgresql://u@h/d", "postgresql://u@h/d"),
        ("postgresql:///d?host=/run&password=s3cret", "postgresql:///d?host=/run&password=s3cret", "postgresql:///d"),
    ],
)
def test_the_store_and_how_it_is_shown(store: str, url: str, shown: str) -> None:
    config = parse(f'data = "/data"\nstore = "{store}"', folder=Path("/etc"))
    assert config.store_url == url
    assert config.store_shown == shown
    assert "s3cr" not in repr(config)


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    size: int = 1


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    mode: str = "closed"
    names: tuple[str, ...] = ()
    inner: Inner = Inner()
    password: int = 0


MODULES = """
[modules.reg]
mode = "open"
names = ["a"]
inner.size = 2
[hosts."One.org".modules.reg]
names = ["b", "c"]
[hosts."two.org"]
"""


def test_a_hosts_module_settings_lie_over_the_general_ones() -> None:
    config = parse(MODULES)
    one = module_settings(config, "one.org", "reg", Settings)
    assert (one.mode, one.names, one.inner.size) == ("open", ("b", "c"), 2)
    assert module_settings(config, "two.org", "reg", Settings).names == ("a",)
    assert module_settings(config, "two.org", "other", Settings) == Settings()


MODULE_FAULTS = r"""
[hosts."two.org".modules.reg]
modes = 1
→ 2: hosts."two.org".modules.reg.modes: unknown key; did you mean "mode"?

[hosts."Two.org".modules.reg]
mode = 1
→ 2: hosts."Two.org".modules.reg.mode: should be a text in quotes, such as "example.org" (it is 1)

[modules.reg]
names = [1]
[hosts."two.org".modules.reg]
mode = "x"
→ 2: modules.reg.names[0]: should be a text in quotes, such as "example.org" (it is 1)

[modules.reg.inner]
siz = 1
[hosts."two.org"]
→ 2: modules.reg.inner.siz: unknown key; did you mean "size"?

[modules.reg]
password = "hidden"
[hosts."two.org"]
→ 2: modules.reg.password: should be a whole number, such as 5222
"""


@pytest.mark.parametrize("case", MODULE_FAULTS.strip().split("\n\n"))
def test_faults_in_module_settings_are_told_where_they_stand(case: str) -> None:
    text, _, message = case.partition("\n→ ")
    config = parse(text, file="c.toml")
    with pytest.raises(ConfigError) as caught:
        module_settings(config, "two.org", "reg", Settings)
    assert str(caught.value) == f"c.toml:{message}"


def test_faults_that_others_find_get_a_line_too() -> None:
    config = parse('[hosts."One.org"]\nmodules_enabled = ["a",\n "b"]', file="c.toml")
    path: tuple[Any, ...] = ("hosts", "one.org", "modules_enabled", 1)
    assert str(config.error(path, "no such module")) == 'c.toml:3: hosts."One.org".modules_enabled[1]: no such module'


def test_reading_again_keeps_the_data_folder_that_was_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "chirrup.toml"
    file.write_text('data = "a"')
    config = load(file, data=tmp_path / "b")
    assert config.data == tmp_path / "b"
    file.write_text('data = "c"\nlimits.offline_messages = 7')
    again = config.again()
    assert (again.data, again.limits.offline_messages, again.file) == (tmp_path / "b", 7, str(file))
    assert load(file).again().data == tmp_path / "c"
    nothing = load(None, data=tmp_path)
    assert nothing.again() is nothing
