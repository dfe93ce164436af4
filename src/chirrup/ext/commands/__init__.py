"""Ad-hoc commands (XEP-0050 version 1.3.0): what an entity can be told to do, with forms to fill in on the way."""

from __future__ import annotations

from typing import Final

NS: Final = "http://jabber.org/protocol/commands"
"""The namespace, and the node under which an entity's commands are listed."""
