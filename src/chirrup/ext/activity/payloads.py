"""An activity (XEP-0108 §2)."""

from __future__ import annotations

from typing import Final, Self

from chirrup.core.errors import PayloadError
from chirrup.core.payload import Payload, child_text, payload, rest
from chirrup.core.xml import Element
from chirrup.ext.activity import NS

GENERAL: Final = frozenset(
    {
        "doing_chores", "drinking", "eating", "exercising", "grooming", "having_appointment", "inactive",
        "relaxing", "talking", "traveling", "undefined", "working",
    }
)  # fmt: skip
"""What is defined (XEP-0108 §3.1); what is meant exactly stands inside, such as cooking in doing_chores."""


@payload("activity", NS)
class Activity(Payload):
    """What somebody does; empty for nothing that is told."""

    text: str | None = child_text("text", default=None)
    elements: tuple[Element, ...] = rest()

    @classmethod
    def of(cls, general: str, specific: str | None = None, text: str | None = None) -> Self:
        """PayloadError for a general activity that isn't defined."""
        if general not in GENERAL:
            raise PayloadError(f"{general!r} is no general activity of XEP-0108")
        return cls(text, (Element(general, NS, Element(specific) if specific else None),))

    @property
    def _element(self) -> Element | None:
        return next((one for one in self.elements if one.ns == NS and one.name in GENERAL), None)

    @property
    def general(self) -> str:
        """One of `GENERAL`; empty where there is none."""
        return "" if self._element is None else self._element.name

    @property
    def specific(self) -> str:
        """What is meant exactly, if that is told."""
        first = None if self._element is None else self._element.first
        return "" if first is None else first.name
