"""Servers that lie, stall, and break off: the client says what went wrong, and is of use afterwards."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from typing import Any

import pytest
from tests.plugins.liar import ANONYMOUS, BIND, PROCEED, STARTTLS, SUCCESS, Liar, Peer, Script

from chirrup.client.client import Client
from chirrup.client.states import ConnectionState
from chirrup.core.errors import (
    STREAM_CONDITIONS,
    AuthenticationError,
    ConfigError,
    DeadlineError,
    Disconnected,
    NetworkError,
    ResolutionError,
    StanzaError,
    StreamError,
    TrustError,
)
from chirrup.core.parser import Limits
from chirrup.core.sasl import Challenge, decode_base64, derive_keys, encode_base64, server_mechanism
from chirrup.core.xml import Element
from chirrup.ext.roster.client import Roster
from chirrup.ext.version.payloads import Version
from chirrup.net.dns import SRV

SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
STREAM = "urn:ietf:params:xml:ns:xmpp-streams"


def error(condition: str, text: str = "") -> str:
    return f"<stream:error><{condition} xmlns='{STREAM}'>{text}</{condition}></stream:error></stream:stream>"


# -- stalling


async def _at_header(peer: Peer) -> None:
    await peer.stall()


async def _at_features(peer: Peer) -> None:
    await peer.header()
    await peer.stall()


async def _octet_by_octet(peer: Peer) -> None:
    """Something always comes, and it never gets anywhere."""
    await peer.header()
    before = peer.clock.waits
    await peer.clock.wait_begun(before)
    for octet in "<stream:features>":
        peer.send(octet)
        await asyncio.sleep(0)
        peer.clock.advance(10)
    await peer.end()


async def _at_starttls(peer: Peer) -> None:
    await peer.header()
    before = peer.clock.waits
    peer.features(STARTTLS)
    await peer.read()
    await peer.clock.wait_begun(before)
    await peer.stall_now()


async def _at_handshake(peer: Peer) -> None:
    await peer.header()
    peer.features(STARTTLS)
    await peer.read()
    await peer.stall(PROCEED)


async def _at_authentication(peer: Peer) -> None:
    await peer.header()
    peer.features(ANONYMOUS)
    await peer.read()
    await peer.stall_now()


async def _at_second_header(peer: Peer) -> None:
    await peer.header()
    peer.features(ANONYMOUS)
    await peer.read()
    peer.restart()
    await peer.stall(SUCCESS)


async def _at_binding(peer: Peer) -> None:
    await peer.authenticate()
    peer.features(BIND)
    await peer.read()
    await peer.stall_now()


@pytest.mark.parametrize(
    ("script", "step"),
    [
        (_at_header, "waiting for the stream header"),
        (_at_features, "waiting for stream features"),
        (_octet_by_octet, "waiting for stream features"),
        (_at_starttls, "waiting for the answer to STARTTLS"),
        (_at_handshake, "TLS handshake with 127.0.0.1"),
        (_at_authentication, "waiting for authentication"),
        (_at_second_header, "waiting for the stream header"),
        (_at_binding, "waiting for the resource"),
    ],
)
async def test_a_server_that_stalls(liar: Liar, script: Script, step: str) -> None:
    client = liar.client(script)
    with pytest.raises(DeadlineError, match=step) as caught:
        await client.connect()
    assert caught.value.step.startswith(step)
    assert client.state is ConnectionState.OFFLINE
    assert liar.clock.waiting == 0


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"", r"closed the connection before a stream began; it may be a port for direct TLS"),
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            r"127\.0\.0\.1:\d+ isn't an XMPP server's port for clients: not-well-formed",
        ),
        (bytes.fromhex("15030300020246"), r"isn't an XMPP server's port for clients"),
        (
            b"<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' id='1'>",
            r"isn't an XMPP server's port for clients: invalid-namespace",
        ),
    ],
)
async def test_another_port(liar: Liar, said: bytes, told: str) -> None:
    async def other(peer: Peer) -> None:
        peer.send(said)
        peer.drop() if not said else await peer.end()

    with pytest.raises(NetworkError, match=told):
        await liar.client(other).connect()


async def test_a_port_where_tls_does_not_come_first(liar: Liar) -> None:
    async def starttls(peer: Peer) -> None:
        peer.send("<stream:stream>")
        await peer.end()

    with pytest.raises(NetworkError, match="what answers there speaks no TLS"):
        await liar.client(starttls, direct_tls=True).connect()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"port": 5222}, "port: goes with host"),
        ({"direct_tls": True}, "direct_tls: goes with host"),
        ({"host": "localhost", "port": 99_999}, "99999 is no port: they are from 1 to 65535"),
        ({"host": "localhost", "port": 0}, "0 is no port"),
    ],
)
def test_options_that_would_be_of_no_use(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        Client("alice@localhost", **options)


async def test_a_server_that_takes_no_connections(liar: Liar) -> None:
    await liar.stop()
    with pytest.raises(NetworkError, match=f"127.0.0.1 port {liar.port}: "):
        await liar.client(_at_header).connect()
    await liar.start()


async def test_a_name_that_nobody_knows(liar: Liar) -> None:
    class Nowhere:
        async def srv(self, name: str) -> list[Any]:
            raise ResolutionError(f"{name}: no answer within 5 s")

        async def addresses(self, host: str, family: object) -> list[str]:
            raise ResolutionError(f"{host}: Name or service not known")

    client = liar.client(_at_header, jid="no.example", host="", port=None, resolver=Nowhere())
    with pytest.raises(ResolutionError, match=r"no\.example: Name or service not known"):
        await client.connect()


# -- lying about security


async def test_tls_that_somebody_has_taken_out(liar: Liar) -> None:
    heard: list[bytes] = []

    async def stripped(peer: Peer) -> None:
        await peer.header()
        peer.features(f"<mechanisms xmlns='{SASL}'><mechanism>PLAIN</mechanism></mechanisms>")
        try:
            await peer.end()
        finally:
            heard.append(peer.heard)

    with pytest.raises(StreamError, match="TLS is required"):
        await liar.client(stripped, jid="alice@localhost", password="secret", require_tls=True).connect()
    await liar.stop()
    assert b"alice" not in heard[0]
    await liar.start()


async def test_no_password_at_all(liar: Liar) -> None:
    """As where the environment variable that was to have it isn't set: trying again wouldn't help."""

    async def ask(peer: Peer) -> None:
        await peer.header()
        peer.features(f"<mechanisms xmlns='{SASL}'><mechanism>SCRAM-SHA-256</mechanism></mechanisms>")
        await peer.end()

    with pytest.raises(AuthenticationError, match="alice@localhost: not-authorized: no password is given"):
        await liar.client(ask, jid="alice@localhost", reconnect=True).connect(retry=True)


async def test_a_wrong_password_in_a_servers_own_words(liar: Liar) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.header()
        peer.features(f"<mechanisms xmlns='{SASL}'><mechanism>SCRAM-SHA-256</mechanism></mechanisms>")
        await peer.read()
        peer.send(f"<failure xmlns='{SASL}'><not-authorized/><text>The response doesn't match.</text></failure>")
        await peer.end()

    client = liar.client(refuse, jid="alice@localhost", password="x", reconnect=True)
    told = r"alice@localhost: not-authorized: the address or the password is wrong \(The response doesn't match\.\)"
    with pytest.raises(AuthenticationError, match=told):
        await client.connect(retry=True)


async def test_no_password_goes_out_without_tls(liar: Liar) -> None:
    async def greedy(peer: Peer) -> None:
        await peer.header()
        peer.features(f"<mechanisms xmlns='{SASL}'><mechanism>PLAIN</mechanism></mechanisms>")
        await peer.end()
        assert b"<auth" not in peer.heard

    with pytest.raises(StreamError, match="no safe way to authenticate among PLAIN"):
        await liar.client(greedy, jid="alice@localhost", password="secret").connect()


async def test_something_before_the_handshake(liar: Liar) -> None:
    async def injecting(peer: Peer) -> None:
        await peer.header()
        peer.features(STARTTLS)
        await peer.read()
        peer.send(PROCEED + "<stream:features/>")
        await peer.end()

    with pytest.raises(StreamError, match="between STARTTLS and the handshake"):
        await liar.client(injecting).connect()


def _scram(password: str) -> Script:
    """A server that believes that the client has this password, and pretends to know the real one."""

    async def script(peer: Peer) -> None:
        await peer.header()
        peer.features(f"<mechanisms xmlns='{SASL}'><mechanism>SCRAM-SHA-256</mechanism></mechanisms>")
        machine = server_mechanism("SCRAM-SHA-256", nonce="server", offered=("SCRAM-SHA-256",))
        machine.step(decode_base64((await peer.read()).text))
        challenge = machine.keys(derive_keys("SHA-256", password, b"salt" * 4, 4096))
        assert isinstance(challenge, Challenge)
        peer.send(f"<challenge xmlns='{SASL}'>{encode_base64(challenge.data)}</challenge>")
        await peer.read()
        data = b"v=" + encode_base64(b"x" * 32).encode()
        peer.send(f"<success xmlns='{SASL}'>{encode_base64(data)}</success>")
        await peer.end()

    return script


async def test_a_server_that_does_not_know_the_password(liar: Liar) -> None:
    client = liar.client(_scram("another"), jid="alice@localhost", password="secret")
    with pytest.raises(StreamError, match="the server can't be trusted"):
        await client.connect()


async def test_success_without_proof(liar: Liar) -> None:
    async def hasty(peer: Peer) -> None:
        await peer.header()
        peer.features(f"<mechanisms xmlns='{SASL}'><mechanism>SCRAM-SHA-256</mechanism></mechanisms>")
        await peer.read()
        peer.send(SUCCESS)
        await peer.end()

    with pytest.raises(StreamError, match="the server can't be trusted"):
        await liar.client(hasty, jid="alice@localhost", password="secret").connect()


async def test_refused_credentials(liar: Liar) -> None:
    async def refusing(peer: Peer) -> None:
        await peer.header()
        peer.features(ANONYMOUS)
        await peer.read()
        peer.send(f"<failure xmlns='{SASL}'><account-disabled/><text>go away</text></failure>")
        await peer.end()

    with pytest.raises(AuthenticationError, match="go away") as caught:
        await liar.client(refusing, reconnect=True).connect(retry=True)
    assert caught.value.condition == "account-disabled"
    assert liar.connections == 1


# -- certificates


async def test_certificates_of_somebody_else(liar: Liar, certificate: Any) -> None:
    context, pair = certificate("other.example")
    client = liar.client(lambda peer: peer.start_tls(context), ca=pair.certificate, require_tls=True)
    with pytest.raises(TrustError, match=r"isn't one for localhost: Hostname mismatch"):
        await client.connect()


async def test_certificates_that_nobody_has_signed(liar: Liar, certificate: Any) -> None:
    context, _ = certificate("localhost")
    client = liar.client(lambda peer: peer.start_tls(context), require_tls=True)
    with pytest.raises(TrustError, match=r"isn't trusted for localhost: self-signed .*; the option ca"):
        await client.connect()


async def test_certificates_that_have_expired(liar: Liar, certificate: Any) -> None:
    context, pair = certificate("localhost", age_days=3000)
    client = liar.client(lambda peer: peer.start_tls(context), ca=pair.certificate, require_tls=True)
    with pytest.raises(TrustError, match="expired"):
        await client.connect()


@pytest.mark.parametrize("direct_tls", [False, True])
async def test_pinned_certificates(certificate: Any, direct_tls: bool) -> None:
    context, pair = certificate("other.example")
    der = ssl.PEM_cert_to_DER_cert(pair.certificate.read_text())
    right, wrong = hashlib.sha256(der).hexdigest(), "00" * 32
    liar = Liar()
    await liar.start(context if direct_tls else None)

    async def script(peer: Peer) -> None:
        if not direct_tls:
            await peer.start_tls(context)
        await peer.log_in()
        await peer.end()

    options: dict[str, Any] = {"require_tls": True, "direct_tls": direct_tls}
    with pytest.raises(TrustError, match=f"the fingerprint {right}, which isn't the pinned one"):
        await liar.client(script, pin=wrong, **options).connect()
    client = liar.client(script, pin=right.upper(), **options)
    await client.connect()
    assert client.state is ConnectionState.ONLINE
    await liar.stop()


def test_a_pin_that_is_none(liar: Liar) -> None:
    with pytest.raises(ValueError, match="no SHA-256 fingerprint"):
        liar.client(_at_header, pin="abc")


# -- leaving


async def test_a_server_that_does_not_let_go(liar: Liar) -> None:
    """The client leaves all the same, after a while, or at once if that is cancelled."""

    async def clinging(peer: Peer) -> None:
        await peer.log_in()
        await peer.go.wait()

    client = liar.client(clinging)
    for cancelled in (False, True):
        await client.connect()
        closing = asyncio.create_task(client.close())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not closing.done()
        if cancelled:
            closing.cancel()
        else:
            liar.clock.advance(5)
        await asyncio.wait([closing])
        assert client.state is ConnectionState.OFFLINE
    await client.connect()
    liar.go.set()
    with pytest.raises(Disconnected):
        await client.wait_closed()


# -- stream errors


@pytest.mark.parametrize("condition", sorted(STREAM_CONDITIONS - {"see-other-host"}))
async def test_stream_errors_while_connecting(liar: Liar, condition: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.header()
        peer.send(error(condition))
        await peer.end()

    with pytest.raises(StreamError) as caught:
        await liar.client(script, reconnect=True).connect()
    assert caught.value.condition == condition


@pytest.mark.parametrize("condition", sorted(STREAM_CONDITIONS))
async def test_stream_errors_online(liar: Liar, condition: str) -> None:
    """Only a conflict is the end: another client would be thrown out, and throw this one out, for ever."""

    async def script(peer: Peer) -> None:
        await peer.log_in()
        await peer.go.wait()
        peer.send(error(condition))
        await peer.end()

    client = liar.client(script, reconnect=True)
    await client.connect()
    liar.go.set()
    async with asyncio.timeout(10):
        async for change in client.states():
            if change.state in (ConnectionState.WAITING, ConnectionState.OFFLINE):
                break
    assert isinstance(change.reason, StreamError)
    assert change.reason.condition == condition
    assert (change.state is ConnectionState.OFFLINE) == (condition == "conflict")
    await client.close()


async def test_a_redirection_is_followed(liar: Liar) -> None:
    other = Liar()
    await other.start()
    other.scripts = [_let_in]

    async def elsewhere(peer: Peer) -> None:
        await peer.header()
        peer.send(error("see-other-host", f"127.0.0.1:{other.port}"))
        await peer.end()

    context_client = liar.client(elsewhere, require_tls=True)
    with pytest.raises(StreamError, match="TLS is required"):  # the same rules hold there
        await context_client.connect()
    assert other.connections == 1
    await other.stop()


async def test_a_redirection_to_a_name_is_looked_up(liar: Liar, certificate: Any) -> None:
    """RFC 6120 §4.9.3.19: like any other; the certificate still has to be the domain's."""
    context, pair = certificate("localhost")
    asked: list[str] = []

    class Names:
        async def srv(self, name: str) -> list[SRV]:
            asked.append(name)
            return [SRV(0, 0, liar.port, "127.0.0.1")] if name.startswith("_xmpp-client") else []

        async def addresses(self, host: str, family: object) -> list[str]:
            raise AssertionError

    async def elsewhere(peer: Peer) -> None:
        await peer.start_tls(context)
        await peer.header()
        peer.send(error("see-other-host", "other.example"))
        await peer.end()

    async def there(peer: Peer) -> None:
        await peer.start_tls(context)
        await peer.log_in()
        await peer.end()

    client = liar.client(elsewhere, there, ca=pair.certificate, require_tls=True, resolver=Names())
    async with client:
        assert asked == ["_xmpps-client._tcp.other.example.", "_xmpp-client._tcp.other.example."]


async def test_another_server_where_the_first_has_a_bad_certificate(liar: Liar, certificate: Any) -> None:
    context, pair = certificate("chat.example")
    wrong, _ = certificate("other.example")

    class Names:
        async def srv(self, name: str) -> list[SRV]:
            if not name.startswith("_xmpp-client"):
                return []
            return [SRV(1, 0, liar.port, "127.0.0.1"), SRV(2, 0, other.port, "127.0.0.1")]

        async def addresses(self, host: str, family: object) -> list[str]:
            raise AssertionError

    async def bad(peer: Peer) -> None:
        peer.domain = "chat.example"
        await peer.start_tls(wrong)

    async def good(peer: Peer) -> None:
        peer.domain = "chat.example"
        await peer.start_tls(context)
        await peer.log_in()
        await peer.end()

    other = Liar()
    other.clock = liar.clock
    await other.start()
    other.scripts = [good]
    names = {"host": "", "port": None, "resolver": Names()}
    client = liar.client(bad, jid="chat.example", ca=pair.certificate, require_tls=True, **names)
    async with client:
        assert (liar.connections, other.connections) == (1, 1)
    other.scripts, liar.connections, other.connections = [bad], 0, 0
    with pytest.raises(TrustError, match=r"isn't trusted for chat\.example"):
        await client.connect()
    assert (liar.connections, other.connections) == (1, 1)
    await other.stop()


async def test_redirections_lead_once_and_no_further(liar: Liar, certificate: Any) -> None:
    context, pair = certificate("localhost")

    async def elsewhere(peer: Peer) -> None:
        await peer.start_tls(context)
        await peer.header()
        peer.send(error("see-other-host", f"127.0.0.1:{liar.port}"))
        await peer.end()

    with pytest.raises(NetworkError, match="from one host to another"):
        await liar.client(elsewhere, ca=pair.certificate, require_tls=True).connect()
    assert liar.connections == 2


async def test_a_redirection_by_whoever_it_was(liar: Liar) -> None:
    async def elsewhere(peer: Peer) -> None:
        await peer.header()
        peer.send(error("see-other-host", f"127.0.0.1:{liar.port}"))
        await peer.end()

    with pytest.raises(StreamError, match="without TLS"):
        await liar.client(elsewhere).connect()
    assert liar.connections == 1


async def _let_in(peer: Peer) -> None:
    await peer.log_in()
    await peer.end()


# -- lying in stanzas


async def test_answers_by_others_and_with_other_ids(liar: Liar) -> None:
    answer = "<query xmlns='jabber:iq:version'><name>{}</name></query>"

    async def script(peer: Peer) -> None:
        await peer.log_in()
        iq = await peer.read()
        told = iq.get("id")
        for sender, id_, kind in (
            ("mallory@localhost/x", told, "result"),
            ("bob@localhost", told, "result"),
            ("localhost", told, "result"),
            ("bob@localhost/b", "guess", "result"),
            ("bob@localhost/b", told, "bogus"),
            ("b@d@d", told, "result"),
        ):
            peer.send(f"<iq type='{kind}' id='{id_}' from='{sender}'>{answer.format('forged')}</iq>")
        peer.send(f"<iq type='result' id='{told}'>{answer.format('forged')}</iq>")
        peer.send(f"<iq type='result' id='{told}' from='bob@localhost/b'>{answer.format('true')}</iq>")
        peer.send(f"<iq type='result' id='{told}' from='bob@localhost/b'>{answer.format('twice')}</iq>")
        await peer.end()

    client = liar.client(script)
    await client.connect()
    version = await client.request(Version(), to="bob@localhost/b")
    assert version.name == "true"
    await client.close()


async def test_forged_roster_pushes(liar: Liar) -> None:
    push = "<query xmlns='jabber:iq:roster'><item jid='{}' subscription='both'/></query>"
    answers: list[Element] = []

    async def script(peer: Peer) -> None:
        await peer.log_in()
        iq = await peer.read()
        peer.send(f"<iq type='result' id='{iq.get('id')}'><query xmlns='jabber:iq:roster'/></iq>")
        pushes = [
            (" from='mallory@localhost/x'", "mallory@localhost"),
            (" from='mallory@localhost'", "mallory@localhost"),
            (" from='localhost'", "mallory@localhost"),
            (" from='guest@localhost/other'", "mallory@localhost"),
            (" from='guest@localhost'", "bob@localhost"),
            ("", "carol@localhost"),
        ]
        for sender, jid in pushes:
            peer.send(f"<iq type='set' id='p'{sender}>{push.format(jid)}</iq>")
        answers.extend([await peer.read() for _ in pushes])
        peer.send("<message><body>done</body></message>")
        await peer.end()

    client = liar.client(script, features=[Roster])
    done = client.messages()
    await client.connect()
    await anext(done)
    assert [item.jid.local for item in client.need(Roster)] == ["bob", "carol"]
    assert [one.get("type") for one in answers] == ["error"] * 4 + ["result"] * 2
    await client.close()


async def test_stanzas_without_an_end(liar: Liar) -> None:
    async def script(peer: Peer) -> None:
        await peer.log_in()
        await peer.go.wait()
        peer.send("<message><body>")
        for _ in range(200):
            peer.send("x" * 1000)
        await peer.end()
        assert b"policy-violation" in peer.heard

    client = liar.client(script, limits=Limits(stanza_bytes=100_000))
    await client.connect()
    liar.go.set()
    with pytest.raises(StreamError, match="100000 octets at most"):
        await client.wait_closed()


@pytest.mark.parametrize(
    "garbage",
    ["<message></presence>", "<!DOCTYPE x>", "<message>&nope;</message>", "\x00", "<?php ?>", "<a:b/>", "hello"],
)
async def test_what_is_no_xmpp(liar: Liar, garbage: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.log_in()
        await peer.go.wait()
        peer.send("<message><body>before</body></message>" + garbage + "<x/>")
        await peer.end()

    client = liar.client(script)
    messages = client.messages()
    await client.connect()
    liar.go.set()
    assert (await anext(messages)).body == "before"
    with pytest.raises(StreamError):
        await anext(messages)
    with pytest.raises(StreamError):
        await client.wait_closed()


@pytest.mark.parametrize(
    "stanza",
    [
        "<iq type='get' id='1'/>",
        "<iq type='get'><a xmlns='b'/></iq>",
        "<iq type='set' id='1'><a xmlns='b'/><c xmlns='d'/></iq>",
        "<iq type='get' id='1'><a xmlns='b'/></iq>",
        "<iq type='what' id='1'/>",
        "<iq type='result'/>",
        "<message from='@@'><body>x</body></message>",
        "<presence type='what'/>",
        "<other xmlns='urn:unknown'/>",
        "<message type='error'/>",
        "<a xmlns='urn:xmpp:sm:3' h='0'/>",
    ],
)
async def test_odd_stanzas_are_no_end(liar: Liar, stanza: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.log_in()
        peer.send(stanza + "<message><body>after</body></message>")
        await peer.end()

    client = liar.client(script)
    messages = client.messages()
    await client.connect()
    assert (await anext(messages)).body == "after"
    await client.close()


async def test_requests_that_nobody_knows(liar: Liar) -> None:
    answers: list[Element] = []

    async def script(peer: Peer) -> None:
        await peer.log_in()
        peer.send("<iq type='get' id='1' from='bob@localhost/b'><a xmlns='b'/></iq>")
        peer.send("<iq type='get' id='2' from='bob@localhost/b'/>")
        answers.extend([await peer.read(), await peer.read()])
        peer.send("</stream:stream>")
        await peer.end()

    client = liar.client(script)
    await client.connect()
    with pytest.raises(Disconnected, match="closed the stream"):
        await client.wait_closed()
    first, second = answers
    assert (first.get("to"), first.get("id"), first.get("from")) == ("bob@localhost/b", "1", "")
    assert "service-unavailable" in str(first)
    assert "bad-request" in str(second)


async def test_a_connection_that_breaks_while_an_answer_is_awaited(liar: Liar) -> None:
    async def script(peer: Peer) -> None:
        await peer.log_in()
        await peer.read()
        peer.drop()

    client = liar.client(script)
    await client.connect()
    with pytest.raises(Disconnected, match="before the answer"):
        await client.request(Version(), to="localhost")
    with pytest.raises(Disconnected):
        await client.wait_closed()
    with pytest.raises(Disconnected, match="not connected"):
        await client.send(Element("message", "jabber:client"))


async def test_no_answer(liar: Liar) -> None:
    async def script(peer: Peer) -> None:
        await peer.log_in()
        await peer.read()
        before = peer.clock.waits
        peer.clock.advance(30)
        assert peer.clock.waits == before
        iq = await peer.read()
        peer.send(f"<iq type='error' id='{iq.get('id')}'><error type='cancel'/></iq>")
        await peer.end()

    client = liar.client(script)
    await client.connect()
    with pytest.raises(DeadlineError, match=r"waiting for the answer to <query xmlns='jabber:iq:version'/> from bob"):
        await client.request(Version(), to="bob@localhost/b")
    with pytest.raises(StanzaError, match="undefined-condition"):  # it is of use as before
        await client.request(Version())
    await client.close()


async def test_a_server_that_falls_silent(liar: Liar) -> None:
    async def script(peer: Peer) -> None:
        await peer.log_in()
        await peer.go.wait()
        peer.clock.advance(100)  # something has come in this time
        peer.clock.advance(100)
        assert (await peer.read()).child("ping", "urn:xmpp:ping") is not None
        peer.send(" ")
        await asyncio.sleep(0)
        await peer.end()

    client = liar.client(script, keepalive=100)
    await client.connect()
    liar.go.set()
    with pytest.raises(Disconnected):
        async with asyncio.timeout(5):
            while client.state is ConnectionState.ONLINE:
                await asyncio.sleep(0)
                liar.clock.advance(10)
            await client.wait_closed()
