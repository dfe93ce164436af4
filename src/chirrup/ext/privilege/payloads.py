"""What a component is told of its permissions, and what it wraps to act in an account's name (XEP-0356)."""

from __future__ import annotations

from chirrup.core.payload import Payload, attribute, child, children, payload, rest
from chirrup.core.xml import Element
from chirrup.ext.forwarding.payloads import Forwarded
from chirrup.ext.privilege import NS


@payload("namespace", NS)
class Namespace(Payload):
    """Which IQs with payloads of a namespace may be sent (§6.2)."""

    ns: str = attribute()
    type: str = attribute()
    """none, get, set or both."""


@payload("perm", NS)
class Permission(Payload):
    """One permission: what for, and how far it goes."""

    access: str = attribute()
    """roster, message, iq or presence."""
    type: str | None = attribute(default=None)
    push: bool | None = attribute(default=None)
    """Whether changes of rosters are told; where left out, they are told to who may get rosters (§4.2)."""
    namespaces: tuple[Namespace, ...] = children(Namespace)


@payload("privilege", NS)
class Privilege(Payload):
    """The permissions of a component, or a stanza: a message to be sent, or the answer to an IQ that was."""

    permissions: tuple[Permission, ...] = children(Permission)
    forwarded: Forwarded | None = child(Forwarded, default=None)


@payload("privileged_iq", NS)
class PrivilegedIQ(Payload):
    """An IQ to be sent in the name of the account that this is addressed to (§6.3)."""

    stanzas: tuple[Element, ...] = rest()
