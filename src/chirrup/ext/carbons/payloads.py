"""Switching carbons on and off, and the copies (XEP-0280 §§4, 5, 7, 8 and 9)."""

from __future__ import annotations

from chirrup.core.payload import Payload, child, payload
from chirrup.ext.carbons import NS
from chirrup.ext.forwarding.payloads import Forwarded


@payload("enable", NS)
class Enable(Payload):
    """A client wants copies."""


@payload("disable", NS)
class Disable(Payload):
    """A client wants no more copies."""


@payload("private", NS)
class Private(Payload):
    """In a message: it isn't to be copied. Goes together with the hint `no-copy`."""


@payload("received", NS)
class Received(Payload):
    """A copy of what another client of the account has received."""

    forwarded: Forwarded = child(Forwarded)


@payload("sent", NS)
class Sent(Payload):
    """A copy of what another client of the account has sent."""

    forwarded: Forwarded = child(Forwarded)
