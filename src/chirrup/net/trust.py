"""Whom a client believes to be its server: authorities, or a pinned certificate; and the TLS contexts for that.

Contexts are shared by all connections that trust alike, for as long as one of them lives: each has a copy of the
authorities' certificates, which is more than all else that a connection needs.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

from chirrup.core.errors import ConfigError, TrustError
from chirrup.core.record import record
from chirrup.core.stream import Security
from chirrup.net import certificates
from chirrup.net.certificates import KeyPair
from chirrup.net.tls import ALPN_CLIENT, channel_bindings, client_context

_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}")


@record
class Trust:
    """Which certificates are accepted."""

    ca: Path | None = None
    """A PEM file with the only authorities to trust; None for those of the system."""
    fingerprints: tuple[str, ...] = ()
    """SHA-256 of the only certificates to accept, whoever signed them and for whatever name; empty to go by
    authorities."""
    verify: bool = True
    """False accepts any certificate: for tests alone."""
    bind: bool = True
    """Whether log-ins are bound to the connection, where the peer can do that."""
    alpn: Sequence[str] = (ALPN_CLIENT,)
    own: KeyPair | None = None
    """The certificate to show to who asks for one."""

    @property
    def pinned(self) -> bool:
        return bool(self.fingerprints)

    def check(self, certificate: bytes, where: str) -> None:
        """Raise TrustError if certificates are pinned, and this one (DER) isn't."""
        if self.pinned:
            found = hashlib.sha256(certificate).hexdigest()
            if found not in self.fingerprints:
                raise TrustError(
                    f"{where} shows a certificate with the fingerprint {found}, which isn't the pinned one"
                )


def fingerprint(text: str) -> str:
    """A SHA-256 fingerprint as people write it, with colons or without. Raises ValueError for what is none."""
    found = text.replace(":", "").replace(" ", "").lower().removeprefix("sha256").removeprefix("-")
    if not _FINGERPRINT.fullmatch(found):
        raise ValueError(f"{text!r} is no SHA-256 fingerprint: those are 64 hexadecimal digits")
    return found


_Key = tuple[Path | None, int, bool, tuple[str, ...], KeyPair | None, int]
_contexts: Final[WeakValueDictionary[_Key, ssl.SSLContext]] = WeakValueDictionary()
_being_made: Final[WeakValueDictionary[tuple[_Key, int], asyncio.Future[ssl.SSLContext]]] = WeakValueDictionary()


async def context(trust: Trust) -> ssl.SSLContext:
    """The context for that trust, made in a thread if nobody has it. Raises ConfigError about a file of authorities
    that can't be used."""
    key = _key(trust)
    found = _contexts.get(key)
    if found is not None:
        return found
    place = (key, id(asyncio.get_running_loop()))
    making = _being_made.get(place)
    if making is None:
        making = asyncio.ensure_future(asyncio.to_thread(_make, trust))
        _being_made[place] = making
    made = await asyncio.shield(making)
    _contexts[key] = made
    return made


def _make(trust: Trust) -> ssl.SSLContext:
    own = trust.own
    if own is not None:
        certificates.read(own)
    try:
        return client_context(ca=trust.ca, verify=trust.verify and not trust.pinned, alpn=trust.alpn, own=own)
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "reason", None) or error.strerror or error
        raise ConfigError(f"can't use the authorities in {trust.ca}: {reason}", key="ca") from None


def _key(trust: Trust) -> _Key:
    own = trust.own
    verify = trust.verify and not trust.pinned
    return trust.ca, _changed(trust.ca), verify, tuple(trust.alpn), own, _changed(own.certificate if own else None)


def _changed(path: Path | None) -> int:
    try:
        return path.stat().st_mtime_ns if path else 0
    except OSError:
        return 0


def security(tls: ssl.SSLObject, trust: Trust, where: str) -> Security:
    """What a handshake that a client made gives its stream. Raises TrustError as `Trust.check` does."""
    certificate = tls.getpeercert(binary_form=True)
    if certificate is None:
        raise TrustError(f"{where} shows no certificate")
    trust.check(certificate, where)
    return Security(channel_bindings=channel_bindings(tls, certificate) if trust.bind else {})
