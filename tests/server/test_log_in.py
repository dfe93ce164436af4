"""Log-in by XEP-0388 on a running server: what a client has after one request."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from chirrup.core.errors import StreamError
from chirrup.core.features.resume import Management, managed
from chirrup.core.features.upgrade import Upgrade
from chirrup.core.jid import JID
from chirrup.core.sasl import derive_keys
from chirrup.core.stream import (
    CLIENT_FEATURES,
    Authenticated,
    Bound,
    ClientPolicy,
    Credentials,
    FeaturesSeen,
    LimitsSeen,
    NotResumed,
    Ready,
    SessionResumed,
    StartTLS,
    Token,
    TokenReceived,
    UserAgent,
)
from chirrup.core.xml import CLIENT, Element
from chirrup.testing import TestClient, serve
from chirrup.testing.client import Refused

AGENT = UserAgent("d4565fa7-4d72-4749-b3d3-740edbf87770", "AwesomeXMPP", "Kiva's Phone")
ANOTHER = replace(AGENT, id="11111111-2222-4333-8444-555555555555")
CARBONS, CSI, SM, ARCHIVE = "urn:xmpp:carbons:2", "urn:xmpp:csi:0", "urn:xmpp:sm:3", "urn:xmpp:mam:2"
ALICE = Credentials("alice", "secret")
BREATH = [FeaturesSeen, LimitsSeen, Authenticated, Bound, FeaturesSeen, LimitsSeen, Ready]


@pytest.fixture
async def server():
    async with serve() as server:
        await server.add_account("alice")
        yield server


async def log_in(server, credentials=ALICE, *, management=None, **policy):
    """A client that has logged in, by the new profile unless `policy` says otherwise."""
    client = await server.raw()
    features = CLIENT_FEATURES if management is None else managed(CLIENT_FEATURES, management)
    await client.log_in(ClientPolicy(credentials, **policy), "localhost", features)
    return client


def told(client, kind):
    """The events of one kind."""
    return [event for event in client.told if isinstance(event, kind)]


async def token_of(server, credentials=ALICE, agent=AGENT, **policy):
    client = await log_in(server, credentials, user_agent=agent, want_token=True, **policy)
    (received,) = told(client, TokenReceived)
    return received.token


def with_token(token):
    return Credentials("alice", token=token)


async def refused(log_in):
    with pytest.raises(Refused) as caught:
        await log_in
    return str(caught.value)


# -- sessions


async def test_a_session_at_once(server):
    client = await log_in(server, tag="AwesomeXMPP")
    assert client.jid.bare == JID("alice@localhost") and client.jid.resource.startswith("AwesomeXMPP/")
    assert [offer.name for offer in client.features.elements()].count("bind") == 0
    await client.settle()


async def test_resources_are_stable(server):
    first = await log_in(server, tag="A", user_agent=AGENT)
    first.drop()
    again = await log_in(server, tag="A", user_agent=AGENT)
    another = await log_in(server, tag="A", user_agent=ANOTHER)
    unnamed = await log_in(server, tag="A")
    assert first.jid == again.jid
    assert len({again.jid, another.jid, unnamed.jid}) == 3
    assert AGENT.id not in first.jid.text


async def test_the_same_client_has_one_session(server):
    first = await log_in(server, tag="A", user_agent=AGENT)
    second = await log_in(server, tag="B", user_agent=AGENT)
    error = await first.end()
    assert error is not None and error.condition == "conflict"
    await second.settle()


@pytest.mark.parametrize("policy", ["refuse", "rename"])
async def test_the_same_client_takes_its_own_place_however_conflicts_are_solved(policy):
    async with serve({"limits": {"resource_conflict": policy}}) as server:
        await server.add_account("alice")
        first = await log_in(server, tag="A", user_agent=AGENT)
        second = await log_in(server, tag="A", user_agent=AGENT)
        assert first.jid == second.jid


@pytest.mark.parametrize("tag", ["x" * 1500, "a\u0378b"])
async def test_a_tag_that_cannot_stand_in_a_resource(server, tag):
    client = await log_in(server, tag=tag)
    assert tag not in client.jid.text and client.jid.resource


async def test_too_many_sessions():
    async with serve({"limits": {"resources_per_account": 1}}) as server:
        await server.add_account("alice")
        await log_in(server)
        assert await refused(log_in(server)) == "temporary-auth-failure"


async def test_what_is_switched_on_at_once(server):
    client = await log_in(server, bind_inline=(Element("enable", SM, resume=True), Element("enable", CARBONS)))
    enabled, _ = told(client, Bound)[0].inline
    assert (enabled.name, enabled.ns) == ("enabled", SM) and enabled.get("id")
    bob = await server.client("bob")
    other = await server.client("alice", presence=True)
    bob.send(Element("message", CLIENT, Element("body", CLIENT, "hi"), to=other.jid, type="chat"))
    message = await client.receive()
    assert (message.child("received", CARBONS)) is not None


async def test_what_nobody_has_is_passed_over(server):
    client = await log_in(server, bind_inline=(Element("enable", SM), Element("enable", "urn:example:none")))
    assert [element.ns for element in told(client, Bound)[0].inline] == [SM, ARCHIVE]


async def test_the_offer_names_what_can_be_switched_on(server):
    client = await server.raw()
    with pytest.raises(Refused):
        await client.log_in(ClientPolicy(Credentials("alice", "wrong")), "localhost")
    authentication = client.features.child("authentication", "urn:xmpp:sasl:2")
    inline = authentication.child("inline")
    offered = {item.get("var") for item in inline.child("bind", "urn:xmpp:bind:0").child("inline").elements()}
    assert {SM, CARBONS} <= offered
    assert inline.child("sm", SM) is not None
    assert inline.child("fast", "urn:xmpp:fast:0") is not None


async def test_guests():
    async with serve({"hosts": {"localhost": {}, "guests": {"authentication": "anonymous"}}}) as server:
        client = await server.raw()
        await client.log_in(ClientPolicy(Credentials()), "guests")
        assert client.jid.domain == "guests" and client.jid.local


async def test_a_message_behind_the_log_in_is_not_lost(server):
    """What is sent together with the last of the log-in belongs to the session."""
    client = await log_in(server, credentials=replace(ALICE, mechanisms=("PLAIN",)))
    answer = await client.ask(Element("iq", CLIENT, Element("ping", "urn:xmpp:ping"), type="get", id="x"))
    assert answer.get("type") == "result"


# -- stream management


async def test_resumption_in_one_request(server):
    management = Management()
    first = await log_in(server, management=management)
    assert management.enabled and management.id
    first.drop()
    management.disconnected()
    bob = await server.client("bob")
    bob.send(Element("message", CLIENT, Element("body", CLIENT, "while away"), to=first.jid, type="chat"))
    await bob.settle()
    again = await log_in(server, management=management)
    assert told(again, SessionResumed) and not told(again, Bound)
    assert again.jid == first.jid
    message = await again.receive()
    assert message.child_text("body") == "while away"
    management.count()
    again.send(management.acknowledge())
    await again.settle()


async def test_two_that_come_back_at_once(server, monkeypatch):
    """The later one has the session, also when the first was about to get it."""
    management = Management()
    first = await log_in(server, management=management)
    first.drop()
    management.disconnected()
    calls: list[object] = []
    asked, gate = asyncio.Event(), asyncio.Event()

    async def look_again(known):
        calls.append(known)
        if len(calls) == 2:  # the session is granted, and not on the connection yet
            asked.set()
            await gate.wait()
        return True

    monkeypatch.setattr(server.server.credentials, "hold_good", look_again)
    early = asyncio.create_task(log_in(server, management=management))
    await asked.wait()
    late = await log_in(server, management=management)
    assert told(late, SessionResumed) and late.jid == first.jid
    gate.set()
    with pytest.raises((StreamError, ConnectionResetError)):
        await early
    await late.settle()


async def test_resumption_with_a_token(server):
    """All that a phone does when it comes back: one request."""
    management = Management()
    first = await log_in(server, management=management, user_agent=AGENT, want_token=True)
    (received,) = told(first, TokenReceived)
    first.drop()
    management.disconnected()
    again = await log_in(server, with_token(received.token), management=management, user_agent=AGENT)
    assert told(again, SessionResumed) and again.jid == first.jid


async def test_resumption_that_fails_is_followed_by_binding(server):
    """XEP-0386 §3.2"""
    management = Management()
    management.id, management.jid = "none", "alice@localhost/old"
    client = await log_in(server, tag="A", management=management)
    (refused,) = told(client, NotResumed)
    assert refused.error.condition == "item-not-found"
    assert client.jid.resource.startswith("A/") and management.enabled and management.jid == client.jid.text


async def test_somebody_elses_session(server):
    await server.add_account("mallory")
    management, stolen = Management(), Management()
    first = await log_in(server, management=management)
    stolen.id, stolen.jid = management.id, management.jid
    mallory = await log_in(server, Credentials("mallory", "secret"), management=stolen)
    assert told(mallory, NotResumed) and mallory.jid.local == "mallory"
    await first.settle()


async def test_resuming_with_too_high_a_count_ends_the_stream(server):
    management = Management()
    first = await log_in(server, management=management)
    first.drop()
    management.disconnected()
    management.ledger.handled = 7
    with pytest.raises(StreamError) as caught:
        await log_in(server, management=management)
    assert caught.value.app == "{urn:xmpp:sm:3}handled-count-too-high"


@pytest.mark.parametrize("request_", [Element("resume", SM), Element("resume", SM, previd="x", h="y")])
async def test_a_request_to_resume_that_is_none(server, request_):
    management = Management()
    management.resume_element = lambda: request_
    client = await log_in(server, management=management)
    assert told(client, NotResumed)[0].error.condition == "bad-request" and client.jid.resource


# -- tokens


async def test_a_token_instead_of_the_password(server):
    token = await token_of(server)
    assert token.mechanism.startswith("HT-SHA-256-") and token.expiry.endswith("Z") and token.secret not in repr(token)
    client = await log_in(server, with_token(token), user_agent=AGENT)
    assert client.jid.bare == JID("alice@localhost")


async def test_nobody_is_kept_out_while_nothing_can_be_stored(server, storage_fails, caplog):
    """With the password, though no token can be given; and with a token, though no newer one can be."""
    token = await token_of(server)
    async with storage_fails(server):
        client = await log_in(server, user_agent=ANOTHER, want_token=True)
        assert client.jid.resource and not told(client, TokenReceived)
        client = await log_in(server, with_token(token), user_agent=AGENT, want_token=True)
        assert client.jid.resource and not told(client, TokenReceived)
    assert await token_of(server, agent=ANOTHER)
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_count_that_cannot_be_stored_is_not_taken(server, storage_fails, monkeypatch):
    """Or it could come again."""
    token = await token_of(server)
    counted = Element("fast", "urn:xmpp:fast:0", count=1)
    monkeypatch.setattr("chirrup.core.features.fast.use", lambda: counted)
    async with storage_fails(server):
        attempt = log_in(server, with_token(token), user_agent=AGENT)
        assert await refused(attempt) == "temporary-auth-failure"
    await log_in(server, with_token(token), user_agent=AGENT)
    assert await refused(log_in(server, with_token(token), user_agent=AGENT)) == "not-authorized"


async def test_nobody_logs_in_where_nothing_can_be_read(server, caplog):
    await server.server.store.close()
    with pytest.raises(StreamError, match="internal-server-error"):
        await log_in(server)
    assert not [record for record in caplog.records if record.levelname == "ERROR" or record.exc_info]


async def test_a_token_is_for_one_client(server):
    token = await token_of(server)
    assert await refused(log_in(server, with_token(token), user_agent=ANOTHER)) == "not-authorized"


async def test_a_token_is_for_one_account(server):
    await server.add_account("bob")
    token = await token_of(server)
    credentials = Credentials("bob", token=token)
    assert await refused(log_in(server, credentials, user_agent=AGENT)) == "not-authorized"


async def test_a_token_is_for_one_mechanism(server):
    token = await token_of(server)
    other = "HT-SHA-256-NONE" if token.mechanism != "HT-SHA-256-NONE" else "HT-SHA-256-ENDP"
    credentials = with_token(replace(token, mechanism=other))
    assert await refused(log_in(server, credentials, user_agent=AGENT)) == "not-authorized"


async def test_a_token_that_was_made_up(server):
    token = Token("HT-SHA-256-NONE", "guess")
    assert await refused(log_in(server, with_token(token), user_agent=AGENT)) == "not-authorized"
    assert await refused(log_in(server, Credentials("nobody", token=token), user_agent=AGENT)) == "not-authorized"


async def test_after_a_token_that_fails_comes_the_password(server):
    client = await log_in(server, replace(ALICE, token=Token("HT-SHA-256-NONE", "old")), user_agent=AGENT)
    await client.settle()


async def test_a_new_password_takes_the_tokens_away(server):
    token = await token_of(server)
    keys = await server.server.credentials.make("another")
    await server.server.store.accounts.set_keys("localhost", "alice", keys)
    assert await refused(log_in(server, with_token(token), user_agent=AGENT)) == "not-authorized"


async def test_tokens_survive_a_restart(tmp_path):
    async with serve(data=tmp_path) as server:
        await server.add_account("alice")
        token = await token_of(server)
        resource = (await log_in(server, user_agent=AGENT)).jid
    async with serve(data=tmp_path) as server:
        client = await log_in(server, with_token(token), user_agent=AGENT)
        assert client.jid == resource


async def test_without_its_secret_the_store_lets_nobody_in(tmp_path):
    """The database alone doesn't have the tokens."""
    async with serve(data=tmp_path) as server:
        await server.add_account("alice")
        token = await token_of(server)
    assert token.secret.encode() not in b"".join(path.read_bytes() for path in tmp_path.glob("chirrup.db*"))
    (tmp_path / "secret").unlink()
    async with serve(data=tmp_path) as server:
        assert await refused(log_in(server, with_token(token), user_agent=AGENT)) == "not-authorized"


async def test_many_guesses_are_refused_as_with_passwords():
    async with serve({"limits": {"failed_logins": 1, "failed_logins_refuse": 2}}) as server:
        await server.add_account("alice")
        token = await token_of(server)
        made_up = with_token(Token(token.mechanism, "guess"))
        for _ in range(2):
            assert await refused(log_in(server, made_up, user_agent=AGENT)) == "not-authorized"
        with pytest.raises(StreamError, match="too many failed log-ins"):
            await log_in(server, with_token(token), user_agent=AGENT)


async def test_where_the_module_is_off_there_are_none():
    async with serve({"hosts": {"localhost": {"modules_disabled": ["tokens"]}}}) as server:
        await server.add_account("alice")
        client = await log_in(server, user_agent=AGENT, want_token=True)
        assert told(client, TokenReceived) == []


async def test_one_breath(server):
    """With a token and the features of the last time, everything is said before the server has said anything."""
    first = await server.raw()
    policy = ClientPolicy(ALICE, user_agent=AGENT, want_token=True)
    await first.log_in(policy, "localhost")
    (received,) = told(first, TokenReceived)
    offered = told(first, FeaturesSeen)[1].features
    client = await log_in(server, with_token(received.token), user_agent=AGENT, remembered=offered)
    names = [type(event) for event in client.told]
    assert names[names.index(StartTLS) + 1 :] == BREATH
    await client.settle()


# -- accounts


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512-PLUS", "PLAIN"])
@pytest.mark.parametrize("sasl2", [True, False])
async def test_accounts_that_are_disabled(server, mechanism, sasl2):
    await server.server.store.accounts.set_disabled("localhost", "alice", True)
    credentials = replace(ALICE, mechanisms=(mechanism,))
    assert await refused(log_in(server, credentials, sasl2=sasl2)) == "account-disabled"
    wrong = replace(credentials, password="wrong")
    assert await refused(log_in(server, wrong, sasl2=sasl2)) == "not-authorized"


async def test_a_token_of_an_account_that_is_disabled(server):
    token = await token_of(server)
    await server.server.store.accounts.set_disabled("localhost", "alice", True)
    assert await refused(log_in(server, with_token(token), user_agent=AGENT)) == "account-disabled"


async def test_keys_are_upgraded(server):
    """XEP-0480: an account that came from elsewhere with keys of SHA-1 only."""
    store = server.server.store
    keys = derive_keys("SHA-1", "pencil", b"a salt of 16 oct", 4096)
    await store.accounts.create("localhost", "carol", [keys], created=0)
    carol = Credentials("carol", "pencil")
    assert told(await log_in(server, carol), Authenticated)[0].mechanism == "SCRAM-SHA-1-PLUS"
    kept = await store.accounts.keys("localhost", "carol")
    assert set(kept) == {"SHA-1", "SHA-256", "SHA-512"} and kept["SHA-1"] == keys
    for name in ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-512-PLUS"):
        await log_in(server, replace(carol, mechanisms=(name,)))


@pytest.mark.parametrize("sasl2", [True, False])
async def test_an_account_is_offered_what_it_has_keys_for(server, sasl2):
    """XEP-0388 §2.1: whoever comes from another server can log in, though others have stronger keys."""
    store = server.server.store
    await store.accounts.create("localhost", "carol", [derive_keys("SHA-1", "pencil", b"salt", 4096)], created=0)
    client = await log_in(server, Credentials("carol", "pencil"), sasl2=sasl2, upgrade_keys=False)
    (authenticated,) = told(client, Authenticated)
    assert authenticated.mechanism == "SCRAM-SHA-1-PLUS"
    client = await log_in(server, sasl2=sasl2)
    assert told(client, Authenticated)[0].mechanism == "SCRAM-SHA-512-PLUS"


async def test_who_does_not_exist_is_offered_what_everybody_is(server):
    offers = []
    for name in ("alice", "nobody"):
        client = await server.raw()
        with pytest.raises(Refused):
            await client.log_in(ClientPolicy(Credentials(name, "wrong")), "localhost")
        offers.append(client.features)
    assert offers[0] == offers[1]


async def test_what_is_asked_for_is_what_lacks(server):
    async def missing(name, *algorithms):
        return (await server.server.credentials.look_up("localhost", name)).missing(algorithms)

    assert await missing("alice", "SHA-1", "SHA-256") == []
    keys = derive_keys("SHA-1", "x", b"salt", 4096)
    await server.server.store.accounts.create("localhost", "dave", [keys], created=0)
    (upgrade,) = await missing("dave", "SHA-1", "SHA-256")
    assert isinstance(upgrade, Upgrade) and upgrade.algorithm == "SHA-256" and upgrade.iterations >= 4096
    assert await missing("nobody", "SHA-1") == []


async def test_two_at_once_with_one_token(server):
    """The token is good for both; the client has one session all the same."""
    token = await token_of(server)
    attempts = [log_in(server, with_token(token), user_agent=AGENT) for _ in range(2)]
    ends = await asyncio.gather(*attempts, return_exceptions=True)
    assert all(
        isinstance(end, TestClient) or (isinstance(end, StreamError) and end.condition == "conflict") for end in ends
    )
    assert len(server.server.hosts["localhost"].accounts["alice"].sessions) == 1
