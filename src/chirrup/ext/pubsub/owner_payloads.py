"""What the owner of a node asks (XEP-0060 §8)."""

from __future__ import annotations

from chirrup.core.jid import JID
from chirrup.core.payload import Payload, attribute, child, children, payload
from chirrup.ext.forms.payloads import Form
from chirrup.ext.pubsub import OWNER


@payload("configure", OWNER)
class Configure(Payload):
    """A node's configuration (§8.2): asked for, told as a form, or submitted."""

    node: str = attribute(default="")
    form: Form | None = child(Form, default=None)


@payload("default", OWNER)
class Default(Payload):
    """The configuration that nodes have from the start (§8.3)."""

    type: str | None = attribute(default=None)
    form: Form | None = child(Form, default=None)


@payload("redirect", OWNER)
class Redirect(Payload):
    """Where to go instead."""

    uri: str = attribute()


@payload("delete", OWNER)
class Delete(Payload):
    """Delete a node (§8.4)."""

    node: str = attribute(default="")
    redirect: Redirect | None = child(Redirect, default=None)


@payload("purge", OWNER)
class Purge(Payload):
    """Delete all items of a node (§8.5)."""

    node: str = attribute(default="")


@payload("subscription", OWNER)
class Subscription(Payload):
    """Somebody's subscription; without a state in a request, it stays as it is."""

    jid: JID = attribute()
    subscription: str | None = attribute(default=None)
    subid: str | None = attribute(default=None)


@payload("subscriptions", OWNER)
class Subscriptions(Payload):
    """The subscriptions to a node (§8.8); in a change, those that change."""

    node: str = attribute(default="")
    subscriptions: tuple[Subscription, ...] = children(Subscription)


@payload("affiliation", OWNER)
class Affiliation(Payload):
    """Somebody's affiliation; without one in a request, it stays as it is."""

    jid: JID = attribute()
    affiliation: str | None = attribute(default=None)


@payload("affiliations", OWNER)
class Affiliations(Payload):
    """The affiliations with a node (§8.9); in a change, those that change."""

    node: str = attribute(default="")
    affiliations: tuple[Affiliation, ...] = children(Affiliation)


@payload("pubsub", OWNER)
class OwnerPubSub(Payload):
    """One request of an owner, or the answer to one."""

    configure: Configure | None = child(Configure, default=None)
    default: Default | None = child(Default, default=None)
    delete: Delete | None = child(Delete, default=None)
    purge: Purge | None = child(Purge, default=None)
    subscriptions: Subscriptions | None = child(Subscriptions, default=None)
    affiliations: Affiliations | None = child(Affiliations, default=None)
