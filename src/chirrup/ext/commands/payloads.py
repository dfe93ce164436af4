"""The one element of ad-hoc commands, `<command/>` (XEP-0050 §4)."""

from __future__ import annotations

from typing import Literal, TypeAlias

from chirrup.core.payload import Payload, attribute, child, children, flag, payload, text
from chirrup.ext.commands import NS
from chirrup.ext.forms.payloads import Form

Action: TypeAlias = Literal["execute", "cancel", "prev", "next", "complete"]
Status: TypeAlias = Literal["executing", "completed", "canceled"]
NoteType: TypeAlias = Literal["info", "warn", "error"]


@payload("actions", NS)
class Actions(Payload):
    """What may be done at this stage, besides to cancel (§4.2)."""

    execute: str | None = attribute(default=None)
    """The `Action` that "execute" means; "next" where it isn't said."""
    prev: bool = flag("prev")
    next: bool = flag("next")
    complete: bool = flag("complete")


@payload("note", NS)
class Note(Payload):
    """Something to tell people (§4.3)."""

    text: str = text()
    type: NoteType = attribute(default="info")


@payload("command", NS)
class Command(Payload):
    """A request to do something, or what came of it."""

    node: str = attribute()
    """Which command."""
    sessionid: str | None = attribute(default=None)
    """Which execution of it; none to begin one."""
    action: str | None = attribute(default=None)
    """An `Action`, in requests; "execute" where none is given."""
    status: str | None = attribute(default=None)
    """A `Status`, in answers; in requests it means nothing, whatever it is."""
    actions: Actions | None = child(Actions, default=None)
    notes: tuple[Note, ...] = children(Note)
    form: Form | None = child(Form, default=None)
