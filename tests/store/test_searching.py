"""What a search finds is the same on both databases."""

from __future__ import annotations

import random

import pytest

from chirrup.core.xml import CLIENT, Element
from chirrup.store import Store
from chirrup.store.message_rows import Range

ALICE, BOB = "alice@example.org", "bob@example.org"


async def say(store: Store, owner: str, *texts: str) -> None:
    for text in texts:
        stanza = Element("message", CLIENT, Element("body", CLIENT, text))
        row = (owner, store.messages.next_id(1.0), BOB, "", stanza.to_bytes().decode(), True, False)
        store.messages.add(row)
    await store.settled()


async def found(store: Store, wanted: str, owner: str = ALICE) -> int:
    while not await store.messages.index(owner):
        pass
    return len(await store.messages.page(owner, Range(text=wanted), limit=99))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("\u201chello\u201d \u2014 she said\u2026", "hello said"),
        ("on 2026-11-21, at -5 degrees", "21 5"),
        ("look at www.example.com/path/file.html?x=1", "example file"),
        ("write to romeo@example.net", "romeo"),
        ("foo_bar and/or baz", "bar or"),
        ("CAF\u00c9 au Lait", "cafe LAIT"),
        ("Stra\u00dfe \u0391\u0398\u0397\u039d\u0391", "STRA\u00dfE \u03b1\u03b8\u03b7\u03bd\u03b1"),
        ("\u4eca\u5929\u5929\u6c14\u5f88\u597d", "\u5929\u6c14"),
        ("\u304a\u306f\u3088\u3046\u3001\u4e16\u754c", "\u4e16\u754c"),
        ("\u0939\u093f\u0928\u094d\u0926\u0940", "\u0939\u093f\u0928\u094d\u0926\u0940"),
        ("\ud55c\uad6d\uc5b4 \uac80\uc0c9", "\uac80\uc0c9"),
        ("party\U0001f389time", "time"),
        ("don't & won't | can't", "don't"),
        ("rock 'n' roll", "'n'"),
        ("no! not (this): either", "not either"),
    ],
)
async def test_words_are_found(store: Store, text: str, wanted: str) -> None:
    await say(store, ALICE, text, "something else")
    await say(store, BOB, text)
    assert await found(store, wanted) == 1


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("\u6c14\u5929", "\u5929\u6c14"),
        ("hello", "hell"),
        ("hello", "hel*"),
        ("hello", "hello | nothing"),
        ("hello", "hello OR nothing"),
        ("hello", "-nothing hello"),
        ("hello", "!nothing hello"),
        ("hello", 'hello" "nothing'),
        ("hello", "hello & nothing:*"),
        ("b a", "a.b"),
        ("hello", "owner"),
        ("hello", "?"),
        ("hello", "' \\ \" :"),
        ("x" * 3000, "y" * 3000),
    ],
)
async def test_what_is_not_there_is_not_found(store: Store, text: str, wanted: str) -> None:
    await say(store, ALICE, text)
    assert await found(store, wanted) == 0


async def test_others_are_not_found_by_the_word_for_them(store: Store) -> None:
    from chirrup.store.search import _token

    await say(store, ALICE, "hello")
    await say(store, BOB, "hello")
    assert await found(store, "hello", BOB) == 1
    assert await found(store, f"{_token(BOB)} hello") == 0


async def test_a_message_of_more_words_than_an_index_takes(store: Store) -> None:
    """Korean grows when it is taken apart, and what was too much for one message kept all of an account's searches from
    working."""
    choose = random.Random(1)

    def word() -> str:
        return "".join([chr(0xAC00 + choose.randrange(11_000)) for _ in range(100)])

    await say(store, ALICE, " ".join([f"{word()}-{word()}" for _ in range(640)]), "hello")
    assert await found(store, "hello") == 1
