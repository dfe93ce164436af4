"""How long to wait between attempts to connect."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Final

FIRST: Final = 2.0
"""Seconds, at most, before the first attempt after a connection was lost."""
MOST: Final = 60.0
"""Seconds, at most, before any other: so long does it take at most to be back when the server is."""
STEADY: Final = 1.0
"""Seconds for which a client has to be online until waiting begins anew after it: a server that takes it and drops it
at once isn't to be asked for ever every other second. On a bad network few connections last long, and whoever is there
wants to be back soon."""


def delays(chance: Callable[[], float] = random.random) -> Iterator[float]:
    """Seconds to wait before each attempt: growing twofold, each by chance between the half and the whole, so that the
    clients of a server that comes back don't all come at once. `chance` gives numbers from 0 to 1."""
    longest = FIRST
    while True:
        yield longest * (0.5 + chance() / 2)
        longest = min(2 * longest, MOST)
