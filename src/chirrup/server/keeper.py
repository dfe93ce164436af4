"""What modules keep with an account or a session."""

from __future__ import annotations

from typing import TypeVar

D = TypeVar("D")


class Keeper:
    """Something with which modules keep objects: one of each type, found again by that."""

    __slots__ = ()

    data: dict[type, object]
    """What is kept: `kind in account.data` says whether there is something of that type."""

    def put(self, kept: D) -> D:
        """Keep an object, in place of any other of its type."""
        self.data[type(kept)] = kept
        return kept

    def get(self, kind: type[D]) -> D:
        """What is there of that type. KeyError where nothing is."""
        return self.data[kind]  # type: ignore[return-value]

    def find(self, kind: type[D]) -> D | None:
        return self.data.get(kind)  # type: ignore[return-value]

    def drop(self, kind: type[D]) -> D | None:
        """Keep it no longer: what was there, if anything."""
        return self.data.pop(kind, None)  # type: ignore[return-value]
