"""Sessions: order behind handlers that wait, the end, modules that fail, and what is stored before it is answered."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.plugins.on_postgres import only_on_sqlite

from chirrup.core.xml import Element
from chirrup.testing import TestServer

UNLIMITED = {"limits": {"bytes_per_second": 10**9, "burst_bytes": 10**9}}
WAIT = "<iq type='get' id='wait' to='localhost'><wait xmlns='urn:test'/></iq>"
PING = "<iq type='get' id='{id}' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>"

GATE = """
import asyncio
from chirrup.server.module import Addressee, Module, iq_get

class Gate(Module):
    "Keeps those who ask until it is opened."

    async def start(self):
        self.gate = asyncio.Event()
        self.kept = 0

    @iq_get(("wait", "urn:test"))
    async def wait(self, request):
        self.kept += 1
        await self.gate.wait()
"""


def module_of(server: TestServer) -> Any:
    """The instance of the module under test."""
    return next(m for m in server.server.hosts["localhost"].modules.values() if m.name() == "under_test")


# -- behind a handler that waits


async def test_what_comes_behind_a_handler_that_waits_waits_too(bystanders, module):
    async with bystanders(module(GATE)) as they:
        carol = await they.server.client("carol")
        carol.send(WAIT + f"<message to='{carol.jid}' id='m'/>" + PING.format(id="p"))
        first = asyncio.create_task(carol.receive())
        await they.outlast(first)
        module_of(they.server).gate.set()
        answers = [await first, await carol.receive(), await carol.receive()]
        assert [answer.get("id") for answer in answers] == ["wait", "m", "p"]


async def test_each_of_several_handlers_is_waited_for(bystanders, module):
    async with bystanders(module(GATE)) as they:
        carol = await they.server.client("carol")
        carol.send((WAIT + PING.format(id="p")) * 3)
        first = asyncio.create_task(carol.receive())
        await they.outlast(first)
        gate = module_of(they.server)
        assert gate.kept == 1
        gate.gate.set()
        await first
        assert [(await carol.receive()).get("id") for _ in range(5)] == ["p", "wait", "p", "wait", "p"]


async def test_nobody_else_waits(bystanders, module):
    async with bystanders(module(GATE)) as they:
        carol, dave = await they.server.client("carol"), await they.server.client("dave")
        carol.send(WAIT)
        dave.send(f"<message to='{carol.jid}' id='m'/>")
        assert (await carol.receive()).get("id") == "m"
        module_of(they.server).gate.set()
        await carol.receive()


async def test_a_client_whose_stanzas_wait_is_not_read(bystanders, module):
    """Only so many are kept; the rest stays with the client, until they can be processed, in order."""
    async with bystanders({**module(GATE), **UNLIMITED}) as they:
        carol = await they.server.client("carol")
        carol.send(WAIT)
        for number in range(600):
            carol.send(f"<message to='{carol.jid}' id='{number}'><body>{'a' * 50_000}</body></message>")
        before = -1
        while carol.unsent != before:
            before = carol.unsent
            for _ in range(5):
                await they.chat()
        assert carol.unsent > 1_000_000
        module_of(they.server).gate.set()
        assert (await carol.receive()).get("id") == "wait"
        assert [(await carol.receive()).get("id") for _ in range(600)] == [str(number) for number in range(600)]


# -- when the client goes


async def test_a_client_that_closes_its_stream_gets_its_answers_first(bystanders, module):
    async with bystanders(module(GATE)) as they:
        carol = await they.server.client("carol")
        carol.send(WAIT + PING.format(id="p") + "</stream:stream>")
        first = asyncio.create_task(carol.receive())
        await they.outlast(first)
        module_of(they.server).gate.set()
        assert [(await first).get("id"), (await carol.receive()).get("id")] == ["wait", "p"]
        assert await carol.end() is None
        assert carol.parser.ended


async def test_a_fault_is_told_after_what_came_before_it(bystanders, module):
    async with bystanders(module(GATE)) as they:
        carol = await they.server.client("carol")
        carol.send(WAIT + PING.format(id="p") + "</nothing>")
        first = asyncio.create_task(carol.receive())
        await they.outlast(first)
        module_of(they.server).gate.set()
        assert [(await first).get("id"), (await carol.receive()).get("id")] == ["wait", "p"]
        error = await carol.end()
        assert error is not None and error.condition == "not-well-formed"


async def test_messages_of_who_was_cut_off_are_delivered_and_presence_is_not(bystanders, module):
    async with bystanders(module(GATE)) as they:
        sofa = await they.server.client("carol/sofa", presence=True)
        desk = await they.server.client("carol/desk")
        desk.send(WAIT + f"<presence/><message to='{sofa.jid}' id='last'/>")
        gate = module_of(they.server)
        while not gate.kept:
            await they.chat()
        desk.drop()
        while len(they.server.server.hosts["localhost"].accounts["carol"].sessions) > 1:
            await they.chat()
        gate.gate.set()
        assert (await sofa.receive()).get("id") == "last"
        await sofa.settle()
        assert not sofa.received


async def test_nothing_waits_any_more_when_the_account_is_removed(bystanders, module):
    async with bystanders(module(GATE)) as they:
        carol = await they.server.client("carol")
        carol.send(WAIT + f"<message to='{they.alice.jid}' id='late'/>")
        gate = module_of(they.server)
        while not gate.kept:
            await they.chat()
        assert await they.server.server.hosts["localhost"].remove_account("carol")
        error = await carol.end()
        assert error is not None and error.condition == "not-authorized"
        gate.gate.set()
        await they.chat()
        await they.alice.settle()
        assert not they.alice.received


# -- modules that fail

FAILING = """
from chirrup.server import hooks
from chirrup.server.module import Addressee, Module, iq_get

class Failing(Module):
    "Fails wherever it is asked to."

    @iq_get(("fail", "urn:test"), to=[Addressee.HOST, Addressee.ACCOUNT])
    def fail(self, request):
        raise RuntimeError("asked to")

    @iq_get(("fail-later", "urn:test"))
    async def fail_later(self, request):
        raise RuntimeError("asked to")

    @iq_get(("nonsense", "urn:test"))
    def nonsense(self, request):
        return 42

    @hooks.message_out()
    def message_out(self, session, stanza, to):
        self.fail_for(stanza, "message_out")

    @hooks.message_in()
    def message_in(self, account, stanza, to, origin):
        self.fail_for(stanza, "message_in")

    @hooks.message_delivered()
    def message_delivered(self, account, stanza, sessions):
        self.fail_for(stanza, "message_delivered")

    @hooks.presence_directed()
    def presence_directed(self, session, stanza, to):
        self.fail_for(stanza, "presence_directed")

    @hooks.iq_out()
    def iq_out(self, session, stanza, to):
        self.fail_for(stanza, "iq_out")

    @hooks.session_bound()
    def session_bound(self, session):
        if session.jid.resource == "unwanted":
            raise RuntimeError("asked to")

    @hooks.session_closed()
    def session_closed(self, session):
        if session.jid.resource == "sticky":
            raise RuntimeError("asked to")

    @hooks.account_loading()
    async def account_loading(self, account):
        if account.jid.local == "broken":
            raise RuntimeError("asked to")

    def fail_for(self, stanza, where):
        if stanza.get("id") == where:
            raise RuntimeError("asked to")
"""

FAULTS = {
    "an IQ handler": "<iq type='get' to='localhost' id='1'><fail xmlns='urn:test'/></iq>",
    "one for accounts": "<iq type='get' to='alice@localhost' id='1'><fail xmlns='urn:test'/></iq>",
    "one that waits": "<iq type='get' to='localhost' id='1'><fail-later xmlns='urn:test'/></iq>",
    "one that answers nonsense": "<iq type='get' to='localhost' id='1'><nonsense xmlns='urn:test'/></iq>",
    "on a message's way out": "<message to='alice@localhost' id='message_out' type='chat'><body/></message>",
    "on its way in": "<message to='alice@localhost' id='message_in' type='chat'><body/></message>",
    "on presence's way out": "<presence to='alice@localhost' id='presence_directed'/>",
    "on an IQ's way out": "<iq to='alice@localhost/x' type='get' id='iq_out'><x xmlns='urn:x'/></iq>",
    "in loading an account": "<message to='broken@localhost' type='chat' id='1'><body/></message>",
}


@pytest.mark.parametrize("stanza", FAULTS.values(), ids=FAULTS.keys())
async def test_a_module_that_fails_costs_one_stanza(bystanders, module, stanza):
    async with bystanders(module(FAILING), errors=True) as they:
        await they.server.add_account("broken")
        carol = await they.server.client("carol")
        carol.send(stanza)
        answer = await carol.receive()
        error = answer.child("error")
        assert (answer.get("type"), error.first.name) == ("error", "internal-server-error")
        assert "asked to" not in answer.to_bytes().decode(), "what failed is the operator's affair"
        await carol.settle()


async def test_a_module_that_fails_after_delivery_costs_nothing(bystanders, module):
    async with bystanders(module(FAILING), errors=True) as they:
        carol = await they.server.client("carol")
        carol.send(f"<message to='{they.alice.jid}' id='message_delivered'/>")
        assert (await they.alice.receive()).get("id") == "message_delivered"
        await carol.settle()


async def test_a_module_that_fails_at_binding_leaves_no_ghost(bystanders, module):
    async with bystanders(module(FAILING), errors=True) as they:
        with pytest.raises(Exception, match="internal-server-error"):
            await they.server.client("carol/unwanted")
        assert not they.server.server.hosts["localhost"].accounts["carol"].sessions
        await they.server.client("carol/wanted")


async def test_a_module_that_fails_at_the_end_leaves_no_ghost(bystanders, module):
    async with bystanders(module(FAILING), errors=True) as they:
        carol = await they.server.client("carol/sticky")
        await carol.close()
        while they.server.server.hosts["localhost"].accounts["carol"].sessions:
            await they.chat()


async def test_an_account_that_can_not_be_loaded_refuses_its_own_clients(bystanders, module):
    async with bystanders(module(FAILING), errors=True) as they:
        with pytest.raises(Exception, match="internal-server-error"):
            await they.server.client("broken")


# -- acknowledged means stored


class Lock:
    """Keeps the store's writer from going on."""

    def __init__(self, server: TestServer) -> None:
        self._open = threading.Event()
        self.write = server.server.store.submit(lambda connection: self._open.wait(30))

    def release(self) -> None:
        self._open.set()


def stored(data: Path) -> list[str]:
    """The messages for nurse that another process finds in the database."""
    with closing(sqlite3.connect(f"file:{data / 'chirrup.db'}?mode=ro", uri=True)) as database:
        return [value for (value,) in database.execute("SELECT value FROM message WHERE owner LIKE 'nurse@%'")]


@only_on_sqlite
async def test_an_answer_behind_a_message_comes_when_the_message_is_stored(bystanders):
    async with bystanders() as they:
        await they.server.add_account("nurse")
        carol = await they.server.client("carol")
        await carol.settle()
        lock = Lock(they.server)
        carol.send("<message to='nurse@localhost' type='chat' id='m'><body>keep this</body></message>")
        acknowledged = asyncio.create_task(
            carol.ask(Element("iq", "jabber:client", Element("ping", "urn:xmpp:ping"), type="get"))
        )
        await they.outlast(acknowledged)
        assert not stored(they.server.server.config.data)
        lock.release()
        assert (await acknowledged).get("type") in ("result", "error")
        [message] = stored(they.server.server.config.data)
        assert "keep this" in message


async def test_answers_before_it_and_other_peoples_messages_do_not_wait(bystanders):
    async with bystanders() as they:
        await they.server.add_account("nurse")
        carol, dave = await they.server.client("carol"), await they.server.client("dave")
        lock = Lock(they.server)
        carol.send(
            PING.format(id="before")
            + "<message to='nurse@localhost' type='chat'><body>keep this</body></message>"
            + PING.format(id="behind")
        )
        assert (await carol.receive()).get("id") == "before"
        dave.send(f"<message to='{carol.jid}' id='m'/>")
        assert (await carol.receive()).get("id") == "m"
        lock.release()
        assert (await carol.receive()).get("id") == "behind"


async def test_errors_and_answers_behind_it_keep_their_order(bystanders):
    async with bystanders() as they:
        await they.server.add_account("nurse")
        carol = await they.server.client("carol")
        lock = Lock(they.server)
        keep = "<message to='nurse@localhost' type='chat'><body>keep this</body></message>"
        refused = "<message to='nobody@localhost' type='chat' id='{}'/>"
        carol.send(keep + PING.format(id="1") + refused.format(2) + keep + PING.format(id="3"))
        first = asyncio.create_task(carol.receive())
        await they.outlast(first)
        lock.release()
        assert [(await first).get("id"), *[(await carol.receive()).get("id") for _ in range(2)]] == ["1", "2", "3"]


@only_on_sqlite
async def test_the_end_of_the_stream_is_answered_when_all_is_stored(bystanders):
    async with bystanders() as they:
        await they.server.add_account("nurse")
        carol = await they.server.client("carol")
        lock = Lock(they.server)
        carol.send("<message to='nurse@localhost' type='chat'><body>keep this</body></message></stream:stream>")
        end = asyncio.create_task(carol.end())
        await they.outlast(end)
        lock.release()
        assert await end is None and carol.parser.ended
        assert len(stored(they.server.server.config.data)) == 1


@only_on_sqlite
async def test_what_can_not_be_stored_comes_back(bystanders):
    """The sender gets its message back as an error, before the answer to what it sent behind it."""
    async with bystanders(errors=True) as they:
        await they.server.add_account("nurse")
        carol = await they.server.client("carol")
        await they.server.server.store.submit(
            lambda connection: connection.exec_driver_sql(
                "CREATE TRIGGER full BEFORE INSERT ON message WHEN NEW.owner LIKE 'nurse@%'"
                " BEGIN SELECT RAISE(FAIL, 'no room'); END"
            )
        )
        carol.send("<message to='nurse@localhost' type='chat' id='m'><body>lost</body></message>" + PING.format(id="p"))
        back = await carol.receive()
        assert (back.get("id"), back.get("type")) == ("m", "error")
        error = back.child("error")
        assert (error.get("type"), error.first.name) == ("wait", "internal-server-error")
        assert (await carol.receive()).get("id") == "p"
