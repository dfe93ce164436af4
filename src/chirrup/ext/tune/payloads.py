"""A piece of music (XEP-0118 §3)."""

from __future__ import annotations

from chirrup.core.payload import Payload, child_text, payload
from chirrup.ext.tune import NS


@payload("tune", NS)
class Tune(Payload):
    """What somebody listens to; empty for nothing."""

    artist: str | None = child_text("artist", default=None)
    composer: str | None = child_text("composer", default=None)
    date: str | None = child_text("date", default=None)
    genre: str | None = child_text("genre", default=None)
    language: str | None = child_text("language", default=None)
    length: int | None = child_text("length", default=None)
    """Seconds."""
    lyricist: str | None = child_text("lyricist", default=None)
    performer: str | None = child_text("performer", default=None)
    rating: int | None = child_text("rating", default=None)
    """1 to 10."""
    source: str | None = child_text("source", default=None)
    """The album or collection."""
    title: str | None = child_text("title", default=None)
    track: str | None = child_text("track", default=None)
    """Its number there, or another name for it."""
    uri: str | None = child_text("uri", default=None)
