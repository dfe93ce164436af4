"""`chirrup export`, and that what it writes can be read again."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from chirrup.core.sasl import keys_match
from chirrup.store import Store
from chirrup.store.message_rows import Message, MessageRows, Range

Run = Callable[..., Any]
PIE = "{urn:xmpp:pie:0}"
JULIET = "juliet@capulet.com"


def users(file: str) -> list[tuple[str, str]]:
    root = ElementTree.parse(file).getroot()
    return [(host.get("jid"), user.get("name")) for host in root for user in host]


@pytest.fixture
def accounts(chirrup: Run) -> None:
    lines = "".join(f"{jid},secret\n" for jid in (JULIET, "nurse@capulet.com", "r&o'@montague.net"))
    Path("lines").write_text(lines.replace("r&o'@", "romeo@"))
    assert chirrup("user", "add", "--from", "lines").status == 0


def test_the_file_is_new_and_for_its_owner_alone(chirrup: Run, accounts: None) -> None:
    ran = chirrup("export", "out.xml")
    assert (ran.status, ran.out) == (0, "")
    assert "3 accounts in out.xml, which nobody else can read" in ran.err and "keep it like passwords" in ran.err
    assert Path("out.xml").stat().st_mode & 0o777 == 0o600
    before = Path("out.xml").read_bytes()
    again = chirrup("export", "out.xml")
    assert (again.status, again.err) == (1, "chirrup: out.xml exists already, and stays as it is\n")
    assert Path("out.xml").read_bytes() == before
    assert "No such file" in chirrup("export", "missing/out.xml").err


def test_hosts_and_accounts_are_chosen(chirrup: Run, accounts: None) -> None:
    chirrup("export", "all.xml")
    assert users("all.xml") == [("capulet.com", "juliet"), ("capulet.com", "nurse"), ("montague.net", "romeo")]
    chirrup("export", "host.xml", "--host", "Montague.net")
    assert users("host.xml") == [("montague.net", "romeo")]
    assert "1 account in one.xml" in chirrup("export", "one.xml", "--user", JULIET).err
    assert users("one.xml") == [("capulet.com", "juliet")]
    for wrong in (("--host", "guests.net"), ("--host", "x.org"), ("--user", "nobody@capulet.com"), ("--user", "x@y.z")):
        assert chirrup("export", "wrong.xml", *wrong).status == 1
    assert not Path("wrong.xml").exists()


def test_standard_output_has_nothing_else(chirrup: Run, accounts: None) -> None:
    ran = chirrup("export", "-")
    assert [host.get("jid") for host in ElementTree.fromstring(ran.out)] == ["capulet.com", "montague.net"]
    assert "standard output" in ran.err


def test_who_was_disabled_stays_so_and_passwords_stay(chirrup: Run, accounts: None, stored: Any) -> None:
    stored(lambda store: store.accounts.set_disabled("capulet.com", "nurse", True))
    stored(lambda store: store.accounts.note_logins("capulet.com", {"juliet": 1_700_000_000.25}))
    chirrup("export", "out.xml")
    assert "secret" not in Path("out.xml").read_text()
    for local in ("juliet", "nurse"):
        chirrup("user", "remove", f"{local}@capulet.com", "--yes")
    ran = chirrup("import", "out.xml")
    assert ran.status == 0, ran.err
    assert stored(lambda store: store.accounts.info("capulet.com", "nurse")).disabled
    assert stored(lambda store: store.accounts.info("capulet.com", "juliet")).last_login == 1_700_000_000.25
    keys = stored(lambda store: store.accounts.keys("capulet.com", "juliet"))
    assert len(keys) == 3 and all(keys_match(each, "secret") for each in keys.values())


def message(number: int, words: str, *, archived: bool = True, waiting: bool = False) -> Message:
    value = f"<message from='romeo@montague.net/x' to='{JULIET}'><body>{words}</body></message>"
    return Message(number, "romeo@montague.net", "x", value, archived, waiting)


def test_archives_keep_their_order_and_times_and_waiting_messages_are_stored_once(
    chirrup: Run, accounts: None, stored: Any
) -> None:
    began = int((time.time() - 3600) * 1_000_000)
    kept = [message(began + number, f"words {number} <&>".replace("<&>", "&lt;&amp;&gt;")) for number in range(1200)]
    kept.append(message(began + 2_000, "archived and waiting", waiting=True))
    kept.append(message(began + 2_001, "waiting", archived=False, waiting=True))

    async def put(store: Store) -> int:
        return await store.submit(lambda connection: store.messages.within(connection).bring_in(JULIET, kept))

    assert stored(put) == 1202
    chirrup("export", "out.xml")
    chirrup("export", "little.xml", "--no-archive")
    assert "words" not in Path("little.xml").read_text() and "waiting" in Path("little.xml").read_text()
    ran = chirrup("import", "out.xml", "--data", "other")
    assert "1201 archived messages imported" in ran.out and "2 waiting messages imported" in ran.out
    before = stored(lambda store: store.messages.page(JULIET, Range(), limit=5000))
    (Path("data")).rename("former")
    Path("other").rename("data")
    assert stored(lambda store: store.messages.page(JULIET, Range(), limit=5000)) == before
    waiting = stored(lambda store: store.messages.waiting(JULIET, limit=10))
    assert [(one.id - began, one.archived) for one in waiting] == [(2_000, True), (2_001, False)]


def test_large_messages_are_written_and_read_a_few_at_a_time(
    chirrup: Run, accounts: None, stored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """500 of the largest would be 128 MB."""
    kept = [message(number + 1, "x" * 200_000) for number in range(30)]

    async def put(store: Store) -> int:
        return await store.submit(lambda connection: store.messages.within(connection).bring_in(JULIET, kept))

    held = []
    page, bring_in = MessageRows.page, MessageRows.bring_in

    def paging(rows: MessageRows, *args: Any, **options: Any) -> list[Message]:
        found = page(rows, *args, **options)
        held.append(sum(len(one.value) for one in found))
        return found

    def bringing(rows: MessageRows, owner: str, messages: list[Message]) -> int:
        held.append(sum(len(one.value) for one in messages))
        return bring_in(rows, owner, messages)

    stored(put)
    monkeypatch.setattr(MessageRows, "page", paging)
    monkeypatch.setattr(MessageRows, "bring_in", bringing)
    chirrup("export", "out.xml")
    assert "30 archived messages imported" in chirrup("import", "out.xml", "--data", "other").out
    assert len(held) >= 10 and max(held) < 1_500_000


def test_at_a_terminal_it_is_shown_how_far_it_is(chirrup: Run, accounts: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", screen := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    chirrup("export", "out.xml")
    assert "3 accounts" in screen.getvalue().partition("chirrup:")[0]
    screen.truncate(0)
    assert chirrup("import", "out.xml", "--data", "other").status == 0
    assert "Importing" in screen.getvalue() and "3 accounts" in screen.getvalue()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_what_was_not_completed_is_taken_away(chirrup: Run, accounts: None, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("chirrup.cli.transfer.exporting.Export._user", full)
    ran = chirrup("export", "out.xml")
    assert (ran.status, ran.err) == (1, "chirrup: out.xml: No space left on device\n")
    assert not Path("out.xml").exists()
