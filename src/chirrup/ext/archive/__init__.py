"""Archives of messages: querying them (XEP-0313 version 1.1.3), preferences about what is in them (XEP-0441 version
0.2.0), and searching in their texts (XEP-0431 version 0.2.0)."""

from __future__ import annotations

from typing import Final

NS: Final = "urn:xmpp:mam:2"
EXTENDED: Final = f"{NS}#extended"
"""Feature: ids as filters, flipped pages, metadata."""
GROUPCHAT_FIELD: Final = f"{NS}#groupchat-field"
"""Feature: the field `include-groupchat` is understood."""
FULL_TEXT: Final = "urn:xmpp:fulltext:0"
"""Feature: messages can be searched for words (XEP-0431)."""
FULL_TEXT_FIELD: Final = f"{{{FULL_TEXT}}}fulltext"
