"""Commands of clients: a host's are given, one's own are taken, and nobody gives those of others."""

from __future__ import annotations

import asyncio

import pytest

from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.commands import NS, payloads
from chirrup.ext.commands.client import Commands
from chirrup.ext.commands.execution import Command, Execution, Outcome
from chirrup.ext.disco.client import Disco
from chirrup.ext.forms.declared import Questions, form, question
from chirrup.testing import serve

ADMIN = "http://jabber.org/protocol/admin"


@form(title="Light")
class Light(Questions):
    room: str = question("Room")


@form(title="Colour")
class Colour(Questions):
    colour: str = question("Colour")


async def paint(execution: Execution) -> Outcome:
    light = await execution.ask(Light, last=False)
    colour = await execution.ask(Colour, colour="white")
    return f"{light.room} is {colour.colour}"


async def test_commands_of_the_host() -> None:
    admins = {"hosts": {"localhost": {"admins": ["root@localhost"]}}}
    async with serve(admins) as server, await server.sdk("root") as root, asyncio.timeout(30):
        commands = root.need(Commands)
        nodes = {item.node: item.name for item in await commands.of("localhost")}
        assert nodes[f"{ADMIN}#get-registered-users-num"] == "Count the users"
        counted = await commands.give("localhost", f"{ADMIN}#get-registered-users-num")
        assert counted.done and counted.form is not None
        assert counted.form.values("registeredusersnum") == ("1",)
        info = await root.need(Disco).info(JID("localhost"), f"{ADMIN}#announce")
        assert [(one.category, one.type) for one in info.identities] == [("automation", "command-node")]
        for node, condition in (
            ("get-password", "item-not-found"),
            (f"{ADMIN}#get-user-password", "feature-not-implemented"),  # XEP-0133 §5
        ):
            with pytest.raises(StanzaError, match=condition):
                await commands.give("localhost", node)


async def test_commands_of_a_client() -> None:
    async with serve() as server, asyncio.timeout(30):
        lamp, romeo, tybalt = [await server.sdk(name) for name in ("lamp", "romeo", "tybalt")]
        allowed = JID("romeo@localhost")
        async with lamp, romeo, tybalt:
            for one in (romeo, tybalt):  # the server lets nobody ask who can't know that the client is there
                await lamp.send(Element("presence", CLIENT, to=one.jid))
            await lamp.settle()
            own = lamp.need(Commands)
            own.add(Command("paint", "Paint", paint, allowed=lambda jid: jid.bare == allowed))
            theirs = romeo.need(Commands)
            assert [(item.node, item.name) for item in await theirs.of(lamp.jid)] == [("paint", "Paint")]
            assert await tybalt.need(Commands).of(lamp.jid) == []
            for asked in (tybalt.need(Disco).info(lamp.jid, "paint"), tybalt.need(Commands).give(lamp.jid, "paint")):
                with pytest.raises(StanzaError, match="forbidden"):
                    await asked
            stage = await theirs.give(lamp.jid, "paint")
            stage = await stage.submit(Light(room="Kitchen"))
            stage = await (await stage.back()).submit(Light(room="Hall"))
            assert stage.form is not None and stage.form.values("colour") == ("white",)
            stolen = payloads.Command("paint", stage.answer.sessionid)
            with pytest.raises(StanzaError, match="forbidden"):
                await tybalt.need(Commands).step(lamp.jid, stolen, "complete", Colour(colour="red").filled())
            stage = await stage.submit(Colour(colour="blue"))
            assert stage.done and stage.notes[0].text == "Hall is blue"
            again = await theirs.give(lamp.jid, "paint")
            await again.cancel()
            with pytest.raises(StanzaError, match="not-allowed"):
                await again.submit(Light(room="Hall"))
            assert NS in [feature.var for feature in (await romeo.need(Disco).info(lamp.jid)).features]
