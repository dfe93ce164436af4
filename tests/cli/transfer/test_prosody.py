"""Prosody's files, also as other versions and other hands leave them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chirrup.core.sasl import derive_keys, keys_match
from chirrup.store.message_rows import Range

Run = Callable[..., Any]
JULIET = "juliet@capulet.com"


@pytest.fixture
def put() -> Callable[[str, str], None]:
    """Writes a file of a store, for `juliet` where the name has none."""

    def write(path: str, text: str) -> None:
        file = Path("prosody", "capulet%2ecom", path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    return write


def test_plain_passwords_and_names_with_other_characters(chirrup: Run, put: Any, stored: Any) -> None:
    put("accounts/juliet.dat", 'return {\n\t["password"] = "a\\"b\\195\\164";\n};\n')
    put("accounts/%c3%b6%2e1.dat", 'return { ["password"] = "x" };')
    ran = chirrup("import", "prosody")
    assert ran.status == 0, ran.err
    assert stored(lambda store: store.accounts.names("capulet.com")) == ["juliet", "ö.1"]
    keys = stored(lambda store: store.accounts.keys("capulet.com", "juliet"))
    assert all(keys_match(each, 'a"bä') for each in keys.values())


@pytest.mark.parametrize("algorithm", ["SHA-1", "SHA-256", "SHA-512"])
def test_keys_of_any_hash_and_disabled_accounts(chirrup: Run, put: Any, stored: Any, algorithm: str) -> None:
    keys = derive_keys(algorithm, "secret", b"salt-\xff", 4096)
    put(
        "accounts/juliet.dat",
        f'return {{ ["salt"] = "salt-\\255"; ["iteration_count"] = 4096; ["stored_key"] = "{keys.stored_key.hex()}"; '
        f'["server_key"] = "{keys.server_key.hex()}"; ["disabled"] = true }};',
    )
    ran = chirrup("import", "prosody", "--format", "prosody")
    assert ran.status == 0, ran.err
    assert stored(lambda store: store.accounts.keys("capulet.com", "juliet")) == {algorithm: keys}
    assert stored(lambda store: store.accounts.info("capulet.com", "juliet")).disabled


def test_a_file_that_is_broken_does_not_end_the_others(chirrup: Run, put: Any, stored: Any) -> None:
    put("accounts/juliet.dat", 'return { ["password"] = "x" };')
    put("accounts/nurse.dat", "return {")
    put("accounts/romeo.dat", 'return { ["password"] = "x" };')
    put("roster/juliet.dat", "return { os.exit() };")
    put("vcard/juliet.dat", 'return { ["name"] = "vCard"; { ["name"] = "a><b"; }; };')
    message = 'item({{ ["name"] = "message"; ["when"] = 1262304000; {{ ["name"] = "{}"; "words {}"; }}; }});\n'
    broken = 'item({ ["name"] = "me\\0sage"; ["when"] = 1; });\nitem({ ["name"'
    put(
        "archive/juliet.list", message.format("body", 1) + message.format("b d", 2) + message.format("body", 3) + broken
    )
    ran = chirrup("import", "prosody")
    assert ran.status == 1 and "Traceback" not in ran.err
    for place in (
        "accounts/nurse.dat:1: ", "roster/juliet.dat:1: ", "'a><b' is no name", "archive/juliet.list:2: ",
        "archive/juliet.list:4: ", "archive/juliet.list:5: ",
    ):  # fmt: skip
        assert place in ran.err, ran.err
    assert stored(lambda store: store.accounts.names("capulet.com")) == ["juliet", "romeo"]
    found = stored(lambda store: store.messages.page(JULIET, Range(), limit=9))
    assert ["words 1" in found[0].value, "words 3" in found[1].value, len(found)] == [True, True, 2]


def test_what_xml_cannot_have_keeps_nobody_from_their_data(chirrup: Run, put: Any, stored: Any) -> None:
    """Characters and names that no Prosody writes: one of them would have made all of an account unreadable."""
    put("accounts/juliet.dat", 'return { ["password"] = "x" };')
    put(
        "roster/juliet.dat",
        'return { ["nurse@capulet.com"] = { ["subscription"] = "to"; ["name"] = "\\1"; '
        '["groups"] = { ["\\2"] = true } };'
        '[false] = { ["pending"] = { ["a@b"] = { ["name"] = "a b" }; ["romeo@montague.net"] = true } } };',
    )
    put(
        "private/juliet.dat",
        'return { { ["name"] = "a b" }; x = { ["name"] = "<" }; '
        'y = { ["name"] = "y"; ["attr"] = { ["xmlns"] = "x" }; "words" } };',
    )
    put("pep/juliet.dat", 'return { ["n"] = { ["config"] = { ["title"] = "\\1" } } };')
    item = 'item({{ ["name"] = "{}"; ["attr"] = {{ ["xmlns"] = "x"; }}; ["key"] = "{}" }});\n'
    put("pep_n/juliet.list", item.format("a", "\\0") + item.format("a b", "k") + item.format("a", "good"))
    put("offline/juliet.list", 'item({ ["name"] = "message"; ["when"] = 5; { ["name"] = "body"; "\\0 words" } });')
    ran = chirrup("import", "prosody")
    assert (ran.status, ran.err.count("is no name")) == (1, 3), ran.err
    assert set(stored(lambda store: store.map("roster").all(JULIET))) == {"nurse@capulet.com", "romeo@montague.net"}
    assert list(stored(lambda store: store.map("private").all(JULIET)).values()) == ["<y xmlns='x'>words</y>"]
    items = stored(lambda store: store.pubsub.newest(JULIET, "n", 5))
    assert [one.payload for one in items] == ["<a xmlns='x'/>"] * 2 and "good" in [one.item for one in items]
    (waiting,) = stored(lambda store: store.messages.waiting(JULIET, limit=5))
    assert "\N{REPLACEMENT CHARACTER} words" in waiting.value
    assert chirrup("export", "all.xml").status == 0
    assert "no problems" in chirrup("import", "all.xml", "--data", "other").out


@pytest.mark.parametrize("folder", ["prosody", "capulet%2ecom"])
def test_a_folder_that_cannot_be_read(chirrup: Run, put: Any, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    put("accounts/juliet.dat", 'return { ["password"] = "x" };')
    entries = Path.iterdir

    def iterdir(path: Path) -> Iterator[Path]:
        if path.name == folder:
            raise PermissionError(13, "Permission denied", str(path))
        return entries(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    ran = chirrup("import", "prosody", "--format", "prosody")
    assert (ran.status, "1 problems" in ran.out) == (1, True)
    assert f"{folder}: Permission denied" in ran.err


def test_nodes_with_many_items(chirrup: Run, put: Any, stored: Any) -> None:
    put("accounts/juliet.dat", 'return { ["password"] = "x" };')
    put("pep/juliet.dat", 'return { ["n"] = {}; ["empty"] = {} };')
    item = 'item({{ ["name"] = "a"; ["attr"] = {{ ["xmlns"] = "x"; }}; ["key"] = "{}" }});\n'
    put("pep_n/juliet.list", "".join(item.format(number) for number in range(1201)))
    ran = chirrup("import", "prosody")
    assert "2 nodes imported" in ran.out and "1201 items of nodes imported" in ran.out and "no problems" in ran.out
    items = stored(lambda store: store.pubsub.newest(JULIET, "n", 2000))
    assert sorted(int(one.item) for one in items) == list(range(1201))


@pytest.mark.parametrize("access", ["open", "presence"])
def test_vcards_that_are_published_only(chirrup: Run, put: Any, stored: Any, access: str) -> None:
    """As by its mod_vcard_legacy, which is on from the start. A vCard of XEP-0054 can be read by everybody."""
    put("accounts/juliet.dat", 'return { ["password"] = "x" };')
    config = f'["config"] = {{ ["_defaults_only"] = true; ["access_model"] = "{access}" }}'
    put("pep/juliet.dat", f'return {{ ["urn:xmpp:vcard4"] = {{ {config} }} }};')
    text = '{ ["name"] = "fn"; ["attr"] = {}; { ["name"] = "text"; ["attr"] = {}; "Juliet" } }'
    attributes = '["attr"] = { ["xmlns"] = "urn:ietf:params:xml:ns:vcard-4.0" }'
    put("pep_urn%3axmpp%3avcard4/juliet.list", f'item({{ ["name"] = "vcard"; {attributes}; ["key"] = "x"; {text} }});')
    ran = chirrup("import", "prosody")
    assert ("no problems" in ran.out, ran.err) == (True, "")
    assert len(stored(lambda store: store.pubsub.newest(JULIET, "urn:xmpp:vcard4", 5))) == 1
    card = stored(lambda store: store.value("vcard").get(JULIET))
    assert card == ("<vCard xmlns='vcard-temp'><FN>Juliet</FN></vCard>" if access == "open" else None)


def test_keys_that_nobody_could_use(chirrup: Run, put: Any) -> None:
    keys = '["stored_key"] = "{0}"; ["server_key"] = "{0}"; ["salt"] = "salt"'.format("ab" * 20)
    put("accounts/juliet.dat", f'return {{ {keys}; ["iteration_count"] = 999999999 }};')
    assert "999999999 iterations are more than" in chirrup("import", "prosody").err


def test_what_is_left_out_is_told(chirrup: Run, put: Any) -> None:
    put("accounts/juliet.dat", 'return { ["password"] = "x" };')
    put("cloud_notify/juliet.dat", "return {};")
    put("account_details/juliet.dat", "return {};")
    Path("prosody/rooms%2ecapulet%2ecom/persistent").mkdir(parents=True)
    ran = chirrup("import", "prosody")
    assert "the store 'cloud_notify' is left out" in ran.err and "account_details" not in ran.err
    assert "rooms.capulet.com has no accounts here, and is left out" in ran.err


def test_older_ways_to_store(chirrup: Run, put: Any, stored: Any) -> None:
    put("accounts/juliet.dat", 'return { ["password"] = "x" };')
    put(
        "roster/juliet.dat",
        'return { ["pending"] = { ["romeo@montague.net"] = true }; ["nurse@capulet.com"] = '
        '{ ["subscription"] = "to"; ["ask"] = "unsubscribe"; ["groups"] = {} } };',
    )
    put(
        "offline/juliet.list",
        'item({ { "Hello"; ["name"] = "body"; ["attr"] = {} }; ["name"] = "message"; ["attr"] = '
        '{ ["from"] = "romeo@montague.net"; ["stamp"] = "2010-01-01T00:00:00Z"; ["stamp_legacy"] = "x" } });',
    )
    put("archive_prefs/juliet.dat", 'return { [false] = "roster"; ["romeo@montague.net"] = true };')
    put("pep/juliet.dat", 'return { ["n"] = true };')
    put("pep_n/juliet.list", 'item({ ["name"] = "a"; ["attr"] = { ["xmlns"] = "x"; }; ["key"] = "k"; ["when"] = 5 });')
    ran = chirrup("import", "prosody")
    assert ran.status == 0, ran.err
    roster = stored(lambda store: store.map("roster").all(JULIET))
    assert '"none+in"' in roster["romeo@montague.net"] and '"none"' in roster["nurse@capulet.com"]
    (waiting,) = stored(lambda store: store.messages.waiting(JULIET, limit=5))
    assert waiting.id // 1_000_000 == 1_262_304_000 and "stamp" not in waiting.value
    assert '"roster"' in stored(lambda store: store.value("archive_preferences").get(JULIET))
    (item,) = stored(lambda store: store.pubsub.newest(JULIET, "n", 5))
    assert (item.item, item.payload) == ("k", "<a xmlns='x'/>")
