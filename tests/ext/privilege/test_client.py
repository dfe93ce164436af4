"""A component that acts for accounts, at Chirrup's own server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from chirrup import Component, Message, StanzaError
from chirrup.core.xml import Element
from chirrup.ext.ping.payloads import Ping
from chirrup.ext.privilege.client import Privileges
from chirrup.ext.version.payloads import Version

HERE = "pubsub.localhost"
GRANT = {"roster": "get", "message": "outgoing", "iq": {"jabber:iq:version": "get", "urn:x": "both"}}


@pytest.fixture
def privileged(with_components: Callable[..., Any], component_secret: str) -> Callable[..., Any]:
    """`async with privileged() as (server, privileges):` is a server and what a component there may do."""

    @asynccontextmanager
    async def make() -> AsyncIterator[tuple[Any, Privileges]]:
        settings = {
            "hosts": {"localhost": {"modules_enabled": ["privilege"]}},
            "modules": {"privilege": {"components": {HERE: GRANT}}},
        }
        async with with_components(settings, HERE) as they:
            await they.server.add_account("juliet")
            component = Component(HERE, secret=component_secret, port=they.server.port("component"))
            privileges = component.need(Privileges)
            async with component:
                await component.settle()
                yield they.server, privileges

    return make


async def test_it_knows_what_it_may(privileged: Callable[..., Any]) -> None:
    async with privileged() as (server, privileges):
        assert [(one.access, one.type) for one in privileges.granted("localhost")] == [
            ("roster", "get"), ("message", "outgoing"), ("iq", None),
        ]  # fmt: skip
        mallory = await server.client("mallory")
        mallory.send(
            f"<message to='{HERE}'><privilege xmlns='urn:xmpp:privilege:2'><perm access='roster' type='both'/>"
            "</privilege></message>"
        )
        await mallory.settle()
        await privileges.entity.settle()
        assert privileges.granted(mallory.jid) == privileges.granted(mallory.jid.bare) == ()
        assert privileges.granted("localhost")[0].type == "get"


async def test_it_sends_messages_for_accounts(privileged: Callable[..., Any]) -> None:
    async with privileged() as (server, privileges):
        romeo = await server.client("romeo", presence=True)
        await privileges.send(Message("romeo@localhost", "Good night!"), sender="juliet@localhost")
        came = await romeo.receive()
        assert (came.get("from"), came.child_text("body")) == ("juliet@localhost", "Good night!")
        errors = privileges.entity.messages(lambda message: message.type == "error")
        await privileges.send(Message("romeo@localhost", "Good night!"), sender="nobody@localhost")
        error = (await anext(errors)).error
        assert error is not None and error.condition == "forbidden"


async def test_it_asks_for_accounts(privileged: Callable[..., Any]) -> None:
    async with privileged() as (_, privileges):
        answer = await privileges.request(Version(), account="juliet@localhost", to="localhost")
        assert answer is not None and Version.parse(answer).name == "Chirrup"
        assert (await privileges.roster("juliet@localhost")).items == ()
        with pytest.raises(StanzaError, match="service-unavailable"):
            await privileges.request(Element("x", "urn:x"), account="juliet@localhost", type="set")
        with pytest.raises(StanzaError, match="forbidden"):
            await privileges.request(Ping(), account="juliet@localhost", to="localhost")
