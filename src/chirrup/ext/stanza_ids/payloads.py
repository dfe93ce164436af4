"""A message's ids (XEP-0359 §§2 and 4)."""

from __future__ import annotations

from chirrup.core.jid import JID
from chirrup.core.payload import Payload, attribute, payload
from chirrup.ext.stanza_ids import NS


@payload("stanza-id", NS)
class StanzaId(Payload):
    """The id that an account or a room gave a message. To be believed only if the server of `by` announces `NS`."""

    id: str = attribute()
    by: JID = attribute()


@payload("origin-id", NS)
class OriginId(Payload):
    """The id that the sender's client gave a message. Anybody can use one again."""

    id: str = attribute()


@payload("referenced-stanza", NS)
class ReferencedStanza(Payload):
    """Another message that this one is about."""

    id: str = attribute()
    by: JID | None = attribute(default=None)
