"""What can be known to be wrong with a configuration before a server runs with it, beyond the text itself: modules and
their settings, and files."""

from __future__ import annotations

from collections.abc import Iterator

from chirrup.core.errors import ConfigError
from chirrup.net import certificates
from chirrup.net.certificates import KeyPair
from chirrup.net.tls import read_authorities
from chirrup.server.config import Config, HostConfig, check_modules_folder, module_settings
from chirrup.server.config_errors import join
from chirrup.server.module import Module
from chirrup.server.modules import announced, chosen, drop_lacking, find, missing


def check(config: Config) -> None:
    """Raises ConfigError, with a line for each fault."""
    faults = [
        *_module_faults(config),
        *_certificate_faults(config),
        *_authority_faults(config),
        *component_faults(config),
    ]
    if faults:
        raise join(faults)


def pair_of(config: Config, name: str, host: HostConfig) -> KeyPair:
    """The files of a host's certificate, which the server may have yet to make."""
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
        pair = pair_of(config, name, host)
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


def component_faults(config: Config) -> Iterator[ConfigError]:
    for domain in config.components:
        if domain in config.hosts:
            yield config.error(("components", domain), "is a host too; a component needs a domain of its own")
