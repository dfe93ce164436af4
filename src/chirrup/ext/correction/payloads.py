"""The reference to the message that is corrected (XEP-0308 §4)."""

from __future__ import annotations

from chirrup.core.payload import Payload, attribute, payload
from chirrup.ext.correction import NS


@payload("replace", NS)
class Replace(Payload):
    """This message takes the place of the one that the same sender first sent with that id."""

    id: str = attribute()
