from __future__ import annotations

import hashlib
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from chirrup.core.values import parse_element
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.avatar.payloads import Data, Metadata, Update
from chirrup.testing import TestClient, serve

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\x0dIHDR" + (64).to_bytes(4, "big") + (48).to_bytes(4, "big") + b"rest"
HASH = hashlib.sha1(PNG).hexdigest()
JPEG = b"\xff\xd8\xff\xe0 a picture"
DATA, METADATA = "urn:xmpp:avatar:data", "urn:xmpp:avatar:metadata"
JULIET = "juliet@localhost"


def card(picture: bytes | None = None, type_: str = "image/png") -> Element:
    """A vCard with a name, and with a picture if there is one."""
    new = Element("vCard", "vcard-temp", Element("FN", "", "Juliet"))
    if picture is not None:
        written = b64encode(picture).decode()
        folded = f"\n  {written[:8]}\n  {written[8:]}\n"
        new.append(Element("PHOTO", "", Element("TYPE", "", type_), Element("BINVAL", "", folded)))
    return new


async def set_card(client: TestClient, new: Element) -> None:
    answer = await client.ask(Element("iq", CLIENT, new, type="set"))
    assert answer.get("type") == "result", answer


async def photo(client: TestClient, of: str | None = None) -> str:
    """The media type and the hash of the picture in somebody's vCard."""
    answer = await client.ask(Element("iq", CLIENT, Element("vCard", "vcard-temp"), type="get", to=of))
    found = answer.first
    assert found is not None
    element = found.child("PHOTO")
    if element is None:
        return ""
    data = parse_element(str(Element("data", DATA, element.child_text("BINVAL"))))
    return f"{element.child_text('TYPE')} {hashlib.sha1(Data.parse(data).data).hexdigest()}"


async def publish(people: Any, client: TestClient, picture: bytes = PNG, **options: str) -> None:
    """Publish a picture, and that it is the one now."""
    name = hashlib.sha1(picture).hexdigest()
    data = Data(picture).to_element()
    xml = f"<publish node='{DATA}'><item id='{name}'>{data}</item></publish>{people.options(**options)}"
    assert await people.do(client, xml) == ""
    info = f"<info bytes='{len(picture)}' id='{name}' type='image/png' height='64' width='64'/>"
    metadata = f"<metadata xmlns='{METADATA}'>{info}</metadata>"
    xml = f"<publish node='{METADATA}'><item id='{name}'>{metadata}</item></publish>{people.options(**options)}"
    assert await people.do(client, xml) == ""


async def shown(client: TestClient, sender: TestClient) -> list[str | None]:
    """What presence of somebody has told about a picture: each time a hash, "" for none, or None for nothing."""
    await client.settle()
    found = [one for one in client.received if one.name == "presence" and one.get("from") == sender.jid.text]
    client.received.clear()
    return [update.photo if (update := Update.find(one)) is not None else None for one in found]


async def test_a_picture_that_is_published_openly_is_in_the_vcard(people: Any, friends: Any) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server)
        await set_card(juliet, card())
        await publish(people, juliet, access_model="open")
        tybalt = await server.client("tybalt")
        assert await photo(tybalt, JULIET) == f"image/png {HASH}"
        answer = await tybalt.ask(Element("iq", CLIENT, Element("vCard", "vcard-temp"), type="get", to=JULIET))
        assert answer.first is not None
        assert answer.first.child_text("FN") == "Juliet"
        assert await shown(romeo, juliet) == [HASH]  # presence is sent again
        empty = f"<publish node='{METADATA}'><item><metadata xmlns='{METADATA}'/></item></publish>"
        assert await people.do(juliet, empty) == ""
        assert await photo(tybalt, JULIET) == ""
        assert await shown(romeo, juliet) == [""]
        juliet.send("<presence/>")
        await juliet.settle()
        assert await shown(romeo, juliet) == [None]
        await publish(people, juliet, access_model="open")
        assert await shown(romeo, juliet) == [HASH]
        juliet.send("<presence><x xmlns='vcard-temp:x:update'><photo/></x></presence>")
        await juliet.settle()
        assert await shown(romeo, juliet) == [""]
        assert await people.do(juliet, empty) == ""
        assert await shown(romeo, juliet) == []  # its client has said so itself


@pytest.mark.parametrize("how", ["delete", "purge", "retract"])
async def test_a_picture_that_is_taken_back(people: Any, friends: Any, how: str) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server)
        await publish(people, juliet, access_model="open")
        assert await photo(romeo, JULIET) == f"image/png {HASH}"
        if how == "retract":
            done = await people.do(juliet, f"<retract node='{METADATA}'><item id='{HASH}'/></retract>")
        else:
            done = await people.own(juliet, f"<{how} node='{METADATA}'/>")
        assert done == ""
        assert await photo(romeo, JULIET) == ""
        assert (await shown(romeo, juliet))[-1] == ""


async def test_a_picture_for_contacts_is_not_in_the_vcard_that_everybody_may_read(people: Any, friends: Any) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server)
        await set_card(juliet, card())
        await publish(people, juliet)
        assert await photo(juliet) == ""
        assert await shown(romeo, juliet) == []


async def test_what_is_no_picture_of_that_hash(people: Any) -> None:
    async with serve() as server:
        juliet = await server.client("juliet")
        await set_card(juliet, card(JPEG, "image/jpeg"))
        data = Data(b"something else").to_element()
        options = people.options(access_model="open")
        await people.do(juliet, f"<publish node='{DATA}'><item id='{HASH}'>{data}</item></publish>{options}")
        for inside in (
            f"<info bytes='1' id='{HASH}' type='image/png'/>",
            "<info bytes='1' id='none' type='image/png'/>",
            f"<info bytes='1' id='{HASH}' type='image/png' url='https://example.org/a.png'/>",
            "<info/>",
        ):
            metadata = f"<metadata xmlns='{METADATA}'>{inside}</metadata>"
            xml = f"<publish node='{METADATA}'><item id='{HASH}'>{metadata}</item></publish>"
            assert await people.do(juliet, xml) == ""
            assert await photo(juliet) == f"image/jpeg {hashlib.sha1(JPEG).hexdigest()}"


@pytest.mark.parametrize(
    ("picture", "claimed", "type_"), [(PNG, "image/png", "image/png"), (JPEG, "image/png", "image/jpeg")]
)
async def test_a_picture_in_the_vcard_is_published(
    people: Any, friends: Any, picture: bytes, claimed: str, type_: str
) -> None:
    name = hashlib.sha1(picture).hexdigest()
    async with serve() as server:
        juliet, romeo = await friends(server, METADATA)
        await set_card(juliet, card(picture, claimed))
        event = await people.arrives(romeo)
        metadata = Metadata.parse(event.items.items[0].payloads[0])
        (info,) = metadata.infos
        assert (event.items.items[0].id, info.id, info.bytes, info.type) == (name, name, len(picture), type_)
        assert (info.width, info.height) == ((64, 48) if type_ == "image/png" else (None, None))
        answer = await people.ask(romeo, f"<items node='{DATA}'><item id='{name}'/></items>", to=JULIET)
        stored = Data.parse(answer.first.first.first.first)
        assert stored.data == picture
        await set_card(juliet, card(picture, claimed))  # nothing new
        assert await people.told(romeo) == []
        await set_card(juliet, card())
        event = await people.arrives(romeo)
        assert Metadata.parse(event.items.items[0].payloads[0]).infos == ()


async def test_presence_tells_which_picture_there_is(people: Any, friends: Any, tmp_path: Path) -> None:
    async with serve(data=tmp_path) as server:
        juliet, _ = await friends(server)
        await set_card(juliet, card(PNG))
    async with serve(data=tmp_path) as server:
        juliet, romeo = await server.client("juliet/balcony"), await server.client("romeo", presence=True)
        x = "<x xmlns='vcard-temp:x:update'>{}</x>"
        for said, told in (
            ("", HASH),
            (x.format(""), HASH),
            (x.format("<photo>0123</photo>"), HASH),
            (x.format(f"<photo>{HASH}</photo>"), HASH),
            (x.format("<photo/>"), ""),
        ):
            juliet.send(f"<presence>{said}</presence>")
            await juliet.settle()
            assert await shown(romeo, juliet) == [told]
        tybalt = await server.client("tybalt")
        juliet.send("<presence to='tybalt@localhost'/>")  # nobody is there
        tybalt.send("<presence/>")
        await tybalt.settle()
        juliet.send(f"<presence to='{tybalt.jid}'/>")
        await juliet.settle()
        assert await shown(tybalt, juliet) == [HASH]
        juliet.send("<presence type='unavailable'/>")
        await juliet.settle()
        assert await shown(romeo, juliet) == [None]


async def test_without_a_picture_presence_is_as_it_was(people: Any, friends: Any) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server)
        juliet.send("<presence/>")
        await juliet.settle()
        assert await shown(romeo, juliet) == [None]
        juliet.send("<presence><x xmlns='vcard-temp:x:update'/></presence>")
        await juliet.settle()
        assert await shown(romeo, juliet) == [""]


async def test_vcards_from_before_are_looked_at_once(people: Any, tmp_path: Path) -> None:
    """As they come from a server that had them only there."""
    without = {"hosts": {"localhost": {"modules_disabled": ["avatar"]}}}
    async with serve(without, data=tmp_path) as server:
        await set_card(await server.client("juliet"), card(PNG))
    for _ in range(2):
        async with serve(data=tmp_path) as server:
            juliet = await server.client("juliet")
            juliet.send("<presence/>")
            await juliet.settle()
            assert await shown(juliet, juliet) == [HASH]
            while server.server._tasks:
                await juliet.settle()
            for node in DATA, METADATA:
                assert await people.items(await server.client("tybalt"), node, to=JULIET) == [HASH]


async def test_a_picture_that_was_published_elsewhere_is_in_the_vcard(people: Any, tmp_path: Path) -> None:
    without = {"hosts": {"localhost": {"modules_disabled": ["avatar"]}}}
    async with serve(without, data=tmp_path) as server:
        await publish(people, await server.client("juliet"), access_model="open")
        await publish(people, await server.client("romeo"))
        await set_card(await server.client("nurse"), card(JPEG, "image/jpeg"))
        await publish(people, await server.client("nurse"), access_model="open")
    for _ in range(2):
        async with serve(data=tmp_path) as server:
            juliet, romeo = await server.client("juliet"), await server.client("romeo")
            nurse = await server.client("nurse")
            while server.server._tasks:
                await juliet.settle()
            assert await photo(juliet) == f"image/png {HASH}"
            for client, told in (juliet, HASH), (romeo, None):
                client.send("<presence/>")
                await client.settle()
                assert await shown(client, client) == [told]
            assert await photo(nurse) == f"image/jpeg {hashlib.sha1(JPEG).hexdigest()}"  # she has one in each place


async def test_a_picture_that_is_for_contacts_from_now_on_leaves_the_vcard(people: Any, friends: Any) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server)
        await set_card(juliet, card())
        await publish(people, juliet, access_model="open")
        assert await photo(juliet) == f"image/png {HASH}"
        assert await shown(romeo, juliet) == [HASH]
        for node in DATA, METADATA:
            form = people.options("http://jabber.org/protocol/pubsub#node_config", "configure", access_model="presence")
            assert await people.own(juliet, form.replace("<configure>", f"<configure node='{node}'>")) == ""
        await publish(people, juliet, access_model="presence")
        answer = await juliet.ask(Element("iq", CLIENT, Element("vCard", "vcard-temp"), type="get"))
        assert "FN" in str(answer) and "PHOTO" not in str(answer)
        assert await shown(romeo, juliet) == [""]


async def test_what_is_published_already_is_not_replaced_by_a_vcard_from_before(people: Any, tmp_path: Path) -> None:
    without = {"hosts": {"localhost": {"modules_disabled": ["avatar"]}}}
    async with serve(without, data=tmp_path) as server:
        juliet = await server.client("juliet")
        await set_card(juliet, card(PNG))
        await publish(people, juliet, JPEG)
    async with serve(data=tmp_path) as server:
        assert await people.items(await server.client("juliet"), METADATA) == [hashlib.sha1(JPEG).hexdigest()]


async def test_a_picture_that_there_is_no_room_for(people: Any) -> None:
    async with serve({"modules": {"pubsub": {"max_item_bytes": 100}}}) as server:
        juliet = await server.client("juliet")
        await set_card(juliet, card(PNG + b"x" * 200))
        assert await photo(juliet) == "image/png " + hashlib.sha1(PNG + b"x" * 200).hexdigest()
        assert await people.items(juliet, METADATA) in ("item-not-found", [])


async def test_the_account_tells_that_it_converts() -> None:
    async with serve() as server:
        juliet = await server.client("juliet")
        query = Element("query", "http://jabber.org/protocol/disco#info")
        answer = await juliet.ask(Element("iq", CLIENT, query, type="get", to=JULIET))
        assert "urn:xmpp:pep-vcard-conversion:0" in str(answer)
