from __future__ import annotations

import asyncio
from typing import Any

from chirrup import Client, ConnectionState, Element, Message
from chirrup.client import backoff
from chirrup.ext.client_state.client import ClientState
from chirrup.ext.client_state.waiting import Waiting
from chirrup.ext.markers.payloads import Displayed
from chirrup.testing import FakeClock, TestServer, serve


def is_inactive(server: TestServer, client: Client) -> bool:
    session = server.server.hosts["localhost"].accounts[client.jid.local].sessions[client.jid.resource]
    return Waiting in session.data


async def first(feed: Any) -> Any:
    async with asyncio.timeout(10):
        return await anext(feed)


async def test_what_can_wait_comes_when_somebody_looks() -> None:
    async with (
        serve() as server,
        await server.sdk("juliet/phone", features=[ClientState]) as phone,
        await server.sdk("romeo") as romeo,
    ):
        state, came = phone.need(ClientState), phone.messages(lambda message: message.has(Displayed))
        await state.inactive()
        await phone.settle()
        assert is_inactive(server, phone)
        await romeo.send(Message(phone.jid, None, Displayed("1")))
        await romeo.settle()
        await state.active()
        assert (await first(came)).get(Displayed) == Displayed("1")
        assert not is_inactive(server, phone)


async def test_it_holds_for_the_next_session() -> None:
    async with serve() as server, await server.sdk("juliet/phone", features=[ClientState]) as phone:
        state = phone.need(ClientState)
        await state.inactive()
        await state.inactive()
        await phone.close()
        await phone.connect()
        await phone.settle()
        assert is_inactive(server, phone)
        await phone.close()
        await state.active()  # which can't be said now
        await phone.connect()
        await phone.settle()
        assert not is_inactive(server, phone)


async def test_a_session_that_goes_on_is_told_again() -> None:
    """Which it is active without (§5.2), and comes without new stream features (XEP-0198 §9.2)."""
    clock = FakeClock()
    async with serve() as server, await server.sdk("juliet", features=[ClientState], clock=clock) as phone:
        offered, states = phone.server_features, phone.states()
        await phone.need(ClientState).inactive()
        await phone.settle()
        assert phone._link is not None
        phone._link.abort()
        async with asyncio.timeout(10):
            while not (change := await anext(states)).resumed:
                if change.state is ConnectionState.WAITING:
                    clock.advance(backoff.FIRST)
        assert phone.server_features is offered
        await phone.settle()
        assert is_inactive(server, phone)


async def test_a_server_that_does_not_offer_it_is_told_nothing() -> None:
    async with (
        serve({"hosts": {"localhost": {"modules_disabled": ["client_state"]}}}) as server,
        await server.sdk("juliet/phone", features=[ClientState]) as phone,
    ):
        await phone.need(ClientState).inactive()
        await phone.settle()


async def test_what_is_said_is_no_stanza() -> None:
    """Stream management counts stanzas only: with a wrong count the session would end."""
    async with serve() as server, await server.sdk("juliet/phone", features=[ClientState]) as phone:
        for _ in range(3):
            await phone.need(ClientState).inactive()
            await phone.need(ClientState).active()
        for _ in range(100):
            await phone.send(Element("message", "jabber:client", to="nobody@localhost", type="headline"))
        await phone.settle()
        assert phone.change.reason is None
