"""TLS: contexts for both ends, certificates chosen by host name and renewed while in use, channel bindings.

Nothing here blocks or has a thread: the server calls `CertificateStore.poll` from a timer.
"""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from chirrup.core.errors import ConfigError
from chirrup.core.record import record
from chirrup.net import certificates
from chirrup.net.certificates import Certificate, KeyPair, ascii_name

ALPN_CLIENT: Final = "xmpp-client"
"""Application protocol of connections from clients (XEP-0368)."""
XEPS: Final = ((368, "1.1.0", ""),)

_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2: only forward secrecy with authenticated encryption (RFC 9325 §4.2). TLS 1.3 has nothing else."""
_EXPORTER_LABEL: Final = b"EXPORTER-Channel-Binding"
_EXPORTER_LENGTH: Final = 32

_REMINDERS: Final = (0, 1, 3, 7, 14)
"""So many days before a certificate ends, which nobody has renewed, it is told of."""

_FileState = tuple[int, int, int] | None
"""Modification time in ns, inode and size; None for a file that isn't there."""


class ServerContext(ssl.SSLContext):
    """The settings of a server's handshake, with the certificate it shows."""

    certificate: Certificate


@record
class Notice:
    """A line for the log."""

    text: str
    trouble: bool
    """Whether somebody should do something about it."""


@dataclass(slots=True)
class _Served:
    """A pair of files as it was last looked at, and the context of the last version that could be used."""

    pair: KeyPair
    hosts: list[str]
    seen: tuple[_FileState, _FileState]
    digest: bytes
    context: ServerContext
    reminded: int | None = None
    """Which of `_REMINDERS` is behind it."""


def _reminder(served: _Served, now: float) -> int | None:
    """The last of the reminders that are due."""
    certificate = served.context.certificate
    if certificate.self_made:
        return None
    return next((days for days in _REMINDERS if certificate.days_left(now) < days), None)


def _remind(served: _Served, now: float) -> Notice | None:
    """That it ends, and nobody has renewed it."""
    due, before = _reminder(served, now), served.reminded
    served.reminded = due
    if due is None or due == before:
        return None
    certificate = served.context.certificate
    return Notice(f"the certificate {served.pair.certificate} {certificate.end(now)}", trouble=True)


class CertificateStore:
    """The certificates of a server's hosts: shown by the name that a client asks for (SNI), read anew when they change.

    A client that asks for no name, or for one that isn't here, gets the default host's."""

    def __init__(
        self,
        hosts: Mapping[str, KeyPair | None],
        *,
        folder: Path,
        now: float,
        default: str | None = None,
        alpn: Sequence[str] = (ALPN_CLIENT,),
        authorities: Path | None = None,
    ) -> None:
        """`hosts` has a pair of files for each host, or None for one that the server makes itself, in `folder`.
        `default` is the first host unless given. `authorities` is a PEM file with those whose certificates clients may
        show; without it they aren't asked for any.

        Raises ConfigError about files that can't be used."""
        if not hosts:
            raise ValueError("a server has at least one host")
        self._alpn = tuple(alpn)
        self._authorities = "" if authorities is None else read_authorities(authorities)
        self._folder = folder
        self._made: dict[str, _Served] = {}
        self._unrenewed: set[str] = set()
        self._by_host: dict[str, _Served] = {}
        by_pair: dict[KeyPair, _Served] = {}
        for host, given in hosts.items():
            try:
                pair = given or certificates.make(host, folder, now)
                served = by_pair.get(pair) or self._read(pair)
            except ConfigError as error:
                raise ConfigError(
                    error.problem, key=f"hosts.{json.dumps(host, ensure_ascii=False)}.{error.key}"
                ) from None
            by_pair[pair] = served
            served.hosts.append(host)
            served.reminded = _reminder(served, now)  # `remarks` tells of the end
            self._by_host[ascii_name(host)] = served
            if given is None:
                self._made[host] = served
        self._served = tuple(by_pair.values())
        self._default = self._by_host[ascii_name(default or next(iter(hosts)))]
        self._front = self._new_front()

    @property
    def context(self) -> ssl.SSLContext:
        """The context to begin a server's handshake with. Ask for it anew for each connection: it is another one
        after a reload, so that no client resumes a TLS session that began with the former certificate."""
        return self._front

    def certificate(self, host: str) -> Certificate:
        """What is shown to clients that ask for this host."""
        return self._by_host.get(ascii_name(host), self._default).context.certificate

    def remarks(self, now: float) -> list[str]:
        """What an operator should know of the certificates in use, a line each."""
        lines = []
        for served in self._served:
            found = served.context.certificate.remarks(served.hosts, now)
            lines += [f"the certificate {served.pair.certificate} {remark}" for remark in found]
            lines += certificates.warnings(served.pair)
        return lines

    def poll(self, now: float) -> list[Notice]:
        """Take up what changed on disk, for handshakes from now on. What can't be used leaves the former pair in use,
        and is told of once. Self-made certificates that end soon are made anew; that others do is told now and then."""
        notices = [notice for host in self._made if (notice := self._renew(host, now))]
        notices += [notice for served in self._served if (notice := self._look(served, now))]
        notices += [notice for served in self._served if (notice := _remind(served, now))]
        if not all(notice.trouble for notice in notices):
            self._front = self._new_front()
        return notices

    def _renew(self, host: str, now: float) -> Notice | None:
        shown = self._made[host].context.certificate
        if not shown.self_made or shown.days_left(now) >= certificates.RENEW_DAYS:
            return None
        try:
            certificates.make(host, self._folder, now)
        except ConfigError as error:
            if host in self._unrenewed:
                return None
            self._unrenewed.add(host)
            return Notice(f"{error.problem}; the former certificate stays in use", trouble=True)
        self._unrenewed.discard(host)
        return None

    def _look(self, served: _Served, now: float) -> Notice | None:
        state = _state(served.pair)
        if state == served.seen:
            return None
        served.seen = state
        try:
            if certificates.digest(served.pair) == served.digest:
                return None
            fresh = self._read(served.pair)
        except ConfigError as error:
            return Notice(f"{error.problem}; the former certificate stays in use", trouble=True)
        served.seen, served.digest, served.context = fresh.seen, fresh.digest, fresh.context
        served.reminded = _reminder(served, now)
        remarks = [f"it {remark}" for remark in fresh.context.certificate.remarks(served.hosts, now)]
        text = f"reloaded the certificate {served.pair.certificate}"
        return Notice("; ".join([text, *remarks, *certificates.warnings(served.pair)]), trouble=False)

    def _read(self, pair: KeyPair) -> _Served:
        seen = _state(pair)  # before reading, so that a change meanwhile is seen at the next poll
        digest = certificates.digest(pair)
        certificate = certificates.read(pair)
        context = ServerContext(ssl.PROTOCOL_TLS_SERVER)
        _harden(context, self._alpn)
        context.certificate = certificate
        try:
            context.load_cert_chain(pair.certificate, pair.key, password="")
        except (OSError, ssl.SSLError) as error:
            reason = getattr(error, "reason", None) or error.strerror
            raise ConfigError(
                f"TLS can't use {pair.certificate} with {pair.key}: {reason}", key="certificate"
            ) from None
        self._ask_clients(context)
        return _Served(pair, [], seen, digest, context)

    def _new_front(self) -> ssl.SSLContext:
        """A context without a certificate: `_choose` always swaps it for a host's, before OpenSSL needs one."""
        front = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _harden(front, self._alpn)
        self._ask_clients(front)
        front.sni_callback = self._choose
        front.num_tickets = 1  # a client has one connection, and gets another ticket with the next
        return front

    def _ask_clients(self, context: ssl.SSLContext) -> None:
        """Have clients show a certificate if they have one. Whose is of nobody that is known fails the handshake."""
        if self._authorities:
            context.load_verify_locations(cadata=self._authorities)
            context.verify_mode = ssl.CERT_OPTIONAL

    def _choose(self, ssl_object: ssl.SSLObject, name: str | None, _front: ssl.SSLContext) -> None:
        ssl_object.context = self._by_host.get(ascii_name(name or ""), self._default).context


def read_authorities(path: Path) -> str:
    """Their certificates in PEM, all of which can be used. Raises ConfigError."""
    try:
        text = path.read_text("ascii")
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cadata=text)
    except (OSError, ValueError) as error:  # (an SSLError is an OSError)
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or "it isn't PEM"
        raise ConfigError(f"can't use the certificates in {path}: {reason}", key="listen.client_authorities") from None
    return text


def accounts_of(ssl_object: ssl.SSLObject) -> tuple[str, ...]:
    """The accounts in the certificate that a client has shown, if any: the handshake has verified it."""
    certificate = ssl_object.getpeercert(binary_form=True)
    return () if certificate is None else certificates.accounts(certificate)


def certificate_for(ssl_object: ssl.SSLObject) -> bytes:
    """The certificate (DER) that our side showed on a connection which began with `CertificateStore.context`."""
    context = ssl_object.context
    if not isinstance(context, ServerContext):
        raise ValueError("no certificate was chosen: the handshake hasn't begun, or began with another context")
    return context.certificate.der


def channel_bindings(ssl_object: ssl.SSLObject, certificate_der: bytes) -> dict[str, bytes]:
    """The channel binding data of a connection whose handshake is done, by type, the preferred type first.

    `certificate_der` is the server's certificate, whichever end we are."""
    bindings = {}
    # The ssl module of today's Pythons exports no keying material. TLS 1.2 would need the extended master secret
    # for it (RFC 9266 §2), of which there is no knowing.
    export = getattr(ssl_object, "export_keying_material", None)
    if export is not None and ssl_object.version() == "TLSv1.3":
        bindings["tls-exporter"] = bytes(export(_EXPORTER_LABEL, _EXPORTER_LENGTH, b""))
    end_point = _end_point(certificate_der)
    if end_point is not None:
        bindings["tls-server-end-point"] = end_point
    if ssl_object.version() == "TLSv1.2":  # every server must have it (RFC 5802 §6.1); TLS 1.3 has no such thing
        unique = ssl_object.get_channel_binding("tls-unique")
        if unique:
            bindings["tls-unique"] = unique
    return bindings


def client_context(
    *,
    ca: Path | None = None,
    verify: bool = True,
    alpn: Sequence[str] = (ALPN_CLIENT,),
    own: KeyPair | None = None,
) -> ssl.SSLContext:
    """The settings of a client's handshake. Trusts the system's authorities, or only those in the PEM file `ca`. `own`
    is the certificate that it shows if it is asked to.

    Only with `verify=False` does it accept any certificate for any host: for tests, never for people."""
    # Reading the system's authorities takes tens of milliseconds.
    context = ssl.create_default_context(cafile=ca) if verify else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _harden(context, alpn)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if own is not None:
        context.load_cert_chain(own.certificate, own.key, password="")
    return context


def _harden(context: ssl.SSLContext, alpn: Sequence[str]) -> None:
    """TLS 1.2 and 1.3 without compression and renegotiation (RFC 9325)."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_ciphers(_CIPHERS)
    if alpn:
        context.set_alpn_protocols(list(alpn))


@lru_cache(maxsize=64)
def _end_point(certificate_der: bytes) -> bytes | None:
    """The certificate's hash by the hash function of its signature, SHA-256 for MD5 and SHA-1; undefined, and so None,
    where the signature has no one hash function, as with Ed25519 (RFC 5929 §4.1)."""
    try:
        algorithm = x509.load_der_x509_certificate(certificate_der).signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None
    if algorithm is None:
        return None
    name = "sha256" if algorithm.name in ("md5", "sha1") else algorithm.name
    return hashlib.new(name.replace("-", "_"), certificate_der).digest()


def _state(pair: KeyPair) -> tuple[_FileState, _FileState]:
    return _file_state(pair.certificate), _file_state(pair.key)


def _file_state(path: Path) -> _FileState:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
