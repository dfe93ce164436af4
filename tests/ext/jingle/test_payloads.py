"""The examples of the specifications come back as they were."""

from __future__ import annotations

from typing import Any

import pytest

from chirrup.core.errors import PayloadError
from chirrup.core.jid import JID
from chirrup.core.payload import Payload
from chirrup.core.values import parse_element
from chirrup.core.xml import Element
from chirrup.ext.jingle import FILE, ICE
from chirrup.ext.jingle.file_payloads import Checksum, File, FileDescription, FileHash, HashUsed, Range, ReceivedFile
from chirrup.ext.jingle.media_payloads import Encryption, Fingerprint, IceTransport, MediaDescription, PayloadType
from chirrup.ext.jingle.message_payloads import Finish, Proceed, Propose, Reject, RetractProposal, Ringing
from chirrup.ext.jingle.payloads import Content, Jingle, Reason

INITIATE = """
<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' initiator='romeo@montague.lit/orchard'
        sid='a73sjjvkla37jfea'>
  <content creator='initiator' name='voice'>
    <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>
      <payload-type id='96' name='speex' clockrate='16000'><parameter name='vbr' value='on'/></payload-type>
      <payload-type id='18' name='G729'/>
      <payload-type id='103' name='L16' clockrate='16000' channels='2'/>
      <rtcp-mux/>
      <bandwidth type='AS'>128</bandwidth>
      <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='1' uri='urn:x'/>
    </description>
    <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' pwd='asd88fgpdd777uzjYhagZg' ufrag='8hhy'>
      <candidate component='1' foundation='1' generation='0' id='el0747fg11' ip='10.0.1.1' network='1' port='8998'
                 priority='2130706431' protocol='udp' type='host'/>
      <candidate component='1' foundation='2' generation='0' id='y3s2b30v3r' ip='192.0.2.3' network='1' port='45664'
                 priority='1694498815' protocol='udp' rel-addr='10.0.1.1' rel-port='8998' type='srflx'/>
      <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='actpass'>02:1A:CC:54</fingerprint>
    </transport>
  </content>
</jingle>
"""
CALL = "ca3cf894-5325-482f-a412-a6e9f832298d"


def canonical(element: Element) -> Any:
    """What an element says, whatever its order and indentation."""
    inside = sorted((canonical(child) for child in element.elements()), key=repr)
    text = element.text.strip()
    return element.name, element.ns, sorted(element.attrs.items()), text, inside


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Jingle, INITIATE),
        (Jingle, "<jingle xmlns='urn:xmpp:jingle:1' action='session-terminate' sid='a73sjjvkla37jfea'>"
                 "<reason><success/><text>Sorry, gotta go!</text></reason></jingle>"),
        (Jingle, "<jingle xmlns='urn:xmpp:jingle:1' action='session-terminate' sid='a'>"
                 "<reason><alternative-session><sid>b84tkkwlmb48kgfb</sid></alternative-session></reason></jingle>"),
        (Jingle, "<jingle xmlns='urn:xmpp:jingle:1' action='session-terminate' sid='a' responder='a@b/c'><reason>"
                 "<security-error/><invalid-crypto xmlns='urn:xmpp:jingle:apps:rtp:errors:1'/></reason></jingle>"),
        (Jingle, "<jingle xmlns='urn:xmpp:jingle:1' action='session-info' sid='a'>"
                 "<ringing xmlns='urn:xmpp:jingle:apps:rtp:info:1'/></jingle>"),
        (Jingle, "<jingle xmlns='urn:xmpp:jingle:1' action='content-modify' sid='a'>"
                 "<content creator='responder' name='video' senders='none' disposition='early-session'/></jingle>"),
        (Encryption, "<encryption xmlns='urn:xmpp:jingle:apps:rtp:1' required='true'><crypto "
                     "crypto-suite='AES_CM_128_HMAC_SHA1_80' key-params='inline:WVNfX|2^20|1:32' "
                     "session-params='KDR=1 UNENCRYPTED_SRTCP' tag='1'/></encryption>"),
        (IceTransport, f"<transport xmlns='{ICE}' pwd='YH75Fviy6338Vbrhrlp8Yh' ufrag='9uB6'>"
                       "<remote-candidate component='1' ip='10.0.1.2' port='9001'/></transport>"),
        (Propose, f"<propose xmlns='urn:xmpp:jingle-message:0' id='{CALL}'>"
                  "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/></propose>"),
        (Ringing, f"<ringing xmlns='urn:xmpp:jingle-message:0' id='{CALL}'/>"),
        (Proceed, f"<proceed xmlns='urn:xmpp:jingle-message:0' id='{CALL}'/>"),
        (RetractProposal, f"<retract xmlns='urn:xmpp:jingle-message:0' id='{CALL}'><reason xmlns='urn:xmpp:jingle:1'>"
                          "<cancel/><text>Retracted</text></reason></retract>"),
        (Reject, f"<reject xmlns='urn:xmpp:jingle-message:0' id='{CALL}'><reason xmlns='urn:xmpp:jingle:1'>"
                 "<expired/><text>Tie-Break</text></reason><tie-break/></reject>"),
        (Finish, f"<finish xmlns='urn:xmpp:jingle-message:0' id='{CALL}'><reason xmlns='urn:xmpp:jingle:1'><expired/>"
                 "<text>Migrated</text></reason><migrated to='989a46a6-f202-4910-a7c3-83c6ba3f3947'/></finish>"),
        (FileDescription, f"<description xmlns='{FILE}'><file><media-type>text/plain</media-type>"
                          "<name>test.txt</name><date>2015-07-26T20:46:00Z</date><size>6144</size>"
                          "<range offset='270336' length='10'/>"
                          "<hash xmlns='urn:xmpp:hashes:2' algo='sha-1'>w0mcJylzCn+AfvuGdqkty2+KP48=</hash>"
                          "<hash-used xmlns='urn:xmpp:hashes:2' algo='sha-256'/></file></description>"),
        (Checksum, f"<checksum xmlns='{FILE}' creator='initiator' name='a-file'><file>"
                   "<hash xmlns='urn:xmpp:hashes:2' algo='sha-1'>w0mcJylzCn8=</hash></file></checksum>"),
        (ReceivedFile, f"<received xmlns='{FILE}' creator='initiator' name='a-file-offer'/>"),
    ],
)  # fmt: skip
def test_there_and_back(kind: type[Payload], text: str) -> None:
    sent = parse_element(text.strip())
    read = kind.parse(sent)
    assert canonical(read.to_element()) == canonical(sent)
    assert kind.from_json(read.to_json()) == read


def test_what_a_proposal_says() -> None:
    jingle = Jingle.parse(parse_element(INITIATE.strip()))
    assert (jingle.action, jingle.initiator) == ("session-initiate", JID("romeo@montague.lit/orchard"))
    (content,) = jingle.contents
    media, transport = content.get(MediaDescription), content.get(IceTransport)
    assert media is not None
    assert transport is not None
    assert media.rtcp_mux
    assert [(one.id, one.name, one.channels) for one in media.payload_types] == [
        (96, "speex", 1), (18, "G729", 1), (103, "L16", 2),
    ]  # fmt: skip
    assert [one.type for one in transport.candidates] == ["host", "srflx"]
    assert transport.fingerprint == Fingerprint("sha-256", "02:1A:CC:54", "actpass")
    assert content.get(FileDescription) is None


def test_making_one() -> None:
    offer = File(
        "test.txt", "text/plain", size=6144, range=Range(), hashes=(FileHash("sha-1"),), hash_used=HashUsed("sha-1")
    )
    content = Content.of("a-file-offer", FileDescription(offer), senders="initiator")
    assert content.get(FileDescription) == FileDescription(offer)
    assert (content.creator, content.senders) == ("initiator", "initiator")
    ended = Jingle("session-terminate", "a", reason=Reason.of("busy", "later", Element("x", "urn:x")))
    read = Jingle.parse(ended.to_element())
    assert read.reason is not None
    assert (read.reason.condition, read.reason.text) == ("busy", "later")
    assert Reason().condition == ""
    assert PayloadType(0, "PCMU").to_element().get("channels") == ""


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Jingle, "<jingle xmlns='urn:xmpp:jingle:1' action='session-begin' sid='a'/>"),
        (Jingle, "<jingle xmlns='urn:xmpp:jingle:1' action='session-info'/>"),
        (Content, "<content xmlns='urn:xmpp:jingle:1' creator='me' name='a'/>"),
        (PayloadType, "<payload-type xmlns='urn:xmpp:jingle:apps:rtp:1' id='x'/>"),
        (FileHash, "<hash xmlns='urn:xmpp:hashes:2' algo='sha-1'>not base64!</hash>"),
    ],
)
def test_what_is_malformed(kind: type[Payload], text: str) -> None:
    with pytest.raises(PayloadError):
        kind.parse(parse_element(text))
