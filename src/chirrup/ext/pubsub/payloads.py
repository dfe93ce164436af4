"""What is asked of a publish-subscribe service, and what it answers (XEP-0060 §§5 to 7).

What owners ask is in `owner_payloads`, what subscribers are told in `event_payloads`.
"""

from __future__ import annotations

from chirrup.core.jid import JID
from chirrup.core.payload import Payload, attribute, child, children, payload, rest
from chirrup.core.xml import Element
from chirrup.ext.forms.payloads import Form
from chirrup.ext.pubsub import NS
from chirrup.ext.rsm.payloads import Set


@payload("item", NS)
class Item(Payload):
    """Something published; in a request for it, only its id."""

    id: str | None = attribute(default=None)
    """Unique in its node."""
    publisher: str | None = attribute(default=None)
    """Who published it, where the service tells; never believed from a client."""
    payloads: tuple[Element, ...] = rest()
    """One element, or none."""


@payload("publish", NS)
class Publish(Payload):
    """Publish an item (§7.1). In the answer, the id that it got."""

    node: str = attribute(default="")
    items: tuple[Item, ...] = children(Item)


@payload("publish-options", NS)
class PublishOptions(Payload):
    """What the node's configuration must be for the item to be published (§7.1.5)."""

    form: Form | None = child(Form, default=None)


@payload("retract", NS)
class Retract(Payload):
    """Delete an item (§7.2)."""

    node: str = attribute(default="")
    notify: bool | None = attribute(default=None)
    """Whether subscribers are told."""
    items: tuple[Item, ...] = children(Item)


@payload("items", NS)
class Items(Payload):
    """Items of a node: those asked for by id, or all, or the last few (§6.5)."""

    node: str = attribute(default="")
    max_items: int | None = attribute(default=None)
    subid: str | None = attribute(default=None)
    items: tuple[Item, ...] = children(Item)


@payload("create", NS)
class Create(Payload):
    """Make a node (§8.1); without a name the service thinks of one."""

    node: str = attribute(default="")


@payload("configure", NS)
class Configure(Payload):
    """How a node that is created shall be configured (§8.1.3)."""

    node: str | None = attribute(default=None)
    form: Form | None = child(Form, default=None)


@payload("subscribe", NS)
class Subscribe(Payload):
    """Subscribe to a node (§6.1)."""

    jid: JID = attribute()
    node: str = attribute(default="")


@payload("unsubscribe", NS)
class Unsubscribe(Payload):
    """End a subscription (§6.2)."""

    jid: JID = attribute()
    node: str = attribute(default="")
    subid: str | None = attribute(default=None)


@payload("options", NS)
class Options(Payload):
    """The options of a subscription (§6.3)."""

    node: str = attribute(default="")
    jid: JID | None = attribute(default=None)
    subid: str | None = attribute(default=None)
    form: Form | None = child(Form, default=None)


@payload("default", NS)
class Default(Payload):
    """The options that subscriptions have from the start (§6.4)."""

    node: str | None = attribute(default=None)


@payload("subscription", NS)
class Subscription(Payload):
    """A subscription and its state: none, pending, unconfigured or subscribed."""

    jid: JID = attribute()
    node: str | None = attribute(default=None)
    subscription: str | None = attribute(default=None)
    subid: str | None = attribute(default=None)


@payload("subscriptions", NS)
class Subscriptions(Payload):
    """One's subscriptions at the service, or to one node (§5.6); empty in a request."""

    node: str | None = attribute(default=None)
    subscriptions: tuple[Subscription, ...] = children(Subscription)


@payload("affiliation", NS)
class Affiliation(Payload):
    """What one may do at a node: owner, publisher, publish-only, member, none or outcast."""

    node: str = attribute()
    affiliation: str = attribute()


@payload("affiliations", NS)
class Affiliations(Payload):
    """One's affiliations at the service, or with one node (§5.7); empty in a request."""

    node: str | None = attribute(default=None)
    affiliations: tuple[Affiliation, ...] = children(Affiliation)


@payload("pubsub", NS)
class PubSub(Payload):
    """One request, or the answer to one."""

    publish: Publish | None = child(Publish, default=None)
    publish_options: PublishOptions | None = child(PublishOptions, default=None)
    retract: Retract | None = child(Retract, default=None)
    items: Items | None = child(Items, default=None)
    create: Create | None = child(Create, default=None)
    configure: Configure | None = child(Configure, default=None)
    subscribe: Subscribe | None = child(Subscribe, default=None)
    unsubscribe: Unsubscribe | None = child(Unsubscribe, default=None)
    options: Options | None = child(Options, default=None)
    default: Default | None = child(Default, default=None)
    subscription: Subscription | None = child(Subscription, default=None)
    subscriptions: Subscriptions | None = child(Subscriptions, default=None)
    affiliations: Affiliations | None = child(Affiliations, default=None)
    set: Set | None = child(Set, default=None)
    """Which page of the items (§6.5.4)."""
