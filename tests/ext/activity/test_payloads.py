from __future__ import annotations

import pytest

from chirrup.core.errors import PayloadError
from chirrup.core.values import parse_element
from chirrup.ext.activity.payloads import Activity

NS = "http://jabber.org/protocol/activity"


def test_the_example_of_xep_0108() -> None:
    element = parse_element(
        f"<activity xmlns='{NS}'><relaxing><partying/></relaxing><text>My nurse&apos;s birthday!</text></activity>"
    )
    activity = Activity.parse(element)
    assert (activity.general, activity.specific, activity.text) == ("relaxing", "partying", "My nurse's birthday!")
    assert Activity.parse(Activity.of("relaxing", "partying", activity.text).to_element()) == activity


def test_nothing_and_something_general() -> None:
    nothing = Activity.parse(parse_element(f"<activity xmlns='{NS}'/>"))
    assert (nothing.general, nothing.specific) == ("", "")
    general = Activity.parse(parse_element(f"<activity xmlns='{NS}'><eating/></activity>"))
    assert (general.general, general.specific) == ("eating", "")
    with pytest.raises(PayloadError, match="flying"):
        Activity.of("flying")
