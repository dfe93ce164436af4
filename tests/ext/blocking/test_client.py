from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chirrup import JID, Message
from chirrup.core.errors import StanzaError
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.blocking import ABUSE, ERRORS
from chirrup.ext.blocking.client import Blocking, Change
from chirrup.ext.blocking.payloads import Block, Item
from chirrup.testing import serve

ROMEO = JID("romeo@localhost")


async def first(feed: Any) -> Any:
    async with asyncio.timeout(10):
        return await anext(feed)


async def test_a_list_on_two_devices() -> None:
    async with (
        serve() as server,
        await server.sdk("juliet/balcony", features=[Blocking]) as balcony,
        await server.sdk("juliet/chamber", features=[Blocking]) as chamber,
    ):
        blocking, other = balcony.need(Blocking), chamber.need(Blocking)
        changes = other.changes()
        await blocking.block(ROMEO, "example.org")
        assert [await first(changes) for _ in range(2)] == [Change(ROMEO, True), Change(JID("example.org"), True)]
        assert list(other) == [ROMEO, JID("example.org")]
        assert ROMEO in other
        assert "romeo@localhost/orchard" not in other
        assert other.blocks("romeo@localhost/orchard")
        assert other.blocks("anybody@example.org")
        assert not other.blocks("tybalt@localhost")
        errors = balcony.messages(lambda message: message.error is not None)
        await balcony.send(Message(ROMEO, "Can you hear me now?"))
        error = (await first(errors)).error
        assert error is not None
        assert error.app == f"{{{ERRORS}}}blocked"
        await blocking.unblock(ROMEO)
        assert await first(changes) == Change(ROMEO, False)
        await blocking.unblock()
        assert await first(changes) == Change(JID("example.org"), False)
        assert len(other) == 0


async def test_the_list_is_loaded_with_each_session() -> None:
    async with serve() as server, await server.sdk("juliet/balcony", features=[Blocking]) as balcony:
        async with await server.sdk("juliet/chamber", features=[Blocking]) as chamber:
            await balcony.close()
            await chamber.need(Blocking).block(ROMEO)
        changes = balcony.need(Blocking).changes()
        await balcony.connect()
        assert await first(changes) == Change(ROMEO, True)


async def test_a_list_of_a_hundred_thousand() -> None:
    """It comes in one answer: a client that took less would never get beyond it."""
    async with serve() as server:
        await server.add_account("juliet@localhost")
        jids = {f"somebody{number}@example.net": "" for number in range(100_000)}
        await server.server.store.map("blocked").set_many("juliet@localhost", jids)
        async with await server.sdk("juliet", features=[Blocking]) as juliet:
            blocking = juliet.need(Blocking)
            assert len(blocking) == 100_000
            assert blocking.blocks("somebody99999@example.net/x")


async def test_a_report() -> None:
    settings = {"modules": {"blocking": {"report_to": ["friar@localhost"]}}}
    async with (
        serve(settings) as server,
        await server.sdk("friar") as friar,
        await server.sdk("juliet", features=[Blocking]) as juliet,
    ):
        reports = friar.messages()
        await juliet.need(Blocking).report(ROMEO, "Never came trouble", reason=ABUSE)
        assert (await first(reports)).body == f"juliet@localhost reports {ROMEO}: {ABUSE}\nNever came trouble"


async def test_nobody_else_changes_the_list() -> None:
    async with serve() as server, await server.sdk("juliet/balcony", features=[Blocking]) as juliet:
        answer = await push(server, "tybalt@localhost/home")
        assert answer == "service-unavailable"
        assert len(juliet.need(Blocking)) == 0


async def push(server: Any, sender: str) -> str:
    """What a client answers to a push that says it comes from there: the error's condition."""
    session = server.server.hosts["localhost"].accounts["juliet"].sessions["balcony"]
    tybalt = await server.client(sender)
    block = Block((Item(ROMEO),)).to_element()
    session.send(Element("iq", CLIENT, block, type="set", id="1", from_=sender, to=session.jid))
    answer = await tybalt.receive()
    assert answer.get("id") == "1"
    error = answer.child("error")
    return str(error.first.name)


async def test_a_server_without_lists() -> None:
    async with (
        serve({"hosts": {"localhost": {"modules_disabled": ["blocking"]}}}) as server,
        await server.sdk("juliet", features=[Blocking]) as juliet,
    ):
        with pytest.raises(StanzaError, match="service-unavailable"):
            await juliet.need(Blocking).block(ROMEO)
