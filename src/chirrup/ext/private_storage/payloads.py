"""A piece of what is kept (XEP-0049 §3.3)."""

from __future__ import annotations

from chirrup.core.payload import Payload, payload, rest
from chirrup.core.xml import Element
from chirrup.ext.private_storage import NS


@payload("query", NS)
class Private(Payload):
    """Elements in a namespace of their own; in a get one empty one, which names what is asked for."""

    elements: tuple[Element, ...] = rest()
