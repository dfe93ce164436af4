"""Since when nobody has touched a device (XEP-0319 §2)."""

from __future__ import annotations

from datetime import datetime

from chirrup.core.payload import Payload, attribute, payload
from chirrup.ext.idle import NS


@payload("idle", NS)
class Idle(Payload):
    """In presence: the last time that the user did something. A presence without it means that the user is back."""

    since: datetime = attribute()
