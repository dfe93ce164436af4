from __future__ import annotations

from typing import Any

from chirrup.testing import serve


async def test_a_contact_and_oneself_are_told(people: Any, friends: Any) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server, "tune")
        assert await people.publish(juliet, "tune", "a") == ""
        assert await people.told_items(juliet) == ["a"]
        assert await people.told_items(romeo) == ["a"]
