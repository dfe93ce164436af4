"""What is delegated, and the requests that are (XEP-0355 §4)."""

from __future__ import annotations

from chirrup.core.payload import Payload, attribute, child, children, payload
from chirrup.ext.delegation import NS
from chirrup.ext.forwarding.payloads import Forwarded


@payload("attribute", NS)
class Attribute(Payload):
    """An attribute that a request must have to be delegated."""

    name: str = attribute()


@payload("delegated", NS)
class Delegated(Payload):
    """A namespace that is delegated."""

    namespace: str = attribute()
    attributes: tuple[Attribute, ...] = children(Attribute)


@payload("delegation", NS)
class Delegation(Payload):
    """What is delegated to a component; or one request, or the answer to it."""

    delegated: tuple[Delegated, ...] = children(Delegated)
    forwarded: Forwarded | None = child(Forwarded, default=None)
