"""Accounts, and what goes with them."""

from __future__ import annotations

import pytest

from chirrup.core.errors import StoreError
from chirrup.core.sasl import ScramKeys
from chirrup.store import AccountExists, AccountInfo, Store
from chirrup.store.accounts import LoginInfo

HOST = "example.org"
ALICE = "alice@example.org"
SIZES = {"SHA-1": 20, "SHA-256": 32, "SHA-512": 64}


def keys(seed: int = 0, *algorithms: str) -> list[ScramKeys]:
    return [
        ScramKeys(
            name, bytes([seed, 0, 255]), 4096 + seed, bytes([seed]) * SIZES[name], bytes([seed + 1]) * SIZES[name]
        )
        for name in algorithms or SIZES
    ]


async def test_keys_are_kept_and_replaced(store: Store) -> None:
    await store.accounts.create(HOST, "alice", keys(), created=1.0)
    assert await store.accounts.keys(HOST, "alice") == {key.algorithm: key for key in keys()}
    assert await store.accounts.set_keys(HOST, "alice", keys(7, "SHA-256")) is True
    assert await store.accounts.keys(HOST, "alice") == {"SHA-256": keys(7, "SHA-256")[0]}
    assert await store.accounts.set_keys(HOST, "alice", []) is True
    assert await store.accounts.keys(HOST, "alice") == {}


async def test_more_keys_of_the_same_password(store: Store) -> None:
    old = keys(1, "SHA-1")
    await store.accounts.create(HOST, "alice", old, created=1.0)
    await store.accounts.add_keys(HOST, "alice", keys(2, "SHA-1", "SHA-256"))
    assert await store.accounts.keys(HOST, "alice") == {"SHA-1": old[0], "SHA-256": keys(2, "SHA-256")[0]}
    await store.accounts.add_keys(HOST, "nobody", keys())
    assert await store.accounts.keys(HOST, "nobody") is None


async def test_what_is_needed_to_log_in(store: Store) -> None:
    await store.accounts.create(HOST, "alice", keys(), created=1.0)
    await store.accounts.create(HOST, "bob", [], created=1.0)
    await store.accounts.set_disabled(HOST, "alice", True)
    assert await store.accounts.login(HOST, "alice") == LoginInfo(True, {key.algorithm: key for key in keys()})
    assert await store.accounts.login(HOST, "bob") == LoginInfo(False, {})
    assert await store.accounts.login(HOST, "nobody") is None


async def test_tokens_go_with_the_password(store: Store) -> None:
    tokens, other = store.map(store.accounts.TOKENS), store.map("roster")
    for local in ("alice", "bob"):
        await store.accounts.create(HOST, local, keys(), created=1.0)
        for entries in (tokens, other):
            await entries.set(f"{local}@{HOST}", "a", "b")
    await store.accounts.set_keys(HOST, "alice", keys(1))
    assert await tokens.all(ALICE) == {} and await other.all(ALICE) == {"a": "b"}
    assert await tokens.all(f"bob@{HOST}") == {"a": "b"}


async def test_who_has_no_account_has_nothing(store: Store) -> None:
    await store.accounts.create("example.net", "alice", keys(), created=1.0)
    assert await store.accounts.keys(HOST, "alice") is None
    assert await store.accounts.info(HOST, "alice") is None
    assert await store.accounts.exists(HOST, "alice") is False
    assert await store.accounts.set_keys(HOST, "alice", keys()) is False
    assert await store.accounts.set_disabled(HOST, "alice", True) is False
    await store.accounts.note_logins(HOST, {"alice": 1.0})
    assert await store.accounts.note_logout(HOST, "alice", 1.0) is False
    assert await store.accounts.remove(HOST, "alice") is False
    assert await store.accounts.count(HOST) == 0


async def test_an_account_is_created_once(store: Store) -> None:
    first = store.accounts.create(HOST, "alice", keys(1), created=1.0)
    second = store.accounts.create(HOST, "alice", keys(2), created=2.0)
    other = store.accounts.create(HOST, "bob", keys(3), created=3.0)
    await store.settled()
    assert first.exception() is None
    assert other.exception() is None
    assert isinstance(second.exception(), AccountExists)
    assert isinstance(second.exception(), StoreError)
    assert str(second.exception()) == "alice@example.org exists already"
    assert await store.accounts.keys(HOST, "alice") == {key.algorithm: key for key in keys(1)}
    assert store.health().healthy


async def test_log_ins_are_noted_together(store: Store) -> None:
    for local in "alice", "bob":
        await store.accounts.create(HOST, local, keys(), created=1.0)
    await store.accounts.note_logins(HOST, {"alice": 2.0, "carol": 3.0, "bob": 4.0})
    known = {local: await store.accounts.info(HOST, local) for local in ("alice", "bob", "carol")}
    assert {local: info and info.last_login for local, info in known.items()} == {
        "alice": 2.0,
        "bob": 4.0,
        "carol": None,
    }


async def test_which_hosts_have_accounts(store: Store) -> None:
    assert await store.accounts.hosts() == []
    for host in "example.org", "example.net", "xn--bcher-kva.example", "bücher.example":
        for local in "alice", "bob":
            store.accounts.create(host, local, keys(), created=1.0)
    assert await store.accounts.hosts() == ["bücher.example", "example.net", "example.org", "xn--bcher-kva.example"]


async def test_what_is_known_of_an_account(store: Store) -> None:
    await store.accounts.create(HOST, "alice", keys(), created=1_700_000_000.25)
    assert await store.accounts.info(HOST, "alice") == AccountInfo(1_700_000_000.25, False, None, None, "")
    store.accounts.note_logins(HOST, {"alice": 2.5})
    store.accounts.note_logout(HOST, "alice", 3.5, "gone for lunch")
    store.accounts.set_disabled(HOST, "alice", True)
    assert await store.accounts.info(HOST, "alice") == AccountInfo(1_700_000_000.25, True, 2.5, 3.5, "gone for lunch")
    await store.accounts.set_disabled(HOST, "alice", False)
    info = await store.accounts.info(HOST, "alice")
    assert info is not None
    assert info.disabled is False


async def test_names_by_page_in_the_order_of_code_points(store: Store) -> None:
    names = ["Zoe", "alice", "al", "bob", "b-ob", "zoe", "\u00e9mile", "\u4e2d", "\U0001f426"]
    for name in names:
        store.accounts.create(HOST, name, [], created=1.0)
    store.accounts.create("example.net", "nobody", [], created=1.0)
    pages, last = [], ""
    while page := await store.accounts.names(HOST, after=last, limit=4):
        pages.append(page)
        last = page[-1]
    assert [name for page in pages for name in page] == sorted(names)
    assert [len(page) for page in pages] == [4, 4, 1]
    assert await store.accounts.count(HOST) == 9


async def test_an_import_leaves_those_that_exist(store: Store) -> None:
    await store.accounts.create(HOST, "bob", keys(9), created=1.0)
    batch = [(name, keys(1)) for name in ("alice", "bob", "carol")]
    assert await store.accounts.create_many(HOST, iter(batch), created=2.0) == ["bob"]
    assert await store.accounts.create_many(HOST, batch, created=3.0) == ["alice", "bob", "carol"]
    assert await store.accounts.keys(HOST, "bob") == {key.algorithm: key for key in keys(9)}
    assert await store.accounts.keys(HOST, "carol") == {key.algorithm: key for key in keys(1)}


async def own_something(store: Store, owner: str) -> None:
    store.value("vcard").set(owner, "card")
    store.map("roster").set(owner, "contact", "both")
    await store.log("offline").append(owner, "message", stamp=1.0, peer="x", entry_id="y")


async def owned(store: Store, owner: str) -> tuple[str | None, int, int]:
    return (
        await store.value("vcard").get(owner),
        len(await store.map("roster").all(owner)),
        await store.log("offline").count(owner),
    )


async def test_all_that_an_account_owns_goes_with_it(store: Store) -> None:
    for local in "alice", "alic":
        store.accounts.create(HOST, local, keys(), created=1.0)
        await own_something(store, f"{local}@{HOST}")
    assert await store.accounts.remove(HOST, "alice") is True
    assert await store.accounts.exists(HOST, "alice") is False
    assert await store.accounts.keys(HOST, "alice") is None
    assert await owned(store, ALICE) == (None, 0, 0)
    assert await owned(store, "alic@example.org") == ("card", 1, 1)
    assert await store.accounts.exists(HOST, "alic") is True


@pytest.mark.parametrize("many", [False, True])
async def test_a_new_account_inherits_nothing(store: Store, many: bool) -> None:
    await store.accounts.create(HOST, "alice", keys(), created=1.0)
    await store.accounts.remove(HOST, "alice")
    await own_something(store, ALICE)  # a session of the former one, late
    if many:
        await store.accounts.create_many(HOST, [("alice", keys())], created=2.0)
    else:
        await store.accounts.create(HOST, "alice", keys(), created=2.0)
    assert await owned(store, ALICE) == (None, 0, 0)
