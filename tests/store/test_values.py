"""One value an owner."""

from __future__ import annotations

from chirrup.store import Store

ALICE, BOB = "alice@example.org", "bob@example.org"


async def test_a_value_is_kept_replaced_and_deleted(store: Store) -> None:
    cards = store.value("vcard")
    assert await cards.get(ALICE) is None
    await cards.set(ALICE, "<first/>")
    await cards.set(ALICE, "<second/>")
    assert await cards.get(ALICE) == "<second/>"
    assert await cards.delete(ALICE) is True
    assert await cards.delete(ALICE) is False
    assert await cards.get(ALICE) is None


async def test_owners_and_names_are_apart(store: Store) -> None:
    store.value("vcard").set(ALICE, "hers")
    store.value("vcard").set(BOB, "his")
    store.value("other").set(ALICE, "another")
    await store.value("vcard").delete(BOB)
    assert await store.value("vcard").get(ALICE) == "hers"
    assert await store.value("vcard").get(BOB) is None
    assert await store.value("other").get(ALICE) == "another"


async def test_of_two_writes_in_one_group_the_later_counts(store: Store) -> None:
    cards = store.value("vcard")
    for number in range(50):
        cards.set(ALICE, str(number))
    assert await cards.get(ALICE) == "49"


async def test_text_comes_back_as_it_was(store: Store) -> None:
    text = "quotes ' \" ; -- \\ %s :name, \U0001f426, e\u0301, \r\n\t" + "long " * 20_000
    await store.value("vcard").set("\u00fcnic\u00f6de@example.org", text)
    assert await store.value("vcard").get("\u00fcnic\u00f6de@example.org") == text
