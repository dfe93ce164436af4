"""Whole servers: several in one process, a clean end, a start after it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from chirrup.core.errors import ChirrupError, ConfigError, StoreError
from chirrup.net import certificates
from chirrup.net.clock import SystemClock
from chirrup.server.app import Server
from chirrup.server.config import Config, load

GATE = """
import asyncio
from chirrup.server.module import Module, iq_get

class Gate(Module):
    "Keeps those who ask."

    async def start(self):
        self.gate = asyncio.Event()

    @iq_get(("wait", "urn:test"))
    async def wait(self, request):
        await self.gate.wait()
"""


async def test_two_servers_of_one_name_know_nothing_of_each_other(chirrup_server):
    async with chirrup_server() as one, chirrup_server() as other:
        alice, elsewhere = await one.client("alice/sofa"), await other.client("alice/sofa")
        assert alice.jid == elsewhere.jid
        alice.send("<message to='alice@localhost/sofa' id='1'/>")
        assert (await alice.receive()).get("id") == "1"
        await one.add_account("bob")
        bob = await other.raw()
        bob.send("<stream:stream to='localhost' version='1.0' xmlns='jabber:client'>")
        await elsewhere.settle()
        assert not elsewhere.received
        assert not await other.server.store.accounts.exists("localhost", "bob")


async def test_one_server_stops_and_the_other_goes_on(chirrup_server):
    async with chirrup_server() as one:
        alice = await one.client("alice")
        async with chirrup_server() as other:
            bob = await other.client("bob")
            end = asyncio.create_task(other.server.stop())
            error = await bob.end()
            assert error is not None and error.condition == "system-shutdown"
            await end
            await alice.settle()


async def test_everybody_hears_of_the_end(chirrup_server):
    """In the clear and under TLS, logged in or not yet: the error, the end of the stream, that of the connection."""
    async with chirrup_server() as server:
        clients = [
            await server.client("alice", presence=True),
            await server.client("alice"),
            await server.client("bob", direct_tls=True),
            await server.raw(),
        ]
        end = asyncio.create_task(server.server.stop())
        for client in clients:
            error = await client.end()
            assert error is not None and error.condition == "system-shutdown"
            assert client.parser.ended
        await end


async def test_what_was_acknowledged_before_the_end_is_there_after_it(chirrup_server):
    async with chirrup_server(name="home") as server:
        await server.add_account("alice")
        bob = await server.client("bob/desk")
        for number in range(50):
            bob.send(f"<message to='alice@localhost' type='chat' id='{number}'><body>{number}</body></message>")
        await bob.settle()
    async with chirrup_server(name="home") as server:
        alice = await server.client("alice/sofa")
        alice.send("<presence/>")
        assert (await alice.receive()).name == "presence"
        messages = [await alice.receive() for _ in range(50)]
        assert [message.child_text("body") for message in messages] == [str(number) for number in range(50)]
        assert messages[0].get("from") == "bob@localhost/desk"


async def test_accounts_rosters_and_passwords_outlive_a_server(chirrup_server):
    async with chirrup_server(name="home") as server:
        alice = await server.client("alice", "her own")
        alice.send("<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='bob@localhost'/></query></iq>")
        assert (await alice.receive()).get("type") == "result"
    async with chirrup_server(name="home") as server:
        alice = await server.client("alice", "her own")
        alice.send("<iq type='get' id='2'><query xmlns='jabber:iq:roster'/></iq>")
        assert (await alice.receive()).first.first.get("jid") == "bob@localhost"


async def test_a_handler_that_never_comes_back_does_not_keep_the_server(chirrup_server, module, monkeypatch):
    monkeypatch.setattr("chirrup.server.app._DRAIN", 0.05)
    async with chirrup_server(module(GATE)) as server:
        alice = await server.client("alice")
        alice.send("<iq type='get' id='1' to='localhost'><wait xmlns='urn:test'/></iq>")
        await (await server.client("bob")).settle()
        await server.server.stop()
        error = await alice.end()
        assert error is not None and error.condition == "system-shutdown"


async def test_a_client_that_never_leaves_does_not_keep_the_server(chirrup_server, monkeypatch):
    monkeypatch.setattr("chirrup.server.app._DRAIN", 0.05)
    async with chirrup_server() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port())
        await server.server.stop()
        assert b"system-shutdown" in await reader.read()
        writer.close()


async def test_to_stop_twice_is_to_stop_once(chirrup_server):
    async with chirrup_server() as server:
        await server.server.stop()
        await server.server.stop()


async def test_nothing_is_left_running(chirrup_server):
    before = asyncio.all_tasks()
    async with chirrup_server() as server:
        alice = await server.client("alice", presence=True)
        port = server.port()
        await alice.close()
    assert asyncio.all_tasks() == before
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_a_port_that_is_taken_leaves_nothing_running(chirrup_server, tmp_path):
    async with chirrup_server() as server:
        listen = {"c2s": {"addresses": ["127.0.0.1"], "port": server.port()}}
        other = Server(Config.model_validate({"data": str(tmp_path / "other"), "listen": listen}))
        before = asyncio.all_tasks()
        with pytest.raises(ChirrupError, match=f"another program listens on 127.0.0.1:{server.port()} already"):
            await other.start()
        assert asyncio.all_tasks() == before
        await (await server.client("alice")).settle()


async def test_a_data_folder_has_one_server(chirrup_server, tmp_path):
    async with chirrup_server(name="home") as server:
        listen = {"c2s": {"addresses": ["127.0.0.1"], "port": 0}, "c2s_direct_tls": {"enabled": False}}
        second = Server(Config.model_validate({"data": str(tmp_path / "home"), "listen": listen}))
        with pytest.raises(StoreError):
            await second.start()
        await (await server.client("alice")).settle()


async def test_a_whole_life_logs_no_error(chirrup_server, caplog):
    async with chirrup_server() as server:
        alice = await server.client("alice", presence=True)
        bob = await server.client("bob", presence=True)
        alice.send(f"<message to='{bob.jid}' type='chat'><body>hi</body></message>")
        await bob.receive()
        await alice.close()
        bob.drop()
    assert not [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


async def test_limits_are_taken_over_while_it_runs(chirrup_server):
    async with chirrup_server() as server:
        await server.client("alice/sofa")
        config = server.server.config
        fewer = config.limits.model_copy(update={"resources_per_account": 1})
        assert await server.server.reload(config.model_copy(update={"limits": fewer})) == [
            "limits: taken over for new connections"
        ]
        with pytest.raises(Exception, match="resource-constraint"):
            await server.client("alice/desk")


RELOADED = """
data = "data"
[listen.c2s]
addresses = ["127.0.0.1"]
port = 0
[listen.c2s_direct_tls]
enabled = false
[hosts.localhost]
"""


@pytest.fixture
async def reloading(tmp_path: Path) -> AsyncIterator[Callable[[str], Awaitable[list[str]]]]:
    """A server, and how it takes a configuration with something more in it."""
    file = tmp_path / "chirrup.toml"
    file.write_text(RELOADED)
    server = Server(load(file))

    async def reload(more: str) -> list[str]:
        file.write_text(RELOADED + more)
        return await server.reload(server.config.again())

    await server.start()
    try:
        yield reload
    finally:
        await server.stop()


async def test_what_waits_for_a_restart_is_told_until_it_is_done_or_taken_back(reloading) -> None:
    assert await reloading("") == ["nothing has changed"]
    waits = ["hosts.localhost: has changed; restart the server for it to take effect"]
    for _ in range(2):
        assert await reloading('admins = ["alice@localhost"]') == waits
    assert await reloading("") == ["nothing has changed"]


async def test_other_certificates_need_no_restart(reloading, tmp_path: Path) -> None:
    pair = certificates.make("localhost", tmp_path / "mine", SystemClock().time())
    assert await reloading(f'certificate = "{pair.certificate}"\nkey = "{pair.key}"') == ["certificates: read anew"]


@pytest.mark.parametrize("fault", ['modules_enabled = ["diec"]', "[modules.archive]\ndayz = 3"])
async def test_what_a_server_could_not_start_with_is_not_taken_over(reloading, fault: str) -> None:
    with pytest.raises(ConfigError, match=r"chirrup\.toml:\d+: .*die|dayz: unknown key"):
        await reloading(fault)
    assert await reloading("") == ["nothing has changed"]
