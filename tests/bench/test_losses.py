"""What a server loses is found."""

from __future__ import annotations

from typing import Any

import pytest
from bench.scenarios.chat import SMALL, chat


@pytest.mark.parametrize(("every", "lost"), [(0, 0), (100, 2 * 5)])
async def test_every_message_that_does_not_arrive_is_lost(losing_server: Any, every: int, lost: int) -> None:
    async with losing_server(every) as server:
        result = await chat(server, pairs=2, window=64, messages=1_000, body=SMALL, tls=False, patience=0.3)
    assert (result.units, result.lost) == (1_000 - lost, lost)


async def test_a_pair_whose_whole_window_was_lost_stands_still_and_is_told(losing_server: Any) -> None:
    async with losing_server(10) as server:
        result = await chat(server, pairs=1, window=4, messages=1_000, body=SMALL, tls=False, patience=0.3)
    assert result.lost == 4
    assert result.units == 36


async def test_a_slow_server_is_given_no_more_after_a_while_and_loses_nothing_by_that(losing_server: Any) -> None:
    async with losing_server(0) as server:
        result = await chat(server, pairs=1, window=4, messages=10**8, body=SMALL, tls=False, longest=0.05)
    assert 4 <= result.units < 10**8
    assert result.lost == 0
