"""Stream management (XEP-0198): what the other end of a stream has, and going on where a lost connection left off.

`elements` declares what is sent, `ledger` counts and keeps what may have to be sent again, for either end; `server` and
`client` hold the halves of the negotiation. Once a stream is negotiated, `<r/>`, `<a/>` and `<enable/>` go to whoever
holds the `Ledger`: a session at the server, a `Management` at a client.
"""

from __future__ import annotations

from typing import Final

from chirrup.core.features.resume.client import (
    ClientEnable,
    ClientResume,
    Management,
    NotResumed,
    SessionResumed,
    managed,
)
from chirrup.core.features.resume.elements import (
    LARGEST,
    NS,
    Enable,
    Enabled,
    Resume,
    Resumed,
    acknowledgement,
    failed,
    feature,
    read_failed,
    read_handled,
    request,
)
from chirrup.core.features.resume.ledger import Ledger
from chirrup.core.features.resume.server import Refusal, ResumeRequest, Resumption, ServerResume, resumed

XEPS: Final = ((198, "1.6.3", "both ends, with resumption; between servers and their clients"),)

__all__ = [
    "LARGEST",
    "NS",
    "ClientEnable",
    "ClientResume",
    "Enable",
    "Enabled",
    "Ledger",
    "Management",
    "NotResumed",
    "Refusal",
    "Resume",
    "ResumeRequest",
    "Resumed",
    "Resumption",
    "ServerResume",
    "SessionResumed",
    "acknowledgement",
    "failed",
    "feature",
    "managed",
    "read_failed",
    "read_handled",
    "request",
    "resumed",
]
