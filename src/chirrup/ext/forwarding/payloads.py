"""A stanza as another one's content (XEP-0297 §3)."""

from __future__ import annotations

from chirrup.core.errors import PayloadError
from chirrup.core.payload import Payload, child, payload, rest
from chirrup.core.stanza import is_stanza
from chirrup.core.xml import Element
from chirrup.ext.delay.payloads import Delay
from chirrup.ext.forwarding import NS


@payload("forwarded", NS)
class Forwarded(Payload):
    """One stanza, and when the forwarding entity received it.

    It proves nothing: who has sent the stanza around it may have made it up (§7.1)."""

    delay: Delay | None = child(Delay, default=None)
    stanzas: tuple[Element, ...] = rest()

    def __post_init__(self) -> None:
        if len(self.stanzas) != 1 or not is_stanza(self.stanzas[0]):
            raise PayloadError("<forwarded/> holds one message, presence or IQ")

    @property
    def stanza(self) -> Element:
        return self.stanzas[0]
