"""The server's configuration: one TOML file, typed and validated before anything starts.

`load` reads it; the models below are its shape. The docstring behind each field is its description in the file that
`chirrup init` writes and in the generated reference. Modules bring settings of their own, which `module_settings`
validates when a host is built.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from chirrup.core.errors import ConfigError
from chirrup.core.jid import JID
from chirrup.server.config_errors import Source, did_you_mean, from_validation
from chirrup.server.toml_lines import KeyPath, key_lines

__all__ = [
    "ComponentConfig",
    "Config",
    "HostConfig",
    "Limits",
    "Listen",
    "Listener",
    "LogConfig",
    "load",
    "module_settings",
]

MECHANISMS: Final = (
    "SCRAM-SHA-512-PLUS",
    "SCRAM-SHA-512",
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-1",
    "PLAIN",
    "EXTERNAL",
)

S = TypeVar("S", bound=BaseModel)


def _resolve(path: Path | None, info: ValidationInfo) -> Path | None:
    """A path of the file is relative to the file."""
    if path is None:
        return None
    folder: Path = (info.context or {}).get("folder", Path())
    return folder / path.expanduser()


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f'should be an IP address, such as "::" or "127.0.0.1" (it is "{text}")') from None


def _bare_jid(text: str) -> str:
    jid = JID(text)
    if not jid.local or jid.resource:
        raise ValueError(f'should be the address of an account, such as "alice@example.org" (it is "{text}")')
    return jid.text


def _host_name(text: str, info: ValidationInfo) -> str:
    jid = JID(text)
    if jid.local or jid.resource:
        raise ValueError('should be a domain, such as "example.org"')
    seen = (info.context or {}).get("hosts", {})
    if seen.setdefault(jid.text, text) != text:
        raise ValueError(f'is the same host as "{seen[jid.text]}"; take one of them out')
    return jid.text


def _empty_is_none(value: object) -> object:
    return None if value == "" else value


FilePath = Annotated[Path, AfterValidator(_resolve)]
MaybePath = Annotated[Path | None, BeforeValidator(_empty_is_none), AfterValidator(_resolve)]
Address = Annotated[str, AfterValidator(_address)]
Port = Annotated[int, Field(ge=0, le=65535)]
HostName = Annotated[str, AfterValidator(_host_name)]
AccountAddress = Annotated[str, AfterValidator(_bare_jid)]
Table = dict[str, Any]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LogConfig(_Model):
    """What is logged, how, and where to."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least important kind of line that is written."""
    format: Literal["human", "json", "auto"] = "human"
    """"human": lines to read; "json": one JSON object a line; "auto": JSON, but on a terminal, in systemd's journal and
    in syslog lines to read."""
    to: str = Field(default="stderr", min_length=1)
    """"stderr", "syslog", or the path of a file. The file may be moved away at any time, as logrotate does."""
    wire: bool = False
    """Write every stanza that comes or goes, with what people say to each other. Only to hunt for faults."""

    @field_validator("to")
    @classmethod
    def _relative_to_file(cls, to: str, info: ValidationInfo) -> str:
        return to if to in ("stderr", "syslog") else str(_resolve(Path(to), info))


class Listener(_Model):
    """Where clients connect, to begin TLS on the open stream (STARTTLS)."""

    enabled: bool = True
    """Whether to listen there at all."""
    addresses: tuple[Address, ...] = ("::", "0.0.0.0")
    """IP addresses to listen on; "::" and "0.0.0.0" are all of IPv6 and of IPv4."""
    port: Port = 5222
    """Port to listen on; with 0 the system picks a free one."""
    plaintext: bool = False
    """Let clients log in without TLS. Only for tests, or behind something that does the TLS."""


class DirectTLSListener(_Model):
    """Where clients connect with TLS from the first byte (XEP-0368)."""

    enabled: bool = True
    """Whether to listen there at all."""
    addresses: tuple[Address, ...] = ("::", "0.0.0.0")
    """IP addresses to listen on."""
    port: Port = 5223
    """Port to listen on; with 0 the system picks a free one."""


class ComponentListener(_Model):
    """Where external components connect (XEP-0114), without TLS. Listens only where components are configured."""

    addresses: tuple[Address, ...] = ("::1", "127.0.0.1")
    """IP addresses to listen on. What is said there can be read and changed on the way: no address that strangers can
    reach."""
    port: Port = 5347
    """Port to listen on; with 0 the system picks a free one."""
    send_buffer_bytes: int = Field(default=67_108_864, ge=65_536)
    """Bytes that may wait for a component that doesn't read; beyond, its connection is closed."""


class Listen(_Model):
    """Where the server can be reached."""

    c2s: Listener = Listener()
    c2s_direct_tls: DirectTLSListener = DirectTLSListener()
    component: ComponentListener = ComponentListener()
    client_authorities: MaybePath = None
    """PEM file with the authorities whose certificates let clients log in without a password (SASL EXTERNAL): as the
    accounts that stand in them. Empty: clients aren't asked for certificates."""
    resume_location: str = Field(default="", max_length=300)
    """Where clients whose connection is lost should come back to (XEP-0198), as "host" or "host:port", if this is one
    of several servers behind a name. Empty: where they came from."""


class Limits(_Model):
    """How much one connection, address or account may take. Who exceeds a rate is slowed down, not cut off."""

    bytes_per_second: int = Field(default=100_000, ge=1_000)
    """Bytes a second that the server reads from a connection in the long run."""
    burst_bytes: int = Field(default=1_000_000, ge=10_000)
    """Bytes that a connection may send at once, after a while of sending less than it may."""
    stanza_bytes: int = Field(default=262_144, ge=10_000)
    """Bytes of the largest stanza; a larger one ends the stream. RFC 6120 wants 10000 at least."""
    stanza_bytes_before_login: int = Field(default=10_000, ge=10_000)
    """Bytes of the largest element before a client has logged in."""
    bytes_before_login: int = Field(default=100_000, ge=10_000)
    """Bytes that a connection may send in all before it has logged in."""
    seconds_before_login: int = Field(default=60, ge=1)
    """Seconds after which a connection that hasn't logged in is closed."""
    connections_per_address: int = Field(default=100, ge=1)
    """Connections from one IPv4 address, or one IPv6 network of 64 bits, at the same time."""
    log_in_attempts: int = Field(default=3, ge=2, le=5)
    """Log-ins that may fail on one stream before it is closed."""
    failed_logins: int = Field(default=5, ge=1)
    """Failed log-ins from one address after which further ones are answered slowly."""
    failed_logins_refuse: int = Field(default=20, ge=1, validate_default=True)
    """Failed log-ins after which further ones are refused, until the window has passed."""
    failed_login_window: int = Field(default=600, ge=1)
    """Seconds for which a failed log-in counts."""
    resources_per_account: int = Field(default=20, ge=1)
    """Clients that may be logged in to one account at the same time."""
    resource_conflict: Literal["replace", "refuse", "rename"] = "replace"
    """When a client asks for a resource that is in use: "replace" ends the older client's session, "refuse" the newer
    one's request, "rename" gives the newer one another name."""
    offline_messages: int = Field(default=1_000, ge=0)
    """Messages kept for an account while nobody is there to receive them; 0 keeps none."""
    send_buffer_bytes: int = Field(default=4_194_304, ge=65_536)
    """Bytes that may wait for a client that doesn't read, or doesn't acknowledge; beyond, its connection is closed."""
    resumption_seconds: int = Field(default=600, ge=0)
    """Seconds for which a client that has lost its connection can come back to its session; 0: it can't."""
    unacknowledged_stanzas: int = Field(default=1_000, ge=0)
    """Stanzas that may wait for a client that has lost its connection; beyond, the session ends."""
    unacknowledged_bytes: int = Field(default=1_048_576, ge=0)
    """Bytes that they may have."""
    acknowledgement_seconds: int = Field(default=60, ge=5)
    """Seconds that a client has to acknowledge what it was sent, when asked; then its connection is taken for dead."""

    @field_validator("failed_logins_refuse")
    @classmethod
    def _slow_before_refusing(cls, refuse: int, info: ValidationInfo) -> int:
        slow = info.data.get("failed_logins", 0)
        if refuse < slow:
            raise ValueError(f"should be at least failed_logins, which is {slow} (it is {refuse})")
        return refuse


class HostConfig(_Model):
    """A domain that this server serves. Without any setting: accounts, all default modules, a self-made certificate."""

    authentication: Literal["accounts", "anonymous"] = "accounts"
    """"accounts": people log in with a password; "anonymous": anybody may, and is a new guest each time (XEP-0175)."""
    certificate: MaybePath = None
    """PEM file with the certificate and its chain. Without, the server makes one itself, which clients will warn of."""
    key: MaybePath = Field(default=None, validate_default=True)
    """PEM file with the certificate's private key."""
    admins: tuple[AccountAddress, ...] = ()
    """Accounts that may administer this host."""
    mechanisms: tuple[str, ...] = Field(default=(), validate_default=True)
    """SASL mechanisms to offer; empty: all that fit the connection and the host."""
    modules_enabled: tuple[str, ...] = ()
    """Modules to switch on beyond the default ones."""
    modules_disabled: tuple[str, ...] = ()
    """Default modules to switch off."""
    modules: dict[str, Table] = Field(default={}, repr=False)
    """Settings of modules on this host only."""

    @field_validator("key")
    @classmethod
    def _both_or_none(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        certificate = info.data.get("certificate", key)
        if (key is None) != (certificate is None):
            raise ValueError("certificate and key belong together: give both, or neither")
        return key

    @field_validator("mechanisms")
    @classmethod
    def _known(cls, mechanisms: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        anonymous = info.data.get("authentication") == "anonymous"
        if anonymous and set(mechanisms) - {"ANONYMOUS"}:
            raise ValueError('an anonymous host has only the mechanism "ANONYMOUS"')
        for name in () if anonymous else mechanisms:
            if name not in MECHANISMS:
                raise ValueError(f'no mechanism is called "{name}"; {did_you_mean(name, MECHANISMS)}')
        return mechanisms

    @field_validator("modules_disabled")
    @classmethod
    def _not_enabled_too(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        both = sorted(set(names) & set(info.data.get("modules_enabled", ())))
        if both:
            raise ValueError(f'"{both[0]}" is in modules_enabled too; take it out of one of them')
        return names


class ComponentConfig(_Model):
    """A domain that a program of yours serves, by a connection to this server (XEP-0114)."""

    secret: SecretStr = Field(min_length=8)
    """What the component shows to be let in; the program must know the same."""
    conflict: Literal["refuse", "replace"] = "refuse"
    """When the component connects a second time: "refuse" turns the newer connection away, "replace" ends the older."""
    queue_seconds: float = Field(default=30, ge=0)
    """Seconds that a component may be away before what is sent to it is refused; 0 refuses at once."""
    queue_stanzas: int = Field(default=1_000, ge=0)
    """Stanzas that wait for it meanwhile."""


def default_data() -> Path:
    """The data folder when none is named: /var/lib/chirrup for root, else one of the user's own (XDG)."""
    if os.geteuid() == 0:
        return Path("/var/lib/chirrup")
    home = os.environ.get("XDG_DATA_HOME", "")
    return (Path(home) if home.startswith("/") else Path.home() / ".local/share") / "chirrup"


class Config(_Model):
    """The whole configuration. Made by `load`, or directly in programs and tests."""

    data: FilePath = Field(default_factory=default_data)
    """Folder for what the server keeps: database, certificates it made, socket for `chirrup status` and the like. By
    default /var/lib/chirrup for root, and ~/.local/share/chirrup for others."""
    store: str = Field(default="sqlite", repr=False)
    """Where accounts and messages are kept: "sqlite" (a file in the data folder), "sqlite:///path/to/file", or
    "postgresql://user:password@host/database"."""
    modules_folder: MaybePath = None
    """Folder with modules of your own, each a Python file."""
    pid_file: MaybePath = None
    """File to write the process id to, if something wants one; systemd doesn't."""
    log: LogConfig = LogConfig()
    listen: Listen = Listen()
    limits: Limits = Limits()
    modules: dict[str, Table] = Field(default={}, repr=False)
    """Settings of modules, for all hosts."""
    hosts: dict[HostName, HostConfig] = Field(default={"localhost": HostConfig()}, min_length=1)
    """The domains that this server serves."""
    components: dict[HostName, ComponentConfig] = Field(default={}, repr=False)
    """The domains that external components serve."""

    _source: Source = PrivateAttr(default_factory=Source)
    _data: Path | None = PrivateAttr(default=None)  # what the file's was overruled with

    @field_validator("store")
    @classmethod
    def _known_store(cls, store: str, info: ValidationInfo) -> str:
        if store == "sqlite":
            return store
        scheme, _, rest = store.partition(":")
        if scheme == "sqlite" and rest.startswith("///") and len(rest) > len("///"):
            return f"sqlite:///{_resolve(Path(rest.removeprefix('///')), info)}"
        if scheme in ("postgresql", "postgres") and urlsplit(store).path.strip("/"):
            return "postgresql:" + rest
        raise ValueError('should be "sqlite", "sqlite:///path/to/file" or "postgresql://user:password@host/database"')

    @property
    def file(self) -> str:
        """The file it was read from; "" for none."""
        return self._source.file

    @property
    def store_url(self) -> str:
        """The URL of the store, which may have a password in it: not for logs."""
        return f"sqlite:///{self.data / 'chirrup.db'}" if self.store == "sqlite" else self.store

    @property
    def store_shown(self) -> str:
        """The store's URL without its secret."""
        return re.sub(r"(?<=//)([^/@:]*):.*@", r"\1@", self.store_url.partition("?")[0])

    @property
    def admin_socket(self) -> Path:
        return self.data / "admin.sock"

    def again(self) -> Config:
        """The configuration read anew from its file, with the same overrule; this very one if it has no file."""
        return load(Path(self.file), data=self._data) if self.file else self

    def error(self, path: KeyPath, problem: str) -> ConfigError:
        """A ConfigError about the value at a path, such as ("hosts", "example.org", "admins"), with its line."""
        if path[:1] == ("hosts",) and len(path) > 1:
            name = str(path[1])
            path = ("hosts", self._source.host_keys.get(name, name), *path[2:])
        return self._source.error(path, problem)


def load(path: Path | None, *, data: Path | None = None) -> Config:
    """The configuration in a file; with none, of a server for localhost. `data` counts more than the file's.

    Raises ConfigError, whose message has a line for each thing that is wrong."""
    config = Config() if path is None else parse(_read(path), file=str(path), folder=path.absolute().parent)
    if data is not None:
        config = config.model_copy(update={"data": data.absolute()})
        config._data = data
    return config


def parse(text: str, *, file: str = "", folder: Path | None = None) -> Config:
    """The configuration that a TOML text is; its paths are relative to `folder`, or else to the working directory."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(error, text, file) from None
    lines = key_lines(text)
    try:
        config = _validate(Config, values, {"folder": folder or Path(), "hosts": {}})
    except ValidationError as error:
        raise from_validation(error, Config, Source(file, lines)) from None
    host_keys = {JID(name).text: name for name in values.get("hosts", {})}
    config._source = Source(file, lines, host_keys)
    return config


def module_settings(config: Config, host_name: str, module_name: str, settings_class: type[S]) -> S:
    """A module's settings on a host: those in `[modules.NAME]`, and over them those in `[hosts.HOST.modules.NAME]`.

    Raises ConfigError as `load` does. Without settings they are the defaults, as they stand in the class."""
    general = config.modules.get(module_name, {})
    own = config.hosts[host_name].modules.get(module_name, {})
    if not general and not own:
        return settings_class.model_construct()
    source = config._source
    try:
        return _validate(settings_class, _merge(general, own), {"folder": Path(source.file).absolute().parent})
    except ValidationError as error:
        host_key = source.host_keys.get(host_name, host_name)
        tables: list[KeyPath] = [("hosts", host_key, "modules", module_name), ("modules", module_name)]
        if not own:
            tables.reverse()
        raise from_validation(error, settings_class, source, *tables) from None


def check_modules_folder(config: Config) -> None:
    """Raises ConfigError where the folder with modules of one's own isn't there."""
    folder = config.modules_folder
    if folder is not None and not folder.is_dir():
        raise config.error(("modules_folder",), f"there is no folder {folder}")


def unread(config: Config, modules: Collection[str]) -> list[str]:
    """A line for each module that has settings, and isn't among those that run on some host."""
    named = {*config.modules, *(name for host in config.hosts.values() for name in host.modules)}
    return [f"[modules.{name}] has settings, and no host has that module" for name in sorted(named.difference(modules))]


def _validate(model: type[S], values: Mapping[str, Any], context: Mapping[str, Any]) -> S:
    """Strictly, as JSON: a number in quotes is no number, yet a list may become a tuple and a text a path."""
    return model.model_validate_json(json.dumps(values, default=str), strict=True, context=dict(context))


def _merge(general: Mapping[str, Any], own: Mapping[str, Any]) -> Table:
    merged = dict(general)
    for key, value in own.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _read(path: Path) -> str:
    file = str(path)
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError("there is no such file; `chirrup init` writes one", file=file) from None
    except OSError as error:
        raise ConfigError(f"can't be read: {error.strerror}", file=file) from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError("is not in UTF-8; save it in that encoding", file=file, line=line) from None


def _syntax_error(error: tomllib.TOMLDecodeError, text: str, file: str) -> ConfigError:
    message, _, where = str(error).partition(" (at ")
    found = re.search(r"line (\d+)", where)
    line = int(found[1]) if found else text.count("\n") + 1
    return ConfigError(f"{message}; see https://toml.io for how it is written", file=file, line=line)
