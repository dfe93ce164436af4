"""What owners do with their nodes (XEP-0060 §8)."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.core.xml import Element
from chirrup.ext.forms.payloads import Form
from chirrup.ext.pubsub import EVENT, NODE_CONFIG
from chirrup.ext.pubsub.engine import Change, Engine
from chirrup.ext.pubsub.errors import refusal, unsupported
from chirrup.ext.pubsub.owner_payloads import (
    Affiliation,
    Affiliations,
    Configure,
    Default,
    Delete,
    OwnerPubSub,
    Purge,
    Subscription,
    Subscriptions,
)
from chirrup.ext.pubsub.payloads import Create, PubSub
from chirrup.ext.pubsub.publishing import new_node
from chirrup.ext.pubsub.service import AFFILIATIONS, Node, Service
from chirrup.ext.pubsub.subscribing import has_room, needs_nobody, set_state, tell_state

if TYPE_CHECKING:
    from chirrup.store.pubsub import PubSubRows

_MAX_CHANGES: Final = 100
"""Subscriptions or affiliations that one request may change."""


def _owned(service: Service, sender: JID, name: str) -> Node:
    node = service.find(name)
    service.check_owner(node, sender)
    return node


# -- nodes


async def create(engine: Engine, service: Service, sender: JID, request: PubSub) -> PubSub | None:
    """Make a node (§8.1)."""
    asked, configure = request.create, request.configure
    assert isinstance(asked, Create)
    if not service.is_owner(sender.bare):
        raise StanzaError("forbidden", "nodes are made by their owner")
    if configure is not None and configure.node is not None:
        raise StanzaError("bad-request", "the node to configure is the one that is created")
    if asked.node in service.nodes:
        raise StanzaError("conflict", "there is such a node already")
    config = engine.default(service, asked.node)
    if configure is not None and configure.form is not None:
        config = config.with_form(_submitted(configure.form))
    name = asked.node or secrets.token_urlsafe(12)
    node = service.nodes[name] = new_node(engine, service, name, config)
    owner = service.jid.text
    await engine.write(service, lambda rows: rows.put_node(owner, name, config.to_text(), node.created))
    return None if asked.node else PubSub(create=Create(name))


def _submitted(form: Form) -> Form:
    if form.type != "submit" or (form.form_type or NODE_CONFIG) != NODE_CONFIG:
        raise StanzaError("bad-request", f"a configuration is submitted as a form about {NODE_CONFIG}")
    return form


def configuration(engine: Engine, service: Service, sender: JID, asked: Configure) -> OwnerPubSub:
    node = _owned(service, sender, asked.node)
    return OwnerPubSub(configure=Configure(node.name, node.config.form("form", tuple(service.groups))))


async def configure(engine: Engine, service: Service, sender: JID, asked: Configure) -> None:
    """Change a node's configuration (§8.2)."""
    node = _owned(service, sender, asked.node)
    if asked.form is None:
        raise StanzaError("bad-request", "a form is needed")
    if asked.form.type == "cancel":
        return
    before, told_before = node.config, _audience(service, node)
    config = node.config = before.with_form(_submitted(asked.form))
    owner, limit = service.jid.text, engine.limits.max_items

    def op(rows: PubSubRows) -> None:
        rows.put_node(owner, node.name, config.to_text(), node.created)
        if config.persist_items:
            rows.trim(owner, node.name, min(config.max_items or limit, limit))
        else:
            rows.purge(owner, node.name)

    await engine.write(service, op)
    if config.notify_config:
        told = Element("configuration", EVENT, node=node.name)
        if config.deliver_payloads:
            told.append(config.form("result").to_element())
        engine.notify(service, node, told)
    if (before.access_model, before.roster_groups_allowed) != (config.access_model, config.roster_groups_allowed):
        await drop_outsiders(engine, service, node)
        await _welcome(engine, service, node, told_before)


def _audience(service: Service, node: Node) -> set[JID]:
    return {jid for jid, _ in service.audience(node)}


async def _welcome(engine: Engine, service: Service, node: Node, before: set[JID]) -> None:
    """Send the last item to those who are told of the node only since its access was changed (XEP-0060 §12.2)."""
    if node.config.deliver_notifications and node.config.send_last_published_item == "on_sub_and_presence":
        new = [(jid, trusted) for jid, trusted in service.audience(node) if jid not in before]
        await engine.send_last_to(service, node, new)


def defaults(service: Service, asked: Default) -> OwnerPubSub:
    if asked.type not in (None, "leaf"):
        raise unsupported("collections")
    return OwnerPubSub(default=Default(None, service.default.form("form", tuple(service.groups))))


async def delete(engine: Engine, service: Service, sender: JID, asked: Delete) -> None:
    node = _owned(service, sender, asked.node)
    told = Element("delete", EVENT, node=node.name)
    if asked.redirect is not None:
        told.c("redirect", EVENT, uri=asked.redirect.uri)
    audience: set[JID] = set()
    if node.config.notify_delete:
        audience = _audience(service, node) | {jid for jid, state in node.subscriptions.items() if state == "pending"}
    del service.nodes[node.name]
    owner = service.jid.text
    await engine.write(service, lambda rows: rows.delete_node(owner, node.name))
    for to in audience:
        engine.send(service, node, to, told)
    await engine.changed(Change(service, node.name, "delete"))


async def purge(engine: Engine, service: Service, sender: JID, asked: Purge) -> None:
    node = _owned(service, sender, asked.node)
    if not node.config.persist_items:
        raise unsupported("persistent-items")
    owner = service.jid.text
    await engine.write(service, lambda rows: rows.purge(owner, node.name))
    engine.notify(service, node, Element("purge", EVENT, node=node.name), outdated="")
    await engine.changed(Change(service, node.name, "purge"))


# -- who has to do with a node


def subscriptions(service: Service, sender: JID, asked: Subscriptions) -> OwnerPubSub:
    """The subscriptions, also those that wait for approval, which could be found nowhere else (§8.8.1)."""
    node = _owned(service, sender, asked.node)
    listed = tuple(Subscription(jid, state) for jid, state in sorted(node.subscriptions.items()))
    return OwnerPubSub(subscriptions=Subscriptions(node.name, listed))


async def change_subscriptions(engine: Engine, service: Service, sender: JID, asked: Subscriptions) -> None:
    node = _owned(service, sender, asked.node)
    changes = [(one.jid, one.subscription) for one in asked.subscriptions if one.subscription is not None]
    new = {jid for jid, state in changes if state == "subscribed"} - set(node.subscriptions)
    if any(state not in ("none", "subscribed") for _, state in changes) or len(changes) > _MAX_CHANGES:
        raise StanzaError("not-acceptable", "an owner makes subscriptions subscribed, or none")
    if any(not service.may_enlist(jid.bare) for jid in new):
        raise StanzaError("not-acceptable", "people are subscribed when they have asked for it")
    if new and not has_room(engine, service, node, len(new)):
        raise refusal("policy-violation", "too-many-subscriptions")
    for jid, wanted in changes:
        state = "subscribed" if wanted == "subscribed" else ""
        if node.subscriptions.get(jid, "") != state:
            await set_state(engine, service, node, jid, state)
            tell_state(engine, service, node, jid, state)


def affiliations(service: Service, sender: JID, asked: Affiliations) -> OwnerPubSub:
    node = _owned(service, sender, asked.node)
    listed = {service.jid: "owner"} if service.is_owner(service.jid) else {}
    listed |= node.affiliations
    told = tuple(Affiliation(jid, affiliation) for jid, affiliation in sorted(listed.items()))
    return OwnerPubSub(affiliations=Affiliations(node.name, told))


async def change_affiliations(engine: Engine, service: Service, sender: JID, asked: Affiliations) -> None:
    """Change affiliations, all of them or none (§8.9.2)."""
    node = _owned(service, sender, asked.node)
    changes = {one.jid.bare: one.affiliation for one in asked.affiliations if one.affiliation is not None}
    if len(changes) < sum(one.affiliation is not None for one in asked.affiliations):
        raise StanzaError("bad-request", "somebody is named twice")
    after = {**node.affiliations, **changes}
    remaining = {jid: affiliation for jid, affiliation in after.items() if affiliation != "none"}
    if any(affiliation not in AFFILIATIONS for affiliation in changes.values()) or len(changes) > _MAX_CHANGES:
        raise StanzaError("not-acceptable", "there is no such affiliation")
    if any(service.is_owner(jid) and affiliation != "owner" for jid, affiliation in changes.items()):
        raise StanzaError("not-acceptable", "the service's owner remains that")
    if not service.is_owner(service.jid) and "owner" not in remaining.values():
        raise StanzaError("not-acceptable", "a node has an owner")
    more = len(remaining) - len(node.affiliations)
    if more > 0 and (
        len(remaining) > engine.limits.max_subscribers or service.involved + more > engine.limits.max_involved
    ):
        raise StanzaError("resource-constraint", "too many are affiliated with the node")
    told_before = _audience(service, node)
    node.affiliations = remaining
    owner = service.jid.text

    def op(rows: PubSubRows) -> None:
        for jid, affiliation in changes.items():
            rows.set_affiliation(owner, node.name, jid.text, "" if affiliation == "none" else affiliation)

    await engine.write(service, op)
    await drop_outsiders(engine, service, node)
    for jid, state in list(node.subscriptions.items()):
        if state == "pending" and needs_nobody(service, node, jid):  # nobody has to approve it any more (§8.7.4)
            await set_state(engine, service, node, jid, "subscribed")
            tell_state(engine, service, node, jid, "subscribed")
    await _welcome(engine, service, node, told_before)


async def drop_outsiders(engine: Engine, service: Service, node: Node) -> None:
    """End the subscriptions of those who may no longer have any (XEP-0163 §8.1)."""
    for jid in list(node.subscriptions):
        if service.refusal(node, jid, subscribing=True) is not None:
            await set_state(engine, service, node, jid, "")
            tell_state(engine, service, node, jid, "")
