"""What an entity shows of itself."""

from __future__ import annotations

from chirrup.ext.caps.hashes import capability_hash, verification_string
from chirrup.ext.caps.own import HISTORY, Own
from chirrup.ext.caps.payloads import Caps, Caps2
from chirrup.ext.disco.payloads import Feature, Info

NODE = "https://example.org/program"


def info(*features: str) -> Info:
    return Info(features=tuple(map(Feature, features)))


def nodes(own: Own, told: Info) -> list[str]:
    """The service discovery nodes of the hashes that are shown."""
    older, newer = own.show(NODE, told)
    return [Caps.parse(older).disco_node, *(one.disco_node for one in Caps2.parse(newer).hashes)]


def test_each_hash_leads_to_what_it_is_of() -> None:
    own, told = Own(("sha-256", "sha3-256")), info("urn:xmpp:ping")
    shown = nodes(own, told)
    ends = verification_string(told), capability_hash(told), capability_hash(told, "sha3-256")
    assert all(node.endswith(end) for node, end in zip(shown, ends, strict=True))
    for node in shown:
        assert own.tell(node) == Info(node, features=told.features)


def test_what_was_never_shown_is_not_told() -> None:
    own = Own(("sha-256",))
    (first, *_) = nodes(own, info("a"))
    assert own.tell(first + "x") is None and own.tell("") is None


def test_what_is_the_same_is_hashed_once() -> None:
    own, told = Own(("sha-256",)), info("a")
    assert own.show(NODE, told) is own.show(NODE, told)
    assert own.show(NODE, info("a")) is not own.show("https://example.org/other", told)


def test_former_states_are_told_for_a_while() -> None:
    own = Own(("sha-256",))
    states = [info(str(number)) for number in range(HISTORY + 1)]
    shown = [nodes(own, state) for state in states]
    assert [own.tell(node) for node in shown[0]] == [None, None]
    for state, of_it in zip(states[1:], shown[1:], strict=True):
        assert [own.tell(node) for node in of_it] == [Info(node, features=state.features) for node in of_it]
