"""The client-to-server example of RFC 6120 §9.1, step by step, with the octets of its authentication."""

from __future__ import annotations

from base64 import b64decode

import pytest

from chirrup.core.sasl import derive_keys
from chirrup.core.stream import ClientPolicy, ClientStream, Credentials, NeedKeys, Ready, Security
from chirrup.core.xml import XML_LANG, Element

TLS = "urn:ietf:params:xml:ns:xmpp-tls"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
BIND = "urn:ietf:params:xml:ns:xmpp-bind"
STREAMS = "http://etherx.jabber.org/streams"
PASSWORD = "r0m30myr0m30"
SALT = b64decode("NjhkYTM0MDgtNGY0Zi00NjdmLTkxMmUtNDlmNTNmNDNkMDMz")
SERVER_IDS = ["t7AMCin9zjMNwQKDnplntZPIDEI=", "vgKi/bkYME8OAj4rlXMkpucAqe4=", "gPybzaOzBmaADgxKXu9UClbprp0="]
CLIENT_NONCE = "oMsTAAwAAAAMAAAANP0TAAAAAABPU0AA"
SERVER_NONCE = "e124695b-69a9-4de6-9c30-b51b3808c59e"

HEADER = (
    "<stream:stream from='juliet@im.example.com' to='im.example.com' version='1.0' xml:lang='en'"
    " xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
)
AUTH = "biwsbj1qdWxpZXQscj1vTXNUQUF3QUFBQU1BQUFBTlAwVEFBQUFBQUJQVTBBQQ=="
CHALLENGE = (
    "cj1vTXNUQUF3QUFBQU1BQUFBTlAwVEFBQUFBQUJQVTBBQWUxMjQ2OTViLTY5YTktNGRlNi05YzMwLWI1MWIzODA4YzU5ZSxzPU5qaGtZVE0wTURndE5H"
    "WTBaaTAwTmpkbUxUa3hNbVV0TkRsbU5UTm1ORE5rTURNeixpPTQwOTY="
)
RESPONSE = (
    "Yz1iaXdzLHI9b01zVEFBd0FBQUFNQUFBQU5QMFRBQUFBQUFCUFUwQUFlMTI0Njk1Yi02OWE5LTRkZTYtOWMzMC1iNTFiMzgwOGM1OWUscD1VQTU3dE0v"
    "U3ZwQVRCa0gyRlhzMFdEWHZKWXc9"
)
SUCCESS = "dj1wTk5ERlZFUXh1WHhDb1NFaVc4R0VaKzFSU289"


@pytest.fixture
def server(serve):
    """im.example.com, with the random parts of the example."""
    server = serve(
        {NeedKeys: lambda stream, need: stream.keys(derive_keys(need.algorithm, PASSWORD, SALT, 4096))},
        mechanisms=("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "PLAIN"),
        confirm_offers=False,  # which came later
    )
    server.stream.make_id = iter(SERVER_IDS).__next__
    server.stream.make_nonce = lambda: SERVER_NONCE
    return server


def answer(id_):
    return {"from": "im.example.com", "id": id_, "to": "juliet@im.example.com", "version": "1.0", XML_LANG: "en"}


def test_the_server(server, read):
    # Steps 1 to 3
    said = read(server.say(HEADER))
    assert said.header.attrs == answer(SERVER_IDS[0])
    assert said.elements == [Element("features", STREAMS, Element("starttls", TLS, Element("required")))]
    # Steps 4 to 6
    assert server.say(f"<starttls xmlns='{TLS}'/>") == f"<proceed xmlns='{TLS}'/>"
    server.did(server.stream.secured(Security(channel_bindings={"tls-server-end-point": b"hash"})))
    # Steps 7 and 8
    said = read(server.say(HEADER))
    assert said.header.attrs == answer(SERVER_IDS[1])
    offered = said.elements[0].child("mechanisms", SASL)
    assert [mechanism.text for mechanism in offered.elements()] == ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "PLAIN"]
    # Steps 9 to 12
    out = server.say(f'<auth xmlns="{SASL}" mechanism="SCRAM-SHA-1">{AUTH}</auth>')
    assert out == f"<challenge xmlns='{SASL}'>{CHALLENGE}</challenge>"
    out = server.say(f'<response xmlns="{SASL}">{RESPONSE}</response>')
    assert out == f"<success xmlns='{SASL}'>{SUCCESS}</success>"
    # Steps 13 and 14
    said = read(server.say(HEADER))
    assert said.header.attrs == answer(SERVER_IDS[2])
    assert said.elements[0].child("bind", BIND) == Element("bind", BIND)
    # Steps 15 and 16
    out = server.say(f"<iq id='yhc13a95' type='set'><bind xmlns='{BIND}'><resource>balcony</resource></bind></iq>")
    assert read(out).elements == [
        Element(
            "iq",
            "jabber:client",
            Element("bind", BIND, Element("jid", "", "juliet@im.example.com/balcony")),
            id="yhc13a95",
            type="result",
        )
    ]
    assert server.events[-1] == Ready()


def test_the_client():
    client = ClientStream(
        "im.example.com",
        ClientPolicy(Credentials("juliet", PASSWORD, mechanisms=("SCRAM-SHA-1",)), resource="balcony"),
        make_id=lambda: "yhc13a95",
        make_nonce=lambda: CLIENT_NONCE,
    )

    def hear(text):
        client.receive(text.encode())
        return client.take().decode()

    def header(id_):
        return (
            f"<stream:stream from='im.example.com' id='{id_}' to='juliet@im.example.com' version='1.0' xml:lang='en'"
            f" xmlns='jabber:client' xmlns:stream='{STREAMS}'>"
        )

    client.open()
    assert b"from=" not in client.take()
    features = f"<stream:features><starttls xmlns='{TLS}'><required/></starttls></stream:features>"
    assert hear(header(SERVER_IDS[0]) + features) == f"<starttls xmlns='{TLS}'/>"
    assert hear(f"<proceed xmlns='{TLS}'/>") == ""
    client.secured(Security())
    assert "from='juliet@im.example.com'" in client.take().decode()
    offered = "".join(f"<mechanism>{name}</mechanism>" for name in ("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "PLAIN"))
    features = f"<stream:features><mechanisms xmlns='{SASL}'>{offered}</mechanisms></stream:features>"
    assert hear(header(SERVER_IDS[1]) + features) == f"<auth xmlns='{SASL}' mechanism='SCRAM-SHA-1'>{AUTH}</auth>"
    assert (
        hear(f"<challenge xmlns='{SASL}'>{CHALLENGE}</challenge>") == f"<response xmlns='{SASL}'>{RESPONSE}</response>"
    )
    assert hear(f"<success xmlns='{SASL}'>{SUCCESS}</success>").startswith("<?xml version='1.0'?><stream:stream ")
    features = f"<stream:features><bind xmlns='{BIND}'/></stream:features>"
    bind = f"<bind xmlns='{BIND}'><resource>balcony</resource></bind>"
    assert hear(header(SERVER_IDS[2]) + features) == f"<iq type='set' id='yhc13a95'>{bind}</iq>"
    result = f"<bind xmlns='{BIND}'><jid>juliet@im.example.com/balcony</jid></bind>"
    assert client.receive(f"<iq id='yhc13a95' type='result'>{result}</iq>".encode())[-1] == Ready()
    assert client.jid == "juliet@im.example.com/balcony"
