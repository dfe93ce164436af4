from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chirrup.core.errors import PayloadError
from chirrup.core.values import parse_element
from chirrup.ext.location.payloads import Location

NS = "http://jabber.org/protocol/geoloc"


def test_the_example_of_xep_0080() -> None:
    element = parse_element(
        f"""
        <geoloc xmlns='{NS}' xml:lang='en'>
          <accuracy>20</accuracy>
          <country>Italy</country>
          <lat>45.44</lat>
          <locality>Venice</locality>
          <lon>12.33</lon>
          <timestamp>2004-02-19T21:12Z</timestamp>
        </geoloc>
    """.replace("21:12Z", "21:12:00Z")
    )
    place = Location.parse(element)
    assert (place.lat, place.lon, place.accuracy, place.country) == (45.44, 12.33, 20.0, "Italy")
    assert place.timestamp == datetime(2004, 2, 19, 21, 12, tzinfo=UTC)
    assert Location.parse(place.to_element()) == place


def test_a_place_that_is_none() -> None:
    with pytest.raises(PayloadError, match="lat"):
        Location.parse(parse_element(f"<geoloc xmlns='{NS}'><lat>north</lat></geoloc>"))
