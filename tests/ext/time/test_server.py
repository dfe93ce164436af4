from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chirrup.core.stanza import read_error
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.time.payloads import Time, offset
from chirrup.testing import FakeClock, serve


@pytest.mark.parametrize(
    ("minutes", "written"),
    [(0, "+00:00"), (60, "+01:00"), (330, "+05:30"), (-480, "-08:00"), (-210, "-03:30"), (840, "+14:00")],
)
def test_offset(minutes: int, written: str) -> None:
    assert offset(timedelta(minutes=minutes)) == written


async def test_the_host_tells_its_clocks_time() -> None:
    async with serve(clock=FakeClock(1_700_049_600.75)) as server:
        alice = await server.client("alice")
        answer = await alice.ask(Element("iq", CLIENT, Time().to_element(), type="get", to="localhost"))
        told = Time.find(answer)
        assert told is not None
        assert told.utc == datetime(2023, 11, 15, 12, 0, 0, tzinfo=UTC)
        local = told.utc.astimezone().utcoffset()
        assert local is not None
        assert told.tzo == offset(local)


async def test_accounts_have_no_clock() -> None:
    async with serve() as server:
        alice = await server.client("alice")
        answer = await alice.ask(Element("iq", CLIENT, Time().to_element(), type="get"))
        assert read_error(answer).condition == "service-unavailable"
