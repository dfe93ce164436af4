"""How far a chat has been read (XEP-0490 §3)."""

from __future__ import annotations

from chirrup.core.payload import Payload, child, payload
from chirrup.ext.read_state import NS
from chirrup.ext.stanza_ids.payloads import StanzaId


@payload("displayed", NS)
class ReadState(Payload):
    """The last message of a chat that was shown."""

    stanza_id: StanzaId = child(StanzaId)
    """As the account's server gave it, or in a room the room."""
