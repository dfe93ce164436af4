from __future__ import annotations

import asyncio

import pytest

from chirrup.core.errors import ConfigError, StreamError
from chirrup.core.stanza import read_error
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.registration.payloads import Query
from chirrup.testing import PASSWORD, FakeClock, Refused, TestClient, TestServer, serve
from chirrup.testing.client import credentials

OPEN = {"modules": {"registration": {"mode": "open"}}}
HEADER = "<stream:stream to='{}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
BILL = Query(username="bill", password="Calliope")


def iq(query: Query, kind: str = "set", to: str | None = None) -> Element:
    return Element("iq", CLIENT, query.to_element(), type=kind, to=to)


async def condition(client: TestClient, stanza: Element) -> str:
    """What an IQ is answered with: "" for a result."""
    answer = await client.ask(stanza)
    return "" if answer.get("type") == "result" else read_error(answer).condition


async def newcomer(server: TestServer, domain: str = "localhost") -> TestClient:
    """A stream on which nobody has logged in."""
    client = await server.raw()
    client.send(HEADER.format(domain))
    assert (await client.receive()).name == "features"
    return client


async def log_in(server: TestServer, local: str, password: str) -> TestClient:
    client = await server.raw()
    await client.log_in(credentials(local, password, tls_required=False), server.domain)
    return client


class WithoutStartTLS(asyncio.StreamReader):
    """What a client reads of a server through somebody who takes the offer of STARTTLS out."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        super().__init__()
        self._behind = reader

    async def read(self, n: int = -1) -> bytes:
        return (await self._behind.read(n)).replace(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", b"")


async def log_in_unsecured(server: TestServer, local: str) -> TestClient:
    await server.add_account(local)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port())
    client = TestClient(WithoutStartTLS(reader), writer)
    await client.log_in(credentials(local, PASSWORD, tls_required=False), server.domain)
    return client


# -- registering


async def test_who_has_registered_can_log_in():
    async with serve(OPEN) as server:
        assert await condition(await newcomer(server), iq(BILL)) == ""
        bill = await log_in(server, "bill", "Calliope")
        assert bill.jid.bare.text == "bill@localhost"


async def test_registering_by_form():
    form = (
        "<iq type='set' id='f'><query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'>"
        "<field var='FORM_TYPE'><value>jabber:iq:register</value></field><field var='username'><value>bill</value>"
        "</field><field var='password'><value>Calliope</value></field></x></query></iq>"
    )
    async with serve(OPEN) as server:
        client = await newcomer(server)
        client.send(form)
        assert (await client.receive()).get("type") == "result"
        await log_in(server, "bill", "Calliope")


async def test_without_tls_nothing_is_offered_or_taken_where_tls_is_required():
    async with serve({**OPEN, "listen": {"c2s": {"plaintext": False}}}) as server:
        client = await server.raw()
        client.send(HEADER.format("localhost"))
        features = await client.receive()
        assert [one.name for one in features.elements()] == ["starttls"]
        client.send(iq(BILL).set("id", "1"))
        with pytest.raises(StreamError, match="not-authorized"):
            await client.receive()
        assert not await server.server.store.accounts.exists("localhost", "bill")


async def test_one_name_for_two_at_once_is_given_to_one():
    async with serve(OPEN) as server:
        clients = [await newcomer(server) for _ in range(4)]
        answers = await asyncio.gather(*[condition(client, iq(BILL)) for client in clients])
        assert sorted(answers) == ["", "conflict", "conflict", "conflict"]


async def test_registrations_from_one_address_are_limited_in_an_hour():
    clock = FakeClock()
    settings = {"modules": {"registration": {"mode": "open", "registrations_per_hour": 2}}}
    async with serve(settings, clock=clock) as server:
        client = await newcomer(server)
        for name in ("one", "two"):
            assert await condition(client, iq(Query(username=name, password="Calliope"))) == ""
        assert await condition(client, iq(BILL)) == "not-acceptable"
        assert not await server.server.store.accounts.exists("localhost", "bill")
        clock.advance(3600)
        assert await condition(await newcomer(server), iq(BILL)) == ""


async def test_who_tries_on_and_on_is_one_line_in_the_log(caplog):
    settings = {"modules": {"registration": {"mode": "open", "registrations_per_hour": 1}}}
    async with serve(settings) as server:
        client = await newcomer(server)
        assert await condition(client, iq(Query(username="one", password="Calliope"))) == ""
        for _ in range(5):
            assert await condition(client, iq(BILL)) == "not-acceptable"
        assert caplog.text.count("too many registrations") == 1


async def test_names_that_are_taken_cost_no_registration_but_can_not_be_tried_for_ever():
    settings = {"modules": {"registration": {"mode": "open", "registrations_per_hour": 1}}}
    async with serve(settings) as server:
        await server.add_account("ann")
        client = await newcomer(server)
        answers = [await condition(client, iq(Query(username="ann", password="Calliope"))) for _ in range(9)]
        assert answers == ["conflict"] * 9
        assert await condition(client, iq(BILL)) == ""
        client = await newcomer(server)
        assert await condition(client, iq(Query(username="ann", password="Calliope"))) == "not-acceptable"


async def test_an_anonymous_host_has_no_accounts_to_register():
    settings = {"hosts": {"guests.example": {"authentication": "anonymous"}}, **OPEN}
    async with serve(settings) as server:
        guest = await server.guest("guests.example")
        assert await condition(guest, iq(BILL)) == "service-unavailable"


# -- those who have logged in


async def test_a_password_is_changed_over_tls_only():
    async with serve() as server:
        change = Query(username="bill", password="groundlings")
        async with await log_in_unsecured(server, "bill") as bill:
            assert await condition(bill, iq(change)) == "not-authorized"
        bill = await server.client("bill", tls=True)
        assert await condition(bill, iq(change)) == ""
        await log_in(server, "bill", "groundlings")
        with pytest.raises(Refused, match="not-authorized"):
            await log_in(server, "bill", PASSWORD)


async def test_a_password_is_changed_without_tls_where_the_configuration_says_so():
    async with serve({"modules": {"registration": {"password_change": "always"}}}) as server:
        async with await log_in_unsecured(server, "bill") as bill:
            assert await condition(bill, iq(Query(username="bill", password="groundlings"))) == ""
        await log_in(server, "bill", "groundlings")


async def test_who_has_the_former_password_is_sent_away():
    async with serve() as server:
        bill = await server.client("bill/home", tls=True)
        thief = await server.client("bill/elsewhere")
        other = await server.client("ann")
        assert await condition(bill, iq(Query(username="bill", password="groundlings"))) == ""
        error = await thief.end()
        assert error is not None
        assert (error.condition, error.text) == ("reset", "the password was changed; log in again")
        await bill.settle()
        await other.settle()


async def test_password_changes_are_limited_in_an_hour():
    settings = {"modules": {"registration": {"password_changes_per_hour": 2}}}
    clock = FakeClock()
    async with serve(settings, clock=clock) as server:
        bill = await server.client("bill")
        changes = [iq(Query(username="bill", password=f"groundlings {number}")) for number in range(4)]
        assert [await condition(bill, change) for change in changes[:3]] == ["", "", "not-acceptable"]
        await log_in(server, "bill", "groundlings 1")
        clock.advance(3600)
        assert await condition(bill, changes[3]) == ""


async def test_what_the_configuration_forbids():
    settings = {"modules": {"registration": {"password_change": "never", "removal": False}}}
    async with serve(settings) as server:
        bill = await server.client("bill", tls=True)
        assert await condition(bill, iq(Query(username="bill", password="groundlings"))) == "not-allowed"
        assert await condition(bill, iq(Query(remove=True))) == "not-allowed"
        await log_in(server, "bill", PASSWORD)


async def test_who_is_logged_in_registers_nobody_else():
    async with serve(OPEN) as server:
        ann = await server.client("ann", tls=True)
        assert await condition(ann, iq(BILL, to="localhost")) == "not-allowed"
        assert not await server.server.store.accounts.exists("localhost", "bill")


@pytest.mark.parametrize(
    "query", [Query(remove=True), Query(username="bill", password="groundlings"), BILL], ids=["remove", "change", "new"]
)
async def test_an_account_of_one_host_has_nothing_to_do_with_its_namesake_on_another(query: Query):
    settings = {"hosts": {"localhost": {}, "other.example": {}}, **OPEN}
    async with serve(settings) as server:
        await server.add_account("bill@localhost")
        bill = await server.client("bill@other.example", tls=True)
        assert await condition(bill, iq(query, to="localhost")) == "service-unavailable"
        await log_in(server, "bill", PASSWORD)


async def test_nobody_asks_for_somebody_else():
    async with serve(OPEN) as server:
        await server.add_account("bill")
        ann = await server.client("ann", tls=True)
        for query in (Query(remove=True), Query(username="bill", password="groundlings")):
            assert await condition(ann, iq(query, to="bill@localhost")) == "service-unavailable"
        await log_in(server, "bill", PASSWORD)


async def test_a_removed_account_and_all_it_owned_are_gone():
    async with serve(OPEN) as server:
        store = server.server.store
        bill = await server.client("bill")
        await store.map("private").set("bill@localhost", "key", "value")
        assert await condition(bill, iq(Query(remove=True))) == ""
        assert not await store.accounts.exists("localhost", "bill")
        assert await store.map("private").all("bill@localhost") == {}
        ended = await bill.end()
        assert ended is not None and ended.condition == "not-authorized"
        with pytest.raises(Refused, match="not-authorized"):
            await log_in(server, "bill", PASSWORD)


async def test_what_follows_a_removal_at_once_has_no_account_any_more():
    async with serve(OPEN) as server:
        bill = await server.client("bill")
        bill.send(iq(Query(remove=True)).set("id", "1").to_bytes() + b"<presence/>" + ROSTER_SET)
        assert (await bill.receive()).get("id") == "1"
        await bill.end()
        assert await condition(await newcomer(server), iq(BILL)) == ""
        bill = await log_in(server, "bill", "Calliope")
        roster = await bill.ask(Element("iq", CLIENT, Element("query", "jabber:iq:roster"), type="get"))
        assert list(roster.first.elements()) == []  # type: ignore[union-attr]


ROSTER_SET = (
    b"<iq type='set' id='2'><query xmlns='jabber:iq:roster'><item jid='ann@localhost' name='Ann'/></query></iq>"
)


# -- what is told of it


@pytest.mark.parametrize(
    ("settings", "features"),
    [
        ({}, {"jabber:iq:register"}),
        ({"mode": "open"}, {"jabber:iq:register"}),
        ({"mode": "redirect", "redirect_url": "https://localhost/"}, {"jabber:iq:register", "jabber:x:oob"}),
        ({"mode": "closed", "password_change": "never", "removal": False}, set()),
    ],
)
async def test_features_of_the_host(settings: dict[str, object], features: set[str]):
    async with serve({"modules": {"registration": settings}}) as server:
        ann = await server.client("ann")
        query = Element("query", "http://jabber.org/protocol/disco#info")
        info = (await ann.ask(Element("iq", CLIENT, query, type="get", to="localhost"))).first
        assert info is not None
        found = {feature.get("var") for feature in info.elements("feature")}
        assert found & {"jabber:iq:register", "jabber:x:oob"} == features


async def test_a_redirect_needs_a_page_to_go_to():
    with pytest.raises(ConfigError, match=r"redirect_url.*web address"):
        async with serve({"modules": {"registration": {"mode": "redirect"}}}):
            pass
