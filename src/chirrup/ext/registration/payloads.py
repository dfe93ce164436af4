"""What is asked of, and told about, an account (XEP-0077 §3)."""

from __future__ import annotations

from chirrup.core.payload import Payload, child, child_text, flag, payload
from chirrup.ext.forms.payloads import Form
from chirrup.ext.oob.payloads import Link
from chirrup.ext.registration import NS


@payload("query", NS)
class Query(Payload):
    """The fields to fill in, empty as a server asks for them; and what a client has filled in."""

    registered: bool = flag("registered")
    """Whether the one who asked has an account."""
    instructions: str | None = child_text("instructions", default=None)
    username: str | None = child_text("username", default=None)
    """The localpart of the address, in a request as its owner typed it."""
    password: str | None = child_text("password", default=None)
    remove: bool = flag("remove")
    """The account is to be removed (§3.2)."""
    form: Form | None = child(Form, default=None)
    """The fields once more, as a form; it takes precedence over them (§4)."""
    link: Link | None = child(Link, default=None)
    """Where to go in place of this (§5)."""
