"""Negotiating a stream, at both ends, without I/O: octets in, events and octets out (RFC 6120 §§4 to 7).

`receive()` takes what came from the peer and returns what happened; `take()` gives what is to be sent now. An event
that asks something says by which method it is answered; every such method returns further events, since octets that
came in meanwhile are read only then. An answer that comes after the stream's end is ignored. `paused` says that
nothing more should be read from the connection.

    stream = ServerStream(limits=…, make_id=…, make_nonce=…)
    for event in stream.receive(data):
        match event:
            case Opened(to=to):
                more = stream.accept(hosts[to].policy)
            case NeedKeys(username, algorithm):
                more = stream.keys(…)
            …
    transport.write(stream.take())

At `Ready` negotiation is over: the program feeds `stream.parser` itself, first with `stream.leftover`, ends the
stream by `framing.farewell`, and drops this object with all that it remembers.
"""

from __future__ import annotations

from chirrup.core.features import ClientPolicy, Credentials, Event, HostPolicy, Identity, Security, Token, UserAgent
from chirrup.core.features.bind import BindRefused, BindRequest, Bound
from chirrup.core.features.early import EarlyIQ
from chirrup.core.features.limits import LimitsSeen
from chirrup.core.features.resume import NotResumed, ResumeRequest, SessionResumed
from chirrup.core.features.sasl import (
    Authenticated,
    AuthFailed,
    NeedCredentials,
    NeedIdentity,
    NeedKeys,
    NeedPassword,
    NeedSaltedPassword,
    NeedTokens,
)
from chirrup.core.features.sasl2 import (
    Granted,
    NeedUpgrades,
    SessionRequest,
    TokenReceived,
    TokenRefused,
)
from chirrup.core.features.starttls import StartTLS
from chirrup.core.stream.base import Closed, Failed, Ready, unexpected
from chirrup.core.stream.client import CLIENT_FEATURES, ClientStream, FeaturesSeen, SeeOtherHost
from chirrup.core.stream.server import SERVER_FEATURES, Opened, ServerStream

__all__ = [
    "CLIENT_FEATURES",
    "SERVER_FEATURES",
    "AuthFailed",
    "Authenticated",
    "BindRefused",
    "BindRequest",
    "Bound",
    "ClientPolicy",
    "ClientStream",
    "Closed",
    "Credentials",
    "EarlyIQ",
    "Event",
    "Failed",
    "FeaturesSeen",
    "Granted",
    "HostPolicy",
    "Identity",
    "LimitsSeen",
    "NeedCredentials",
    "NeedIdentity",
    "NeedKeys",
    "NeedPassword",
    "NeedSaltedPassword",
    "NeedTokens",
    "NeedUpgrades",
    "NotResumed",
    "Opened",
    "Ready",
    "ResumeRequest",
    "Security",
    "SeeOtherHost",
    "ServerStream",
    "SessionRequest",
    "SessionResumed",
    "StartTLS",
    "Token",
    "TokenReceived",
    "TokenRefused",
    "UserAgent",
    "unexpected",
]
