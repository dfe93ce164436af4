"""Log-in by clients that keep to no rules, written octet by octet: wrong orders, what was heard before, what belongs to
somebody else, and what changes while they are at it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from chirrup.core.errors import StreamError
from chirrup.core.sasl import client_mechanism, decode_base64, encode_base64
from chirrup.core.xml import CLIENT, Element
from chirrup.testing import TestClient, TestServer, serve

SASL, SASL2, BIND2, FAST = (
    "urn:ietf:params:xml:ns:xmpp-sasl", "urn:xmpp:sasl:2", "urn:xmpp:bind:0", "urn:xmpp:fast:0",
)  # fmt: skip
AGENT = "d4565fa7-4d72-4749-b3d3-740edbf87770"
HEADER = (
    "<stream:stream from='{}' to='localhost' version='1.0' xmlns='jabber:client' "
    "xmlns:stream='http://etherx.jabber.org/streams'>"
)


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    async with serve() as server:
        await server.add_account("alice")
        yield server


async def opened(server: TestServer, sender: str = "alice@localhost") -> TestClient:
    """A connection under TLS whose stream stands, with what the server offers."""
    client = await server.raw(direct_tls=True)
    client.send(HEADER.format(sender))
    await client.header()
    client.features = await client.receive()
    return client


def authenticate(mechanism: str, data: bytes | None, *more: Element | str) -> str:
    inside = "" if data is None else f"<initial-response>{encode_base64(data)}</initial-response>"
    rest = "".join(map(str, more))
    return f"<authenticate xmlns='{SASL2}' mechanism='{mechanism}'>{inside}{rest}</authenticate>"


def plain(password: str = "secret") -> bytes:
    return f"\0alice\0{password}".encode()


class Scram:
    """Half an exchange of SCRAM-SHA-256, in either profile: the client has been challenged."""

    def __init__(self, client: TestClient, *, old: bool) -> None:
        self.client, self.old = client, old
        self.machine = client_mechanism(
            "SCRAM-SHA-256", username="alice", password="secret", nonce="n", channel_bindings={}
        )

    async def begin(self) -> None:
        data = self.machine.initial()
        assert data is not None
        if self.old:
            self.client.send(f"<auth xmlns='{SASL}' mechanism='SCRAM-SHA-256'>{encode_base64(data)}</auth>")
        else:
            self.client.send(authenticate("SCRAM-SHA-256", data, f"<bind xmlns='{BIND2}'/>"))
        need: Any = self.machine.respond(decode_base64((await self.client.receive()).text))
        self.response = encode_base64(self.machine.salted(need.derive()))

    def finish(self) -> None:
        self.client.send(f"<response xmlns='{SASL if self.old else SASL2}'>{self.response}</response>")

    async def end(self) -> Element:
        """The server's last word on it."""
        self.finish()
        answer = await self.client.receive()
        if self.old and answer.name == "success":
            self.client.restart()
            self.client.send(HEADER.format("alice@localhost"))
            await self.client.header()
            await self.client.receive()
            self.client.send(Element("iq", CLIENT, Element("bind", BIND), type="set", id="b"))
            answer = await self.client.receive()
        return answer


BIND = "urn:ietf:params:xml:ns:xmpp-bind"


# -- what changes meanwhile


async def another_password(server: TestServer) -> None:
    keys = await server.server.credentials.make("another")
    await server.server.store.accounts.set_keys("localhost", "alice", keys)


async def disabled(server: TestServer) -> None:
    await server.server.store.accounts.set_disabled("localhost", "alice", True)


async def removed(server: TestServer) -> None:
    await server.server.hosts["localhost"].remove_account("alice")


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("change", [another_password, disabled, removed])
async def test_the_account_changes_before_the_proof(server: TestServer, old: bool, change: Any) -> None:
    """Who knew the password, and kept a stream half way through for later, isn't let in by it."""
    client = await opened(server)
    scram = Scram(client, old=old)
    await scram.begin()
    await change(server)
    with pytest.raises(StreamError) as caught:
        await scram.end()
    assert caught.value.condition == "reset"
    account = server.server.hosts["localhost"].accounts.get("alice")
    assert account is None or not account.sessions


async def test_the_account_changes_between_the_proof_and_the_resource(server: TestServer) -> None:
    client = await opened(server)
    client.send(authenticate("PLAIN", plain()))
    assert (await client.receive()).name == "success"
    await client.receive()
    await disabled(server)
    client.send(Element("iq", CLIENT, Element("bind", BIND), type="set", id="b"))
    with pytest.raises(StreamError) as caught:
        await client.receive()
    assert caught.value.condition == "reset"


async def test_another_s_change_is_none_of_its_business(server: TestServer) -> None:
    await server.add_account("bob")
    client = await opened(server)
    scram = Scram(client, old=False)
    await scram.begin()
    await server.server.store.accounts.set_disabled("localhost", "bob", True)
    assert (await scram.end()).name == "success"


async def test_an_account_is_looked_up_once(server: TestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the offer, the keys and the session together: a log-in has to be cheap."""
    accounts, asked = server.server.store.accounts, []
    login = accounts.login
    monkeypatch.setattr(accounts, "login", lambda host, local: asked.append(local) or login(host, local))
    scram = Scram(await opened(server), old=False)
    await scram.begin()
    assert (await scram.end()).name == "success"
    assert asked == ["alice"]


async def test_after_a_failure_it_is_looked_up_again(server: TestServer) -> None:
    """An operator may have set another password with the command, of which this process hears nothing."""
    client = await opened(server)
    client.send(authenticate("PLAIN", plain("another")))
    assert (await client.receive()).name == "failure"
    keys = await server.server.credentials.make("another")
    store = server.server.store
    await store.submit(lambda connection: store.accounts.within(connection).set_keys("localhost", "alice", keys))
    client.send(authenticate("PLAIN", plain("another")))
    assert (await client.receive()).name == "success"


# -- whom a stream is from


async def test_a_stream_is_from_somebody_of_its_host(server: TestServer) -> None:
    """XEP-0388 §2.1"""
    client = await server.raw(direct_tls=True)
    client.send(HEADER.format("alice@elsewhere.example"))
    with pytest.raises(StreamError) as caught:
        await client.receive()
    assert caught.value.condition == "invalid-from"
