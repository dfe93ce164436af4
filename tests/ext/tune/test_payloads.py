from __future__ import annotations

from chirrup.core.values import parse_element
from chirrup.ext.tune.payloads import Tune


def test_the_example_of_xep_0118() -> None:
    element = parse_element("""
        <tune xmlns='http://jabber.org/protocol/tune'>
          <artist>Yes</artist>
          <length>686</length>
          <rating>8</rating>
          <source>Yessongs</source>
          <title>Heart of the Sunrise</title>
          <track>3</track>
          <uri>http://www.yesworld.com/lyrics/Fragile.html#9</uri>
        </tune>
    """)
    tune = Tune.parse(element)
    assert (tune.artist, tune.length, tune.rating, tune.title) == ("Yes", 686, 8, "Heart of the Sunrise")
    assert Tune.parse(tune.to_element()) == tune
    assert str(Tune().to_element()) == "<tune xmlns='http://jabber.org/protocol/tune'/>"
