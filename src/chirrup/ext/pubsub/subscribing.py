"""Subscribing and unsubscribing (XEP-0060 §§6.1 and 6.2), and what the owner decides about it (§8.6)."""

from __future__ import annotations

import secrets
from typing import Final

from chirrup.core.errors import PayloadError, StanzaError
from chirrup.core.jid import JID
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.forms import FORM_TYPE
from chirrup.ext.forms.payloads import Field, Form
from chirrup.ext.pubsub import AUTHORIZATION, EVENT
from chirrup.ext.pubsub.engine import Engine
from chirrup.ext.pubsub.errors import refusal, unsupported
from chirrup.ext.pubsub.payloads import PubSub, Subscribe, Subscription, Unsubscribe
from chirrup.ext.pubsub.service import Node, Service

_MAX_OWN: Final = 10
"""Subscriptions to one node that somebody may have, each with another resource."""


def check_own(sender: JID, jid: JID) -> None:
    """Nobody subscribes somebody else (§6.1.3.1)."""
    if jid.bare != sender.bare:
        raise refusal("bad-request", "invalid-jid", "you subscribe yourself only")


async def subscribe(engine: Engine, service: Service, sender: JID, asked: Subscribe) -> PubSub:
    check_own(sender, asked.jid)
    node = service.find(asked.node)
    why = service.refusal(node, sender, subscribing=True)
    if why is not None:
        raise why
    if not node.config.subscribe:
        raise unsupported("subscribe", "the node takes no subscriptions")
    before = node.subscriptions.get(asked.jid)
    state = "subscribed" if needs_nobody(service, node, sender) else "pending"
    if before == state == "pending":
        raise refusal("not-authorized", "pending-subscription", "the owner hasn't decided yet")
    if before is None:
        mine = service.subscriptions_of(node, sender)
        if not has_room(engine, service, node) or len(mine) >= _MAX_OWN:
            raise refusal("policy-violation", "too-many-subscriptions")
    if before != state and before != "subscribed":
        await set_state(engine, service, node, asked.jid, state)
        _tell_owner(engine, service, node, asked.jid, state)
        if state == "pending":
            _ask_owner(engine, service, node, asked.jid)
        else:
            engine.host.server.spawn(send_last(engine, service, node, asked.jid))  # after the answer, as in §6.1.7
    return PubSub(subscription=Subscription(asked.jid, node.name, node.subscriptions.get(asked.jid, "subscribed")))


def has_room(engine: Engine, service: Service, node: Node, new: int = 1) -> bool:
    """Whether a node may have so many more subscriptions."""
    limits = engine.limits
    return len(node.subscriptions) + new <= limits.max_subscribers and service.involved + new <= limits.max_involved


def needs_nobody(service: Service, node: Node, sender: JID) -> bool:
    """Whether the owner needn't approve."""
    trusted = service.affiliation(node, sender) in ("owner", "publisher", "member")
    return trusted or node.config.access_model != "authorize"


async def unsubscribe(engine: Engine, service: Service, sender: JID, asked: Unsubscribe) -> PubSub:
    if asked.jid.bare != sender.bare:
        raise StanzaError("forbidden", "you unsubscribe yourself only")
    node = service.find(asked.node)
    if asked.jid not in node.subscriptions:
        raise refusal("unexpected-request", "not-subscribed", kind="cancel")
    await set_state(engine, service, node, asked.jid, "")
    _tell_owner(engine, service, node, asked.jid, "none")
    return PubSub(subscription=Subscription(asked.jid, node.name, "none"))


async def set_state(engine: Engine, service: Service, node: Node, jid: JID, state: str) -> None:
    """Set a subscription's state; an empty one ends it. Durable when this returns."""
    node.subscribe(jid, state)
    owner = service.jid.text
    await engine.write(service, lambda rows: rows.set_subscription(owner, node.name, jid.text, "", state))


def tell_state(engine: Engine, service: Service, node: Node, jid: JID, state: str) -> None:
    """Tell a subscriber of a change that the owner has made (§12.11)."""
    told = Element("subscription", EVENT, node=node.name, jid=jid, subscription=state or "none")
    engine.send(service, node, jid, told)


def _tell_owner(engine: Engine, service: Service, node: Node, jid: JID, state: str) -> None:
    """Tell the owner of a change that a subscriber has made, if that is wanted."""
    if node.config.notify_sub:
        told = Element("subscription", EVENT, node=node.name, jid=jid, subscription=state)
        for owner in _owners(service, node):
            engine.send(service, node, owner, told)


async def send_last(engine: Engine, service: Service, node: Node, to: JID) -> None:
    """Send a new subscriber the last item (§6.1.7), if the node is so configured."""
    if node.config.send_last_published_item != "never" and node.config.deliver_notifications:
        await engine.send_last_to(service, node, [(to, False)])


# -- nodes whose owner approves


def _ask_owner(engine: Engine, service: Service, node: Node, jid: JID) -> None:
    """Ask the owner whether somebody may subscribe (§8.6)."""
    form = Form(
        "form",
        "A request to subscribe",
        (f"Shall {jid} receive what is published there?",),
        (
            Field.of(FORM_TYPE, AUTHORIZATION, "hidden"),
            Field("pubsub#node", "text-single", "Node", values=(node.name,)),
            Field("pubsub#subscriber_jid", "jid-single", "Subscriber", values=(jid.text,)),
            Field("pubsub#allow", "boolean", "Allow it?", values=("false",)),
        ),
    )
    identifier = secrets.token_urlsafe(12)
    # An account's owner is the one who can answer by a message.
    for owner in [service.jid] if service.is_owner(service.jid) else _owners(service, node):
        engine.host.send(Element("message", CLIENT, form.to_element(), from_=service.jid, to=owner, id=identifier))


def _owners(service: Service, node: Node) -> list[JID]:
    listed = [jid for jid, affiliation in node.affiliations.items() if affiliation == "owner"]
    return [service.jid, *listed] if service.is_owner(service.jid) else listed


async def decide(engine: Engine, service: Service, sender: JID, form: Form) -> None:
    """Take an owner's answer. What doesn't fit a request that waits is ignored."""
    jids, answer = form.field("pubsub#subscriber_jid"), form.field("pubsub#allow")
    node = service.nodes.get(next(iter(form.values("pubsub#node")), ""))
    if form.type != "submit" or node is None or jids is None or answer is None:
        return
    try:
        jid, state = next(iter(jids.jids), None), "subscribed" if answer.boolean else ""
    except PayloadError:
        return
    if jid is None or service.affiliation(node, sender) != "owner" or node.subscriptions.get(jid) != "pending":
        return
    await set_state(engine, service, node, jid, state)
    tell_state(engine, service, node, jid, state)
    if state:
        await send_last(engine, service, node, jid)
