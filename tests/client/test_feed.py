"""Async iterators over what comes in."""

from __future__ import annotations

import asyncio
import gc

import pytest

from chirrup.client.feed import Feed, Feeds
from chirrup.core.errors import Disconnected, LocalProtocolError


async def test_items_come_in_order() -> None:
    feeds: Feeds[int] = Feeds()
    odd, few = feeds.open(lambda number: number % 2 == 1), feeds.open(most=2)
    for number in range(6):
        feeds.put(number)
    feeds.close()
    feeds.put(7)
    assert [number async for number in odd] == [1, 3, 5]
    assert [number async for number in few] == [4, 5]


async def test_the_end_may_be_an_error() -> None:
    feed: Feed[int] = Feed()
    waiting = asyncio.create_task(anext(feed))
    await asyncio.sleep(0)
    feed.close(Disconnected("gone"))
    with pytest.raises(Disconnected):
        await waiting


async def test_a_feed_that_nobody_holds_is_forgotten() -> None:
    feeds: Feeds[int] = Feeds()
    async for _ in _with_one(feeds):
        break
    gc.collect()
    assert not feeds
    assert feeds.longest == 0


def _with_one(feeds: Feeds[int]) -> Feed[int]:
    feed = feeds.open()
    feeds.put(1)
    return feed


async def test_cancelling_loses_nothing() -> None:
    feed: Feed[int] = Feed()
    waiting = asyncio.create_task(anext(feed))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    feed.put(1)
    assert await anext(feed) == 1


async def test_one_reader_at_a_time() -> None:
    feed: Feed[int] = Feed()
    waiting = asyncio.create_task(anext(feed))
    await asyncio.sleep(0)
    with pytest.raises(LocalProtocolError, match="one reader"):
        await anext(feed)
    waiting.cancel()


async def test_it_tells_when_something_was_taken() -> None:
    taken: list[int] = []
    feeds: Feeds[int] = Feeds(lambda: taken.append(feeds.longest))
    feed = feeds.open()
    feeds.put(1)
    feeds.put(2)
    assert await anext(feed) == 1
    assert taken == [1]
