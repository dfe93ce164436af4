"""Whatever anybody sends: it gets the error that belongs to it, and others notice nothing."""

from __future__ import annotations

import asyncio
import random

import pytest

from chirrup.core.stream import ClientPolicy, Credentials
from chirrup.testing import PASSWORD, Refused, TestClient

TOO_BIG = ("policy-violation", "{urn:xmpp:errors}stanza-too-big")
HEADER = (
    "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client'"
    " xmlns:stream='http://etherx.jabber.org/streams'>"
)

LAUGHS = (
    "<?xml version='1.0'?><!DOCTYPE lolz [<!ENTITY lol0 'lol'>"
    + "".join(f"<!ENTITY lol{n} '{f'&lol{n - 1};' * 10}'>" for n in range(1, 10))
    + "]><stream:stream to='localhost' version='1.0' xmlns='jabber:client'"
    " xmlns:stream='http://etherx.jabber.org/streams'><a>&lol9;</a>"
)
ATTRIBUTES = " ".join(f"a{n}='{n}'" for n in range(10_000))

AFTER_LOG_IN = {
    "no UTF-8": (b"<message><body>\xff\xfe</body></message>", "unsupported-encoding"),
    "UTF-8, but longer than need be": (b"<message><body>\xc0\xaf</body></message>", "unsupported-encoding"),
    "half a character": (b"<message><body>\xe2\x82</body></message>", "unsupported-encoding"),
    "a surrogate": (b"<message><body>\xed\xa0\x80</body></message>", "unsupported-encoding"),
    "a character that XML has not": (b"<message><body>\x00</body></message>", "not-well-formed"),
    "a reference to one": (b"<message><body>&#0;</body></message>", "not-well-formed"),
    "an entity that nobody declared": (b"<message><body>&lol9;</body></message>", "restricted-xml"),
    "an attribute without quotes": (b"<message to=bob@localhost/>", "not-well-formed"),
    "a prefix that nobody declared": (b"<message x:to='bob@localhost'/>", "not-well-formed"),
    "ten thousand attributes": (f"<message {ATTRIBUTES}/>".encode(), "policy-violation"),
    "a hundred thousand children": (b"<message>" + b"<a/>" * 100_000, "policy-violation"),
    "a hundred thousand levels": (b"<a>" * 100_000, "policy-violation"),
    "text that never ends": (b"<message><body>" + b"la" * 200_000, "policy-violation"),
    "a name that never ends": (b"<" + b"la" * 200_000, "policy-violation"),
    "an attribute that never ends": (b"<message to='" + b"la" * 200_000, "policy-violation"),
    "an end tag that never ends": (b"<message></message" + b" " * 400_000, "policy-violation"),
    "white space inside a stanza that never ends": (b"<message>" + b" " * 400_000, "policy-violation"),
    "another stream": (b"<?xml version='1.0'?><stream:stream>", "not-well-formed"),
    "two ends": (b"</message>", "not-well-formed"),
}


@pytest.mark.parametrize(("sent", "condition"), AFTER_LOG_IN.values(), ids=AFTER_LOG_IN.keys())
async def test_after_log_in(bystanders, sent, condition):
    async with bystanders({"limits": {"burst_bytes": 10_000_000}}) as they:
        mallory = await they.server.client("mallory")
        mallory.send(sent)
        error = await mallory.end()
        assert error is not None and error.condition == condition
        assert mallory.parser.ended


BEFORE_LOG_IN = {
    "a billion laughs": (LAUGHS.encode(), "restricted-xml"),
    "no XML": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "not-well-formed"),
    "nothing but text": (b"la" * 20_000, "not-well-formed"),
    "a header that never ends": (b"<stream:stream to='" + b"la" * 20_000, "policy-violation"),
    "a header with ten thousand attributes": (f"<stream:stream {ATTRIBUTES}>".encode(), "policy-violation"),
    "white space for ever": (b" " * 200_000, "policy-violation"),
    "no UTF-8": (b"\xff\xfe<\x00s\x00", "unsupported-encoding"),
}


@pytest.mark.parametrize(("sent", "condition"), BEFORE_LOG_IN.values(), ids=BEFORE_LOG_IN.keys())
async def test_before_log_in(bystanders, sent, condition):
    async with bystanders() as they:
        mallory = await they.server.raw()
        mallory.send(sent)
        error = await mallory.end()
        assert error is not None and error.condition == condition
        assert (mallory.parser.header.name, mallory.parser.ended) == ("stream", True)


async def test_an_auth_that_is_larger_than_anybody_needs(bystanders, open_stream):
    async with bystanders() as they:
        mallory = await open_stream(they.server)
        mallory.send(b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + b"A" * 11_000 + b"</auth>")
        error = await mallory.end()
        assert error is not None and (error.condition, error.app) == TOO_BIG


async def test_the_largest_stanza_gets_through_and_what_is_much_larger_does_not(bystanders):
    """XEP-0478: what `max-bytes` says is taken."""
    async with bystanders({"limits": {"stanza_bytes": 20_000}}) as they:
        carol = await they.server.client("carol")
        frame = f"<message to='{carol.jid}' type='chat'><body></body></message>"
        carol.send(frame.replace("<body>", "<body>" + "a" * (20_000 - len(frame))))
        assert len((await carol.receive()).child_text("body")) == 20_000 - len(frame)
        carol.send(frame.replace("<body>", "<body>" + "a" * (20_100 - len(frame))))
        error = await carol.end()
        assert error is not None and (error.condition, error.app) == TOO_BIG


async def test_the_largest_stanza_is_told_before_and_after_log_in(bystanders):
    async with bystanders({"limits": {"stanza_bytes": 20_000}}) as they:
        raw = await they.server.raw()
        raw.send(HEADER)
        limits = (await raw.receive()).child("limits", "urn:xmpp:stream-limits:0")
        assert limits.child_text("max-bytes") == "10000"
        carol = await they.server.client("carol")
        limits = carol.features.child("limits", "urn:xmpp:stream-limits:0")
        assert limits.child_text("max-bytes") == "20000"


async def test_octets_one_at_a_time(bystanders, open_stream):
    """A slow client is no bad one: what it says is what it would have said at once."""
    async with bystanders() as they:
        await they.server.add_account("carol")
        carol = await they.server.raw(direct_tls=True)
        await trickle(carol, HEADER)
        assert (await carol.receive()).name == "features"
        await trickle(
            carol, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGNhcm9sAHNlY3JldA==</auth>"
        )
        assert (await carol.receive()).name == "success"
        carol.restart()
        await trickle(carol, HEADER)
        assert (await carol.receive()).name == "features"
        bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>é</resource></bind>"
        await trickle(carol, f"<iq id='b' type='set'>{bind}</iq>")
        assert (await carol.receive()).get("type") == "result"
        await trickle(carol, f"<message to='{they.alice.jid}'><body>Ça va? 🐦</body></message>")
        message = await they.alice.receive()
        assert (message.get("from"), message.child_text("body")) == ("carol@localhost/é", "Ça va? 🐦")


async def trickle(client: TestClient, text: str) -> None:
    for octet in text.encode():
        client.send(bytes([octet]))
        await asyncio.sleep(0)


@pytest.mark.parametrize("jid", ["a" * 4000, "a@" + "b" * 4000, "a@b/" + "c" * 4000, "a" * 1000 + "@" + "b." * 1500])
async def test_an_address_of_thousands_of_octets(bystanders, jid):
    async with bystanders() as they:
        carol = await they.server.client("carol")
        for name in ("message", "presence", "iq"):
            carol.send(f"<{name} to='{jid}' id='1' type='{'get' if name == 'iq' else ''}'><x xmlns='urn:x'/></{name}>")
            assert (await carol.receive()).child("error").first.name in ("jid-malformed", "bad-request")
        carol.send(f"<message from='{jid}' to='{they.alice.jid}'/>")
        error = await carol.end()
        assert error is not None and error.condition == "invalid-from"


async def test_a_resource_of_thousands_of_octets(bystanders):
    async with bystanders() as they:
        await they.server.add_account("carol")
        carol = await they.server.raw()
        with pytest.raises(Refused, match="bad-request"):
            await carol.log_in(ClientPolicy(Credentials("carol", PASSWORD), "r" * 4000), "localhost")


async def test_thousands_of_stanzas_in_one_breath(bystanders):
    """All are answered, each recipient has its own in order, and nobody else waits for long."""
    async with bystanders({"limits": {"burst_bytes": 10_000_000}}) as they:
        carol, dave = await they.server.client("carol"), await they.server.client("dave")
        carol.send(
            "".join(
                f"<message to='{dave.jid}' id='m{n}'/>"
                f"<iq type='get' id='i{n}' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>"
                f"<message to='nobody@localhost' type='chat' id='e{n}'><body>{n}</body></message>"
                for n in range(2000)
            )
        )
        await they.chat()
        answers = [(await carol.receive()).get("id") for _ in range(4000)]
        assert answers == [f"{kind}{n}" for n in range(2000) for kind in "ie"]
        assert [(await dave.receive()).get("id") for _ in range(2000)] == [f"m{n}" for n in range(2000)]


async def test_what_comes_behind_the_end_of_a_stream_is_not_processed(bystanders):
    async with bystanders() as they:
        carol = await they.server.client("carol")
        carol.send(f"</stream:stream><message to='{they.alice.jid}'><body>late</body></message>")
        assert await carol.end() is None
        await they.alice.settle()
        assert not they.alice.received


async def test_nonsense_of_all_kinds(bystanders):
    """A hundred sessions in which something was changed by chance, and that end in what is an error wherever it
    stands: each gets it, and the server logs no fault of its own."""
    stanzas = (
        "<presence><priority>5</priority><show>away</show></presence>"
        "<iq type='get' id='1'><query xmlns='jabber:iq:roster' ver=''/></iq>"
        "<presence to='alice@localhost' type='subscribe'/>"
        "<message to='nobody@localhost' type='chat'><body>&lt;é&#233;</body><x xmlns='urn:x' a=\"1\"/></message>"
        "<iq type='set' id='2'>"
        "<query xmlns='jabber:iq:roster'><item jid='bob@localhost' name='B'><group>g</group></item></query>"
        "</iq>"
        "<iq type='get' id='3' to='localhost'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
        "<presence type='unavailable'/>"
    ).encode()
    chance = random.Random(7)
    async with bystanders({"limits": {"connections_per_address": 1000}}) as they:
        for _ in range(100):
            mallory = await they.server.client("mallory")
            mallory.send(mutated(stanzas, chance) + b"""?>-->'"></z>""")
            assert await mallory.end() is not None
            assert mallory.parser.ended
            mallory.drop()


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The data with one to five small changes."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 5)):
        place = chance.randrange(len(changed))
        match chance.randrange(4):
            case 0:
                changed[place] = chance.randrange(256)
            case 1:
                del changed[place : place + chance.randint(1, 20)]
            case 2:
                changed[place:place] = changed[place : place + chance.randint(1, 60)]
            case _:
                changed[place:place] = chance.choice([b"<", b">", b"'", b"&", b"/", b"</", b"]]>", b"\x00", b"\xff"])
    return bytes(changed)
