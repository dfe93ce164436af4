from __future__ import annotations

import pytest

from chirrup.core.jid import JID
from chirrup.ext.blocking.blocked import Blocked

JULIET = JID("juliet@capulet.example")


@pytest.mark.parametrize(
    ("item", "jid", "matches"),
    [
        ("romeo@montague.example/orchard", "romeo@montague.example/orchard", True),
        ("romeo@montague.example/orchard", "romeo@montague.example/garden", False),
        ("romeo@montague.example/orchard", "romeo@montague.example", False),
        ("romeo@montague.example", "romeo@montague.example/orchard", True),
        ("romeo@montague.example", "romeo@montague.example", True),
        ("romeo@montague.example", "benvolio@montague.example", False),
        ("romeo@montague.example", "montague.example", False),
        ("montague.example/orchard", "montague.example/orchard", True),
        ("montague.example/orchard", "montague.example/garden", False),
        ("montague.example/orchard", "montague.example", False),
        ("montague.example", "montague.example", True),
        ("montague.example", "montague.example/orchard", True),
        ("montague.example", "romeo@montague.example", True),
        ("montague.example", "romeo@montague.example/orchard", True),
        ("montague.example", "romeo@sub.montague.example", False),
        ("capulet.example", "nurse@capulet.example/chamber", True),
        ("capulet.example", "capulet.example", False),
        ("capulet.example", "juliet@capulet.example/chamber", False),
        ("juliet@capulet.example", "juliet@capulet.example", False),
        ("juliet@capulet.example", "juliet@capulet.example/chamber", False),
        ("juliet@capulet.example/chamber", "juliet@capulet.example/chamber", False),
    ],
)
def test_matching(item: str, jid: str, matches: bool) -> None:
    """XEP-0191 §6; and what is never blocked (§5)."""
    assert Blocked(JULIET, [JID(item)]).matches(JID(jid)) is matches


def test_a_long_list_grows_and_shrinks_item_by_item() -> None:
    """What one more item costs doesn't depend on how many there are."""
    blocked = Blocked(JID("juliet@localhost"))
    jids = [JID(f"somebody{number}@example.net") for number in range(100_000)]
    for jid in jids:
        blocked.add([jid])
    assert len(blocked) == 100_000
    assert blocked.matches(JID("somebody99999@example.net/x"))
    for jid in jids:
        blocked.discard([jid])
    assert not blocked.matches(JID("somebody99999@example.net"))


def test_the_list_grows_and_shrinks() -> None:
    blocked = Blocked(JULIET)
    assert not blocked
    blocked.add([JID("tybalt@capulet.example"), JID("montague.example")])
    blocked.add([JID("tybalt@capulet.example")])
    assert list(blocked.jids) == [JID("tybalt@capulet.example"), JID("montague.example")]
    blocked.discard([JID("montague.example"), JID("nobody@example.org")])
    assert not blocked.matches(JID("romeo@montague.example"))
    assert blocked.matches(JID("tybalt@capulet.example"))
