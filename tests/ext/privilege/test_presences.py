"""What privileged components see of presence (XEP-0356 §§7 and 8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

HERE, THERE = "pubsub.localhost", "montague.localhost"


def granting(presence: str, **more: Any) -> dict[str, Any]:
    grant = {"roster": "get", "push": False, "presence": presence}
    return {
        "hosts": {"localhost": {"modules_enabled": ["privilege"]}},
        "modules": {"privilege": {"components": {HERE: grant}, **more}},
    }


async def ready(they: Any) -> Any:
    component = await they.component(HERE)
    await component.receive()
    return component


def seen(stanzas: list[Any]) -> list[tuple[str, str]]:
    assert all(stanza.name == "presence" and stanza.get("to") == HERE for stanza in stanzas), stanzas
    return [(stanza.get("from"), stanza.get("type") or "available") for stanza in stanzas]


async def subscribe(they: Any, client: Any, montague: Any, contact: str) -> None:
    """The client comes to see the presence of somebody at montague.localhost."""
    account = client.jid.bare
    client.send(f"<presence type='subscribe' to='{contact}'/>")
    assert (await montague.receive()).get("type") == "subscribe"
    montague.send(f"<presence type='subscribed' from='{contact}' to='{account}'/>")
    assert await montague.settle() == []
    await client.settle()


async def test_accounts_come_and_go(with_components: Callable[..., Any]) -> None:
    async with with_components(granting("managed_entity"), HERE) as they:
        component = await ready(they)
        juliet = await they.server.client("juliet/balcony")
        assert await component.settle() == []
        juliet.send("<presence id='presence1' xml:lang='en'><show>chat</show><status>Staying</status></presence>")
        await juliet.settle()
        [came] = await component.settle()
        assert (came.get("from"), came.get("id"), came.child_text("show")) == (
            "juliet@localhost/balcony",
            "presence1",
            "chat",
        )
        juliet.send("<presence><show>away</show></presence>")
        await juliet.settle()
        assert await component.settle() == [], "neither first nor last"
        juliet.send("<presence type='unavailable'/>")
        juliet.send("<presence/>")
        await juliet.settle()
        me = "juliet@localhost/balcony"
        assert seen(await component.settle()) == [(me, "unavailable"), (me, "available")]
        juliet.drop()
        assert seen([await component.receive()]) == [(me, "unavailable")]


async def test_who_connects_later_is_told_of_all(with_components: Callable[..., Any]) -> None:
    async with with_components(granting("managed_entity"), HERE) as they:
        juliet = await they.server.client("juliet/balcony", presence=True)
        juliet.send("<presence><show>away</show></presence>")
        await they.server.client("nurse/kitchen")
        await juliet.settle()
        component = await ready(they)
        assert seen(await component.settle()) == [("juliet@localhost/balcony", "available")]


async def test_nothing_without_the_permission(with_components: Callable[..., Any]) -> None:
    async with with_components(granting("none"), HERE) as they:
        component = await ready(they)
        juliet = await they.server.client("juliet", presence=True)
        await juliet.settle()
        assert await component.settle() == []


async def test_contacts_elsewhere_are_seen_once(with_components: Callable[..., Any]) -> None:
    async with with_components(granting("roster"), HERE, THERE) as they:
        montague = await they.component(THERE)
        juliet = await they.server.client("juliet", presence=True)
        nurse = await they.server.client("nurse", presence=True)
        romeo = f"romeo@{THERE}"
        await subscribe(they, juliet, montague, romeo)
        await subscribe(they, nurse, montague, romeo)
        component = await ready(they)
        await component.settle()
        for to in ("juliet@localhost", "nurse@localhost"):
            montague.send(f"<presence from='{romeo}/orchard' to='{to}'><show>chat</show></presence>")
        montague.send(f"<presence from='tybalt@{THERE}/street' to='juliet@localhost'/>")
        await montague.settle()
        assert seen(await component.settle()) == [(f"{romeo}/orchard", "available")]
        montague.send(f"<presence from='{romeo}/orchard' to='juliet@localhost'><show>away</show></presence>")
        await montague.settle()
        assert seen(await component.settle()) == [(f"{romeo}/orchard", "available")], "it is another"
        for to in ("juliet@localhost", "nurse@localhost"):
            montague.send(f"<presence type='unavailable' from='{romeo}/orchard' to='{to}'/>")
        await montague.settle()
        assert seen(await component.settle()) == [(f"{romeo}/orchard", "unavailable")]


async def test_contacts_are_seen_while_nobody_else_is_there(with_components: Callable[..., Any]) -> None:
    async with with_components(granting("roster"), HERE, THERE) as they:
        montague = await they.component(THERE)
        juliet = await they.server.client("juliet", presence=True)
        romeo = f"romeo@{THERE}"
        await subscribe(they, juliet, montague, romeo)
        juliet.send("</stream:stream>")
        host = they.server.server.hosts["localhost"]
        while host.accounts["juliet"].sessions:
            await montague.settle()
        host.forget(host.accounts["juliet"])
        montague.send(f"<presence from='{romeo}/orchard' to='juliet@localhost'/>")
        montague.send(f"<presence from='{romeo}/orchard' to='nobody@localhost'/>")
        await montague.settle()
        component = await ready(they)
        assert seen(await component.settle()) == [(f"{romeo}/orchard", "available")], "and remembered"
        component.close()
        await they.gone(HERE)
        montague.send(f"<presence type='unavailable' from='{romeo}/orchard' to='juliet@localhost'/>")
        await montague.settle()
        assert seen(await (await ready(they)).settle()) == []


async def test_changes_of_an_account_that_others_here_see(with_components: Callable[..., Any]) -> None:
    async with with_components(granting("roster"), HERE) as they:
        component = await ready(they)
        juliet = await they.server.client("juliet/balcony", presence=True)
        romeo = await they.server.client("romeo/orchard", presence=True)
        juliet.send("<presence type='subscribe' to='romeo@localhost'/>")
        assert (await romeo.receive()).get("type") == "subscribe"
        romeo.send("<presence type='subscribed' to='juliet@localhost'/>")
        await romeo.settle()
        await component.settle()
        romeo.send("<presence><show>away</show></presence>")
        juliet.send("<presence><show>away</show></presence>")
        await romeo.settle()
        await juliet.settle()
        assert seen(await component.settle()) == [("romeo@localhost/orchard", "available")], "juliet is seen by nobody"


async def test_only_so_many_are_remembered(with_components: Callable[..., Any]) -> None:
    async with with_components(granting("roster", max_presences=1), HERE, THERE) as they:
        montague = await they.component(THERE)
        juliet = await they.server.client("juliet", presence=True)
        await subscribe(they, juliet, montague, f"romeo@{THERE}")
        for resource in ("a", "b"):
            montague.send(f"<presence from='romeo@{THERE}/{resource}' to='juliet@localhost'/>")
        await montague.settle()
        component = await ready(they)
        mine = juliet.jid.text
        assert seen(await component.settle()) == [(mine, "available"), (f"romeo@{THERE}/a", "available")]
