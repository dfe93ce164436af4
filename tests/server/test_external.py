"""Log-in by a certificate instead of a password (SASL EXTERNAL, XEP-0178)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from chirrup import AuthenticationError, Client, NetworkError, StreamError
from chirrup.core.errors import ConfigError
from chirrup.net.certificates import accounts
from chirrup.testing import TestServer, serve

XMPP_ADDRESS = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.5")
ALICE = "alice@localhost"


def utf8(text: str) -> bytes:
    """An ASN.1 UTF8String."""
    octets = text.encode()
    return bytes([0x0C, len(octets)]) + octets if len(octets) < 128 else bytes([0x0C, 0x81, len(octets)]) + octets


@dataclass
class Authority:
    """Somebody who signs certificates."""

    folder: Path

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An authority")])
        builder = self._builder(self.name, self.key).add_extension(x509.BasicConstraints(True, None), critical=True)
        self.certificate = builder.sign(self.key, hashes.SHA256())
        self.file = self.folder / "authority.pem"
        self.file.write_bytes(self.certificate.public_bytes(Encoding.PEM))

    def _builder(self, name: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return x509.CertificateBuilder(
            self.name, name, key.public_key(), x509.random_serial_number(), now - timedelta(1), now + timedelta(1)
        )

    def sign(self, *names: x509.GeneralName) -> x509.Certificate:
        return self._signed(*names)[0]

    def _signed(self, *names: x509.GeneralName) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")]), key)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256()), key

    def issue(self, *jids: str) -> Path:
        """A file with the certificate of these accounts, and its key."""
        certificate, key = self._signed(*[x509.OtherName(XMPP_ADDRESS, utf8(jid)) for jid in jids])
        file = self.folder / f"{len(list(self.folder.iterdir()))}.pem"
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(certificate.public_bytes(Encoding.PEM) + secret)
        return file


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
async def server(authority: Authority) -> AsyncIterator[TestServer]:
    async with serve({"listen": {"client_authorities": str(authority.file)}}) as server:
        await server.add_account("alice")
        yield server


def client(server: TestServer, jid: str, certificate: Path, **options: Any) -> Client:
    place = {"host": "127.0.0.1", "port": server.port(), "verify": False}
    return Client(jid, certificate=certificate, **{**place, **options})


async def let_in(client: Client) -> bool:
    try:
        async with client:
            await client.settle()
    except AuthenticationError:
        return False
    return True


# -- on a server


@pytest.mark.parametrize("direct_tls", [False, True])
async def test_a_certificate_instead_of_a_password(server: TestServer, authority: Authority, direct_tls: bool) -> None:
    port = server.port("c2s_direct_tls" if direct_tls else "c2s")
    alice = client(server, ALICE, authority.issue(ALICE), port=port, direct_tls=direct_tls)
    assert await let_in(alice)


async def test_of_several_accounts_the_client_says_which(server: TestServer, authority: Authority) -> None:
    """XEP-0178 §2, 10.2"""
    await server.add_account("bob")
    certificate = authority.issue(ALICE, "bob@localhost")
    for jid in (ALICE, "bob@localhost"):
        somebody = client(server, jid, certificate)
        async with somebody:
            assert somebody.account.text == jid


@pytest.mark.parametrize("jid", ["bob@localhost", "alice@elsewhere.example", "nobody@localhost"])
async def test_a_certificate_of_somebody_else(server: TestServer, authority: Authority, jid: str) -> None:
    """Of another account, of one elsewhere, and of one that there isn't."""
    await server.add_account("bob")
    with pytest.raises((AuthenticationError, StreamError)):
        async with client(server, ALICE, authority.issue(jid)):
            pass


async def test_nobody_acts_for_an_account_that_is_not_in_it(server: TestServer, authority: Authority) -> None:
    certificate = authority.issue("bob@localhost", "carol@localhost")
    await server.add_account("bob")
    assert not await let_in(client(server, ALICE, certificate))


async def test_an_account_that_does_not_exist(server: TestServer, authority: Authority) -> None:
    assert not await let_in(client(server, "nobody@localhost", authority.issue("nobody@localhost")))


async def test_an_account_that_is_disabled(server: TestServer, authority: Authority) -> None:
    await server.server.store.accounts.set_disabled("localhost", "alice", True)
    with pytest.raises(AuthenticationError, match="account-disabled"):
        async with client(server, ALICE, authority.issue(ALICE)):
            pass


async def test_a_certificate_that_another_has_signed(server: TestServer, tmp_path: Path) -> None:
    (tmp_path / "another").mkdir()
    with pytest.raises((NetworkError, StreamError)):
        async with client(server, ALICE, Authority(tmp_path / "another").issue(ALICE), password="secret"):
            pass


async def test_a_certificate_without_an_account_here_is_no_help_and_no_harm(
    server: TestServer, authority: Authority
) -> None:
    for certificate in (authority.issue(), authority.issue("alice@elsewhere.example")):
        assert await let_in(client(server, ALICE, certificate, password="secret"))
    with pytest.raises(StreamError, match="no safe way"):
        async with client(server, ALICE, authority.issue()):
            pass


async def test_without_a_certificate_all_is_as_ever(server: TestServer) -> None:
    async with await server.sdk("alice") as alice:
        await alice.settle()


async def test_a_server_that_asks_for_none_is_told_the_password(authority: Authority) -> None:
    async with serve() as server:
        await server.add_account("alice")
        assert await let_in(client(server, ALICE, authority.issue(ALICE), password="secret"))


async def test_an_account_that_changes_meanwhile(server: TestServer, authority: Authority) -> None:
    """Nobody who has a certificate gets by what stops others."""
    alice = client(server, ALICE, authority.issue(ALICE))
    async with alice:
        assert alice.account.text == ALICE
    await server.server.hosts["localhost"].remove_account("alice")
    assert not await let_in(client(server, ALICE, authority.issue(ALICE)))


# -- files

BROKEN = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"


@pytest.mark.parametrize("content", [None, "", "no certificate", BROKEN])
async def test_authorities_that_cannot_be_read(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "authorities.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match=r"listen\.client_authorities: can't use the certificates in"):
        async with serve({"listen": {"client_authorities": str(file)}}):
            pass


async def test_a_certificate_of_its_own_that_a_client_cannot_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="certificate"):
        Client(ALICE, certificate=tmp_path / "none.pem")


async def test_other_authorities_after_a_reload(server: TestServer, authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "another").mkdir()
    another = Authority(tmp_path / "another")
    former = client(server, ALICE, authority.issue(ALICE), timeout=5)
    authority.file.write_bytes(another.file.read_bytes())
    server.server._listeners.reload(server.server.config)
    assert await let_in(client(server, ALICE, another.issue(ALICE)))
    with pytest.raises((NetworkError, StreamError)):
        async with former:
            pass


# -- what stands in a certificate


def other(value: bytes, type_id: x509.ObjectIdentifier = XMPP_ADDRESS) -> x509.OtherName:
    return x509.OtherName(type_id, value)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([], ()),
        ([x509.DNSName("localhost")], ()),
        ([other(utf8("Alice@LocalHost"))], (ALICE,)),
        ([other(utf8(ALICE)), other(utf8("ALICE@localhost"))], (ALICE,)),
        ([other(utf8("a" * 120 + "@localhost"))], ("a" * 120 + "@localhost",)),
        ([other(utf8("alice@localhost/phone")), other(utf8("localhost")), other(utf8("@"))], ()),
        ([other(b"\x16\x0falice@localhost"), other(b"\x0c\x02\xff\xff"), other(b"\x0c\x00"), other(b"\x05\x00")], ()),
        ([other(utf8(ALICE), x509.ObjectIdentifier("1.3.6.1.5.5.7.8.7"))], ()),
    ],
)
def test_accounts_in_a_certificate(authority: Authority, names: list[x509.GeneralName], found: tuple[str, ...]) -> None:
    assert accounts(authority.sign(*names).public_bytes(Encoding.DER)) == found
