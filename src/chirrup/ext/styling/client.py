"""A client reads styled texts (XEP-0393)."""

from __future__ import annotations

from chirrup.client.feature import Feature
from chirrup.client.stanzas import Message
from chirrup.ext.styling import NS
from chirrup.ext.styling.payloads import Unstyled
from chirrup.ext.styling.text import Block, Line, parse, to_html, to_text


class Styling(Feature):
    """Tells others that styling is shown, and shows it: `client.need(Styling).html(message)`."""

    xeps = ((393, "1.1.1", ""),)
    features = (NS,)

    def blocks(self, message: Message) -> tuple[Block, ...]:
        """What a message says, with its styling; without, if its sender wants none."""
        if message.has(Unstyled):
            return tuple([Line((line,) if line else ()) for line in message.body.split("\n")])
        return parse(message.body)

    def html(self, message: Message, *, directives: bool = True) -> str:
        """The same as HTML, in which nothing that its sender wrote is markup."""
        return to_html(self.blocks(message), directives=directives)

    def text(self, message: Message) -> str:
        """The same as text, without the directives."""
        return to_text(self.blocks(message))
