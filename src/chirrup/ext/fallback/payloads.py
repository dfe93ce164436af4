"""What stands in for an extension (XEP-0428 §2)."""

from __future__ import annotations

from chirrup.core.payload import Payload, attribute, children, payload
from chirrup.ext.fallback import NS


class Region(Payload):
    """A part of a text, in Unicode code points as XEP-0426 counts them: all of it where both ends are open."""

    __slots__ = ()

    start: int | None
    end: int | None

    def within(self, text: str) -> slice:
        """The part that is meant, of a text that may be shorter than its sender said."""
        start = min(max(self.start or 0, 0), len(text))
        end = len(text) if self.end is None else min(max(self.end, start), len(text))
        return slice(start, end)


@payload("body", NS)
class BodyRegion(Region):
    """A part of the body."""

    start: int | None = attribute(default=None)
    end: int | None = attribute(default=None)


@payload("subject", NS)
class SubjectRegion(Region):
    """A part of the subject."""

    start: int | None = attribute(default=None)
    end: int | None = attribute(default=None)


@payload("fallback", NS)
class Fallback(Payload):
    """Parts of the message that those who understand an extension should leave out; all of body and subject where
    it names none."""

    for_: str = attribute(default="")
    """The namespace of the extension."""
    bodies: tuple[BodyRegion, ...] = children(BodyRegion)
    subjects: tuple[SubjectRegion, ...] = children(SubjectRegion)


def without_fallback(message_body: str, fallbacks: tuple[Fallback, ...], understood: frozenset[str]) -> str:
    """The body of a message without what stands in for extensions that are understood."""
    cuts = []
    for fallback in fallbacks:
        if fallback.for_ in understood:
            if not fallback.bodies and not fallback.subjects:
                return ""
            cuts += [region.within(message_body) for region in fallback.bodies]
    left, position = [], 0
    for cut in sorted(cuts, key=lambda cut: cut.start):
        left.append(message_body[position : max(position, cut.start)])
        position = max(position, cut.stop)
    return "".join([*left, message_body[position:]])
