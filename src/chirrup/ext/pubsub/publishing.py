"""Publishing items, and deleting them (XEP-0060 §7)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.core.xml import Element
from chirrup.ext.pubsub import PUBLISH_OPTIONS
from chirrup.ext.pubsub.config import NodeConfig, read_values
from chirrup.ext.pubsub.engine import Change, Engine, published, retracted
from chirrup.ext.pubsub.errors import refusal, unsupported
from chirrup.ext.pubsub.payloads import Item, Publish, PublishOptions, PubSub, Retract
from chirrup.ext.pubsub.service import Node, Service

if TYPE_CHECKING:
    from chirrup.store.pubsub import PubSubRows

MAX_NAME: Final = 512
"""Characters of a node's name, and of an item's id."""


async def publish(engine: Engine, service: Service, sender: JID, request: PubSub) -> PubSub | None:
    """Publish an item; the node is made if need be (§7.1)."""
    asked = request.publish
    assert asked is not None
    options = read_options(request.publish_options)
    node = service.nodes.get(asked.node) if asked.node else service.find(asked.node)
    if node is None:
        if not service.is_owner(sender.bare):
            raise StanzaError("forbidden", "nodes are made by their owner")
        node = new_node(engine, service, asked.node, engine.default(service, asked.node).with_values(options))
    else:
        service.check_publisher(node, sender)
        if not node.config.meets(options, engine.limits.max_items):
            raise refusal("conflict", "precondition-not-met", "the node is configured differently")
    item = _item(engine, node, asked)
    name = await put(engine, service, node, item, sender)
    # The id is told also to who named it: programs (nbxmpp's, which is Gajim) take an answer without for a failure.
    return PubSub(publish=Publish(node.name, (Item(name),))) if item is not None else None


def read_options(asked: PublishOptions | None) -> dict[str, Any]:
    """What the node has to be like, by the names of `NodeConfig`. StanzaError for fields that aren't known."""
    if asked is None:
        return {}
    if asked.form is None or asked.form.type != "submit" or asked.form.form_type != PUBLISH_OPTIONS:
        raise refusal("bad-request", "invalid-options", f"publishing options are a form about {PUBLISH_OPTIONS}")
    return read_values(asked.form)


def new_node(engine: Engine, service: Service, name: str, config: NodeConfig) -> Node:
    """Make a node in memory; StanzaError where there are too many."""
    if len(name) > MAX_NAME:
        raise StanzaError("not-acceptable", f"a node's name may have {MAX_NAME} characters")
    if len(service.nodes) >= engine.limits.max_nodes:
        raise StanzaError("resource-constraint", f"there may be {engine.limits.max_nodes} nodes")
    return Node(name, config, engine.now())


def _item(engine: Engine, node: Node, asked: Publish) -> Item | None:
    """The item that a request publishes, checked against the node's configuration (§7.1.3)."""
    config = node.config
    if len(asked.items) > 1:
        raise refusal("bad-request", "invalid-payload", "one item at a time")
    if not asked.items:
        if config.persist_items or config.deliver_payloads:
            raise refusal("bad-request", "item-required")
        return None
    item = asked.items[0]
    if not config.persist_items and not config.deliver_payloads:
        raise refusal("bad-request", "item-forbidden")
    if not item.payloads and config.deliver_payloads:
        raise refusal("bad-request", "payload-required")
    if len(item.payloads) > 1:
        raise refusal("bad-request", "invalid-payload", "an item has one payload")
    if item.payloads and config.type and item.payloads[0].ns != config.type:
        raise refusal("bad-request", "invalid-payload", f"payloads here are in the namespace {config.type!r}")
    if item.id is not None and not 0 < len(item.id) <= MAX_NAME:
        raise StanzaError("not-acceptable", f"an item's id has 1 to {MAX_NAME} characters")
    return item


async def put(
    engine: Engine, service: Service, node: Node, item: Item | None, sender: JID, *, by_server: bool = False
) -> str:
    """Store an item and tell of it, when it is durable; the item's id. The node may be a new one."""
    config = node.config
    payload = item.payloads[0] if item is not None and item.payloads else None
    text = "" if payload is None else str(payload)
    size, stamp = len(text.encode()), engine.now()
    if size > min(config.max_payload_size or engine.limits.max_item_bytes, engine.limits.max_item_bytes):
        raise refusal("not-acceptable", "payload-too-big")
    name = "" if item is None else item.id or secrets.token_urlsafe(12)
    service.nodes.setdefault(node.name, node)
    may_replace = service.affiliation(node, sender) in ("owner", "publisher")
    store = partial(
        _store, engine=engine, owner=service.jid.text, node=node, name=name, publisher=sender, stamp=stamp, text=text,
        may_replace=may_replace,
    )  # fmt: skip
    content = published(node, name, sender.bare.text, payload)
    if item is None:
        content.children.clear()
    got = node.underway[name, stamp] = set()
    try:
        await engine.write(service, store, size=size)
        engine.notify(service, node, content, publisher=sender, outdated="", but=got)
    finally:
        node.underway.pop((name, stamp), None)
    await engine.changed(Change(service, node.name, "publish", name, payload, by_server))
    return name


def _store(
    rows: PubSubRows, *, engine: Engine, owner: str, node: Node, name: str, publisher: JID, stamp: float, text: str,
    may_replace: bool,
) -> None:  # fmt: skip
    limits, config = engine.limits, node.config
    rows.ensure_node(owner, node.name, config.to_text(), node.created)
    if not config.persist_items:
        return
    reject = config.publish_node_full == "reject"
    there = [] if may_replace and not reject else rows.find(owner, node.name, [name])
    if there and not may_replace and JID.parse(there[0].publisher).bare != publisher.bare:
        raise StanzaError("forbidden", "the item is somebody else's")
    keep = min(config.max_items or limits.max_items, limits.max_items)
    if reject and not there and rows.count(owner, node.name) >= keep:
        raise refusal("conflict", "node-full")
    rows.publish(owner, node.name, name, publisher.text, stamp, text, keep=keep)
    if config.item_expire is not None:
        rows.expire(owner, node.name, stamp - config.item_expire)
    if rows.size(owner) > limits.max_bytes:
        raise StanzaError("resource-constraint", f"an account may keep {limits.max_bytes} bytes of items")


async def retract(engine: Engine, service: Service, sender: JID, asked: Retract) -> None:
    """Delete an item (§7.2)."""
    node = service.find(asked.node)
    if len(asked.items) != 1 or not asked.items[0].id:
        raise refusal("bad-request", "item-required", "which item?")
    service.check_publisher(node, sender)
    if not node.config.persist_items:
        raise unsupported("persistent-items")
    notify = node.config.notify_retract if asked.notify is None else asked.notify
    only_own = service.affiliation(node, sender) not in ("owner", "publisher")
    await take(engine, service, node, asked.items[0].id, sender, notify=notify, only_own=only_own)


async def take(
    engine: Engine, service: Service, node: Node, item: str, sender: JID, *, notify: bool, only_own: bool = False,
    by_server: bool = False,
) -> None:  # fmt: skip
    """Delete an item, and tell of it when that is durable. StanzaError if there is none."""
    owner = service.jid.text

    def op(rows: PubSubRows) -> None:
        there = rows.find(owner, node.name, [item])
        if not there:
            raise StanzaError("item-not-found", "there is no such item")
        if only_own and JID.parse(there[0].publisher).bare != sender.bare:
            raise StanzaError("forbidden", "the item is somebody else's")
        rows.retract(owner, node.name, item)

    await engine.write(service, op)
    if notify:
        engine.notify(service, node, retracted(node, item), publisher=sender, outdated=item)
    await engine.changed(Change(service, node.name, "retract", item, by_server=by_server))


async def publish_as_service(
    engine: Engine,
    service: Service,
    name: str,
    payload: Element,
    item: str | None = None,
    config: Mapping[str, Any] | None = None,
) -> str:
    """Publish what the server itself has to, in the owner's name; `config` is for a node that isn't there yet."""
    node = service.nodes.get(name)
    if node is None:
        node = new_node(engine, service, name, engine.default(service, name).with_values(config or {}))
    return await put(engine, service, node, Item(item, payloads=(payload,)), service.jid, by_server=True)
