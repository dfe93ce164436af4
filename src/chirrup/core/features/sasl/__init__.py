"""Authentication by SASL in the profile of RFC 6120 §6, with channel binding types as of XEP-0440.

The mechanisms themselves are in `core.sasl`.
"""

from __future__ import annotations

from typing import Final

from chirrup.core.features.sasl.client import ClientSASL, Login, salted, untrusted
from chirrup.core.features.sasl.events import (
    Authenticated,
    AuthFailed,
    NeedCredentials,
    NeedIdentity,
    NeedKeys,
    NeedPassword,
    NeedSaltedPassword,
    NeedTokens,
)
from chirrup.core.features.sasl.server import Attempts, Barred, ServerSASL, offered, too_many

XEPS: Final = ((440, "1.0.0", ""),)

__all__ = [
    "Attempts",
    "AuthFailed",
    "Authenticated",
    "Barred",
    "ClientSASL",
    "Login",
    "NeedCredentials",
    "NeedIdentity",
    "NeedKeys",
    "NeedPassword",
    "NeedSaltedPassword",
    "NeedTokens",
    "ServerSASL",
    "offered",
    "salted",
    "too_many",
    "untrusted",
]
