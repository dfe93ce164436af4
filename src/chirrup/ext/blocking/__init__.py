"""Blocking (XEP-0191 version 1.3), and reports of those who are blocked (XEP-0377 version 0.4.1)."""

from __future__ import annotations

from typing import Final

NS: Final = "urn:xmpp:blocking"
ERRORS: Final = "urn:xmpp:blocking:errors"
"""The namespace of `<blocked/>`, in the error that answers what a user sends to a blocked address (XEP-0191 §3.3)."""
REPORTING: Final = "urn:xmpp:reporting:1"
"""Reports (XEP-0377 §4)."""
SPAM: Final = "urn:xmpp:reporting:spam"
"""The reason of a report of unwanted messages."""
ABUSE: Final = "urn:xmpp:reporting:abuse"
"""The reason of any other report."""
