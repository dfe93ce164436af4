"""TLS at the listeners: on the open stream and from the first octet, certificates by name, handshakes that fail."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from pathlib import Path

import pytest

from chirrup.core.stream import ClientPolicy, Credentials
from chirrup.net.certificates import make
from chirrup.net.tls import client_context
from chirrup.testing import PASSWORD, FakeClock, TestClient

TWO_HOSTS = {"hosts": {"localhost": {}, "verona.example": {}}}


async def dial(port: int, context: ssl.SSLContext, host: str) -> TestClient:
    """Direct TLS with an opinion on the certificate."""
    return TestClient(*await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=host))


async def test_starttls_is_tls(bystanders):
    """The test client takes it wherever it is offered, and with it channel binding."""
    async with bystanders() as they:
        assert they.alice.tls is not None
        assert they.alice.tls.version() == "TLSv1.3"


async def test_direct_tls_is_told_by_alpn(bystanders):
    async with bystanders() as they:
        carol = await they.server.client("carol", direct_tls=True)
        assert carol.tls is not None and carol.tls.selected_alpn_protocol() == "xmpp-client"


async def test_a_client_without_alpn_is_taken_too(bystanders):
    async with bystanders() as they:
        carol = await dial(they.server.port("c2s_direct_tls"), client_context(verify=False, alpn=()), "localhost")
        await they.server.add_account("carol")
        await carol.log_in(ClientPolicy(Credentials("carol", PASSWORD)), "localhost")
        carol.drop()


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "PLAIN"])
@pytest.mark.parametrize("direct_tls", [True, False])
async def test_log_in_by_each_mechanism(bystanders, mechanism, direct_tls):
    """With channel binding both ends must have seen the same certificate."""
    async with bystanders() as they:
        await they.server.add_account("carol")
        carol = await they.server.raw(direct_tls=direct_tls)
        credentials = Credentials("carol", PASSWORD, mechanisms=(mechanism,))
        await carol.log_in(ClientPolicy(credentials), "localhost")
        await carol.settle()


async def test_each_host_shows_its_own_certificate(bystanders, tmp_path: Path):
    """To who asks for it by SNI; made by the server where none is given."""
    async with bystanders(TWO_HOSTS) as they:
        folder, port = they.server.server.config.data / "certificates", they.server.port("c2s_direct_tls")
        for host in ("localhost", "verona.example"):
            client = await dial(port, client_context(ca=folder / f"{host}.crt"), host)
            client.drop()
        with pytest.raises(ssl.SSLCertVerificationError):
            await dial(port, client_context(ca=folder / "localhost.crt"), "verona.example")
        stranger = await dial(port, client_context(verify=False), "unknown.example")
        assert certificate(stranger) == ssl.PEM_cert_to_DER_cert((folder / "localhost.crt").read_text())
        stranger.drop()


async def test_people_of_both_hosts_log_in_over_tls(bystanders):
    async with bystanders(TWO_HOSTS) as they:
        romeo = await they.server.client("romeo@verona.example", direct_tls=True)
        romeo.send(f"<message to='{they.alice.jid}'><body>hi</body></message>")
        assert (await they.alice.receive()).get("from") == romeo.jid.text


async def test_a_new_certificate_is_shown_from_then_on_and_nobody_is_dropped(bystanders, tmp_path: Path):
    clock = FakeClock()
    former, new = (make("localhost", tmp_path / name, clock.time()) for name in ("former", "new"))
    host = {"certificate": str(tmp_path / "used.crt"), "key": str(tmp_path / "used.key")}
    install(former, tmp_path)
    async with bystanders({"hosts": {"localhost": host}}, clock=clock) as they:
        carol = await they.server.client("carol", direct_tls=True)
        assert certificate(carol) == ssl.PEM_cert_to_DER_cert(former.certificate.read_text())
        install(new, tmp_path)
        clock.advance(30)
        dave = await they.server.client("dave", direct_tls=True)
        assert certificate(dave) == ssl.PEM_cert_to_DER_cert(new.certificate.read_text())
        await carol.settle()
        erin = await they.server.client("erin")
        assert certificate(erin) == certificate(dave)


async def test_a_certificate_that_is_no_good_changes_nothing(bystanders, tmp_path: Path):
    clock = FakeClock()
    host = {"certificate": str(tmp_path / "used.crt"), "key": str(tmp_path / "used.key")}
    pair = make("localhost", tmp_path / "pair", clock.time())
    install(pair, tmp_path)
    async with bystanders({"hosts": {"localhost": host}}, clock=clock) as they:
        (tmp_path / "used.crt").write_text("half a certif")
        clock.advance(30)
        carol = await they.server.client("carol", direct_tls=True)
        assert certificate(carol) == ssl.PEM_cert_to_DER_cert(pair.certificate.read_text())


def install(pair, folder: Path) -> None:
    (folder / "used.crt").write_bytes(pair.certificate.read_bytes())
    (folder / "used.key").write_bytes(pair.key.read_bytes())
    (folder / "used.key").chmod(0o600)


def certificate(client: TestClient) -> bytes:
    assert client.tls is not None
    return client.tls.getpeercert(binary_form=True) or b""


@pytest.mark.parametrize("farewell", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01", b"", None])
async def test_handshakes_that_fail_leave_nothing_behind(bystanders, open_stream, farewell):
    """Neither what is no TLS, nor who leaves in the middle, takes the place of somebody else for long."""
    async with bystanders({"limits": {"connections_per_address": 100}}) as they:
        for _ in range(3):
            _, writer = await asyncio.open_connection("127.0.0.1", they.server.port("c2s_direct_tls"))
            await leave(writer, farewell)
            begun = await open_stream(they.server)
            begun.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
            assert (await begun.receive()).name == "proceed"
            await leave(begun._writer, farewell)
        while len(they.server.server.connections) > 2:
            await they.chat()


async def leave(writer: asyncio.StreamWriter, farewell: bytes | None) -> None:
    """Say something that is no handshake and close the connection; with nothing to say, reset it."""
    if farewell is None:
        linger_not = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not)
    else:
        writer.write(farewell)
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def test_plain_text_is_not_for_the_tls_port(bystanders):
    async with bystanders() as they:
        reader, writer = await asyncio.open_connection("127.0.0.1", they.server.port("c2s_direct_tls"))
        writer.write(b"<stream:stream to='localhost' version='1.0' xmlns='jabber:client'>")
        assert b"<" not in await reader.read()
        writer.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_old_tls_is_refused(bystanders):
    """A client that takes anything from TLS 1.0 on gets in only as long as 1.2 is among that."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    async with bystanders() as they:
        port = they.server.port("c2s_direct_tls")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        (await dial(port, context, "localhost")).drop()
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(OSError):
            await dial(port, context, "localhost")


async def test_tls_1_2_is_not_old(bystanders):
    context = client_context(verify=False)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with bystanders() as they:
        await they.server.add_account("carol")
        carol = await dial(they.server.port("c2s_direct_tls"), context, "localhost")
        await carol.log_in(ClientPolicy(Credentials("carol", PASSWORD)), "localhost")
        assert carol.tls is not None and carol.tls.version() == "TLSv1.2"
        carol.drop()


async def test_no_log_in_in_the_clear_where_that_is_not_allowed(bystanders, open_stream):
    async with bystanders({"listen": {"c2s": {"plaintext": False}}}) as they:
        mallory = await open_stream(they.server)
        mallory.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'>biwsbj1hLHI9Yg==</auth>")
        failure = await mallory.receive()
        assert (failure.name, failure.first.name) == ("failure", "encryption-required")
