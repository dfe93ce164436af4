"""The entities to which a session sent presence of their own (RFC 6121 §4.6)."""

from __future__ import annotations

from collections.abc import Iterator

from chirrup.core.jid import JID


class Directed:
    """Whom a session has sent directed presence, and not yet that it is unavailable."""

    __slots__ = ("_count", "_entities")

    def __init__(self) -> None:
        self._entities: dict[JID, set[JID]] = {}  # by bare JID
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[JID]:
        for entities in self._entities.values():
            yield from entities

    def __contains__(self, entity: JID) -> bool:
        return entity in self._entities.get(entity.bare, ())

    def add(self, entity: JID) -> None:
        entities = self._entities.setdefault(entity.bare, set())
        self._count += entity not in entities
        entities.add(entity)

    def discard(self, entity: JID) -> None:
        """Take an entity out; a bare JID stands for all of its resources."""
        entities = self._entities.get(entity.bare)
        if entities is None or not (entity.is_bare or entity in entities):
            return
        gone = len(entities) if entity.is_bare else 1
        if gone == len(entities):
            del self._entities[entity.bare]
        else:
            entities.discard(entity)
        self._count -= gone

    def of(self, jid: JID) -> frozenset[JID]:
        """The entities of one bare JID."""
        return frozenset(self._entities.get(jid.bare, ()))

    def knows(self, jid: JID) -> bool:
        """Whether any resource of that address was sent presence: of a room, one occupant stands for all."""
        return jid.bare in self._entities
