"""What service discovery tells of services and of nodes (XEP-0060 §§5.1 to 5.4, XEP-0163 §6)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from chirrup.core.values import format_datetime
from chirrup.ext.disco import INFO, ITEMS
from chirrup.ext.disco.payloads import Feature, Identity, Info
from chirrup.ext.forms import FORM_TYPE
from chirrup.ext.forms.payloads import Field, Form
from chirrup.ext.pubsub import META_DATA, NS
from chirrup.ext.pubsub.service import Node, Service

FEATURES: Final = (
    NS,
    f"{NS}#rsm",
    *(
        f"{NS}#{name}"
        for name in (
            "access-authorize", "access-open", "access-presence", "access-roster", "access-whitelist", "auto-create",
            "auto-subscribe", "config-node", "config-node-max", "create-and-configure", "create-nodes", "delete-items",
            "delete-nodes", "filtered-notifications", "instant-nodes", "item-ids", "last-published",
            "manage-subscriptions", "member-affiliation", "meta-data", "modify-affiliations", "multi-items",
            "outcast-affiliation", "persistent-items", "presence-notifications", "presence-subscribe", "publish",
            "publish-node-full", "publish-only-affiliation", "publish-options", "publisher-affiliation",
            "pubsub-on-a-jid", "purge-nodes", "retract-items", "retrieve-affiliations", "retrieve-default",
            "retrieve-items", "retrieve-subscriptions", "subscribe", "subscription-notifications",
        )
    ),
)  # fmt: skip
"""What an account's service can do."""


def node_info(service: Service, node: Node) -> Info:
    """What a node is, with its metadata (§5.4)."""
    config = node.config
    fields = [
        Field.of(FORM_TYPE, META_DATA, "hidden"),
        Field.of(
            "pubsub#creation_date", format_datetime(datetime.fromtimestamp(int(node.created), UTC)), "text-single"
        ),
        Field.of("pubsub#access_model", config.access_model, "text-single"),
        Field.of("pubsub#publish_model", config.publish_model, "text-single"),
        Field.of("pubsub#max_items", "max" if config.max_items is None else str(config.max_items), "text-single"),
        Field.of("pubsub#owner", service.jid, "jid-multi"),
    ]
    fields += [
        Field.of(f"pubsub#{name}", value, "text-single")
        for name in ("title", "description", "language", "type")
        if (value := getattr(config, name))
    ]
    form = Form("result", fields=tuple(fields)).to_element()
    features = tuple(Feature(var) for var in (INFO, ITEMS, NS))
    return Info(node.name, (Identity("pubsub", "leaf"),), features, (form,))
