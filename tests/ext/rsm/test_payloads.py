from __future__ import annotations

import pytest

from chirrup.core.errors import PayloadError
from chirrup.core.values import parse_element
from chirrup.ext.rsm import NS
from chirrup.ext.rsm.payloads import First, Set


def parsed(inside: str) -> Set:
    return Set.parse(parse_element(f"<set xmlns='{NS}'>{inside}</set>"))


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("<max>10</max>", Set(max=10)),
        ("<max>10</max><after>peterpan@neverland.lit</after>", Set(max=10, after="peterpan@neverland.lit")),
        ("<max>10</max><before>peter@pixyland.org</before>", Set(max=10, before="peter@pixyland.org")),
        ("<max>10</max><before/>", Set(max=10, before="")),
        ("<max>10</max><index>371</index>", Set(max=10, index=371)),
        ("<max>0</max>", Set(max=0)),
        ("<count>800</count>", Set(count=800)),
        (
            "<first index='10'>peter@pixyland.org</first><last>peter@rabbit.lit</last><count>800</count>",
            Set(first=First("peter@pixyland.org", 10), last="peter@rabbit.lit", count=800),
        ),
    ],
)
def test_there_and_back(inside: str, expected: Set) -> None:
    assert parsed(inside) == expected
    assert Set.parse(expected.to_element()) == expected


@pytest.mark.parametrize("inside", ["<max>-1</max>", "<max>many</max>", "<index>-5</index>", "<max/>"])
def test_nonsense(inside: str) -> None:
    with pytest.raises(PayloadError):
        parsed(inside)
