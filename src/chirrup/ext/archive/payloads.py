"""Queries, what answers them, and preferences (XEP-0313 §§4 and 5, XEP-0441 §2)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

from chirrup.core.jid import JID
from chirrup.core.payload import Payload, attribute, child, child_texts, flag, payload
from chirrup.ext.archive import NS
from chirrup.ext.forms.payloads import Form
from chirrup.ext.forwarding.payloads import Forwarded
from chirrup.ext.rsm.payloads import Set

Default: TypeAlias = Literal["always", "never", "roster"]


@payload("query", NS)
class Query(Payload):
    """Asks for messages; in a get, and its result, for the fields that the form can have."""

    queryid: str | None = attribute(default=None)
    node: str | None = attribute(default=None)
    form: Form | None = child(Form, default=None)
    set: Set | None = child(Set, default=None)
    flip_page: bool = flag("flip-page")
    """Whether the messages of the page are to come newest first."""


@payload("result", NS)
class Result(Payload):
    """One message that was asked for."""

    id: str = attribute()
    """Its UID in the archive."""
    forwarded: Forwarded = child(Forwarded)
    queryid: str | None = attribute(default=None)


@payload("fin", NS)
class Fin(Payload):
    """All messages of the page have been sent."""

    complete: bool = attribute(default=False)
    """Whether nothing in range is left beyond the page."""
    stable: bool = attribute(default=True)
    set: Set | None = child(Set, default=None)


@payload("start", NS)
class Start(Payload):
    """The first message of an archive."""

    id: str = attribute()
    timestamp: datetime = attribute()


@payload("end", NS)
class End(Payload):
    """The last message of an archive."""

    id: str = attribute()
    timestamp: datetime = attribute()


@payload("metadata", NS)
class Metadata(Payload):
    """Where an archive begins and ends; empty in a request, and for an empty archive."""

    start: Start | None = child(Start, default=None)
    end: End | None = child(End, default=None)


@payload("always", NS)
class Always(Payload):
    """With whom messages are archived whatever the default."""

    jids: tuple[JID, ...] = child_texts("jid")


@payload("never", NS)
class Never(Payload):
    """With whom they aren't."""

    jids: tuple[JID, ...] = child_texts("jid")


@payload("prefs", NS)
class Preferences(Payload):
    """What an account wants to have archived; empty in a request for it."""

    default: Default | None = attribute(default=None)
    always: Always | None = child(Always, default=None)
    never: Never | None = child(Never, default=None)
