"""What becomes of tokens (XEP-0484): given, used, renewed, counted, taken away."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from chirrup.core.errors import SASLError
from chirrup.core.features import UserAgent
from chirrup.core.features.fast import TokenUse
from chirrup.core.jid import JID
from chirrup.core.sasl import KnownToken
from chirrup.testing import FakeClock, serve

ALICE, BOB = JID("alice@localhost"), JID("bob@localhost")
AGENT = UserAgent("d4565fa7-4d72-4749-b3d3-740edbf87770", "AwesomeXMPP", "Kiva's Phone")
ANOTHER = replace(AGENT, id="11111111-2222-4333-8444-555555555555")
ENDP, NONE = "HT-SHA-256-ENDP", "HT-SHA-256-NONE"
DAY = 86_400


class Kept:
    """The tokens of a server's accounts, as log-in sees them."""

    def __init__(self, server, clock):
        self.server = server
        self.clock = clock
        self.tokens = server.server.hosts["localhost"].tokens

    async def give(self, agent=AGENT, mechanism=ENDP, account=ALICE):
        return await self.tokens.give(account, agent, mechanism)

    async def use(self, token, *, count=None, invalidate=False, wanted="", agent=AGENT):
        use = TokenUse(token.mechanism, KnownToken(token.secret), count, invalidate)
        return await self.tokens.use(ALICE, agent, use, wanted)

    async def refused(self, token, **options):
        with pytest.raises(SASLError) as caught:
            await self.use(token, **options)
        return caught.value.condition == "not-authorized"

    async def secrets(self, agent=AGENT, mechanism=ENDP, account=ALICE, *, expired=False):
        known = await self.tokens.known(account, agent.id, mechanism)
        return [token.secret for token in known if token.expired == expired]


@pytest.fixture
async def kept():
    clock = FakeClock()
    async with serve(clock=clock) as server:
        await server.add_account("alice")
        await server.add_account("bob")
        yield Kept(server, clock)


async def test_each_is_its_client_s_for_one_mechanism(kept):
    token = await kept.give()
    assert await kept.secrets() == [token.secret]
    assert await kept.secrets(ANOTHER) == await kept.secrets(mechanism=NONE) == await kept.secrets(account=BOB) == []


async def test_no_two_are_the_same(kept):
    given = [await kept.give(), await kept.give(), await kept.give(ANOTHER), await kept.give(account=BOB)]
    assert len({token.secret for token in given}) == 4


async def test_the_older_one_is_good_until_the_newer_one_is_used(kept):
    """§4.5"""
    old = await kept.give()
    await kept.use(old)
    kept.clock.advance(2 * DAY)
    new = await kept.use(old)
    assert new is not None and await kept.secrets() == [new.secret, old.secret]
    newer = await kept.use(old)  # the newer one got lost on the way
    assert newer is not None and await kept.secrets() == [newer.secret, old.secret]
    assert await kept.use(newer) is None
    assert await kept.secrets() == [newer.secret]
    assert await kept.refused(old) and await kept.refused(new)


async def test_one_that_was_given_anew_before_it_was_used_is_gone(kept):
    first = await kept.give()
    second = await kept.give()
    assert await kept.secrets() == [second.secret] and await kept.refused(first)


async def test_it_is_renewed_after_a_day(kept):
    token = await kept.give()
    kept.clock.advance(DAY - 1)
    assert await kept.use(token) is None
    kept.clock.advance(1)
    new = await kept.use(token)
    assert new is not None and new.mechanism == token.mechanism and new.expiry > token.expiry


async def test_it_expires(kept):
    token = await kept.give()
    kept.clock.advance(21 * DAY - 1)
    assert await kept.secrets() == [token.secret]
    kept.clock.advance(1)
    assert await kept.secrets() == [] and await kept.secrets(expired=True) == [token.secret]


async def test_settings():
    clock = FakeClock()
    settings = {"modules": {"tokens": {"days": 2, "renew_after_days": 0}}}
    async with serve(settings, clock=clock) as server:
        await server.add_account("alice")
        kept = Kept(server, clock)
        token = await kept.give()
        assert await kept.use(token) is not None
        clock.advance(2 * DAY)
        assert await kept.secrets() == []


async def test_it_is_invalidated(kept):
    """§4.6: with what was given in its place and not used yet."""
    token = await kept.give()
    kept.clock.advance(2 * DAY)
    new = await kept.use(token)
    assert await kept.use(token, invalidate=True) is None
    assert await kept.secrets() == [] and await kept.refused(token) and await kept.refused(new)


async def test_it_is_invalidated_for_another_one(kept):
    token = await kept.give()
    new = await kept.use(token, invalidate=True, wanted=NONE)
    assert new is not None and new.mechanism == NONE
    assert await kept.secrets() == [] and await kept.secrets(mechanism=NONE) == [new.secret]


async def test_no_count_comes_twice(kept):
    """§4.4: somebody who has recorded a log-in can't repeat it."""
    token = await kept.give()
    await kept.use(token, count=5)
    for count in (5, 4, 0):
        assert await kept.refused(token, count=count)
    await kept.use(token, count=6)
    await kept.use(token)  # no count is no early data, which alone could be repeated


async def test_counts_are_a_token_s_own(kept):
    token = await kept.give()
    kept.clock.advance(2 * DAY)
    new = await kept.use(token, count=5)
    await kept.use(new, count=1)
    assert await kept.refused(new, count=1)


async def test_one_count_at_once(kept):
    token = await kept.give()
    results = await asyncio.gather(*[kept.use(token, count=1) for _ in range(5)], return_exceptions=True)
    assert sum(isinstance(result, SASLError) for result in results) == 4


async def test_a_new_password_takes_them_away(kept):
    token = await kept.give()
    other = await kept.give(account=BOB)
    store = kept.server.server.store
    await store.accounts.set_keys("localhost", "alice", await kept.server.server.credentials.make("new"))
    assert await kept.secrets() == [] and await kept.refused(token)
    assert await kept.secrets(account=BOB) == [other.secret]


async def test_they_go_with_the_account(kept):
    token = await kept.give()
    await kept.server.server.hosts["localhost"].remove_account("alice")
    await kept.server.add_account("alice")
    assert await kept.secrets() == [] and await kept.refused(token)


async def test_none_for_an_account_that_is_gone(kept):
    await kept.server.server.hosts["localhost"].remove_account("alice")
    with pytest.raises(SASLError):
        await kept.give()


async def test_so_many_clients_have_one():
    clock = FakeClock()
    async with serve({"modules": {"tokens": {"clients_per_account": 3}}}, clock=clock) as server:
        await server.add_account("alice")
        kept = Kept(server, clock)
        agents = [replace(AGENT, id=AGENT.id[:-1] + str(number)) for number in range(5)]
        for agent in agents:
            await kept.give(agent)
            clock.advance(60)
        having = [agent for agent in agents if await kept.secrets(agent)]
        assert having == agents[2:]
        await kept.give(agents[2])  # who has one already takes nobody's place
        assert [agent for agent in agents if await kept.secrets(agent)] == agents[2:]


async def test_the_store_does_not_have_them(kept):
    token = await kept.give()
    store = kept.server.server.store
    written = await store.map("tokens").all(ALICE.text)
    assert token.secret not in str(written) and AGENT.software in str(written)
