"""Stream limits (XEP-0478): how large a stanza may be and how long a stream may be silent, said in advance."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from chirrup.core.features import ClientFeature, ClientSide, Event, ServerFeature, ServerSide
from chirrup.core.record import record
from chirrup.core.states import Outcome
from chirrup.core.xml import Element

NS: Final = "urn:xmpp:stream-limits:0"
XEPS: Final = ((478, "0.2.0", "the size of stanzas; nothing is said of silence"),)


@record
class LimitsSeen(Event):
    """What the server takes: the octets of one first-level element, and the seconds without traffic after which it
    may act. None where it doesn't say."""

    max_bytes: int | None
    idle_seconds: int | None


class ServerLimits(ServerFeature):
    def offer(self, stream: ServerSide) -> Iterable[Element]:
        """Where TLS comes first it is the only thing to be offered (RFC 6120 §5.3.1)."""
        if stream.may_authenticate or stream.identity is not None:
            limits = Element("limits", NS)
            limits.c("max-bytes").t(str(stream.limits.stanza_bytes))
            if stream.policy.idle_seconds is not None:
                limits.c("idle-seconds").t(str(stream.policy.idle_seconds))
            yield limits


class ClientLimits(ClientFeature):
    offers = frozenset({("limits", NS)})

    def begin(self, stream: ClientSide, features: Element) -> Outcome | None:
        limits = features.child("limits", NS)
        if limits is not None:
            stream.emit(LimitsSeen(_number(limits, "max-bytes"), _number(limits, "idle-seconds")))
        return None


def _number(limits: Element, name: str) -> int | None:
    """The value of an xs:unsignedInt, None where it is missing or is none."""
    text = limits.child_text(name).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else None
