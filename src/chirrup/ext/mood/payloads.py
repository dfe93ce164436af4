"""A mood (XEP-0107 §2)."""

from __future__ import annotations

from typing import Final, Self

from chirrup.core.errors import PayloadError
from chirrup.core.payload import Payload, child_text, payload, rest
from chirrup.core.xml import Element
from chirrup.ext.mood import NS

MOODS: Final = frozenset(
    {
        "afraid", "amazed", "amorous", "angry", "annoyed", "anxious", "aroused", "ashamed", "bored", "brave",
        "calm", "cautious", "cold", "confident", "confused", "contemplative", "contented", "cranky", "crazy",
        "creative", "curious", "dejected", "depressed", "disappointed", "disgusted", "dismayed", "distracted",
        "embarrassed", "envious", "excited", "flirtatious", "frustrated", "grateful", "grieving", "grumpy",
        "guilty", "happy", "hopeful", "hot", "humbled", "humiliated", "hungry", "hurt", "impressed", "in_awe",
        "in_love", "indignant", "interested", "intoxicated", "invincible", "jealous", "lonely", "lost", "lucky",
        "mean", "moody", "nervous", "neutral", "offended", "outraged", "playful", "proud", "relaxed", "relieved",
        "remorseful", "restless", "sad", "sarcastic", "satisfied", "serious", "shocked", "shy", "sick", "sleepy",
        "spontaneous", "stressed", "strong", "surprised", "thankful", "thirsty", "tired", "undefined", "weak",
        "worried",
    }
)  # fmt: skip
"""What is defined (XEP-0107 §3)."""


@payload("mood", NS)
class Mood(Payload):
    """How somebody feels; empty for nothing that is told."""

    text: str | None = child_text("text", default=None)
    """Why, or how exactly."""
    elements: tuple[Element, ...] = rest()

    @classmethod
    def of(cls, value: str, text: str | None = None) -> Self:
        """PayloadError for a mood that isn't defined."""
        if value not in MOODS:
            raise PayloadError(f"{value!r} is no mood of XEP-0107")
        return cls(text, (Element(value, NS),))

    @property
    def value(self) -> str:
        """One of `MOODS`; empty where there is none."""
        found = (one.name for one in self.elements if one.ns == NS and one.name in MOODS)
        return next(found, "undefined" if self.elements else "")
