"""Sessions between clients, for calls and files (XEP-0166 version 1.1.2): media (XEP-0167 version 1.2.3) over ICE
(XEP-0176 version 1.1.1) with DTLS (XEP-0320 version 1.0.0), proposed by messages (XEP-0353 version 0.8.0), and files
(XEP-0234 version 0.19.1). The messages alone: what they agree on is for others to do."""

from __future__ import annotations

from typing import Final

NS: Final = "urn:xmpp:jingle:1"
RTP: Final = "urn:xmpp:jingle:apps:rtp:1"
ICE: Final = "urn:xmpp:jingle:transports:ice-udp:1"
DTLS: Final = "urn:xmpp:jingle:apps:dtls:0"
MESSAGE: Final = "urn:xmpp:jingle-message:0"
FILE: Final = "urn:xmpp:jingle:apps:file-transfer:5"
HASHES: Final = "urn:xmpp:hashes:2"
_NOTE: Final = "the payloads"
XEPS: Final = (
    (166, "1.1.2", _NOTE), (167, "1.2.3", _NOTE), (176, "1.1.1", _NOTE), (234, "0.19.1", _NOTE),
    (320, "1.0.0", _NOTE), (353, "0.8.0", _NOTE),
)  # fmt: skip
