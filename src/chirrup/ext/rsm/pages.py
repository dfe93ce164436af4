"""Which page somebody wants, and how to cut it out of a list that is at hand.

Where what is paged is in the store, read by key what `Wanted` says, and answer with `told`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from chirrup.core.errors import StanzaError
from chirrup.core.record import record
from chirrup.ext.rsm.payloads import First, Set

T = TypeVar("T")

_LAST_INDEX: Final = (1 << 31) - 1
"""Nothing has more items, and a database takes no number of any length."""


@record
class Wanted:
    """A page that somebody asked for."""

    limit: int
    """How many items at most; 0 asks for the count alone."""
    after: str | None = None
    """Items after this one only."""
    before: str | None = None
    """Items before this one only."""
    backwards: bool = False
    """Whether it is the last ones between `after` and `before` that are wanted. (The page itself is in order.)"""
    index: int | None = None
    """How many items stand before the page's first; only without `after` and `before`."""


def wanted(request: Set | None, *, largest: int, default: int | None = None) -> Wanted:
    """The page that a request is for: of `default` items where it doesn't say, and never more than `largest`.

    XEP-0059 leaves open what <after/> and <before/> mean together: here it is the last page of what stands between
    them. Raises StanzaError."""
    if request is None:
        return Wanted(default or largest)
    limit = (default or largest) if request.max is None else min(request.max, largest)
    if request.index is not None and (request.before is not None or request.after is not None):
        raise StanzaError("bad-request", "a page is asked for by its index, or by the item before or after it")
    backwards = request.before is not None
    index = None if request.index is None else min(request.index, _LAST_INDEX)
    return Wanted(limit, request.after or None, request.before or None, backwards, index)


def told(uids: Sequence[str], *, count: int | None = None, index: int | None = None) -> Set:
    """What is told of a page with these items; `count` of the whole and `index` of the first, where known."""
    if not uids:
        return Set(count=count)
    return Set(first=First(uids[0], index), last=uids[-1], count=count)


def cut(items: Sequence[T], uid: Callable[[T], str], page: Wanted) -> tuple[Sequence[T], Set]:
    """The page of a list, and what is told of it. StanzaError "item-not-found" if it is to begin or end at an item
    that isn't in the list."""
    uids = [uid(item) for item in items]
    low, high = 0, len(uids)
    if page.index is not None:
        low = min(page.index, high)
    if page.after is not None:
        low = _position(uids, page.after) + 1
    if page.before is not None:
        high = _position(uids, page.before)
    if page.backwards:
        low = max(low, high - page.limit)
    else:
        high = min(high, low + page.limit)
    return items[low:high], told(uids[low:high], count=len(uids), index=low)


def _position(uids: Sequence[str], uid: str) -> int:
    try:
        return uids.index(uid)
    except ValueError:
        raise StanzaError("item-not-found", "there is no such item to begin or end a page at") from None
