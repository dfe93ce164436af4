"""The token of an invitation, in a subscription request (XEP-0379 §3.4) or before a registration (XEP-0445 §5)."""

from __future__ import annotations

from chirrup.core.payload import Payload, attribute, payload
from chirrup.ext.invitations import PARS


@payload("preauth", PARS)
class Preauth(Payload):
    """Shows a token."""

    token: str = attribute()
