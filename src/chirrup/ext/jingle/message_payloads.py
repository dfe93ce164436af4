"""Calls as messages, so that all devices ring and stop ringing (XEP-0353 §3)."""

from __future__ import annotations

from chirrup.core.payload import Payload, attribute, child, flag, payload, rest
from chirrup.core.xml import Element
from chirrup.ext.jingle import MESSAGE
from chirrup.ext.jingle.payloads import Reason


@payload("propose", MESSAGE)
class Propose(Payload):
    """The sender would like to begin a session."""

    id: str = attribute()
    """The session's id to be."""
    descriptions: tuple[Element, ...] = rest()


@payload("ringing", MESSAGE)
class Ringing(Payload):
    """A device has told its user."""

    id: str = attribute()


@payload("proceed", MESSAGE)
class Proceed(Payload):
    """A device takes the call."""

    id: str = attribute()


@payload("reject", MESSAGE)
class Reject(Payload):
    """No device will."""

    id: str = attribute()
    reason: Reason | None = child(Reason, default=None)
    tie_break: bool = flag("tie-break")


@payload("retract", MESSAGE)
class RetractProposal(Payload):
    """The proposal holds no more."""

    id: str = attribute()
    reason: Reason | None = child(Reason, default=None)
    tie_break: bool = flag("tie-break")


@payload("migrated", MESSAGE)
class Migrated(Payload):
    """Another session goes on in place of this."""

    to: str = attribute()


@payload("finish", MESSAGE)
class Finish(Payload):
    """The session is over."""

    id: str = attribute()
    reason: Reason | None = child(Reason, default=None)
    migrated: Migrated | None = child(Migrated, default=None)
