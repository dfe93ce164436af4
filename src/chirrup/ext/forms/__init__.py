"""Data forms (XEP-0004 version 2.13.2), with the names of forms and fields (XEP-0068 version 1.3.0)."""

from __future__ import annotations

from typing import Final

NS: Final = "jabber:x:data"
XEPS: Final = ((4, "2.13.2", ""), (68, "1.3.0", ""))

FORM_TYPE: Final = "FORM_TYPE"
"""The hidden field that says what a form is about, and so what its fields mean (XEP-0068 §3.1)."""
