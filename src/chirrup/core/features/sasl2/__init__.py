"""Authentication in the profile of XEP-0388: in one request who somebody is, and what they want to have when that is
known: a resource (`bind2`), their former session (`resume`), a token for the next time (`fast`).

The stream isn't started over after it. The mechanisms and the bookkeeping of attempts are those of `sasl`.
"""

from __future__ import annotations

from typing import Final

from chirrup.core.features.sasl2.client import ClientInline, ClientSASL2, TokenReceived, TokenRefused
from chirrup.core.features.sasl2.elements import NS
from chirrup.core.features.sasl2.server import Granted, NeedUpgrades, ServerSASL2, SessionRequest

XEPS: Final = ((388, "1.0.4", ""),)

__all__ = [
    "NS",
    "ClientInline",
    "ClientSASL2",
    "Granted",
    "NeedUpgrades",
    "ServerSASL2",
    "SessionRequest",
    "TokenReceived",
    "TokenRefused",
]
