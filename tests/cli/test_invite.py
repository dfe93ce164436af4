from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.plugins.stores import stored

from chirrup.ext.invitations.invitation import Invitation, Invitations

CONFIG = """
data = "data"
[hosts."example.org"]
[hosts."closed.example"]
modules_disabled = ["invitations"]
[hosts."full.example"]
modules.registration.mode = "closed"
[hosts."guests.example.org"]
authentication = "anonymous"
"""


@pytest.fixture(autouse=True)
def configured(elsewhere: Path) -> None:
    (elsewhere / "chirrup.toml").write_text(CONFIG)


def kept(link: str, host: str = "example.org") -> Invitation | None:
    """What the link's token is for."""
    token = re.search(r"preauth=(\w+)", link)
    assert token
    found: Invitation | None = stored(lambda store: Invitations(store, host).find(token[1], now=time.time()))
    return found


def test_a_link_and_a_code(chirrup: Callable[..., Any]) -> None:
    ran = chirrup("invite")
    assert ran.status == 0
    link, *code = ran.out.splitlines()
    assert re.fullmatch(r"xmpp:example\.org\?register;preauth=\w{32}", link)
    assert len(code) > 10, "a picture of it"
    assert "once" in ran.err
    assert kept(link) is not None


def test_an_address_is_reserved(chirrup: Callable[..., Any]) -> None:
    link = chirrup("invite", "Juliet@example.org", "--no-qr", "--days", "1").out.strip()
    assert link.startswith("xmpp:juliet@example.org?register;preauth=")
    invitation = kept(link)
    assert invitation is not None
    assert invitation.username == "juliet"
    assert invitation.expires is not None
    assert 86_000 < invitation.expires - time.time() <= 86_400
    again = chirrup("invite", "juliet@example.org")
    assert (again.status, again.err) == (1, "chirrup: somebody else is invited as juliet\n")


def test_a_first_contact(chirrup: Callable[..., Any]) -> None:
    chirrup("user", "add", "romeo@example.org", stdin="a good secret\n")
    link = chirrup("invite", "--from", "romeo@example.org", "--no-qr").out.strip()
    assert link.startswith("xmpp:romeo@example.org?roster;preauth=")
    assert link.endswith(";ibr=y")


def test_a_page_of_ones_own(chirrup: Callable[..., Any], elsewhere: Path) -> None:
    page = '[modules.invitations]\nlanding_url = "https://example.org/join/#{token}"\n'
    (elsewhere / "chirrup.toml").write_text('data = "data"\n' + page + '[hosts."example.org"]\n')
    assert re.fullmatch(r"https://example\.org/join/#\w{32}\n", chirrup("invite", "--no-qr").out)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("bob@elsewhere.example",), "elsewhere.example is not served here"),
        (("closed.example",), "closed.example takes no invitations without invitations"),
        (("guests.example.org",), "guests.example.org takes no invitations"),
        (("--from", "nobody@example.org"), "nobody@example.org: there is no such account"),
        (("closed.example", "--from", "romeo@example.org"), "closed.example takes no invitations"),
        (("a b@example.org",), "localpart 'a b'"),
        (("juliet@full.example",), 'nobody can register at full.example: modules.registration.mode is "closed"'),
        (("--days", "inf"), "36,500 days at most"),
    ],
)
def test_who_cannot_be_invited(chirrup: Callable[..., Any], arguments: tuple[str, ...], said: str) -> None:
    ran = chirrup("invite", *arguments)
    assert ran.status == 1
    assert said in ran.err
    assert ran.out == ""


def test_somebody_who_is_there_already(chirrup: Callable[..., Any]) -> None:
    chirrup("user", "add", "romeo@example.org", stdin="a good secret\n")
    ran = chirrup("invite", "romeo@example.org")
    assert ran.status == 1
    assert "exists already" in ran.err
