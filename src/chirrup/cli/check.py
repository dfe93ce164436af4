"""`chirrup check config`: everything that can be known to be wrong before a server starts."""

from __future__ import annotations

import time
from collections.abc import Iterator

from chirrup.cli.lines import listed
from chirrup.core.errors import ConfigError
from chirrup.net import certificates
from chirrup.net.certificates import KeyPair
from chirrup.net.tls import read_authorities
from chirrup.server.config import Config, HostConfig, check_modules_folder, module_settings, unread
from chirrup.server.config_errors import join
from chirrup.server.module import Module
from chirrup.server.modules import announced, chosen, drop_lacking, find, missing


def report(config: Config) -> Iterator[str]:
    """What would run, a line each. Raises ConfigError, with all faults, before the first."""
    faults = [*_module_faults(config), *_certificate_faults(config), *_authority_faults(config)]
    if faults:
        raise join(faults)
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
    pair = _pair(config, name, host)
    if not pair.certificate.exists():
        yield "       certificate: will be made at the first start; clients will warn of it"
        return
    certificate = certificates.read(pair)
    now = time.time()
    days = certificate.days_left(now)
    yield f"       certificate: {pair.certificate}, {days} days left"
    for remark in (*certificate.remarks([name], now), *certificates.warnings(pair)):
        yield f"       warning: {remark}"


def _pair(config: Config, name: str, host: HostConfig) -> KeyPair:
    if host.certificate and host.key:
        return KeyPair(host.certificate, host.key)
    return certificates.place(name, config.data / "certificates")


def _module_faults(config: Config) -> Iterator[ConfigError]:
    packages = announced()
    try:
        check_modules_folder(config)
    except ConfigError as absent:
        yield absent
    for host_name, host in config.hosts.items():
        kinds: dict[str, type[Module]] = {}
        for error in missing(host.modules_disabled, config.modules_folder, packages):
            yield config.error(("hosts", host_name, "modules_disabled"), error.problem)
        key = ("hosts", host_name, "modules_enabled")
        for name in chosen(host.modules_enabled, host.modules_disabled):
            try:
                kind = kinds[name] = find(name, config.modules_folder, packages)
            except ConfigError as error:
                yield config.error(key, error.problem)
                continue
            try:
                module_settings(config, host_name, name, kind.Settings)
            except ConfigError as error:
                yield error
        for name, lacked in drop_lacking(kinds):
            if name in host.modules_enabled:
                needed = " and ".join(sorted(lacked))
                yield config.error(key, f"{name!r} needs {needed}, which this host doesn't have")


def _certificate_faults(config: Config) -> Iterator[ConfigError]:
    for name, host in config.hosts.items():
        pair = _pair(config, name, host)
        if host.certificate is None and not pair.certificate.exists():
            continue
        try:
            certificates.read(pair)
        except ConfigError as error:
            yield config.error(("hosts", name, error.key), error.problem)


def _authority_faults(config: Config) -> Iterator[ConfigError]:
    if config.listen.client_authorities is not None:
        try:
            read_authorities(config.listen.client_authorities)
        except ConfigError as error:
            yield config.error(("listen", "client_authorities"), error.problem)
