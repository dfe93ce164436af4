"""Real handshakes, in memory."""

from __future__ import annotations

import hashlib
import os
import ssl
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes

from chirrup.core.errors import ConfigError
from chirrup.net import certificates, tls
from chirrup.net.certificates import KeyPair

NOW = float(int(time.time()))
DAY = 86400
Issue = Callable[..., KeyPair]
Ends = tuple[ssl.SSLObject, ssl.SSLObject]


def connect(
    server: ssl.SSLContext, client: ssl.SSLContext, name: str | None, session: ssl.SSLSession | None = None
) -> Ends:
    """Both ends of a connection, the client's first, after the handshake; raises what either end does."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(down, up, server_hostname=name, session=session),
        server.wrap_bio(up, down, server_side=True),
    )
    waiting = [*ends]
    while waiting:
        before = (up.pending, down.pending)
        for end in list(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                continue
        assert not waiting or (up.pending, down.pending) != before, "the handshake stands still"
    return ends


def talk(ends: Ends) -> None:
    """Send a word each way."""
    client, server = ends
    client.write(b"ping")
    assert server.read() == b"ping"
    server.write(b"pong")
    assert client.read() == b"pong"


def shown(ends: Ends) -> bytes:
    """The certificate that the client saw."""
    der = ends[0].getpeercert(binary_form=True)
    assert der is not None
    return der


def rewrite(pair: KeyPair, other: KeyPair) -> None:
    """Put another pair in a pair's place, as certificate tools do."""
    other.key.replace(pair.key)
    other.certificate.replace(pair.certificate)


@pytest.fixture
def anyone() -> ssl.SSLContext:
    return tls.client_context(verify=False)


def test_certificate_by_name(issue: Issue, tmp_path: Path, anyone: ssl.SSLContext) -> None:
    pairs = {host: issue(host, start=NOW) for host in ("example.org", "example.com")}
    store = tls.CertificateStore(pairs, folder=tmp_path, now=NOW, default="example.com")
    ders = {host: certificates.read(pair).der for host, pair in pairs.items()}
    for asked, host in [
        ("example.org", "example.org"),
        ("EXAMPLE.ORG", "example.org"),
        ("example.com", "example.com"),
        ("example.net", "example.com"),
        (None, "example.com"),
    ]:
        ends = connect(store.context, anyone, asked)
        assert shown(ends) == ders[host]
        assert tls.certificate_for(ends[1]) == ders[host]
        talk(ends)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_that_trusts_the_self_made_certificate(tmp_path: Path, version: ssl.TLSVersion) -> None:
    store = tls.CertificateStore({"localhost": None}, folder=tmp_path / "made", now=NOW)
    client = tls.client_context(ca=tmp_path / "made" / "localhost.crt")
    client.maximum_version = version
    for name in ("localhost", "127.0.0.1"):
        talk(connect(store.context, client, name))
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(store.context, client, "example.org")


def test_a_client_trusts_nobody_by_itself(tmp_path: Path) -> None:
    store = tls.CertificateStore({"localhost": None}, folder=tmp_path, now=NOW)
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(store.context, tls.client_context(), "localhost")


def test_application_protocol(tmp_path: Path, anyone: ssl.SSLContext) -> None:
    store = tls.CertificateStore({"localhost": None}, folder=tmp_path, now=NOW)
    client, server = connect(store.context, anyone, "localhost")
    assert client.selected_alpn_protocol() == server.selected_alpn_protocol() == "xmpp-client"
    other = tls.client_context(verify=False, alpn=["http/1.1"])
    assert connect(store.context, other, "localhost")[1].selected_alpn_protocol() is None


def test_tls_1_1_is_refused(tmp_path: Path) -> None:
    store = tls.CertificateStore({"localhost": None}, folder=tmp_path, now=NOW)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname = False
    old.verify_mode = ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match="UNSUPPORTED_PROTOCOL"):
        connect(store.context, old, "localhost")


def test_ciphers_without_authenticated_encryption_are_refused(tmp_path: Path, anyone: ssl.SSLContext) -> None:
    store = tls.CertificateStore({"localhost": None}, folder=tmp_path, now=NOW)
    anyone.maximum_version = ssl.TLSVersion.TLSv1_2
    anyone.set_ciphers("ECDHE-ECDSA-AES256-SHA384")
    with pytest.raises(ssl.SSLError, match="NO_SHARED_CIPHER"):
        connect(store.context, anyone, "localhost")


def test_a_renewed_certificate_is_for_new_connections(issue: Issue, tmp_path: Path, anyone: ssl.SSLContext) -> None:
    pair = issue("example.org", start=NOW)
    store = tls.CertificateStore({"example.org": pair}, folder=tmp_path, now=NOW)
    held = store.context
    older = connect(held, anyone, "example.org")
    assert store.poll(NOW) == []

    rewrite(pair, issue("example.org", file="new", start=NOW))
    (notice,) = store.poll(NOW)
    assert not notice.trouble
    assert str(pair.certificate) in notice.text
    new = certificates.read(pair).der

    talk(older)
    assert tls.certificate_for(older[1]) == shown(older) != new
    for context in (held, store.context):
        assert shown(connect(context, anyone, "example.org")) == new
    assert store.certificate("example.org").der == new
    assert store.poll(NOW) == []


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed_until_the_certificate_changes(
    issue: Issue, tmp_path: Path, anyone: ssl.SSLContext, version: ssl.TLSVersion
) -> None:
    pair = issue("example.org", start=NOW)
    store = tls.CertificateStore({"example.org": pair}, folder=tmp_path, now=NOW)
    anyone.maximum_version = version
    first = connect(store.context, anyone, "example.org")
    talk(first)
    session = first[0].session
    again = connect(store.context, anyone, "example.org", session)
    assert again[1].session_reused
    assert tls.certificate_for(again[1]) == shown(again)

    rewrite(pair, issue("example.org", file="new", start=NOW))
    store.poll(NOW)
    after = connect(store.context, anyone, "example.org", session)
    assert not after[1].session_reused
    assert tls.certificate_for(after[1]) == shown(after)


def test_a_broken_certificate_leaves_the_former_in_use(issue: Issue, tmp_path: Path, anyone: ssl.SSLContext) -> None:
    pair = issue("example.org", start=NOW)
    store = tls.CertificateStore({"example.org": pair}, folder=tmp_path, now=NOW)
    former = certificates.read(pair).der
    new = issue("example.org", file="new", start=NOW)

    new.certificate.replace(pair.certificate)
    (notice,) = store.poll(NOW)
    assert notice.trouble
    assert "is not the key of the certificate" in notice.text
    assert shown(connect(store.context, anyone, "example.org")) == former
    assert store.poll(NOW) == []

    new.key.replace(pair.key)
    (notice,) = store.poll(NOW)
    assert not notice.trouble
    assert shown(connect(store.context, anyone, "example.org")) == certificates.read(pair).der != former


def test_a_vanished_certificate_leaves_the_former_in_use(issue: Issue, tmp_path: Path) -> None:
    pair = issue("example.org", start=NOW)
    store = tls.CertificateStore({"example.org": pair}, folder=tmp_path, now=NOW)
    former = certificates.read(pair)
    pair.key.unlink()
    (notice,) = store.poll(NOW)
    assert notice.trouble
    assert store.certificate("example.org") == former


def test_a_touched_file_is_no_change(issue: Issue, tmp_path: Path) -> None:
    pair = issue("example.org", start=NOW)
    store = tls.CertificateStore({"example.org": pair}, folder=tmp_path, now=NOW)
    os.utime(pair.certificate, (NOW + 5, NOW + 5))
    assert store.poll(NOW) == []


def test_a_self_made_certificate_is_renewed_while_running(tmp_path: Path) -> None:
    store = tls.CertificateStore({"localhost": None}, folder=tmp_path, now=NOW)
    former = store.certificate("localhost")
    assert store.poll(NOW + 700 * DAY) == []
    (notice,) = store.poll(NOW + 800 * DAY)
    assert not notice.trouble
    assert store.certificate("localhost").not_after > former.not_after
    assert store.poll(NOW + 800 * DAY) == []


def test_a_renewal_that_fails_is_told_of_once(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    store = tls.CertificateStore({"localhost": None}, folder=folder, now=NOW)
    folder.rename(tmp_path / "moved")
    folder.touch()
    first, _vanished = store.poll(NOW + 800 * DAY)
    assert first.trouble
    assert "can't write a certificate for localhost" in first.text
    assert store.poll(NOW + 801 * DAY) == []


def test_a_certificate_that_nobody_renews_is_told_of_now_and_then(issue: Issue, tmp_path: Path) -> None:
    pair = issue("example.org", start=NOW)
    store = tls.CertificateStore({"example.org": pair}, folder=tmp_path, now=NOW)
    told = {hours: store.poll(NOW + hours * 3600) for hours in range(92 * 24)}
    assert [hours for hours, notices in told.items() if notices] == [day * 24 + 1 for day in (76, 83, 87, 89, 90)]
    last = next(notice for notices in reversed(told.values()) for notice in notices)
    assert last.trouble
    assert last.text.startswith(f"the certificate {pair.certificate} expired on ")
    rewrite(pair, issue("example.org", file="new", start=NOW + 91 * DAY))
    assert [notice.trouble for notice in store.poll(NOW + 92 * DAY)] == [False]
    assert store.poll(NOW + 93 * DAY) == []


def test_a_certificate_that_ends_soon_is_told_of_once_at_the_start(issue: Issue, tmp_path: Path) -> None:
    pair = issue("example.org", start=NOW)
    store = tls.CertificateStore({"example.org": pair}, folder=tmp_path, now=NOW + 80 * DAY)
    assert any("expires on" in line for line in store.remarks(NOW + 80 * DAY))
    assert store.poll(NOW + 80 * DAY) == []


def test_hosts_may_share_a_pair(issue: Issue, tmp_path: Path, anyone: ssl.SSLContext) -> None:
    pair = issue("example.org", "*.example.org", start=NOW)
    store = tls.CertificateStore({"example.org": pair, "chat.example.org": pair}, folder=tmp_path, now=NOW)
    rewrite(pair, issue("example.org", file="new", start=NOW))
    (notice,) = store.poll(NOW)
    assert "it is not for chat.example.org" in notice.text


def test_says_which_host_has_no_certificate(issue: Issue, tmp_path: Path) -> None:
    hosts = {"example.org": issue("example.org", start=NOW), "example.com": KeyPair(tmp_path / "a", tmp_path / "b")}
    with pytest.raises(ConfigError) as raised:
        tls.CertificateStore(hosts, folder=tmp_path, now=NOW)
    assert raised.value.key == 'hosts."example.com".certificate'


def test_remarks_on_what_is_in_use(issue: Issue, tmp_path: Path) -> None:
    pair = issue("example.org", start=NOW)
    pair.key.chmod(0o644)
    store = tls.CertificateStore({"example.org": pair, "localhost": None}, folder=tmp_path, now=NOW)
    lines = store.remarks(NOW)
    assert any("is self-signed" in line and "example.org" in line for line in lines)
    assert any("is self-made" in line and "localhost" in line for line in lines)
    assert any(str(pair.key) in line for line in lines)


def test_no_certificate_before_the_handshake(tmp_path: Path) -> None:
    store = tls.CertificateStore({"localhost": None}, folder=tmp_path, now=NOW)
    server = store.context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)
    with pytest.raises(ValueError, match="no certificate was chosen"):
        tls.certificate_for(server)


@pytest.mark.parametrize(("sign_with", "name"), [(hashes.SHA256(), "sha256"), (hashes.SHA384(), "sha384")])
def test_both_ends_have_the_same_end_point(
    issue: Issue, tmp_path: Path, anyone: ssl.SSLContext, sign_with: hashes.HashAlgorithm, name: str
) -> None:
    pair = issue("example.org", start=NOW, sign_with=sign_with)
    store = tls.CertificateStore({"localhost": None, "example.org": pair}, folder=tmp_path, now=NOW)
    ends = connect(store.context, anyone, "example.org")
    at_client = tls.channel_bindings(ends[0], shown(ends))
    at_server = tls.channel_bindings(ends[1], tls.certificate_for(ends[1]))
    assert at_client["tls-server-end-point"] == at_server["tls-server-end-point"]
    assert at_server["tls-server-end-point"] == hashlib.new(name, certificates.read(pair).der).digest()


def test_a_signature_without_a_hash_has_no_end_point(issue: Issue, tmp_path: Path, anyone: ssl.SSLContext) -> None:
    pair = issue("example.org", start=NOW, sign_with=None)
    store = tls.CertificateStore({"example.org": pair}, folder=tmp_path, now=NOW)
    ends = connect(store.context, anyone, "example.org")
    assert "tls-server-end-point" not in tls.channel_bindings(ends[1], tls.certificate_for(ends[1]))


def test_what_is_unique_to_a_handshake_is_known_to_both_ends_of_tls_1_2_only(
    tmp_path: Path, anyone: ssl.SSLContext
) -> None:
    store = tls.CertificateStore({"localhost": None}, folder=tmp_path, now=NOW)
    seen = set()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        anyone.maximum_version = version
        ends = connect(store.context, anyone, "localhost")
        at_client = tls.channel_bindings(ends[0], shown(ends))
        at_server = tls.channel_bindings(ends[1], tls.certificate_for(ends[1]))
        assert at_client == at_server
        seen.add(at_client.get("tls-unique"))
    assert len(seen) == 3
    assert None in seen


class _Exporter:
    """What a TLS library that exports keying material looks like."""

    def __init__(self, version: str) -> None:
        self._version = version

    def version(self) -> str:
        return self._version

    def export_keying_material(self, label: bytes, length: int, context: bytes) -> bytes:
        return hashlib.sha512(label + b"|" + context).digest()[:length]

    def get_channel_binding(self, kind: str) -> bytes | None:
        return None


def test_exporter_where_the_library_gives_it(issue: Issue) -> None:
    der = certificates.read(issue("example.org", start=NOW)).der
    bindings = tls.channel_bindings(_Exporter("TLSv1.3"), der)  # type: ignore[arg-type]
    assert list(bindings) == ["tls-exporter", "tls-server-end-point"]
    assert bindings["tls-exporter"] == hashlib.sha512(b"EXPORTER-Channel-Binding|").digest()[:32]
    assert "tls-exporter" not in tls.channel_bindings(_Exporter("TLSv1.2"), der)  # type: ignore[arg-type]
