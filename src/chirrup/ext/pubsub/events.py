"""Items, and what happens to them, with payloads of a class."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any, Final, Generic, TypeVar, cast

from chirrup.core.errors import PayloadError
from chirrup.core.jid import JID
from chirrup.core.payload import Payload
from chirrup.core.record import record
from chirrup.core.xml import Element
from chirrup.ext.pubsub.event_payloads import Event as EventPayload

log: Final = logging.getLogger("chirrup.client")

K = TypeVar("K", bound=Payload | Element)
Kind = type[K]
"""The class of a node's payloads: a declared one, or `Element` for any."""


@record
class Published(Generic[K]):
    """An item."""

    id: str
    payload: K | None
    """None where the service tells only that there is something."""
    publisher: str
    """Who published it, where the service tells; "" else."""
    sender: JID
    """Whose node it is in."""
    node: str


@record
class Retracted:
    """An item was deleted."""

    id: str
    sender: JID
    node: str


@record
class Purged:
    """All items were deleted."""

    sender: JID
    node: str


@record
class Deleted:
    """The node was deleted, with all that was in it."""

    sender: JID
    node: str


Event = Published[K] | Retracted | Purged | Deleted


def read(
    kind: Kind[K], payloads: Sequence[Element], id_: str | None, publisher: str | None, sender: JID, node: str
) -> Published[K] | None:
    """An item; None if its payload is no such thing."""
    payload: Any = payloads[0] if payloads else None
    if payload is not None and issubclass(kind, Payload):
        try:
            payload = kind.parse(payload)
        except PayloadError as error:
            log.debug("an item of %s at %s: %s", node, sender, error)
            return None
    return Published(id_ or "", cast("K | None", payload), publisher or "", sender, node)


def events_of(event: EventPayload, name: str, kind: Kind[K], sender: JID) -> Iterator[Event[K]]:
    """What an event says of nodes of that name."""
    if event.items is not None and event.items.node == name:
        for retract in event.items.retracts:
            yield Retracted(retract.id, sender, name)
        for item in event.items.items:
            published = read(kind, item.payloads, item.id, item.publisher, sender, name)
            if published is not None:
                yield published
    elif event.purge is not None and event.purge.node == name:
        yield Purged(sender, name)
    elif event.delete is not None and event.delete.node == name:
        yield Deleted(sender, name)
