"""What both ends of RFC 6120's profile share: its names, and the order of an exchange."""

from __future__ import annotations

from typing import Final

from chirrup.core.stanza import SASL as NS
from chirrup.core.states import SASL, SASL_EXCHANGE, Word

__all__ = ["CHANNEL_BINDING", "NS", "Exchange"]

CHANNEL_BINDING: Final = "urn:xmpp:sasl-cb:0"


class Exchange:
    """Where an exchange stands, by the table; common to both ends."""

    def __init__(self) -> None:
        self.state = SASL.IDLE

    def may(self, word: Word) -> bool:
        return word in SASL_EXCHANGE[self.state]

    def say(self, word: Word) -> None:
        self.state = SASL_EXCHANGE[self.state][word]
