from __future__ import annotations

from chirrup.core.values import parse_element
from chirrup.ext.reactions.payloads import Reactions

ID = "744f6e18-a57a-11e9-a656-4889e7820c76"


def test_two_reactions() -> None:
    """XEP-0444 example 6."""
    text = (
        f"<reactions xmlns='urn:xmpp:reactions:0' id='{ID}'><reaction>👋</reaction><reaction>🐢</reaction></reactions>"
    )
    assert Reactions.parse(parse_element(text)) == Reactions(ID, ("👋", "🐢"))
    assert str(Reactions(ID, ("👋", "🐢")).to_element()) == text
    assert Reactions(ID, ("👋",)).to_json() == {"id": ID, "emojis": ["👋"]}


def test_reactions_are_taken_back_by_none() -> None:
    """XEP-0444 example 7."""
    assert str(Reactions(ID).to_element()) == f"<reactions xmlns='urn:xmpp:reactions:0' id='{ID}'/>"
