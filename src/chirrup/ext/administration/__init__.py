"""Service administration by commands (XEP-0133 version 1.3.1)."""

from __future__ import annotations

from typing import Final

NS: Final = "http://jabber.org/protocol/admin"
"""What the forms are about; a command's node is this, "#" and its name."""
