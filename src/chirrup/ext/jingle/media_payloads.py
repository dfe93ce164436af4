"""Sound and pictures: what is sent (XEP-0167), over which addresses (XEP-0176), and encrypted how (XEP-0320)."""

from __future__ import annotations

from typing import Literal, TypeAlias

from chirrup.core.payload import Payload, attribute, child, children, flag, payload, rest, text
from chirrup.core.xml import Element
from chirrup.ext.jingle import DTLS, ICE, RTP

Setup: TypeAlias = Literal["active", "passive", "actpass", "holdconn"]
CandidateType: TypeAlias = Literal["host", "prflx", "relay", "srflx"]


@payload("parameter", RTP)
class Parameter(Payload):
    """A parameter of a codec."""

    name: str = attribute()
    value: str = attribute(default="")


@payload("payload-type", RTP)
class PayloadType(Payload):
    """A codec."""

    id: int = attribute()
    name: str | None = attribute(default=None)
    clockrate: int | None = attribute(default=None)
    channels: int = attribute(default=1)
    maxptime: int | None = attribute(default=None)
    ptime: int | None = attribute(default=None)
    parameters: tuple[Parameter, ...] = children(Parameter)
    others: tuple[Element, ...] = rest()


@payload("bandwidth", RTP)
class Bandwidth(Payload):
    """How much may be sent."""

    type: str = attribute()
    value: str = text(default="")


@payload("crypto", RTP)
class Crypto(Payload):
    """A key for SRTP."""

    suite: str = attribute("crypto-suite")
    key_params: str = attribute("key-params")
    tag: str = attribute()
    session_params: str | None = attribute("session-params", default=None)


@payload("encryption", RTP)
class Encryption(Payload):
    """Keys for SRTP, in place of DTLS."""

    required: bool = attribute(default=False)
    cryptos: tuple[Crypto, ...] = children(Crypto)
    others: tuple[Element, ...] = rest()


@payload("description", RTP)
class MediaDescription(Payload):
    """A stream of one medium."""

    media: str = attribute()
    """Such as "audio" or "video"."""
    ssrc: str | None = attribute(default=None)
    payload_types: tuple[PayloadType, ...] = children(PayloadType)
    rtcp_mux: bool = flag("rtcp-mux")
    encryption: Encryption | None = child(Encryption, default=None)
    bandwidth: Bandwidth | None = child(Bandwidth, default=None)
    others: tuple[Element, ...] = rest()


@payload("fingerprint", DTLS)
class Fingerprint(Payload):
    """Of the certificate that the peer will show."""

    hash: str = attribute()
    value: str = text()
    setup: Setup | None = attribute(default=None)


@payload("candidate", ICE)
class Candidate(Payload):
    """An address to try."""

    component: int = attribute()
    foundation: str = attribute()
    generation: int = attribute()
    id: str = attribute()
    ip: str = attribute()
    port: int = attribute()
    priority: int = attribute()
    protocol: str = attribute()
    type: CandidateType = attribute()
    network: int | None = attribute(default=None)
    rel_addr: str | None = attribute("rel-addr", default=None)
    rel_port: int | None = attribute("rel-port", default=None)


@payload("remote-candidate", ICE)
class RemoteCandidate(Payload):
    """The address that was chosen."""

    component: int = attribute()
    ip: str = attribute()
    port: int = attribute()


@payload("transport", ICE)
class IceTransport(Payload):
    """Addresses, and the proof that they are the peer's."""

    ufrag: str | None = attribute(default=None)
    pwd: str | None = attribute(default=None)
    candidates: tuple[Candidate, ...] = children(Candidate)
    remote_candidate: RemoteCandidate | None = child(RemoteCandidate, default=None)
    fingerprint: Fingerprint | None = child(Fingerprint, default=None)
    others: tuple[Element, ...] = rest()
