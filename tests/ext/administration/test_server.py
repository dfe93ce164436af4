"""Administration by commands: who may, and what each of them does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chirrup.core.errors import StanzaError
from chirrup.core.stanza import read_error
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.administration import NS
from chirrup.ext.commands import NS as COMMANDS
from chirrup.ext.commands.payloads import Command
from chirrup.ext.forms.payloads import Field, Form
from chirrup.testing import FakeClock, Refused, TestClient, serve
from chirrup.testing.client import credentials
from chirrup.testing.server import TestServer

ADMIN = {"hosts": {"localhost": {"admins": ["root@localhost"]}}}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TestServer]:
    async with serve(ADMIN, data=tmp_path) as running:
        yield running


@pytest.fixture
async def root(server: TestServer) -> TestClient:
    return await server.client("root", presence=True)


async def command(client: TestClient, name: str, **values: str) -> Command:
    """Give a command, with the answers to its form if there are any, and return what it says at last."""
    answer = await step(client, Command(f"{NS}#{name}"))
    if answer.status == "completed":
        return answer
    fields = tuple(Field(var.replace("__", "-"), values=tuple(value.split("\n"))) for var, value in values.items())
    return await step(client, Command(f"{NS}#{name}", answer.sessionid, form=Form("submit", fields=fields)))


async def step(client: TestClient, payload: Command) -> Command:
    answer = await client.ask(Element("iq", CLIENT, payload.to_element(), type="set", to="localhost"))
    if answer.get("type") == "error":
        raise read_error(answer)
    first = answer.first
    assert first is not None
    return Command.parse(first)


def told(answer: Command) -> tuple[str, str]:
    return answer.notes[0].type, answer.notes[0].text


def fact(answer: Command, var: str) -> tuple[str, ...]:
    assert answer.form is not None
    return answer.form.values(var)


async def items(client: TestClient, node: str) -> list[str]:
    query = Element("query", "http://jabber.org/protocol/disco#items", node=node)
    answer = await client.ask(Element("iq", CLIENT, query, type="get", to="localhost"))
    assert answer.first is not None
    return [item.get("node") for item in answer.first.elements("item")]


async def test_only_administrators_see_and_give_them(server: TestServer, root: TestClient) -> None:
    alice = await server.client("alice")
    assert f"{NS}#add-user" in await items(root, COMMANDS)
    assert not [node for node in await items(alice, COMMANDS) if node.startswith(NS)]
    for name in ("add-user", "delete-user", "shutdown", "get-registered-users-num"):
        with pytest.raises(Exception, match="forbidden"):
            await command(alice, name)


async def test_a_user_is_added_and_can_log_in(server: TestServer, root: TestClient) -> None:
    answer = await command(root, "add-user", accountjid="juliet@localhost", password="R0m30", password__verify="R0m30")
    assert told(answer) == ("info", "juliet@localhost was added")
    client = await server.raw()
    await client.log_in(credentials("juliet", "R0m30", tls_required=False), "localhost")


@pytest.mark.parametrize(
    ("jid", "passwords", "said"),
    [
        ("juliet@localhost", ("a", "b"), "differ"),
        ("juliet@elsewhere", ("a", "a"), "no account of localhost"),
        ("localhost", ("a", "a"), "no account of localhost"),
    ],
)
async def test_who_cannot_be_added(root: TestClient, jid: str, passwords: tuple[str, str], said: str) -> None:
    answer = await command(root, "add-user", accountjid=jid, password=passwords[0], password__verify=passwords[1])
    assert answer.notes[0].type == "error"
    assert said in answer.notes[0].text


async def test_who_is_there_cannot_be_added_again(root: TestClient) -> None:
    """XEP-0133 §5: that is a conflict, and an error."""
    with pytest.raises(StanzaError, match="exists already") as refused:
        await command(root, "add-user", accountjid="root@localhost", password="a", password__verify="a")
    assert refused.value.condition == "conflict"


async def test_accounts_are_changed_all_or_none(server: TestServer, root: TestClient) -> None:
    await server.add_account("alice")
    answer = await command(root, "delete-user", accountjids="alice@localhost\nnobody@localhost")
    assert told(answer) == ("error", "there is no account nobody@localhost")
    answer = await command(root, "delete-user", accountjids="alice@localhost\nalice@localhost")
    assert told(answer) == ("info", "alice@localhost: deleted"), "which is still there, and given twice is one"


async def test_users_are_deleted(server: TestServer, root: TestClient) -> None:
    alice = await server.client("alice")
    await server.add_account("bob")
    assert (await command(root, "delete-user", accountjids="alice@localhost\nbob@localhost")).notes[0].type == "info"
    assert (await alice.end()) is not None
    answer = await command(root, "get-registered-users-list", max_items="25")
    assert fact(answer, "registereduserjids") == ("root@localhost",)
    assert told(await command(root, "delete-user", accountjids="alice@localhost"))[0] == "error"


async def test_administrators_do_not_lock_themselves_out(root: TestClient) -> None:
    for name in ("delete-user", "disable-user"):
        assert "your own" in (await command(root, name, accountjids="root@localhost")).notes[0].text


async def test_users_are_disabled_and_enabled(server: TestServer, root: TestClient) -> None:
    alice = await server.client("alice")
    await command(root, "disable-user", accountjids="alice@localhost")
    assert (await alice.end()) is not None
    assert fact(await command(root, "get-disabled-users-num"), "disabledusersnum") == ("1",)
    listed = await command(root, "get-disabled-users-list", max_items="none")
    assert fact(listed, "disableduserjids") == ("alice@localhost",)
    await command(root, "reenable-user", accountjids="alice@localhost")
    assert fact(await command(root, "get-disabled-users-num"), "disabledusersnum") == ("0",)
    await server.client("alice")


async def test_sessions_are_ended(server: TestServer, root: TestClient) -> None:
    one, two = await server.client("alice/one"), await server.client("alice/two")
    assert told(await command(root, "end-user-session", accountjids="alice@localhost/one"))[1] == "1 session ended"
    assert (await one.end()) is not None
    await two.settle()
    assert told(await command(root, "end-user-session", accountjids="alice@localhost"))[1] == "1 session ended"
    assert (await two.end()) is not None


async def test_a_password_is_changed(server: TestServer, root: TestClient) -> None:
    alice = await server.client("alice")
    await command(root, "change-user-password", accountjid="alice@localhost", password="another")
    assert (await alice.end()) is not None, "who knows the former one is sent away"
    with pytest.raises(Refused):
        await server.client("alice")
    await server.client("alice", "another")


async def test_what_is_known_of_a_user(server: TestServer, root: TestClient) -> None:
    alice = await server.client("alice/home", presence=True)
    item = Element("query", "jabber:iq:roster", Element("item", jid="romeo@example.net", name="Romeo"))
    await alice.ask(Element("iq", CLIENT, item, type="set"))
    roster = await command(root, "get-user-roster", accountjids="alice@localhost")
    assert roster.form is not None
    assert roster.form.extensions[0].name == "query"
    assert [one.get("jid") for one in roster.form.extensions[0].elements("item")] == ["romeo@example.net"]
    facts = await command(root, "user-stats", accountjid="alice@localhost")
    assert fact(facts, "ipaddresses") == ("127.0.0.1",)
    assert fact(facts, "rostersize") == ("1",)
    assert fact(facts, "onlineresources") == ("home",)
    seen = await command(root, "get-user-lastlogin", accountjids="alice@localhost")
    assert fact(seen, "lastlogin")[0].endswith("Z")
    assert told(await command(root, "user-stats", accountjid="nobody@localhost"))[0] == "error"


async def test_users_are_counted_and_listed(server: TestServer, root: TestClient) -> None:
    await server.client("alice", presence=True)
    await server.client("bob")
    assert fact(await command(root, "get-registered-users-num"), "registeredusersnum") == ("3",)
    assert fact(await command(root, "get-online-users-num"), "onlineusersnum") == ("2",)
    online = await command(root, "get-online-users-list", max_items="none")
    assert fact(online, "onlineuserjids") == ("alice@localhost", "root@localhost")


async def test_who_is_online_is_active_or_idle(server: TestServer, root: TestClient) -> None:
    away = await server.client("alice/phone", presence=True)
    away.send("<presence><show>away</show></presence>")
    await away.settle()
    inactive = await server.client("bob/phone", presence=True)
    inactive.send("<inactive xmlns='urn:xmpp:csi:0'/>")
    await inactive.settle()
    assert fact(await command(root, "get-active-users-num"), "activeusersnum") == ("1",)
    assert fact(await command(root, "get-idle-users-num"), "idleusersnum") == ("2",)
    active = await command(root, "get-active-users", max_items="25")
    assert fact(active, "activeuserjids") == ("root@localhost",)
    idle = await command(root, "get-idle-users", max_items="25")
    assert fact(idle, "activeuserjids") == ("alice@localhost", "bob@localhost")
    await server.client("alice/laptop", presence=True)
    active = await command(root, "get-active-users", max_items="none")
    assert fact(active, "activeuserjids") == ("alice@localhost", "root@localhost"), "one look is enough"


async def test_an_announcement(server: TestServer, root: TestClient) -> None:
    alice = await server.client("alice", presence=True)
    answer = await command(root, "announce", announcement="Attention!\nThe server stops in 2 minutes.")
    assert told(answer)[1] == "2 clients were told"
    message = await alice.receive()
    assert (message.get("from"), message.child_text("body")) == (
        "localhost", "Attention!\nThe server stops in 2 minutes.",
    )  # fmt: skip


async def body(client: TestClient) -> str:
    client.send("<presence/>")
    while (stanza := await client.receive()).name != "message":
        pass
    return stanza.child_text("body")


async def silent(client: TestClient) -> bool:
    """Whether no message comes; a greeting needs the store, so it is asked something that does as well."""
    client.send("<presence/>")
    for _ in range(3):
        await client.ask(Element("iq", CLIENT, Element("query", "jabber:iq:private", Element("x", "y")), type="get"))
    return not [stanza for stanza in client.received if stanza.name == "message"]


async def test_the_message_of_the_day_is_given_once(tmp_path: Path) -> None:
    clock = FakeClock()
    async with serve(ADMIN, data=tmp_path, clock=clock) as server:
        root = await server.client("root")
        await command(root, "set-motd", motd="Good morning")
        assert await body(await server.client("alice/1")) == "Good morning"
        assert await silent(await server.client("alice/2"))
    async with serve(ADMIN, data=tmp_path, clock=clock) as server:
        again = await server.client("alice/3")
        assert await silent(again), "also after a restart"
        await again.close()
        assert await body(await server.client("bob")) == "Good morning"
        root = await server.client("root")
        await command(root, "edit-motd", motd="Good evening")
        alice = await server.client("alice/4")
        assert await silent(alice)
        assert await body(await server.client("carol")) == "Good evening"
        clock.advance(1)
        await command(root, "set-motd", motd="Good night")
        while (stanza := await alice.receive()).name != "message":
            pass
        assert stanza.child_text("body") == "Good night", "who is there gets it at once"
        assert told(await command(root, "delete-motd"))[0] == "info"
        assert await silent(await server.client("dave"))


async def test_new_users_are_welcomed(tmp_path: Path) -> None:
    clock = FakeClock()
    async with serve(ADMIN, data=tmp_path, clock=clock) as server:
        root = await server.client("root")
        await server.add_account("old")
        clock.advance(10)
        await command(root, "set-welcome", welcome="Welcome!")
        clock.advance(10)
        assert await silent(await server.client("old"))
        assert await body(await server.client("new/1")) == "Welcome!"
        assert await silent(await server.client("new/2"))
        await command(root, "delete-welcome")
        assert await silent(await server.client("newer"))


async def test_administrators_are_appointed(tmp_path: Path) -> None:
    async with serve(ADMIN, data=tmp_path) as server:
        root = await server.client("root")
        alice = await server.client("alice")
        await command(root, "edit-admin", adminjids="root@localhost\nalice@localhost")
        assert fact(await command(alice, "get-registered-users-num"), "registeredusersnum") == ("2",)
    async with serve(ADMIN, data=tmp_path) as server:
        alice = await server.client("alice")
        await command(alice, "edit-admin", adminjids="")
        with pytest.raises(Exception, match="forbidden"):
            await command(alice, "get-registered-users-num")
        root = await server.client("root")
        assert (await command(root, "get-registered-users-num")).status == "completed", "by configuration, always"


async def test_an_address_is_no_administrator_because_its_former_owner_was(tmp_path: Path) -> None:
    async with serve(ADMIN, data=tmp_path) as server:
        root = await server.client("root")
        answer = await command(root, "edit-admin", adminjids="alice@localhost")
        assert told(answer) == ("error", "there is no account alice@localhost"), "or who registers it would be one"
        await server.add_account("alice")
        await server.add_account("bob")
        await command(root, "edit-admin", adminjids="alice@localhost\nbob@localhost")
        await command(root, "delete-user", accountjids="alice@localhost")
        alice = await server.client("alice")
        with pytest.raises(StanzaError, match="may not give"):
            await command(alice, "get-registered-users-num")
        # As the command line does it beside no server.
        await server.server.store.accounts.remove("localhost", "bob")
    async with serve(ADMIN, data=tmp_path) as server:
        bob = await server.client("bob")
        with pytest.raises(StanzaError, match="may not give"):
            await command(bob, "get-registered-users-num")


async def test_a_form_without_the_field_leaves_the_administrators_as_they_are(tmp_path: Path) -> None:
    """XEP-0004 §3.5; also where an administrator of the configuration is of another host."""
    admins = {"hosts": {"localhost": {"admins": ["root@localhost", "boss@elsewhere.example"]}}}
    async with serve(admins, data=tmp_path) as server:
        root = await server.client("root")
        alice = await server.client("alice")
        for given in ({"adminjids": "root@localhost\nboss@elsewhere.example\nalice@localhost"}, {"x": "y"}):
            assert told(await command(root, "edit-admin", **given))[0] == "info"
            assert (await command(alice, "get-registered-users-num")).status == "completed"
        await command(root, "edit-admin", adminjids="")
        with pytest.raises(StanzaError, match="may not give"):
            await command(alice, "get-registered-users-num")


async def test_who_is_no_administrator_any_more_does_not_go_on(tmp_path: Path) -> None:
    async with serve(ADMIN, data=tmp_path) as server:
        root = await server.client("root")
        alice = await server.client("alice")
        await command(root, "edit-admin", adminjids="alice@localhost")
        begun = await step(alice, Command(f"{NS}#delete-user"))
        await command(root, "edit-admin", adminjids="")
        form = Form("submit", fields=(Field("accountjids", values=("root@localhost",)),))
        with pytest.raises(StanzaError, match="may not give"):
            await step(alice, Command(f"{NS}#delete-user", begun.sessionid, form=form))
        with pytest.raises(StanzaError) as refused:
            await step(root, Command(f"{NS}#delete-user", begun.sessionid, form=form))
        assert refused.value.app.endswith("session-expired"), "nor does another one in their place"


async def test_a_restart_is_for_whoever_runs_the_server(tmp_path: Path) -> None:
    clock = FakeClock()
    async with serve(ADMIN, data=tmp_path, clock=clock) as server:
        root = await server.client("root", presence=True)
        assert "doesn't start it again" in told(await command(root, "restart", delay="30"))[1]
        server.server.restartable = True
        good, server.server.config = (
            server.server.config,
            server.server.config.model_copy(update={"modules": {"archive": {"dayz": 3}}}),
        )
        assert "dayz: unknown key" in told(await command(root, "restart", delay="30"))[1]
        server.server.config = good
        await command(root, "restart", delay="30", announcement="See you soon")
        assert [stanza.child_text("body") for stanza in root.received] == ["See you soon"]
        assert not server.server.stop_requested.is_set()
        clock.advance(30)
        await asyncio.wait_for(server.server.stop_requested.wait(), 10)
        assert server.server.restart_requested


async def test_the_service_is_shut_down(tmp_path: Path) -> None:
    clock = FakeClock()
    async with serve(ADMIN, data=tmp_path, clock=clock) as server:
        root = await server.client("root", presence=True)
        await command(root, "shutdown", delay="60", announcement="Bye")
        assert [stanza.child_text("body") for stanza in root.received] == ["Bye"]
        clock.advance(59)
        assert not server.server.stop_requested.is_set()
        clock.advance(1)
        await asyncio.wait_for(server.server.stop_requested.wait(), 10)
