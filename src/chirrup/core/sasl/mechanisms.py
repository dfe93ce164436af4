"""The mechanisms that there are: the machine for a name, and which of a server's a client should try."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal

from chirrup.core.errors import SASLError
from chirrup.core.sasl import anonymous, external, plain, scram
from chirrup.core.sasl.base import ClientMechanism, ServerMechanism
from chirrup.core.sasl.downgrade import Advertised

MECHANISMS: Final = (external.NAME, *scram.NAMES, plain.NAME, anonymous.NAME)
"""All of them, strongest first."""

CredentialKind = Literal["password", "external", "anonymous"]
"""What a client can authenticate with: a password, a certificate, or nothing."""

_NO_BINDINGS: Final[Mapping[str, bytes]] = MappingProxyType({})


def server_mechanism(
    name: str,
    *,
    nonce: str,
    offered: Sequence[str],
    channel_bindings: Mapping[str, bytes] = _NO_BINDINGS,
    external_identity: str = "",
    confirm: bool = True,
) -> ServerMechanism:
    """The server's machine for the mechanism that a client chose.

    `nonce` is fresh, from a secure random source, printable ASCII without comma; `offered` is all that this client
    was offered; `channel_bindings` are the connection's data by type (`tls-exporter`, `tls-server-end-point`);
    `external_identity` is whom EXTERNAL takes a client for that doesn't say whom it wants to act for; `confirm` whether
    SCRAM tells the client what it was offered, where nobody can change it on the way (XEP-0474).
    Raises SASLError("invalid-mechanism").
    """
    if name not in offered or name not in MECHANISMS:
        raise SASLError("invalid-mechanism")
    if name == plain.NAME:
        return plain.PlainServer()
    if name == anonymous.NAME:
        return anonymous.AnonymousServer()
    if name == external.NAME:
        return external.ExternalServer(external_identity)
    return scram.ScramServer(
        name,
        nonce=nonce,
        channel_bindings=channel_bindings,
        channel_binding_offered=any(other.endswith(scram.PLUS) for other in offered),
        advertised=Advertised(tuple(offered), binding_types(offered, channel_bindings)) if confirm else None,
    )


def binding_types(offered: Iterable[str], channel_bindings: Iterable[str]) -> tuple[str, ...] | None:
    """The types of channel binding to announce next to the mechanisms offered (XEP-0440); None for no announcement."""
    return tuple(channel_bindings) if any(name.endswith(scram.PLUS) for name in offered) else None


def client_mechanism(
    name: str,
    *,
    username: str = "",
    password: str = "",
    nonce: str = "",
    channel_bindings: Mapping[str, bytes] = _NO_BINDINGS,
    authzid: str = "",
    advertised: Advertised | None = None,
    salted_passwords: scram.SaltedPasswords | None = None,
    min_iterations: int = scram.MIN_ITERATIONS,
    max_iterations: int = scram.MAX_ITERATIONS,
) -> ClientMechanism:
    """The client's machine for a mechanism.

    `username` is a prepared localpart; `nonce` as for `server_mechanism`; `channel_bindings` are the data, by type,
    that both sides have, the preferred type first, and are to be given for mechanisms without -PLUS too; the last
    four are `ScramClient`'s. Raises ValueError for a name that isn't in `MECHANISMS` and for credentials that the
    mechanism can't carry.
    """
    if name == plain.NAME:
        return plain.PlainClient(username=username, password=password, authzid=authzid)
    if name == anonymous.NAME:
        return anonymous.AnonymousClient()
    if name == external.NAME:
        return external.ExternalClient(authzid=authzid)
    return scram.ScramClient(
        name,
        username=username,
        password=password,
        nonce=nonce,
        channel_bindings=channel_bindings,
        authzid=authzid,
        advertised=advertised,
        salted_passwords=salted_passwords,
        min_iterations=min_iterations,
        max_iterations=max_iterations,
    )


def choose(
    offered: Iterable[str],
    *,
    tls: bool,
    channel_bindings: Collection[str],
    have: Collection[CredentialKind],
) -> list[str]:
    """The offered mechanisms that a client with these credentials may use on this connection, strongest first.

    `channel_bindings` are the types that both sides have. Where any -PLUS form is offered and can be used, only such
    forms of SCRAM are (RFC 5802 §6). That PLAIN comes after SCRAM doesn't make it a way out when SCRAM failed: an
    impostor could make it fail to be told the password.
    """
    usable: list[str] = []
    if "external" in have and tls:
        usable.append(external.NAME)
    offers = set(offered)
    if "password" in have:
        bound = [name for name in scram.NAMES if name.endswith(scram.PLUS) and name in offers]
        unbound = [name for name in scram.NAMES if not name.endswith(scram.PLUS)]
        usable += bound if bound and channel_bindings else unbound
        if tls:
            usable.append(plain.NAME)
    if "anonymous" in have:
        usable.append(anonymous.NAME)
    return [name for name in usable if name in offers]
