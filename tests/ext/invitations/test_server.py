"""Invitations: who makes them, what their tokens open, and that they open it once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.core.stanza import read_error
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.commands.payloads import Command
from chirrup.ext.forms.payloads import Field, Form
from chirrup.ext.invitations import CREATE_ACCOUNT, INVITE, PARS
from chirrup.ext.invitations.invitation import Invitation, Invitations
from chirrup.ext.roster.roster import Roster
from chirrup.store.schema import invitation
from chirrup.testing import FakeClock, TestClient, serve
from chirrup.testing.server import TestServer

DAY = 86_400.0
REGISTER = "jabber:iq:register"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def server(tmp_path: Path, clock: FakeClock) -> AsyncIterator[TestServer]:
    async with serve(data=tmp_path, clock=clock) as running:
        yield running


async def give(client: TestClient, command: Command) -> Command:
    answer = await client.ask(Element("iq", CLIENT, command.to_element(), type="set", to="localhost"))
    if answer.get("type") == "error":
        raise read_error(answer)
    assert answer.first is not None
    return Command.parse(answer.first)


async def invite(client: TestClient) -> str:
    """The link of a new invitation."""
    done = await give(client, Command(INVITE))
    assert done.form is not None, done
    return done.form.values("uri")[0]


async def create(client: TestClient, **answers: str) -> Command:
    first = await give(client, Command(CREATE_ACCOUNT))
    fields = tuple(Field(var.replace("_", "-"), values=(value,)) for var, value in answers.items())
    return await give(client, Command(CREATE_ACCOUNT, first.sessionid, form=Form("submit", fields=fields)))


async def count_kept(server: TestServer) -> int:
    return await server.server.store.read(lambda connection: len(connection.execute(invitation.select()).all()))


def token_of(link: str) -> str:
    return link.partition("preauth=")[2].partition(";")[0]


async def newcomer(server: TestServer) -> TestClient:
    """A stream that isn't authenticated."""
    client = await server.raw()
    client.send(
        "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' "
        "to='localhost'>"
    )
    await client.header()
    client.features = await client.receive()
    return client


async def early(client: TestClient, payload: Element) -> Element:
    """The answer to an IQ before log-in; its error is raised."""
    answer = await client.ask(Element("iq", CLIENT, payload, type="set", to="localhost"))
    if answer.get("type") == "error":
        raise read_error(answer)
    return answer


async def show(client: TestClient, token: str) -> None:
    await early(client, Element("preauth", PARS, token=token))


async def register(client: TestClient, name: str, password: str = "a good secret") -> None:
    query = Element("query", REGISTER, Element("username", "", name), Element("password", "", password))
    await early(client, query)


async def interested(client: TestClient) -> TestClient:
    """The client, once it is told of changes of its roster."""
    await client.ask(Element("iq", CLIENT, Element("query", "jabber:iq:roster"), type="get"))
    return client


async def subscription(server: TestServer, local: str, contact: str) -> str:
    account = await server.server.hosts["localhost"].load(local)
    assert account is not None
    return account.get(Roster).get(JID(contact)).state.subscription


async def test_a_friend_registers_and_both_are_contacts(server: TestServer) -> None:
    romeo = await server.client("romeo", presence=True)
    await interested(romeo)
    link = await invite(romeo)
    assert link.startswith("xmpp:romeo@localhost?roster;preauth=")
    assert link.endswith(";ibr=y")
    stream = await newcomer(server)
    assert stream.features.child("register", "urn:xmpp:ibr-token:0") is not None
    await show(stream, token_of(link))
    await register(stream, "juliet")
    push = await romeo.receive()
    assert push.first is not None
    item = push.first.first
    assert item is not None
    assert (item.get("jid"), item.get("subscription")) == ("juliet@localhost", "both")
    juliet = await server.client("juliet", "a good secret")
    juliet.send("<presence/>")
    assert (await romeo.receive()).get("from") == juliet.jid.text
    assert await subscription(server, "juliet", "romeo@localhost") == "both"


async def test_without_an_invitation_nobody_registers(server: TestServer) -> None:
    stream = await newcomer(server)
    with pytest.raises(StanzaError, match="invitation"):
        await register(stream, "mallory")
    for token in ("", "guess", "0" * 32):
        with pytest.raises(StanzaError) as refused:
            await show(stream, token)
        assert refused.value.condition in ("item-not-found", "bad-request")
    with pytest.raises(StanzaError, match="invitation"):
        await register(stream, "mallory")


async def test_an_invitation_is_for_one(server: TestServer) -> None:
    romeo = await server.client("romeo")
    token = token_of(await invite(romeo))
    first, second = await newcomer(server), await newcomer(server)
    await show(first, token)
    await show(second, token)
    results = await asyncio.gather(register(first, "juliet"), register(second, "nurse"), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["NoneType", "StanzaError"]
    with pytest.raises(StanzaError):
        await show(await newcomer(server), token)
    names = await server.server.store.accounts.names("localhost")
    assert len(names) == 2, "one account beside Romeo's"


async def test_what_fails_leaves_the_invitation_good(server: TestServer) -> None:
    romeo = await server.client("romeo")
    stream = await newcomer(server)
    await show(stream, token_of(await invite(romeo)))
    for name, password in (("romeo", "a good secret"), ("juliet", "short")):
        with pytest.raises(StanzaError):
            await register(stream, name, password)
    await register(stream, "juliet")
    with pytest.raises(StanzaError, match="invitation"):
        await register(stream, "another")


async def test_invitations_expire_but_not_once_they_were_shown(server: TestServer, clock: FakeClock) -> None:
    romeo = await server.client("romeo")
    link, other = await invite(romeo), await invite(romeo)
    clock.advance(7 * DAY - 30)
    stream = await newcomer(server)
    await show(stream, token_of(link))
    clock.advance(31)
    with pytest.raises(StanzaError):
        await show(await newcomer(server), token_of(other))
    await register(stream, "juliet")


async def test_an_invitation_that_was_shown_does_not_expire_while_others_are_made(
    server: TestServer, clock: FakeClock
) -> None:
    """XEP-0445 §5: what follows must not be rejected because of the time. New invitations let old ones be forgotten."""
    romeo = await server.client("romeo")
    token = token_of(await invite(romeo))
    clock.advance(7 * DAY - 30)
    stream = await newcomer(server)
    await show(stream, token)
    clock.advance(31)
    await invite(romeo)
    await register(stream, "juliet")
    clock.advance(9 * DAY)
    await invite(romeo)
    assert await count_kept(server) == 1, "the others are forgotten"


@pytest.mark.parametrize("how", ["disabled", "removed", "removed without a server"])
async def test_who_was_sent_away_brings_nobody_in(server: TestServer, how: str) -> None:
    romeo = await server.client("romeo")
    stranger = (await create(romeo, roster_subscription="0")).form
    assert stranger is not None
    tokens = token_of(await invite(romeo)), token_of(stranger.values("uri")[0])
    host = server.server.hosts["localhost"]
    if how == "disabled":
        await host.store.accounts.set_disabled("localhost", "romeo", True)
    else:
        if how == "removed":
            await host.remove_account("romeo")
        else:
            await host.store.accounts.remove("localhost", "romeo")
        await server.add_account("romeo")
        assert await count_kept(server) == 0, "nor does who has the name now"
    for token in tokens:
        with pytest.raises(StanzaError, match="unknown"):
            await show(await newcomer(server), token)


async def test_a_subscription_request_is_acknowledged_when_it_is_kept(server: TestServer) -> None:
    """While the store is asked about the token, nothing says that the request has arrived."""
    juliet, nurse = await server.client("juliet"), await server.client("nurse")
    await server.add_account("romeo")
    juliet.send("<enable xmlns='urn:xmpp:sm:3'/>")
    assert (await juliet.receive()).name == "enabled"
    found, go_on = Invitations.find, asyncio.Event()

    async def find(self: Invitations, token: str, *, now: float) -> Invitation | None:
        await go_on.wait()
        return await found(self, token, now=now)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Invitations, "find", find)
        juliet.send(f"<presence to='romeo@localhost' type='subscribe'><preauth xmlns='{PARS}' token='x'/></presence>")
        juliet.send("<r xmlns='urn:xmpp:sm:3'/>")
        juliet.send(f"<message to='{nurse.jid}' type='headline'/>")
        assert (await nurse.receive()).name == "message"
        nurse.send(f"<message to='{juliet.jid}' type='headline'/>")
        assert (await juliet.receive()).name == "message", "and nothing before it"
        go_on.set()
        assert (await juliet.receive()).name == "a"
    kept = await server.server.store.map("roster").all("romeo@localhost")
    assert "juliet@localhost" in kept


async def test_an_account_with_a_name(server: TestServer) -> None:
    romeo = await server.client("romeo")
    done = await create(romeo, username="Juliet", roster_subscription="1")
    assert done.form is not None
    link = done.form.values("uri")[0]
    assert link.startswith("xmpp:juliet@localhost?register;preauth=")
    assert done.form.values("expire")
    for _ in range(2):
        assert (await create(romeo, username="juliet")).notes[0].type == "error", "it is reserved"
    other = await newcomer(server)
    await show(other, token_of(await invite(romeo)))
    with pytest.raises(StanzaError, match="kept for somebody"):
        await register(other, "juliet")
    stream = await newcomer(server)
    await show(stream, token_of(link))
    with pytest.raises(StanzaError, match="for juliet"):
        await register(stream, "nurse")
    await register(stream, "juliet")
    assert await subscription(server, "romeo", "juliet@localhost") == "both"


async def test_an_account_that_stays_a_stranger(server: TestServer) -> None:
    romeo = await server.client("romeo")
    done = await create(romeo, roster_subscription="0")
    assert done.form is not None
    link = done.form.values("uri")[0]
    assert link.startswith("xmpp:localhost?register;preauth=")
    stream = await newcomer(server)
    await show(stream, token_of(link))
    await register(stream, "juliet")
    assert await subscription(server, "romeo", "juliet@localhost") == "none"


async def test_names_that_cannot_be_given(server: TestServer) -> None:
    romeo = await server.client("romeo")
    for name in ("romeo", "a b", "@"):
        assert (await create(romeo, username=name)).notes[0].type == "error"


async def test_nobody_invites_without_end(tmp_path: Path) -> None:
    async with serve({"modules": {"invitations": {"invitations_per_user": 2}}}, data=tmp_path) as server:
        romeo = await server.client("romeo")
        for _ in range(2):
            await invite(romeo)
        assert (await give(romeo, Command(INVITE))).notes[0].type == "error"
        await invite(await server.client("juliet"))


async def test_each_user_has_a_bound_of_their_own(tmp_path: Path) -> None:
    """Also of invitations that make no contacts, which don't say who made them; and at the same time."""
    async with serve({"modules": {"invitations": {"invitations_per_user": 2}}}, data=tmp_path) as server:
        romeo, juliet = await server.client("romeo"), await server.client("juliet")
        for _ in range(2):
            await Invitations(server.server.store, "localhost").create(Invitation(), now=0)
            await create(romeo, roster_subscription="0")
        assert (await create(romeo, roster_subscription="0")).notes[0].type == "error"
        assert (await give(romeo, Command(INVITE))).notes[0].type == "error"
        assert not (await create(juliet, roster_subscription="0")).notes
    async with serve({}, data=tmp_path) as server:
        kept = Invitations(server.server.store, "localhost")
        made = [kept.create(Invitation(username="nurse", maker=str(n)), now=0, most=3) for n in range(5)]
        results = await asyncio.gather(*made, return_exceptions=True)
        assert sum(isinstance(result, str) for result in results) == 1, "a name is reserved once"


async def test_who_may_invite(tmp_path: Path) -> None:
    settings = {
        "modules": {"invitations": {"users_may_invite": False, "landing_url": "https://localhost/#{token}"}},
        "hosts": {"localhost": {"admins": ["root@localhost"]}},
    }
    async with serve(settings, data=tmp_path) as server:
        romeo, root = await server.client("romeo"), await server.client("root")
        link = await invite(romeo)
        assert "ibr" not in link
        with pytest.raises(StanzaError):
            await show(await newcomer(server), token_of(link))
        with pytest.raises(StanzaError, match="forbidden"):
            await create(romeo)
        done = await create(root)
        assert done.form is not None
        page, link = done.form.values("landing-url")[0], done.form.values("uri")[0]
        assert page == f"https://localhost/#{token_of(link)}"


async def test_a_closed_host_takes_no_tokens(tmp_path: Path) -> None:
    async with serve({"modules": {"registration": {"mode": "closed"}}}, data=tmp_path) as server:
        romeo = await server.client("romeo")
        link = await invite(romeo)
        assert "ibr" not in link
        with pytest.raises(StanzaError, match="item-not-found"):
            await create(romeo)
        stream = await newcomer(server)
        assert not [one for one in stream.features.elements() if one.name == "register"]
        with pytest.raises(StanzaError):
            await show(stream, token_of(link))


# -- contacts


async def test_a_request_with_a_token_is_granted(server: TestServer) -> None:
    romeo = await server.client("romeo", presence=True)
    juliet = await interested(await server.client("juliet", presence=True))
    token = token_of(await invite(romeo))
    juliet.send("<presence to='romeo@localhost' type='subscribed'/>")
    juliet.send(f"<presence to='romeo@localhost' type='subscribe'><preauth xmlns='{PARS}' token='{token}'/></presence>")
    kinds = set()
    while "subscribed" not in kinds or await subscription(server, "juliet", "romeo@localhost") != "both":
        stanza = await juliet.receive()
        kinds.add(stanza.get("type"))
    assert await subscription(server, "romeo", "juliet@localhost") == "both"
    await romeo.settle()
    assert not [stanza for stanza in romeo.received if stanza.get("type") == "subscribe"], "nobody was asked"


@pytest.mark.parametrize("token", ["made-up", None])
async def test_a_request_with_another_token_is_one_like_any_other(server: TestServer, token: str | None) -> None:
    romeo = await server.client("romeo", presence=True)
    nurse = await server.client("nurse")
    juliet = await server.client("juliet")
    wrong = token or token_of(await invite(nurse))
    juliet.send(f"<presence to='romeo@localhost' type='subscribe'><preauth xmlns='{PARS}' token='{wrong}'/></presence>")
    assert (await romeo.receive()).get("type") == "subscribe"
    assert await subscription(server, "romeo", "juliet@localhost") == "none"
    if token is None:
        kept = Invitations(server.server.store, "localhost")
        assert await kept.find(wrong, now=server.server.clock.time()) is not None, "it is still the nurse's"


async def test_a_token_grants_one_request(server: TestServer) -> None:
    romeo = await server.client("romeo", presence=True)
    token = token_of(await invite(romeo))
    asking = f"<presence to='romeo@localhost' type='subscribe'><preauth xmlns='{PARS}' token='{token}'/></presence>"
    juliet = await interested(await server.client("juliet", presence=True))
    mallory = await server.client("mallory", presence=True)
    juliet.send(asking)
    while (await juliet.receive()).get("type") != "subscribed":
        pass
    mallory.send(asking)
    while (stanza := await romeo.receive()).get("type") != "subscribe":
        pass
    assert stanza.get("from") == "mallory@localhost"


async def test_who_has_an_account_does_not_show_tokens(server: TestServer) -> None:
    romeo = await server.client("romeo")
    answer = await romeo.ask(
        Element("iq", CLIENT, Element("preauth", PARS, token=token_of(await invite(romeo))), type="set", to="localhost")
    )
    assert answer.get("type") == "error"


@pytest.mark.parametrize(
    ("invitation", "link"),
    [
        (Invitation("romeo@example.com"), "xmpp:romeo@example.com?roster;preauth=TOKEN;ibr=y"),
        (Invitation("romeo@example.com", may_register=False), "xmpp:romeo@example.com?roster;preauth=TOKEN"),
        (Invitation(username="juliet"), "xmpp:juliet@example.com?register;preauth=TOKEN"),
        (Invitation(), "xmpp:example.com?register;preauth=TOKEN"),
        (Invitation("o%c?;/ré@example.com"), "xmpp:o%25c%3F%3B%2Fr%C3%A9@example.com?roster;preauth=TOKEN;ibr=y"),
    ],
)
def test_links(invitation: Invitation, link: str) -> None:
    """XEP-0401 §5.1 and §5.4; RFC 5122 §2.7.2 for what is escaped."""
    assert invitation.link("example.com", "TOKEN") == link
