from __future__ import annotations

from chirrup.core.jid import JID
from chirrup.ext.presence.directed import Directed

ROOM = JID("lobby@chat.example.com")
ME = JID("lobby@chat.example.com/me")
YOU = JID("lobby@chat.example.com/you")
ROMEO = JID("romeo@example.net")


def test_entities_are_remembered_once_each() -> None:
    directed = Directed()
    for entity in (ME, YOU, ROMEO, ME, ROMEO):
        directed.add(entity)
    assert set(directed) == {ME, YOU, ROMEO}
    assert len(directed) == 3


def test_one_resource_is_forgotten_alone() -> None:
    directed = Directed()
    directed.add(ME)
    directed.add(YOU)
    directed.discard(YOU)
    directed.discard(YOU)
    assert (list(directed), len(directed)) == ([ME], 1)
    directed.discard(ME)
    assert (list(directed), len(directed)) == ([], 0)
    assert not directed.knows(ROOM)


def test_a_bare_address_stands_for_all_its_resources() -> None:
    directed = Directed()
    for entity in (ME, YOU, ROOM, ROMEO):
        directed.add(entity)
    directed.discard(ROOM)
    assert (list(directed), len(directed)) == ([ROMEO], 1)


def test_presence_to_one_occupant_makes_the_session_known_to_all() -> None:
    directed = Directed()
    directed.add(ME)
    assert directed.knows(YOU)
    assert directed.knows(ROOM)
    assert not directed.knows(ROMEO)
    assert ME in directed
    assert YOU not in directed


def test_the_entities_of_one_address() -> None:
    directed = Directed()
    for entity in (ME, YOU, ROMEO):
        directed.add(entity)
    assert directed.of(ME) == directed.of(ROOM) == {ME, YOU}
    assert directed.of(JID("nobody@example.net")) == frozenset()
