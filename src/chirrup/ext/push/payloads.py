"""Switching push on and off, and what is published (XEP-0357 §§5 to 7)."""

from __future__ import annotations

from chirrup.core.jid import JID
from chirrup.core.payload import Payload, attribute, child, payload, rest
from chirrup.core.xml import Element
from chirrup.ext.forms.payloads import Form
from chirrup.ext.push import NS


@payload("enable", NS)
class Enable(Payload):
    """Publish notifications to this node of a service, with these options."""

    jid: JID = attribute()
    node: str = attribute(default="")
    options: Form | None = child(Form, default=None)


@payload("disable", NS)
class Disable(Payload):
    """Publish no more to this node, or without one to no node of the service."""

    jid: JID = attribute()
    node: str | None = attribute(default=None)


@payload("notification", NS)
class Notification(Payload):
    """That something has happened, and as much of it as the service may know."""

    summary: Form | None = child(Form, default=None)
    additional: tuple[Element, ...] = rest()
