"""What modules keep with accounts and sessions."""

from __future__ import annotations

import pytest

from chirrup.server.keeper import Keeper


class Something(Keeper):
    def __init__(self) -> None:
        self.data = {}


class Note:
    """What one module keeps."""


class Other(Note):
    """What another does: its type is what counts, not what it comes from."""


def test_one_of_each_type() -> None:
    keeper = Something()
    assert keeper.find(Note) is None and Note not in keeper.data
    with pytest.raises(KeyError):
        keeper.get(Note)
    note, other = keeper.put(Note()), keeper.put(Other())
    assert keeper.get(Note) is keeper.find(Note) is note and keeper.get(Other) is other
    newer = keeper.put(Note())
    assert keeper.get(Note) is newer and Note in keeper.data


def test_what_is_dropped_is_gone() -> None:
    keeper = Something()
    note = keeper.put(Note())
    assert keeper.drop(Note) is note
    assert keeper.drop(Note) is None and keeper.find(Note) is None
