"""What waits for one client until somebody looks at it again."""

from __future__ import annotations

from collections.abc import Hashable


class Waiting:
    """The stanzas that wait for an inactive client, in their order. Kept with the session while it is inactive, and so
    what tells that it is."""

    __slots__ = ("_stanzas", "due", "octets")

    def __init__(self) -> None:
        self._stanzas: dict[Hashable, bytes] = {}
        self.octets = 0
        self.due: float | None = None
        """When they have to be sent at the latest, on the monotonic clock."""

    def __len__(self) -> int:
        return len(self._stanzas)

    def add(self, written: bytes, key: Hashable = None) -> None:
        """Let a stanza wait, in place of the one with the same key."""
        older = self._stanzas.pop(key, None) if key is not None else None
        if older is not None:
            self.octets -= len(older)
        self._stanzas[object() if key is None else key] = written
        self.octets += len(written)

    def take(self) -> list[bytes]:
        """Everything, which waits no longer."""
        stanzas = list(self._stanzas.values())
        self._stanzas.clear()
        self.octets = 0
        self.due = None
        return stanzas
