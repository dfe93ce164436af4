"""The roster and its items (RFC 6121 §2.1)."""

from __future__ import annotations

from chirrup.core.jid import JID
from chirrup.core.payload import Payload, attribute, child_texts, children, payload
from chirrup.ext.roster import NS


@payload("item", NS)
class Item(Payload):
    """A contact, as a roster shows it."""

    jid: JID = attribute()
    name: str = attribute(default="")
    subscription: str = attribute(default="")
    """none, to, from, both, or remove; a server ignores any other value of a set, and a client any other of a push
    (§2.1.2.5)."""
    ask: str = attribute(default="")
    """"subscribe" while the contact hasn't answered a subscription request."""
    approved: bool = attribute(default=False)
    """Whether a subscription request of the contact is approved already (§3.4)."""
    groups: tuple[str, ...] = child_texts("group")


@payload("query", NS)
class Query(Payload):
    """A roster, or one item of it in a set or a push."""

    ver: str | None = attribute(default=None)
    """The version; in a get the one that the client has, empty if it has none."""
    items: tuple[Item, ...] = children(Item)
