"""Each message once, whatever becomes of the connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tests.plugins.liar import Liar, Peer

from chirrup import Client, ConnectionState, Message
from chirrup.client import backoff
from chirrup.client.feed import Feed
from chirrup.ext.archive.catching_up import CatchUp
from chirrup.ext.archive.payloads import Fin, Query
from chirrup.ext.carbons.client import Carbons
from chirrup.ext.delay.payloads import Delay
from chirrup.ext.rsm.payloads import First, Set
from chirrup.ext.stanza_ids.payloads import StanzaId
from chirrup.testing import FakeClock, serve

TIMEOUT = 10


async def take(feed: Feed[Message], most: int) -> list[str]:
    async with asyncio.timeout(TIMEOUT):
        return [(await anext(feed)).body for _ in range(most)]


async def lose_session(client: Client, clock: FakeClock, meanwhile: Callable[[], Any]) -> None:
    """Cut the connection, let something happen, and come back in a new session."""
    assert client._link is not None
    assert client._managed is not None
    client._managed.management.id = ""
    states = client.states()
    client._link.abort()
    async with asyncio.timeout(TIMEOUT):
        while (await anext(states)).state is not ConnectionState.WAITING:
            pass
        await meanwhile()
        clock.advance(backoff.FIRST)
        while (change := await anext(states)).state is not ConnectionState.ONLINE:
            pass
        assert not change.resumed


async def test_what_was_missed_comes_once() -> None:
    clock = FakeClock()
    async with serve() as server, await server.sdk("bob") as bob:
        async with await server.sdk("alice", clock=clock, features=[CatchUp]) as alice:
            catch_up, heard = alice.need(CatchUp), alice.messages()

            async def meanwhile() -> None:
                for text in ("3", "4"):
                    await bob.send(Message(alice.account, text))
                await bob.settle()

            for text in ("1", "2"):
                await bob.send(Message(alice.account, text))
            assert await take(heard, 2) == ["1", "2"]
            await alice.send(Message("bob@localhost", "mine"))
            await lose_session(alice, clock, meanwhile)
            late = await anext(heard)
            assert (late.body, late.sender, late.outgoing) == ("3", bob.jid, False)
            delay, id_ = late.get(Delay), late.get(StanzaId)
            assert delay is not None
            assert delay.from_ == alice.account
            assert id_ is not None
            assert id_.by == alice.account
            await bob.send(Message(alice.account, "5"))
            assert await take(heard, 2) == ["4", "5"]
            await bob.send(Message(alice.account, "6"))
            assert await take(heard, 1) == ["6"]
            last = catch_up.last
        # Away altogether: what waits offline is in the archive, too.
        for text in ("7", "8"):
            await bob.send(Message("alice@localhost", text))
        await bob.settle()
        alice = await server.sdk("alice", features=[CatchUp])
        alice.need(CatchUp).last = last
        heard = alice.messages()
        async with alice:
            await alice.settle()
            await bob.send(Message("alice@localhost", "9"))
            assert await take(heard, 3) == ["7", "8", "9"]


async def test_a_first_session_begins_with_what_comes_in_it() -> None:
    async with serve() as server, await server.sdk("bob") as bob:
        async with await server.sdk("alice") as alice:
            heard = alice.messages()
            await bob.send(Message(alice.account, "before"))
            assert await take(heard, 1) == ["before"]
        alice = await server.sdk("alice", features=[CatchUp])
        heard = alice.messages()
        async with alice:
            await bob.send(Message(alice.account, "now"))
            assert await take(heard, 1) == ["now"]


async def test_what_other_devices_sent_comes_with_carbons() -> None:
    async with serve() as server, await server.sdk("alice/phone") as phone:
        for features, found in (([CatchUp], ["answer"]), ([CatchUp, Carbons], ["mine", "answer"])):
            alice = await server.sdk("alice/desk", features=features, available=False)
            alice.need(CatchUp).last = ""
            heard = alice.messages()
            async with await server.sdk("bob") as bob:
                bobs = bob.messages()
                if len(found) == 1:
                    await phone.send(Message("bob@localhost", "mine"))
                    await take(bobs, 1)
                    await bob.send(Message("alice@localhost", "answer"))
                    await bob.settle()
                async with alice:
                    assert await take(heard, len(found)) == found
                    assert not len(heard)


async def test_an_archive_that_does_not_reach_back_is_read_from_its_beginning() -> None:
    async with serve() as server, await server.sdk("bob") as bob:
        await server.add_account("alice")
        await bob.send(Message("alice@localhost", "kept"))
        await bob.settle()
        alice = await server.sdk("alice", features=[CatchUp])
        alice.need(CatchUp).last = "gone"
        heard = alice.messages()
        async with alice:
            assert await take(heard, 1) == ["kept"]


async def test_many_pages_wait_for_who_reads_them() -> None:
    """More than is fetched before the client is online, and more than may wait: nothing is lost, nothing stalls."""
    most = 800
    async with serve() as server, await server.sdk("bob") as bob:
        await server.add_account("alice")
        for number in range(most):
            await bob.send(Message("alice@localhost", str(number)))
        await bob.settle()
        alice = await server.sdk("alice", features=[CatchUp], available=False)
        alice.need(CatchUp).last = ""
        heard = alice.messages()
        async with alice:
            assert len(heard) < most
            assert await take(heard, most) == [str(number) for number in range(most)]


def live(id_: str, body: str) -> str:
    return (
        f"<message xmlns='jabber:client' from='a@b/c' type='chat'><body>{body}</body>"
        f"<stanza-id xmlns='urn:xmpp:sid:0' id='{id_}' by='guest@localhost'/></message>"
    )


async def answer_query(peer: Peer, *ids: str, complete: bool = True, meanwhile: str = "") -> str:
    """Answer a query with one page of these messages; what it asked for the messages after. `meanwhile` comes at once
    with the end of the page."""
    iq = await peer.read()
    query = Query.find(iq)
    assert query is not None
    for id_ in ids:
        peer.send(
            f"<message><result xmlns='urn:xmpp:mam:2' id='{id_}' queryid='{query.queryid}'>"
            f"<forwarded xmlns='urn:xmpp:forward:0'>{live(id_, id_)}</forwarded></result></message>"
        )
    ends = Set(first=First(ids[0]), last=ids[-1]) if ids else Set()
    fin = Fin(complete=complete, set=ends).to_element()
    peer.send(f"<iq type='result' id='{iq.get('id')}'>{fin}</iq>{meanwhile}")
    return (query.set and query.set.after) or ""


async def test_what_comes_early_hides_nothing_that_came_before_it(liar: Liar) -> None:
    """A message comes after the last page and before presence was sent, as copies do: what was stored between the two
    is asked for all the same."""
    asked: list[str] = []

    async def script(peer: Peer) -> None:
        await peer.log_in()
        asked.append(await answer_query(peer, "1", meanwhile=live("3", "3")))
        asked.append(await answer_query(peer, "2", "3", meanwhile=live("4", "4")))
        await peer.end()

    client = liar.client(script, features=[CatchUp])
    client.need(CatchUp).last = "0"
    heard = client.messages()
    async with client:
        assert await take(heard, 4) == ["1", "2", "3", "4"]
        assert asked == ["0", "1"]
        assert client.need(CatchUp).last == "4"


async def test_more_comes_meanwhile_than_may_wait(liar: Liar) -> None:
    ids = [str(number) for number in range(1, 1_101)]
    asked: list[str] = []
    over = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.log_in()
        asked.append(await answer_query(peer, meanwhile="".join(live(id_, id_) for id_ in ids)))
        for start in range(0, len(ids), 100):
            page = ids[start : start + 100]
            asked.append(await answer_query(peer, *page, complete=page[-1] == ids[-1]))
        asked.append(await answer_query(peer))
        over.set()
        await peer.end()

    client = liar.client(script, features=[CatchUp])
    client.need(CatchUp).last = "0"
    heard = client.messages()
    async with client, asyncio.timeout(TIMEOUT):
        assert await take(heard, len(ids)) == ids
        await over.wait()
        assert not len(heard)
        assert asked == ["0", "0", *ids[99::100]]


async def test_a_message_that_was_never_stored_is_no_reason_to_read_everything_again(liar: Liar) -> None:
    """A server that is killed may have given out what it hadn't stored."""
    missing = "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    asked: list[str] = []

    async def first(peer: Peer) -> None:
        await peer.log_in()
        asked.append(await answer_query(peer, "1", "2"))
        asked.append(await answer_query(peer, meanwhile=live("3", "3")))
        await peer.end()

    async def second(peer: Peer) -> None:
        await peer.log_in()
        iq = await peer.read()
        peer.send(f"<iq type='error' id='{iq.get('id')}'>{missing}</iq>")
        asked.append(await answer_query(peer))
        asked.append(await answer_query(peer, "4"))
        await peer.end()

    client = liar.client(first, second, features=[CatchUp])
    client.need(CatchUp).last = "0"
    heard = client.messages()
    async with client:
        assert await take(heard, 3) == ["1", "2", "3"]
    heard = client.messages()
    async with client:
        assert await take(heard, 1) == ["4"]
        assert asked == ["0", "2", "2", "2"]
        assert client.need(CatchUp).last == "4"


class Pausing(FakeClock):
    """Knows when somebody waits before another attempt."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()

    def call_later(self, delay: float, callback: Callable[[], object]) -> Any:
        if backoff.FIRST / 2 <= delay <= backoff.FIRST:
            self.asked.set()
        return super().call_later(delay, callback)


async def test_an_archive_that_cannot_be_read_for_a_while(liar: Liar) -> None:
    clock = Pausing()
    error = "<error type='wait'><internal-server-error xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"

    async def script(peer: Peer) -> None:
        await peer.log_in()
        for number in (2, 3):
            iq = await peer.read()
            peer.send(f"{live(str(number), str(number))}<iq type='error' id='{iq.get('id')}'>{error}</iq>")
        assert await answer_query(peer, "1", "2", "3") == "0"
        await peer.end()

    client = liar.client(script, features=[CatchUp], clock=clock)
    client.need(CatchUp).last = "0"
    heard = client.messages()
    async with client, asyncio.timeout(TIMEOUT):
        await clock.asked.wait()
        assert client.need(CatchUp).last == "0"
        clock.advance(backoff.FIRST)
        assert await take(heard, 3) == ["2", "3", "1"]
        assert client.need(CatchUp).last == "3"


async def test_one_that_cannot_be_read_for_a_while_and_lacks_the_last_message(liar: Liar) -> None:
    """What came in the meantime is behind what was missed: it isn't where to go on from."""
    clock = Pausing()
    error = "<error type='{}'><{} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    wait, missing = error.format("wait", "internal-server-error"), error.format("cancel", "item-not-found")

    async def first(peer: Peer) -> None:
        await peer.log_in()
        await answer_query(peer, "1", "2")
        await answer_query(peer, meanwhile=live("3", "3"))
        await peer.end()

    async def second(peer: Peer) -> None:
        await peer.log_in()
        for number in (5, 6):
            iq = await peer.read()
            peer.send(f"{live(str(number), str(number))}<iq type='error' id='{iq.get('id')}'>{wait}</iq>")
        iq = await peer.read()
        peer.send(f"<iq type='error' id='{iq.get('id')}'>{missing}</iq>")
        assert await answer_query(peer, "4", "5", "6") == "2"
        await peer.end()

    client = liar.client(first, second, features=[CatchUp], clock=clock)
    client.need(CatchUp).last = "0"
    heard = client.messages()
    async with client:
        assert await take(heard, 3) == ["1", "2", "3"]
    heard = client.messages()
    async with client, asyncio.timeout(TIMEOUT):
        await clock.asked.wait()
        clock.advance(backoff.FIRST)
        assert await take(heard, 3) == ["5", "6", "4"]
        assert client.need(CatchUp).last == "6"


async def test_what_comes_twice_and_what_is_forged(liar: Liar) -> None:
    def message(id_: str, by: str, body: str) -> str:
        return (
            f"<message xmlns='jabber:client' from='a@b/c' type='chat'><body>{body}</body>"
            f"<stanza-id xmlns='urn:xmpp:sid:0' id='{id_}' by='{by}'/></message>"
        )

    async def script(peer: Peer) -> None:
        await peer.log_in()
        for _ in range(2):
            iq = await peer.read()
            query = Query.find(iq)
            assert query is not None
            peer.send(message("1", "guest@localhost", "live"))
            peer.send(
                f"<message><result xmlns='urn:xmpp:mam:2' id='1' queryid='{query.queryid}'>"
                "<forwarded xmlns='urn:xmpp:forward:0'>"
                f"{message('1', 'guest@localhost', 'archived')}</forwarded></result></message>"
            )
            fin = Fin(complete=True, set=Set(first=First("1"), last="1")).to_element()
            peer.send(f"<iq type='result' id='{iq.get('id')}'>{fin}</iq>")
        peer.send(message("1", "guest@localhost", "again"))
        peer.send(message("1", "other@localhost", "another's id"))
        peer.send(message("2", "guest@localhost", "new"))
        await peer.end()

    client = liar.client(script, features=[CatchUp])
    client.need(CatchUp).last = "0"
    heard = client.messages()
    async with client:
        assert await take(heard, 3) == ["live", "another's id", "new"]
        assert client.need(CatchUp).last == "2"


async def test_copies_of_what_came_already(liar: Liar) -> None:
    """What another client of the account received is copied to this one, and in the archive too."""
    inner = (
        "<message xmlns='jabber:client' from='a@b/c' to='guest@localhost/other' type='chat'><body>{body}</body>"
        "<stanza-id xmlns='urn:xmpp:sid:0' id='{id}' by='guest@localhost'/></message>"
    )

    def copy(id_: str, body: str) -> str:
        return (
            "<message from='guest@localhost'><received xmlns='urn:xmpp:carbons:2'>"
            f"<forwarded xmlns='urn:xmpp:forward:0'>{inner.format(id=id_, body=body)}</forwarded></received></message>"
        )

    async def script(peer: Peer) -> None:
        await peer.log_in()
        enable = await peer.read()
        peer.send(f"<iq type='result' id='{enable.get('id')}'/>")
        for _ in range(2):
            iq = await peer.read()
            fin = Fin(complete=True, set=Set()).to_element()
            peer.send(f"<iq type='result' id='{iq.get('id')}'>{fin}</iq>")
        for id_, body in (("1", "first"), ("1", "again"), ("2", "second")):
            peer.send(copy(id_, body))
        await peer.end()

    client = liar.client(script, features=[Carbons, CatchUp])
    client.need(CatchUp).last = "0"
    heard = client.messages()
    async with client:
        assert await take(heard, 2) == ["first", "second"]
        assert client.need(CatchUp).last == "2"
