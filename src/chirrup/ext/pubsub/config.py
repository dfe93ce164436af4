"""A node's configuration: its fields, as forms show and set them, and as publishing options ask for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any, Final, Self

from chirrup.core.errors import PayloadError
from chirrup.core.record import record
from chirrup.ext.forms import FORM_TYPE
from chirrup.ext.forms.payloads import Field, FieldType, Form, FormType, Option
from chirrup.ext.pubsub import NODE_CONFIG
from chirrup.ext.pubsub.errors import refusal

MAX: Final = "max"
"""The value of a limit that is as high as the service allows."""


@record
class NodeConfig:
    """XEP-0060 §16.4.4. The defaults are those of personal eventing (XEP-0163 §5)."""

    title: str = ""
    description: str = ""
    language: str = ""
    type: str = ""
    """The namespace of the payloads; any where empty."""
    access_model: str = "presence"
    roster_groups_allowed: tuple[str, ...] = ()
    publish_model: str = "publishers"
    persist_items: bool = True
    max_items: int | None = 1
    """None is "max"."""
    publish_node_full: str = "retract-oldest"
    max_payload_size: int | None = None
    """Bytes; None is as many as the service allows."""
    deliver_notifications: bool = True
    deliver_payloads: bool = True
    presence_based_delivery: bool = False
    notification_type: str = "headline"
    send_last_published_item: str = "on_sub_and_presence"
    itemreply: str = "owner"
    """With "publisher", items tell who published them."""
    subscribe: bool = True
    notify_config: bool = False
    notify_delete: bool = True
    notify_retract: bool = False
    notify_sub: bool = False
    purge_offline: bool = False
    tempsub: bool = False
    node_type: str = "leaf"
    item_expire: int | None = None
    """Seconds; None is for ever."""

    # -- stored

    def to_text(self) -> str:
        """What differs from the defaults, as JSON."""
        changed = {one.name: getattr(self, one.name) for one in fields(self)}
        return json.dumps({name: value for name, value in changed.items() if value != getattr(DEFAULT, name)})

    @staticmethod
    @lru_cache(maxsize=1024)
    def from_text(text: str) -> NodeConfig:
        """Nodes that are configured alike share one."""
        values = json.loads(text)
        if "roster_groups_allowed" in values:
            values["roster_groups_allowed"] = tuple(values["roster_groups_allowed"])
        return NodeConfig(**values)

    # -- as forms

    def with_form(self, form: Form) -> Self:
        """This configuration with what a form submits in place. Fields that aren't known are ignored, as in any form
        (XEP-0004, Form Types). StanzaError for values that can't be."""
        return self.with_values(read_values(form, ignore_unknown=True))

    def with_values(self, values: Mapping[str, Any]) -> Self:
        return replace(self, **values)

    def meets(self, wanted: Mapping[str, Any], limit: int) -> bool:
        """Whether it is configured as publishing options want it; `limit` is how many items the service allows."""
        return all(_effective(name, getattr(self, name), limit) == _effective(name, value, limit)
                   for name, value in wanted.items())  # fmt: skip

    def form(self, type_: FormType, groups: tuple[str, ...] = ()) -> Form:
        """The form to fill in ("form"), or the facts ("result"); `groups` are the roster groups to choose from."""
        shown = [Field.of(FORM_TYPE, NODE_CONFIG, "hidden")]
        for name, spec in SPECS.items():
            options = tuple(Option(value) for value in spec.choices)
            if name == "roster_groups_allowed":
                options = tuple(Option(group) for group in sorted({*groups, *self.roster_groups_allowed}))
            label = spec.label if type_ == "form" else None
            value = getattr(self, name)
            given = () if name == "max_payload_size" and value is None else _written(value)
            shown.append(
                Field(f"pubsub#{name}", spec.kind, label, values=given, options=options if type_ == "form" else ())
            )
        return Form(type_, fields=tuple(shown))


DEFAULT: Final = NodeConfig()


@record
class Spec:
    """How a field is shown, and what it may be."""

    kind: FieldType
    label: str
    choices: tuple[str, ...] = ()
    only: Any = None
    """The one value that is supported, if there is only one."""


SPECS: Final[dict[str, Spec]] = {
    "title": Spec("text-single", "A short name for people to read"),
    "description": Spec("text-single", "What the node is for"),
    "language": Spec("text-single", "The language of the items"),
    "type": Spec("text-single", "The namespace of the items' payloads"),
    "access_model": Spec(
        "list-single", "Who may subscribe and retrieve items", ("authorize", "open", "presence", "roster", "whitelist")
    ),
    "roster_groups_allowed": Spec("list-multi", "The roster groups that may, where access is by roster"),
    "publish_model": Spec("list-single", "Who may publish", ("publishers", "subscribers", "open")),
    "persist_items": Spec("boolean", "Whether items are stored"),
    "max_items": Spec("text-single", "How many items are stored, or max"),
    "publish_node_full": Spec(
        "list-single",
        "What becomes of the oldest item if there are more",
        ("retract-oldest", "discard-oldest", "reject"),
    ),
    "max_payload_size": Spec("text-single", "How many bytes a payload may have"),
    "item_expire": Spec("text-single", "Seconds after which an item is deleted, or max"),
    "deliver_notifications": Spec("boolean", "Whether subscribers are told of what happens"),
    "deliver_payloads": Spec("boolean", "Whether they get the payloads with that"),
    "presence_based_delivery": Spec("boolean", "Whether only those who are available are told"),
    "notification_type": Spec("list-single", "The type of the messages", ("headline", "normal")),
    "send_last_published_item": Spec(
        "list-single", "When the last item is sent", ("never", "on_sub", "on_sub_and_presence")
    ),
    "itemreply": Spec("list-single", "Whether items tell who published them", ("owner", "publisher", "none")),
    "subscribe": Spec("boolean", "Whether anybody may subscribe"),
    "notify_config": Spec("boolean", "Whether subscribers are told of a change of the configuration"),
    "notify_delete": Spec("boolean", "Whether subscribers are told that the node was deleted"),
    "notify_retract": Spec("boolean", "Whether subscribers are told that an item was deleted"),
    "notify_sub": Spec("boolean", "Whether the owner is told of new subscribers"),
    "purge_offline": Spec("boolean", "Whether items go when their publisher does", only=False),
    "tempsub": Spec("boolean", "Whether subscriptions end with the subscriber's presence", only=False),
    "node_type": Spec("list-single", "Whether the node has items", ("leaf",)),
}  # fmt: skip
_MAX_TEXT: Final = 1023
_MAX_TOGETHER: Final = 8000
"""Characters of all values of a field."""


def read_values(form: Form, *, ignore_unknown: bool = False) -> dict[str, Any]:
    """What a form sets, by the names of `NodeConfig`. StanzaError for values that can't be, and for fields that aren't
    known, unless they are ignored."""
    values: dict[str, Any] = {}
    for field in form.fields:
        if field.var == FORM_TYPE or not field.var:
            continue
        name = field.var.removeprefix("pubsub#")
        spec = SPECS.get(name)
        if spec is None or name == field.var:
            if ignore_unknown:
                continue
            raise refusal("not-acceptable", "invalid-options", f"there is no field {field.var!r}")
        values[name] = _read(name, spec, field)
    return values


def _read(name: str, spec: Spec, field: Field) -> Any:
    try:
        value = _value(name, spec, field)
    except PayloadError as error:
        raise refusal("not-acceptable", "invalid-options", str(error)) from None
    if spec.only is not None and value != spec.only:
        raise refusal("not-acceptable", "invalid-options", f"{field.var} can't be {field.value!r}")
    if spec.choices and value not in spec.choices:
        own = "unsupported-access-model" if name == "access_model" else "invalid-options"
        raise refusal("not-acceptable", own, f"{field.var} can't be {field.value!r}")
    return value


def _value(name: str, spec: Spec, field: Field) -> Any:
    if spec.kind == "boolean":
        return field.boolean
    if name in ("max_items", "max_payload_size", "item_expire"):
        return _number(field)
    if any(len(value) > _MAX_TEXT for value in field.values) or sum(map(len, field.values)) > _MAX_TOGETHER:
        raise refusal("not-acceptable", "invalid-options", f"{field.var} is too long")
    return tuple(field.values) if spec.kind == "list-multi" else field.value


def _number(field: Field) -> int | None:
    if field.value in (MAX, ""):
        return None
    if not field.value.isascii() or not field.value.isdigit() or len(field.value) > 12 or int(field.value) < 1:
        raise refusal("not-acceptable", "invalid-options", f"{field.var} is a positive number, or {MAX!r}")
    return int(field.value)


def _written(value: Any) -> tuple[str, ...]:
    if isinstance(value, tuple):
        return value
    if isinstance(value, bool):
        return ("true" if value else "false",)
    return (MAX if value is None else str(value),) if value != "" else ()


def _effective(name: str, value: Any, limit: int) -> Any:
    if name == "max_items":
        return min(value or limit, limit)
    return sorted(value) if isinstance(value, tuple) else value
