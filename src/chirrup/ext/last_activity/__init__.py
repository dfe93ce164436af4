"""Last activity (XEP-0012 version 2.0): how long a server has been up, or an account away."""

from __future__ import annotations

from typing import Final

NS: Final = "jabber:iq:last"
