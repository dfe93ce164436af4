"""What subscribers are told (XEP-0060 §7.1.2 and elsewhere), each in a message."""

from __future__ import annotations

from chirrup.core.jid import JID
from chirrup.core.payload import Payload, attribute, child, children, payload, rest
from chirrup.core.xml import Element
from chirrup.ext.forms.payloads import Form
from chirrup.ext.pubsub import ADDRESSES, EVENT


@payload("item", EVENT)
class Item(Payload):
    """Something that was published."""

    id: str | None = attribute(default=None)
    publisher: str | None = attribute(default=None)
    node: str | None = attribute(default=None)
    payloads: tuple[Element, ...] = rest()
    """One element, or none where the node tells only that there is something."""


@payload("retract", EVENT)
class Retract(Payload):
    """Something that was deleted."""

    id: str = attribute()


@payload("items", EVENT)
class Items(Payload):
    """What has happened to a node's items."""

    node: str = attribute()
    items: tuple[Item, ...] = children(Item)
    retracts: tuple[Retract, ...] = children(Retract)


@payload("purge", EVENT)
class Purge(Payload):
    """All items of a node were deleted."""

    node: str = attribute()


@payload("redirect", EVENT)
class Redirect(Payload):
    """Where to go instead."""

    uri: str = attribute()


@payload("delete", EVENT)
class Delete(Payload):
    """A node was deleted."""

    node: str = attribute()
    redirect: Redirect | None = child(Redirect, default=None)


@payload("configuration", EVENT)
class Configuration(Payload):
    """A node's configuration was changed."""

    node: str | None = attribute(default=None)
    form: Form | None = child(Form, default=None)


@payload("subscription", EVENT)
class Subscription(Payload):
    """A subscription's state was changed."""

    jid: JID = attribute()
    node: str | None = attribute(default=None)
    subscription: str | None = attribute(default=None)
    subid: str | None = attribute(default=None)


@payload("event", EVENT)
class Event(Payload):
    """One of these things."""

    items: Items | None = child(Items, default=None)
    purge: Purge | None = child(Purge, default=None)
    delete: Delete | None = child(Delete, default=None)
    configuration: Configuration | None = child(Configuration, default=None)
    subscription: Subscription | None = child(Subscription, default=None)


@payload("address", ADDRESSES)
class Address(Payload):
    """Whom to write to (XEP-0033 §3)."""

    type: str = attribute()
    jid: JID | None = attribute(default=None)


@payload("addresses", ADDRESSES)
class Addresses(Payload):
    """With a "replyto", which of an account's clients has published."""

    addresses: tuple[Address, ...] = children(Address)
