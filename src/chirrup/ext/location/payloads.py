"""A place on earth (XEP-0080 §3)."""

from __future__ import annotations

from datetime import datetime

from chirrup.core.payload import Payload, child_text, payload
from chirrup.ext.location import NS


@payload("geoloc", NS)
class Location(Payload):
    """Where somebody is; empty for what isn't told any more."""

    accuracy: float | None = child_text("accuracy", default=None)
    """Metres."""
    alt: float | None = child_text("alt", default=None)
    """Metres above or below sea level."""
    altaccuracy: float | None = child_text("altaccuracy", default=None)
    """Metres."""
    area: str | None = child_text("area", default=None)
    bearing: float | None = child_text("bearing", default=None)
    """Degrees from true north."""
    building: str | None = child_text("building", default=None)
    country: str | None = child_text("country", default=None)
    countrycode: str | None = child_text("countrycode", default=None)
    """ISO 3166, two letters."""
    datum: str | None = child_text("datum", default=None)
    """WGS84 where nothing is said."""
    description: str | None = child_text("description", default=None)
    error: float | None = child_text("error", default=None)
    """Minutes of arc; `accuracy` took its place."""
    floor: str | None = child_text("floor", default=None)
    lat: float | None = child_text("lat", default=None)
    """Degrees north."""
    locality: str | None = child_text("locality", default=None)
    lon: float | None = child_text("lon", default=None)
    """Degrees east."""
    postalcode: str | None = child_text("postalcode", default=None)
    region: str | None = child_text("region", default=None)
    regioncode: str | None = child_text("regioncode", default=None)
    room: str | None = child_text("room", default=None)
    speed: float | None = child_text("speed", default=None)
    """Metres a second."""
    street: str | None = child_text("street", default=None)
    text: str | None = child_text("text", default=None)
    timestamp: datetime | None = child_text("timestamp", default=None)
    """When it was found out."""
    tzo: str | None = child_text("tzo", default=None)
    """What the time there is ahead of UTC, such as -07:00."""
    uri: str | None = child_text("uri", default=None)
