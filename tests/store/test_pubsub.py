"""Nodes, affiliations, subscriptions and items."""

from __future__ import annotations

from chirrup.store import Connection, Store
from chirrup.store.pubsub import OVERHEAD, PubSubRows, StoredItem, StoredNode, StoredSubscription

ALICE, BOB = "alice@example.org", "bob@example.org"


async def publish(store: Store, node: str, *items: str, owner: str = ALICE, keep: int = 100) -> list[str]:
    """Publish items with payloads that tell their number; the ids of those that went."""

    def op(connection: Connection) -> list[str]:
        rows = PubSubRows(connection)
        return [
            gone
            for number, item in enumerate(items)
            for gone in rows.publish(owner, node, item, BOB, float(number), f"<{number}/>", keep=keep)
        ]

    return await store.submit(op)


async def ids(store: Store, node: str, owner: str = ALICE) -> list[str]:
    return await store.read(lambda connection: PubSubRows(connection).ids(owner, node, limit=100))


async def test_nodes_and_who_has_to_do_with_them(store: Store) -> None:
    def make(connection: Connection) -> None:
        rows = store.pubsub.within(connection)
        rows.put_node(ALICE, "tune", "{}", 1.0)
        rows.put_node(ALICE, "mood", "{}", 2.0)
        rows.put_node(BOB, "tune", "bob's", 3.0)
        rows.put_node(ALICE, "tune", "changed", 9.0)
        rows.ensure_node(ALICE, "mood", "not this", 9.0)
        rows.set_affiliation(ALICE, "tune", BOB, "member")
        rows.set_affiliation(ALICE, "tune", BOB, "outcast")
        rows.set_affiliation(ALICE, "mood", BOB, "member")
        rows.set_affiliation(ALICE, "mood", BOB, "")
        rows.set_subscription(ALICE, "mood", BOB, "1", "pending")
        rows.set_subscription(ALICE, "mood", BOB, "1", "subscribed", "{}")
        rows.set_subscription(ALICE, "tune", BOB, "2", "subscribed")
        rows.set_subscription(ALICE, "tune", BOB, "2", "")

    await store.submit(make)
    assert await store.pubsub.nodes(ALICE) == [
        StoredNode("mood", "{}", 2.0, {}, [StoredSubscription(BOB, "1", "subscribed", "{}")]),
        StoredNode("tune", "changed", 1.0, {BOB: "outcast"}, []),
    ]
    assert sorted(await store.pubsub.owners([ALICE, BOB, "nobody@example.org"], ["tune", "other"])) == [
        (ALICE, "tune", "changed"),
        (BOB, "tune", "bob's"),
    ]
    await publish(store, "tune", "a")
    await publish(store, "tune", "a", owner=BOB)
    await store.submit(lambda connection: PubSubRows(connection).delete_node(ALICE, "tune"))
    assert [node.node for node in await store.pubsub.nodes(ALICE)] == ["mood"]
    assert await ids(store, "tune") == []
    assert await ids(store, "tune", BOB) == ["a"]


async def test_items_are_in_the_order_of_their_last_publication(store: Store) -> None:
    await publish(store, "tune", "a", "b", "c", "a")
    await publish(store, "mood", "x")
    assert await ids(store, "tune") == ["b", "c", "a"]
    found = await store.pubsub.find(ALICE, "tune", ["a", "b", "nothing"])
    assert [(one.item, one.payload, one.publisher, one.stamp) for one in found] == [
        ("b", "<1/>", BOB, 1.0),
        ("a", "<3/>", BOB, 3.0),
    ]
    assert [one.item for one in await store.pubsub.newest(ALICE, "tune", 2)] == ["c", "a"]
    assert [(one.node, one.item) for one in await store.pubsub.last(ALICE, ["tune", "mood", "none"])] == [
        ("tune", "a"),
        ("mood", "x"),
    ]


async def test_only_so_many_are_kept(store: Store) -> None:
    assert await publish(store, "tune", "a", "b", "c", keep=2) == ["a"]
    assert await publish(store, "tune", "b", keep=2) == []
    assert await publish(store, "tune", "d", keep=1) == ["c", "b"]
    assert await ids(store, "tune") == ["d"]


async def test_pages(store: Store) -> None:
    await publish(store, "tune", "a", "b", "c", "d")

    async def page(**options: int | bool) -> list[StoredItem]:
        return await store.read(
            lambda connection: PubSubRows(connection).items(ALICE, "tune", **options)  # type: ignore[arg-type]
        )

    def names(items: list[StoredItem]) -> str:
        return "".join(one.item for one in items)

    everything = await page(limit=10)
    assert names(everything) == "abcd"
    second, third = everything[1].position, everything[2].position
    assert names(await page(limit=2, after=second)) == "cd"
    assert names(await page(limit=1, before=third, newest=True)) == "b"
    assert names(await page(limit=2, skip=1)) == "bc"
    assert await store.read(lambda connection: PubSubRows(connection).count(ALICE, "tune", before=third)) == 2


async def test_retracting_and_purging(store: Store) -> None:
    await publish(store, "tune", "a", "b", "c")
    assert await store.submit(lambda connection: PubSubRows(connection).retract(ALICE, "tune", "b")) is True
    assert await store.submit(lambda connection: PubSubRows(connection).retract(ALICE, "tune", "b")) is False
    assert await ids(store, "tune") == ["a", "c"]
    assert await store.read(lambda connection: PubSubRows(connection).size(ALICE)) == len("<0/><2/>") + 2 * OVERHEAD
    await store.submit(lambda connection: PubSubRows(connection).purge(ALICE, "tune"))
    assert await ids(store, "tune") == []
    assert await store.read(lambda connection: PubSubRows(connection).size(ALICE)) == 0


async def test_what_an_account_has_goes_with_it(store: Store) -> None:
    await store.accounts.create("example.org", "alice", [], created=1.0)
    await store.submit(lambda connection: PubSubRows(connection).put_node(ALICE, "tune", "{}", 1.0))
    await publish(store, "tune", "a")
    await publish(store, "tune", "a", owner=BOB)
    await store.accounts.remove("example.org", "alice")
    assert await store.pubsub.nodes(ALICE) == []
    assert await ids(store, "tune") == []
    assert await ids(store, "tune", BOB) == ["a"]


async def test_somebody_who_is_no_more(store: Store) -> None:
    def make(connection: Connection) -> None:
        rows = store.pubsub.within(connection)
        rows.put_node(ALICE, "tune", "{}", 1.0)
        rows.put_node("carol@example.org", "tune", "{}", 1.0)
        rows.set_affiliation(ALICE, "tune", BOB, "member")
        rows.set_affiliation(ALICE, "tune", f"{BOB}.uk", "member")
        for jid in BOB, f"{BOB}/a", f"{BOB}.uk/a":
            rows.set_subscription("carol@example.org", "tune", jid, "", "subscribed")

    await store.submit(make)
    gone = await store.submit(lambda connection: PubSubRows(connection).part(BOB))
    assert sorted(gone) == [ALICE, "carol@example.org"]
    (node,) = await store.pubsub.nodes(ALICE)
    assert node.affiliations == {f"{BOB}.uk": "member"}
    (node,) = await store.pubsub.nodes("carol@example.org")
    assert [one.jid for one in node.subscriptions] == [f"{BOB}.uk/a"]
    assert await store.submit(lambda connection: PubSubRows(connection).part(BOB)) == []
    await store.accounts.create("example.org.uk", "bob", [], created=1.0)
    assert await store.accounts.remove("example.org.uk", "bob")
    (node,) = await store.pubsub.nodes(ALICE)
    assert node.affiliations == {}


async def test_items_that_have_expired(store: Store) -> None:
    await publish(store, "tune", "a", "b", "c", "d")

    def look(connection: Connection) -> tuple[list[str], list[str], int, int]:
        rows = PubSubRows(connection)
        page = rows.items(ALICE, "tune", limit=1, since=2.0)
        return (
            [one.item for one in page],
            [one.item for one in rows.find(ALICE, "tune", ["a", "d"], since=2.0)],
            rows.count(ALICE, "tune", since=2.0),
            rows.count(ALICE, "tune", since=2.0, before=page[0].position),
        )

    assert await store.read(look) == (["c"], ["d"], 2, 0)
