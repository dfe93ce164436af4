"""What an entity is and can do, and what belongs to it (XEP-0030 §§3 and 4)."""

from __future__ import annotations

from chirrup.core.jid import JID
from chirrup.core.payload import Payload, attribute, children, payload, rest
from chirrup.core.xml import XML_LANG, Element
from chirrup.ext.disco import INFO, ITEMS


@payload("identity", INFO)
class Identity(Payload):
    """What kind of entity it is."""

    category: str = attribute()
    type: str = attribute()
    name: str | None = attribute(default=None)
    lang: str | None = attribute(XML_LANG, default=None)


@payload("feature", INFO)
class Feature(Payload):
    """Something it can do."""

    var: str = attribute()


@payload("query", INFO)
class Info(Payload):
    """Everything about one entity, or one of its nodes; empty in a request."""

    node: str | None = attribute(default=None)
    identities: tuple[Identity, ...] = children(Identity)
    features: tuple[Feature, ...] = children(Feature)
    forms: tuple[Element, ...] = rest()
    """Data forms with more about it, each with a FORM_TYPE of its own (XEP-0128 §2)."""


@payload("item", ITEMS)
class Item(Payload):
    """Something that belongs to an entity: another entity, or a node of one."""

    jid: JID = attribute()
    name: str | None = attribute(default=None)
    node: str | None = attribute(default=None)


@payload("query", ITEMS)
class Items(Payload):
    """What belongs to an entity, or to one of its nodes; empty in a request."""

    node: str | None = attribute(default=None)
    items: tuple[Item, ...] = children(Item)
