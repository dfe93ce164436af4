"""`chirrup check config`: everything that can be known to be wrong before a server starts."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from chirrup.cli.lines import listed
from chirrup.net import certificates
from chirrup.server.config import Config, HostConfig, unread
from chirrup.server.config_faults import check, pair_of
from chirrup.server.modules import announced, chosen, drop_lacking, find


def report(config: Config) -> Iterator[str]:
    """What would run, a line each. Raises ConfigError, with all faults, before the first."""
    check(config)
    return _lines(config)


def _lines(config: Config) -> Iterator[str]:
    yield f"{config.file or 'the default configuration'}: all is well"
    yield f"data   {config.data}"
    yield f"store  {config.store_shown}"
    yield f"log    {config.log.level} and above, {config.log.format}, to {config.log.to}"
    if config.log.wire:
        yield "       with all that people say to each other (log.wire)"
    yield from _listeners(config)
    for name, host in config.hosts.items():
        yield f"host   {name}: {'anybody, as a guest' if host.authentication == 'anonymous' else 'accounts'}"
        yield from listed("       modules: ", _modules(config, host))
        yield from _certificate(config, name, host)
    used = {module for host in config.hosts.values() for module in _modules(config, host)}
    for line in unread(config, used):
        yield f"warning: {line}"
    for line in (*_unwritable(config), *_readable(config)):
        yield f"warning: {line}"


def _unwritable(config: Config) -> Iterator[str]:
    """What a server couldn't write, if it ran as whoever asks: it may run as somebody else, or elsewhere."""
    who = "can't be written by the user that this runs as"
    data = config.data
    if data.exists() and not data.is_dir():
        yield f"data: {data} is no folder"
    else:
        while not data.exists():  # it will be made
            data = data.parent
        if not os.access(data, os.W_OK | os.X_OK):
            yield f"data: {data} {who}"
    log = None if config.log.to in ("stderr", "syslog") else Path(config.log.to)
    for key, file in (("log.to", log), ("pid_file", config.pid_file)):
        if file is None:
            continue
        if not file.parent.is_dir():
            yield f"{key}: there is no folder {file.parent}"
        elif file.is_dir():
            yield f"{key}: {file} is a folder"
        elif not os.access(file if file.exists() else file.parent, os.W_OK):
            yield f"{key}: {file} {who}"


def _readable(config: Config) -> Iterator[str]:
    """What others on this machine could read."""
    secret = urlsplit(config.store_url).password or config.components
    if secret and config.file and Path(config.file).stat().st_mode & stat.S_IROTH:
        yield f"everybody can read {config.file}, which has a secret: chmod o-rwx it"


def _modules(config: Config, host: HostConfig) -> list[str]:
    """The modules that would run: those chosen, less those that are of no use to guests or lack others."""
    packages = announced()
    names = chosen(host.modules_enabled, host.modules_disabled)
    kinds = {name: find(name, config.modules_folder, packages) for name in names}
    if host.authentication == "anonymous":
        kinds = {name: kind for name, kind in kinds.items() if not kind.needs_accounts}
    for _ in drop_lacking(kinds):
        pass
    return list(kinds)


def _listeners(config: Config) -> Iterator[str]:
    listen = config.listen
    for kind, listener in (("STARTTLS", listen.c2s), ("direct TLS", listen.c2s_direct_tls)):
        if listener.enabled:
            yield f"listen port {listener.port} for clients, {kind}, on {' and '.join(listener.addresses)}"
    if config.components:
        component = listen.component
        yield f"listen port {component.port} for components, on {' and '.join(component.addresses)}"
        yield from listed("       components: ", config.components)
    if listen.c2s.enabled and listen.c2s.plaintext:
        yield f"       port {listen.c2s.port} lets clients log in without TLS (listen.c2s.plaintext)"


def _certificate(config: Config, name: str, host: HostConfig) -> Iterator[str]:
    pair = pair_of(config, name, host)
    if not pair.certificate.exists():
        yield "       certificate: will be made at the first start; clients will warn of it"
        return
    certificate = certificates.read(pair)
    now = time.time()
    days = certificate.days_left(now)
    yield f"       certificate: {pair.certificate}, {days} days left"
    for remark in (*certificate.remarks([name], now), *certificates.warnings(pair)):
        yield f"       warning: {remark}"
