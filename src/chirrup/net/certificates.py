"""Certificates and private keys as files: reading them, judging them, and making one where there is none.

Times are seconds since 1970, UTC, as `Clock.time()` gives them.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import stat
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import idna
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from chirrup.core.errors import ConfigError
from chirrup.core.jid import JID
from chirrup.core.record import record

SELF_MADE_DAYS: Final = 825
"""How long a self-made certificate lasts: the longest that Apple's programs accept."""
RENEW_DAYS: Final = 30
"""A self-made certificate that ends sooner than this is made anew; one of the operator's is warned of."""

_MAKER: Final = "Self-made by Chirrup"
_XMPP_ADDRESS: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.5")
_UTF8_STRING: Final = 0x0C
_MOST_ADDRESSES: Final = 50
_LONGEST_COMMON_NAME: Final = 64


@record
class KeyPair:
    """Two PEM files: a certificate with its chain, its own first, and its unencrypted private key. May be one file."""

    certificate: Path
    key: Path


@record
class Certificate:
    """What a server's certificate says of itself."""

    der: bytes
    names: tuple[str, ...]
    """The DNS names (as A-labels, perhaps with a wildcard) and IP addresses it is for."""
    not_before: float
    not_after: float
    self_signed: bool
    self_made: bool
    """Whether `make` made it."""

    def covers(self, host: str) -> bool:
        """Whether it is for this host; a wildcard stands for one label (RFC 6125 §6.4)."""
        name = ascii_name(host)
        return name in self.names or "*." + name.partition(".")[2] in self.names

    def days_left(self, now: float) -> int:
        return int((self.not_after - now) // 86400)

    def remarks(self, hosts: Iterable[str], now: float) -> list[str]:
        """What clients of these hosts would find wrong with it, a line each; of a self-made one only that it is."""
        if self.self_made:
            lines = ["is self-made: clients warn of it, until they are told to trust it"]
        elif self.self_signed:
            lines = ["is self-signed: clients warn of it, until they are told to trust it"]
        else:
            lines = []
        lines += [
            f"is not for {host}, but for {', '.join(self.names) or 'no name at all'}"
            for host in hosts
            if not self.covers(host)
        ]
        if now < self.not_before:
            lines.append(f"is valid only from {_day(self.not_before)}")
        elif now >= self.not_after or (not self.self_made and self.days_left(now) < RENEW_DAYS):
            lines.append(self.end(now))
        return lines

    def end(self, now: float) -> str:
        return f"{'expired' if now >= self.not_after else 'expires'} on {_day(self.not_after)}"


def ascii_name(host: str) -> str:
    """A host's name as TLS and certificates spell it: lower case, A-labels, no brackets round IPv6."""
    bare = host.removesuffix(".").removeprefix("[").removesuffix("]")
    if not bare.isascii():
        try:
            bare = idna.encode(bare, uts46=True).decode()
        except idna.IDNAError:
            return bare
    return bare.lower()


def read(pair: KeyPair) -> Certificate:
    """Read a pair and see that its halves fit.

    Raises ConfigError; its `key` is "certificate" or "key", whichever file is at fault."""
    chain = _read_chain(pair.certificate)
    private = _read_key(pair.key)
    public = _public_bytes(private.public_key())
    if _public_bytes(chain[0].public_key()) != public:
        if any(_public_bytes(other.public_key()) == public for other in chain[1:]):
            raise ConfigError(f"{pair.certificate} must begin with the server's own certificate", key="certificate")
        raise ConfigError(f"{pair.key} is not the key of the certificate in {pair.certificate}", key="key")
    return _describe(chain[0])


def warnings(pair: KeyPair) -> list[str]:
    """What is unsafe about how the files are kept, a line each."""
    try:
        key = pair.key.stat()
    except OSError:
        return []
    if key.st_uid == 0 and key.st_gid != 0:  # root hands it to the server by its group
        allowed, cure = 0o750, "640"
    else:
        allowed, cure = 0o700, "600"
    if stat.S_IMODE(key.st_mode) & ~allowed:
        return [f"others than its owner may open the private key {pair.key}: chmod {cure} it"]
    return []


def place(host: str, folder: Path) -> KeyPair:
    """Where the self-made pair of a host is, or would be."""
    name = ascii_name(host).replace("/", "_")
    return KeyPair(folder / f"{name}.crt", folder / f"{name}.key")


def make(host: str, folder: Path, now: float) -> KeyPair:
    """The self-made pair of a host in `folder`, made if it isn't there, is no longer whole or ends soon.

    Files there that aren't of our making stay as they are. Raises ConfigError if those can't be used, or ours not
    written."""
    pair = place(host, folder)
    if (pair.certificate.exists() or pair.key.exists()) and _is_good(pair, host, now):
        return pair
    private = ec.generate_private_key(ec.SECP256R1())
    certificate = _self_signed(host, private, datetime.fromtimestamp(now, UTC))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        # The certificate first: it tells that the pair is ours, should we die before the key is there.
        _write(pair.certificate, certificate.public_bytes(Encoding.PEM), 0o644)
        _write(pair.key, pem, 0o600)
    except OSError as error:
        problem = f"can't write a certificate for {host}: {error.filename or folder}: {error.strerror}"
        raise ConfigError(problem, key="certificate") from None
    return pair


def accounts(der: bytes) -> tuple[str, ...]:
    """The accounts that a client's certificate is for, as bare JIDs (id-on-xmppAddr, RFC 6120 §13.7.1.4)."""
    try:
        names = x509.load_der_x509_certificate(der).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return ()
    found: dict[str, None] = {}
    for name in list(names.value)[:_MOST_ADDRESSES]:
        if isinstance(name, x509.OtherName) and name.type_id == _XMPP_ADDRESS:
            try:
                jid = JID(_utf8_string(name.value))
            except ValueError:
                continue
            if jid.local and jid.is_bare:
                found[jid.text] = None
    return tuple(found)


def _utf8_string(der: bytes) -> str:
    """The text of an ASN.1 UTF8String that is no longer than a JID can be. ValueError for anything else."""
    if len(der) < 2 or der[0] != _UTF8_STRING:
        raise ValueError("not a UTF8String")
    start, length = 2, der[1]
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start], "big")
    if start > 4 or len(der) != start + length:
        raise ValueError("not a UTF8String of that length")
    return der[start:].decode()


def digest(pair: KeyPair) -> bytes:
    """A hash of both files' content. Raises ConfigError as `read` does."""
    parts = (_read_file(pair.certificate, "certificate"), _read_file(pair.key, "key"))
    return b"".join(hashlib.sha256(part).digest() for part in parts)


def _is_good(pair: KeyPair, host: str, now: float) -> bool:
    """Whether what is in the place of a self-made pair shall stay. Raises ConfigError if it isn't ours and no good."""
    if not _describe(_read_chain(pair.certificate)[0]).self_made:
        read(pair)
        return True
    try:
        found = read(pair)
    except ConfigError:
        return False
    return found.covers(host) and found.days_left(now) >= RENEW_DAYS


def _read_file(path: Path, key: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"can't read {path}: {error.strerror}", key=key) from None


def _read_chain(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_read_file(path, "certificate"))
    except ValueError:
        raise ConfigError(f"{path} has no certificate in PEM form in it", key="certificate") from None


def _read_key(path: Path) -> PrivateKeyTypes:
    data = _read_file(path, "key")
    try:
        return load_pem_private_key(data, password=None)
    except TypeError:
        raise ConfigError(
            f"the private key {path} is encrypted; the server needs it without a password (`openssl pkey` removes it)",
            key="key",
        ) from None
    except Exception:  # unsupported algorithms and broken structures have many classes there
        raise ConfigError(f"{path} has no private key in PEM form in it that can be used", key="key") from None


def _public_bytes(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _describe(certificate: x509.Certificate) -> Certificate:
    names: list[str] = []
    try:
        san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        pass
    else:
        names += [name.lower() for name in san.get_values_for_type(x509.DNSName)]
        names += [str(address) for address in san.get_values_for_type(x509.IPAddress)]
    makers = certificate.issuer.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    self_signed = certificate.issuer == certificate.subject
    return Certificate(
        der=certificate.public_bytes(Encoding.DER),
        names=tuple(names),
        not_before=certificate.not_valid_before_utc.timestamp(),
        not_after=certificate.not_valid_after_utc.timestamp(),
        self_signed=self_signed,
        self_made=self_signed and [maker.value for maker in makers] == [_MAKER],
    )


def _self_signed(host: str, private: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    """Signed by its own key and no authority (CA:FALSE), so that who trusts it trusts it for this host only."""
    name = ascii_name(host)
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, _MAKER)]
    if len(name) <= _LONGEST_COMMON_NAME:
        attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, name))
    subject = x509.Name(attributes)
    public = private.public_key()
    start = now.replace(microsecond=0) - timedelta(days=1)  # clients' clocks may be behind ours
    usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    signs_only = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=SELF_MADE_DAYS))
        .add_extension(x509.SubjectAlternativeName(_alternative_names(name)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(signs_only, critical=True)
        .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .sign(private, hashes.SHA256())
    )


def _alternative_names(name: str) -> list[x509.GeneralName]:
    try:
        return [x509.IPAddress(ipaddress.ip_address(name))]
    except ValueError:
        names: list[x509.GeneralName] = [x509.DNSName(name)]
    if name == "localhost":
        names += [x509.IPAddress(ipaddress.ip_address(address)) for address in ("127.0.0.1", "::1")]
    return names


def _write(path: Path, data: bytes, mode: int) -> None:
    """Put a file in place whole: nobody sees half of it, not even after a power cut."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def _day(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d")
