"""A message's text as XHTML (XEP-0071 §5), as a tree of which nothing can do harm.

html = message.get(Html)
if html is not None:
    show(html.to_html())
"""

from __future__ import annotations

from chirrup.core.payload import Payload, payload, rest
from chirrup.core.xml import Element
from chirrup.ext.xhtml import NS, XHTML
from chirrup.ext.xhtml.safe import Node, sanitise, to_html, to_text


@payload("html", NS)
class Html(Payload):
    """The wrapper, with a body for each language."""

    bodies: tuple[Element, ...] = rest()
    """As they were sent: not to be shown."""

    def body(self, lang: str = "") -> Node:
        """What is left of a body when all that isn't allowed is gone: of the one in that language, or the first."""
        bodies = [one for one in self.bodies if one.name == "body" and one.ns == XHTML]
        chosen = next((one for one in bodies if lang and one.lang == lang), bodies[0] if bodies else None)
        return Node("body", {}, []) if chosen is None else sanitise(chosen)

    def to_html(self, lang: str = "", *, images: bool = False) -> str:
        """HTML to put into a page. Images are what they say in place of themselves, unless `images` lets them be
        fetched, which tells their sender that the reader is there."""
        return to_html(self.body(lang), images=images)

    def to_text(self, lang: str = "") -> str:
        """The text alone."""
        return to_text(self.body(lang))
