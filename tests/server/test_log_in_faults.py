"""Log-in by clients that keep to no rules, written octet by octet: wrong orders, what was heard before, what belongs to
somebody else, and what changes while they are at it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from chirrup.core.errors import StreamError
from chirrup.core.sasl import TokenClient, client_mechanism, decode_base64, encode_base64
from chirrup.core.xml import CLIENT, Element
from chirrup.testing import FakeClock, TestClient, TestServer, serve

SASL, BIND = "urn:ietf:params:xml:ns:xmpp-sasl", "urn:ietf:params:xml:ns:xmpp-bind"
SASL2, BIND2, FAST = "urn:xmpp:sasl:2", "urn:xmpp:bind:0", "urn:xmpp:fast:0"
CARBONS, CSI, SM, ARCHIVE = "urn:xmpp:carbons:2", "urn:xmpp:csi:0", "urn:xmpp:sm:3", "urn:xmpp:mam:2"
NONE = "HT-SHA-256-NONE"
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

    async def begin(self, *more: str) -> None:
        data = self.machine.initial()
        assert data is not None
        if self.old:
            self.client.send(f"<auth xmlns='{SASL}' mechanism='SCRAM-SHA-256'>{encode_base64(data)}</auth>")
        else:
            self.client.send(authenticate("SCRAM-SHA-256", data, f"<bind xmlns='{BIND2}'/>", *more))
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


# -- wrong orders

PING = "<iq type='get' id='p' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>"
REGISTER = "<iq type='get' id='r'><query xmlns='jabber:iq:register'/></iq>"


@pytest.mark.parametrize(
    "element",
    [
        f"<response xmlns='{SASL2}'/>",
        f"<abort xmlns='{SASL2}'/>",
        f"<next xmlns='{SASL2}' task='UPGR-SCRAM-SHA-256'/>",
        f"<task-data xmlns='{SASL2}'/>",
        f"<success xmlns='{SASL2}'/>",
        f"<challenge xmlns='{SASL2}'/>",
        f"<bind xmlns='{BIND2}'/>",
        f"<resume xmlns='{SM}' previd='x' h='0'/>",
        PING,
        "<presence/>",
    ],
)
@pytest.mark.parametrize("when", ["before", "between", "after"])
async def test_what_is_not_due(server: TestServer, element: str, when: str) -> None:
    """Before a log-in, half way through one, and after one that has bound nothing."""
    client = await opened(server)
    if when == "between":
        await Scram(client, old=False).begin()
    elif when == "after":
        client.send(authenticate("PLAIN", plain()))
        await client.receive()
        await client.receive()
    if when == "between" and "<response" in element:
        element = element * 2  # the first is due, and wrong
    client.send(element)
    answer = await client.receive_any()
    if when == "between" and ("<abort" in element or "<response" in element):
        assert answer.name == "failure"
        if "<abort" in element:
            return
        answer = await client.receive_any()
    if "<resume" in element and answer.name == "failed":
        return  # it may be tried (XEP-0198 §3)
    assert client.error is not None and client.error.condition in ("not-authorized", "unsupported-stanza-type")
    assert "alice" not in server.server.hosts["localhost"].accounts


@pytest.mark.parametrize("between", [REGISTER, f"<auth xmlns='{SASL}' mechanism='PLAIN'/>", PING])
async def test_nothing_else_is_said_while_somebody_logs_in(between: str) -> None:
    """XEP-0388 §2.4, also what may be said at other times."""
    async with serve({"modules": {"registration": {"mode": "open"}}}) as server:
        await server.add_account("alice")
        client = await opened(server)
        client.send(REGISTER)
        assert (await client.receive()).get("type") == "result"
        scram = Scram(client, old=False)
        await scram.begin()
        client.send(between)
        with pytest.raises(StreamError) as caught:
            await client.receive()
        assert caught.value.condition == "not-authorized"


@pytest.mark.parametrize("more", [authenticate("PLAIN", plain()), f"<auth xmlns='{SASL}' mechanism='PLAIN'/>"])
async def test_one_log_in_is_enough(server: TestServer, more: str) -> None:
    client = await opened(server)
    client.send(authenticate("PLAIN", plain(), f"<bind xmlns='{BIND2}'/>"))
    assert (await client.receive()).name == "success"
    await client.receive()
    client.send(more)
    with pytest.raises(StreamError):
        await client.receive()


async def test_a_failed_log_in_binds_and_resumes_nothing(server: TestServer) -> None:
    """XEP-0388 §2.6.2"""
    first = await opened(server)
    first.send(authenticate("PLAIN", plain(), f"<bind xmlns='{BIND2}'><enable xmlns='{SM}' resume='1'/></bind>"))
    enabled = (await first.receive()).child("bound", BIND2).child("enabled", SM)
    await first.receive()
    resume = f"<resume xmlns='{SM}' previd='{enabled.get('id')}' h='0'/>"
    client = await opened(server)
    asked = f"<request-token xmlns='{FAST}' mechanism='{NONE}'/>"
    client.send(authenticate("PLAIN", plain("wrong"), agent(), resume, f"<bind xmlns='{BIND2}'/>", asked))
    failure = await client.receive()
    assert failure.name == "failure" and [child.name for child in failure.elements()] == ["not-authorized"]
    await first.settle()
    assert len(server.server.hosts["localhost"].accounts["alice"].sessions) == 1
    assert await server.server.store.map("tokens").all("alice@localhost") == {}


# -- tokens


def agent(id_: str = AGENT) -> str:
    return f"<user-agent xmlns='{SASL2}' id='{id_}'/>"


async def success(client: TestClient) -> Element:
    element = await client.receive()
    assert element.name == "success", element
    client.features = await client.receive()
    return element


async def failure(client: TestClient) -> str:
    element = await client.receive()
    assert element.name == "failure", element
    assert element.first is not None
    return element.first.name


async def token_of(server: TestServer, mechanism: str = NONE) -> str:
    client = await opened(server)
    asked = f"<request-token xmlns='{FAST}' mechanism='{mechanism}'/>"
    client.send(authenticate("PLAIN", plain(), agent(), asked))
    token = (await success(client)).child("token", FAST)
    assert token is not None
    client.drop()
    return token.get("token")


def use(token: str, *more: Element | str, username: str = "alice", id_: str = AGENT, **attributes: object) -> str:
    """A log-in with a token."""
    machine = TokenClient(NONE, username=username, token=token, channel_bindings={})
    return authenticate(NONE, machine.initial(), agent(id_), Element("fast", FAST, **attributes), *more)


async def test_counts_go_up(server: TestServer) -> None:
    """XEP-0484 §4.4: what was said once, and heard by somebody, is no use to them."""
    token = await token_of(server)
    for count, accepted in [(1, True), (1, False), (5, True), (4, False), (0, False), (6, True)]:
        client = await opened(server)
        client.send(use(token, count=count))
        if accepted:
            await success(client)
        else:
            assert await failure(client) == "not-authorized"
        client.drop()


async def test_a_count_that_was_heard_twice_at_once(server: TestServer) -> None:
    token = await token_of(server)
    clients = [await opened(server) for _ in range(3)]
    for client in clients:
        client.send(use(token, count=1))
    answers = sorted([(await client.receive()).name for client in clients])
    assert answers == ["failure", "failure", "success"]


@pytest.mark.parametrize("count", ["-1", "x", "2147483648", "1.0"])
async def test_a_count_that_is_none(server: TestServer, count: str) -> None:
    client = await opened(server)
    client.send(use(await token_of(server), count=count))
    assert await failure(client) == "malformed-request"


async def test_a_token_that_was_given_back(server: TestServer) -> None:
    token = await token_of(server)
    client = await opened(server)
    client.send(use(token, invalidate="true"))
    assert (await success(client)).child("token", FAST) is None
    again = await opened(server)
    again.send(use(token))
    assert await failure(again) == "not-authorized"


async def test_an_old_token_is_gone_when_the_new_one_was_used(server: TestServer) -> None:
    """§4.5"""
    old = await token_of(server)
    first = await opened(server)
    first.send(use(old, f"<request-token xmlns='{FAST}' mechanism='{NONE}'/>"))
    given = (await success(first)).child("token", FAST)
    for token, accepted in [(old, True), (given.get("token"), True), (old, False)]:
        client = await opened(server)
        client.send(use(token))
        if accepted:
            await success(client)
        else:
            assert await failure(client) == "not-authorized"


async def test_an_expired_token(server: TestServer) -> None:
    """§5.2: the client is told to use its password, and may do so on the same stream."""
    clock = FakeClock()
    async with serve(clock=clock) as server:
        await server.add_account("alice")
        token = await token_of(server)
        clock.advance(22 * 86_400)
        client = await opened(server)
        client.send(use(token))
        assert await failure(client) == "credentials-expired"
        client.send(authenticate("PLAIN", plain()))
        await success(client)


async def test_a_token_of_another_host() -> None:
    async with serve({"hosts": {"localhost": {}, "other.example": {}}}) as server:
        await server.add_account("alice")
        await server.add_account("alice@other.example")
        token = await token_of(server)
        client = await server.raw(direct_tls=True)
        client.send(HEADER.format("alice@other.example").replace("to='localhost'", "to='other.example'"))
        await client.header()
        await client.receive()
        client.send(use(token))
        assert await failure(client) == "not-authorized"


@pytest.mark.parametrize(
    "request_",
    [
        lambda token: use(token, id_="11111111-2222-4333-8444-555555555555"),  # another client
        lambda token: use(token, username="bob"),
        lambda token: use("guess"),
        lambda token: use(token, username="nobody"),
    ],
)
async def test_a_token_of_another(server: TestServer, request_: Any) -> None:
    await server.add_account("bob")
    token = await token_of(server)
    client = await opened(server, "")
    client.send(request_(token))
    assert await failure(client) == "not-authorized"


async def test_a_token_for_another_mechanism(server: TestServer) -> None:
    """One that binds to the connection is no use on another one, without its binding."""
    token = await token_of(server, "HT-SHA-256-ENDP")
    client = await opened(server)
    client.send(use(token))
    assert await failure(client) == "not-authorized"


async def test_a_token_without_saying_that_it_is_one(server: TestServer) -> None:
    token = await token_of(server)
    client = await opened(server)
    client.send(use(token).replace(f"<fast xmlns='{FAST}'/>", ""))
    assert await failure(client) == "malformed-request"
    client.send(authenticate("PLAIN", plain(), agent(), f"<fast xmlns='{FAST}'/>"))
    assert await failure(client) == "invalid-mechanism"


async def test_a_password_that_changes_while_a_token_is_asked_for(server: TestServer) -> None:
    """Who had the old one has no token left."""
    client = await opened(server)
    scram = Scram(client, old=False)
    await scram.begin(agent(), f"<request-token xmlns='{FAST}' mechanism='{NONE}'/>")
    await another_password(server)
    scram.finish()
    with pytest.raises(StreamError):
        await client.receive()
    assert await server.server.store.map("tokens").all("alice@localhost") == {}


# -- everything in one write


async def test_a_session_in_one_write(server: TestServer) -> None:
    """Header, log-in with a token, resource, carbons, client state, stream management, and the first stanzas behind it:
    said before the server has said anything, and all answered in their order."""
    token = await token_of(server)
    wishes = f"<enable xmlns='{CARBONS}'/><inactive xmlns='{CSI}'/><enable xmlns='{SM}' resume='true'/>"
    bind = f"<bind xmlns='{BIND2}'><tag>Phone</tag>{wishes}</bind>"
    client = await server.raw(direct_tls=True)
    client.send(HEADER.format("alice@localhost") + use(token, bind) + "<presence/>" + PING + f"<r xmlns='{SM}'/>")
    await client.header()
    await client.receive()
    told = await success(client)
    jid = told.child_text("authorization-identifier")
    assert jid.startswith("alice@localhost/Phone/")
    bound = told.child("bound", BIND2)
    assert bound is not None
    assert [(each.name, each.ns) for each in bound.elements()] == [("enabled", SM), ("metadata", ARCHIVE)]
    names = [(await client.receive()).name for _ in range(3)]
    assert names == ["presence", "iq", "a"], "presence waited until somebody needed to know"
    (session,) = server.server.hosts["localhost"].accounts["alice"].sessions.values()
    assert session.presence is not None and session.management is not None and session.management.handled == 2


async def test_a_former_session_in_one_write(server: TestServer) -> None:
    token = await token_of(server)
    bind = f"<bind xmlns='{BIND2}'><enable xmlns='{SM}' resume='true'/></bind>"
    first = await opened(server)
    first.send(use(token, bind))
    told = await success(first)
    enabled = told.child("bound", BIND2).child("enabled", SM)
    first.drop()
    resume = f"<resume xmlns='{SM}' previd='{enabled.get('id')}' h='0'/>"
    client = await server.raw(direct_tls=True)
    client.send(HEADER.format("alice@localhost") + use(token, resume, bind) + PING)
    await client.header()
    await client.receive()
    again = await client.receive()  # no features follow (XEP-0198 §9.2)
    assert again.name == "success"
    assert again.child("resumed", SM).get("previd") == enabled.get("id") and again.child("bound", BIND2) is None
    assert again.child_text("authorization-identifier") == told.child_text("authorization-identifier")
    assert (await client.receive()).get("id") == "p"


async def test_what_stands_behind_a_log_in_that_fails(server: TestServer) -> None:
    """It was meant for a session that there isn't."""
    client = await server.raw(direct_tls=True)
    client.send(HEADER.format("alice@localhost") + use("guess", f"<bind xmlns='{BIND2}'/>") + "<presence/>")
    await client.header()
    await client.receive()
    assert await failure(client) == "not-authorized"
    with pytest.raises(StreamError) as caught:
        await client.receive()
    assert caught.value.condition == "not-authorized"
