"""Tokens to log in with (XEP-0484), both ends."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from dataclasses import replace

import pytest

from chirrup.core.errors import SASLError
from chirrup.core.sasl import KnownToken
from chirrup.core.stream import (
    Authenticated,
    AuthFailed,
    Credentials,
    FeaturesSeen,
    Granted,
    NeedTokens,
    Ready,
    Security,
    SessionRequest,
    Token,
    TokenReceived,
    TokenRefused,
    UserAgent,
)
from chirrup.core.xml import Element

NS = "urn:xmpp:sasl:2"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
FAST = "urn:xmpp:fast:0"
ID = "d4565fa7-4d72-4749-b3d3-740edbf87770"
AGENT = UserAgent(ID)
BINDINGS = {"tls-exporter": b"exported", "tls-server-end-point": b"hashed"}
TOKEN = Token("HT-SHA-256-ENDP", "WXZzciBwYmFmdmZnZiBqdmd1IGp2eXFhcmZm", "2020-03-12T14:36:15Z")
KNOWN = KnownToken(TOKEN.secret)
PASSWORD = "r0m30myr0m30"
WITH_TOKEN = Credentials("juliet", token=TOKEN)


def client_token(name="HT-SHA-256-ENDP", secret=TOKEN.secret, user="juliet", data=b"hashed"):
    return f"{user}\0".encode() + hmac.digest(secret.encode(), b"Initiator" + data, "sha256")


def authenticate(data=None, *more, mechanism="HT-SHA-256-ENDP", agent=f"<user-agent id='{ID}'/>"):
    initial = b64encode(client_token() if data is None else data).decode()
    return (
        f"<authenticate xmlns='{NS}' mechanism='{mechanism}'><initial-response>{initial}</initial-response>"
        f"{agent}{''.join(more)}</authenticate>"
    )


def fast(**attributes):
    return str(Element("fast", FAST, **attributes))


@pytest.fixture
def server(serve):
    server = serve(security=Security(channel_bindings=BINDINGS), sasl2=True, tokens=True)
    server.tokens = (KnownToken("older"), KNOWN)
    server.greet()
    return server


@pytest.fixture
def ends(link, serve, dial):
    def make(credentials=WITH_TOKEN, *, tokens=(KNOWN,), answers=None, size=None, **policy):
        server = serve(answers, sasl2=True, tokens=True)
        server.tokens = tokens
        return link(dial(credentials, user_agent=AGENT, **policy), server, size=size)

    return make


def failure(read, said):
    element = read(said).elements[0]
    assert (element.name, element.ns) == ("failure", NS)
    return next(element.elements(ns=SASL)).name


# -- both ends


def test_a_token_is_asked_for_and_received(ends):
    """§§4.2, 4.3; of the mechanism that binds to the channel most strongly."""
    joined = ends(Credentials("juliet", PASSWORD), want_token=True)
    assert joined.server.of(SessionRequest)[0].wants_token == "HT-SHA-256-EXPR"
    expected = Token("HT-SHA-256-EXPR", "s3cr3t", "2030-01-01T00:00:00Z")
    assert joined.client.of(TokenReceived) == [TokenReceived(expected)]
    assert "s3cr3t" not in repr(joined.client.events)


def test_who_has_no_id_gets_no_token(link, serve, dial):
    client = dial(want_token=True, user_agent=UserAgent(software="x"))
    joined = link(client, serve(sasl2=True, tokens=True))
    assert joined.server.of(SessionRequest)[0].wants_token == "" and not client.of(TokenReceived)


@pytest.mark.parametrize("size", [None, 1])
def test_a_token_is_used(ends, size):
    joined = ends(size=size)
    assert joined.client.of(Authenticated) == [Authenticated("juliet", "juliet@im.example.com", "HT-SHA-256-ENDP")]
    assert joined.server.of(NeedTokens) == [NeedTokens("juliet", ID, "HT-SHA-256-ENDP")]
    use = joined.server.of(SessionRequest)[0].token
    assert (use.mechanism, use.token, use.count, use.invalidate) == ("HT-SHA-256-ENDP", KNOWN, None, False)
    assert joined.client.of(Ready) and joined.server.of(Ready)


def test_one_round_trip(link, serve, dial, header):
    """With the features of the last time the client says all that it has to say at once."""
    features = Element("features", "http://etherx.jabber.org/streams")
    inline = Element("inline", NS, Element("fast", FAST, Element("mechanism", FAST, TOKEN.mechanism)))
    inline.append(Element("bind", "urn:xmpp:bind:0"))
    features.append(Element("authentication", NS, Element("mechanism", NS, "SCRAM-SHA-1"), inline))
    security = Security(channel_bindings=BINDINGS)
    client = dial(WITH_TOKEN, security=security, user_agent=AGENT, remembered=features)
    server = serve(security=security, sasl2=True, tokens=True)
    server.tokens = (KNOWN,)
    client.stream.open()
    said = client.stream.take().decode()
    assert said.startswith("<?xml") and "<authenticate " in said
    client.feed(server.say(said).encode())
    assert client.of(Ready) and client.stream.take() == b""


def test_what_is_remembered_and_not_offered_any_more(dial, header, read):
    features = Element("features", "http://etherx.jabber.org/streams")
    inline = Element("inline", NS, Element("fast", FAST, Element("mechanism", FAST, TOKEN.mechanism)))
    features.append(Element("authentication", NS, Element("mechanism", NS, "PLAIN"), inline))
    client = dial(WITH_TOKEN, security=Security(channel_bindings=BINDINGS), user_agent=AGENT, remembered=features)
    client.stream.open()
    client.stream.take()
    client.say(header(from_="im.example.com", to=None))
    said = client.say(f"<stream:features><mechanisms xmlns='{SASL}'/></stream:features>")
    assert read(said).error == "unsupported-feature"


def test_what_is_remembered_and_is_refused(link, serve, dial):
    """After a token that fails comes the password, on the same stream."""
    seen = link(dial(user_agent=AGENT), serve(sasl2=True, tokens=True)).client.of(FeaturesSeen)[1].features
    credentials = Credentials("juliet", PASSWORD, token=TOKEN)
    joined = link(dial(credentials, user_agent=AGENT, remembered=seen), serve(sasl2=True, tokens=True))
    assert joined.client.of(TokenRefused) == [TokenRefused("not-authorized")]
    assert joined.client.of(Ready) and len(joined.server.of(AuthFailed)) == 1


@pytest.mark.parametrize(
    ("tokens", "condition"),
    [((), "not-authorized"), ((replace(KNOWN, expired=True),), "credentials-expired")],
)
def test_a_token_that_is_refused(ends, tokens, condition):
    joined = ends(tokens=tokens)
    assert joined.client.of(TokenRefused) == [TokenRefused(condition)]
    assert joined.client.of(AuthFailed) == [AuthFailed("juliet", condition, joined.client.of(AuthFailed)[0].text)]
    joined.client.did(joined.client.stream.authenticate(Credentials("juliet", PASSWORD)))
    joined.run()
    assert joined.client.of(Ready)


def test_a_token_is_kept_when_only_the_session_cannot_be_had(ends):
    answers = {SessionRequest: lambda stream, event: stream.reject(SASLError("temporary-auth-failure"))}
    joined = ends(Credentials("juliet", PASSWORD, token=TOKEN), answers=answers)
    assert not joined.client.of(TokenRefused)
    assert [event.condition for event in joined.client.of(AuthFailed)] == ["temporary-auth-failure"]


def test_where_tokens_are_not_taken_any_more(link, serve, dial):
    joined = link(dial(WITH_TOKEN, user_agent=AGENT), serve(sasl2=True))
    assert [event.condition for event in joined.client.of(AuthFailed)] == ["credentials-expired"]


def test_a_token_renewed_without_asking(ends):
    """§4.5: of the same mechanism."""
    new = Token(TOKEN.mechanism, "R3VyIHpiZmcgbnl2aXIgdmYgZ3VyIGp2eXFyZmcu", "2020-03-31T14:36:15Z")
    joined = ends(answers={SessionRequest: lambda stream, event: stream.granted(Granted(token=new))})
    assert joined.client.of(TokenReceived) == [TokenReceived(new)]


# -- the server


@pytest.mark.parametrize(("bindings", "names"), [(BINDINGS, ["EXPR", "ENDP", "NONE"]), ({}, ["NONE"])])
def test_the_offer(serve, read, bindings, names):
    """§4.1, with what the connection can bind to."""
    features = read(serve(security=Security(channel_bindings=bindings), sasl2=True, tokens=True).greet()).elements[0]
    offer = features.child("authentication", NS).child("inline").child("fast", FAST)
    assert [item.text for item in offer.elements()] == [f"HT-SHA-256-{name}" for name in names]


def test_count_and_invalidate(server, read):
    said = read(server.say(authenticate(None, fast(count=123, invalidate=True))))
    assert said.elements[0].name == "success"
    use = server.of(SessionRequest)[0].token
    assert (use.token, use.count, use.invalidate) == (KNOWN, 123, True)


def test_the_server_proves_the_token_too(server, read):
    success = read(server.say(authenticate(None, fast()))).elements[0]
    proof = hmac.digest(TOKEN.secret.encode(), b"Responder" + b"hashed", "sha256")
    assert b64decode(success.child_text("additional-data")) == proof


@pytest.mark.parametrize(
    ("element", "condition"),
    [
        (authenticate(), "malformed-request"),  # without <fast/>
        (authenticate(None, fast(), agent=""), "malformed-request"),
        (authenticate(None, fast(), agent="<user-agent/>"), "malformed-request"),
        (authenticate(None, fast(count="-1")), "malformed-request"),
        (authenticate(None, fast(count="2147483648")), "malformed-request"),
        (authenticate(None, fast(count="\u0661")), "malformed-request"),
        (authenticate(None, fast(invalidate="yes")), "malformed-request"),
        (authenticate(b"juliet", fast()), "malformed-request"),
        (authenticate(client_token(secret="guess"), fast()), "not-authorized"),
        (authenticate(client_token(data=b""), fast()), "not-authorized"),
        (authenticate(None, fast(), mechanism="HT-SHA-256-EXPR"), "not-authorized"),
        (authenticate(None, fast(), mechanism="HT-SHA-256-UNIQ"), "invalid-mechanism"),
        (authenticate(None, fast(), mechanism="PLAIN"), "invalid-mechanism"),
        (authenticate(None, fast(), f"<request-token xmlns='{FAST}' mechanism='PLAIN'/>"), "malformed-request"),
    ],
)
def test_failures(server, read, element, condition):
    assert failure(read, server.say(element)) == condition
    assert not server.of(SessionRequest)


def test_where_they_are_switched_off_none_is_taken(serve, read):
    server = serve(security=Security(channel_bindings=BINDINGS), sasl2=True)
    server.greet()
    assert failure(read, server.say(authenticate(None, fast()))) == "invalid-mechanism"
    assert not server.of(NeedTokens)


def test_tokens_do_not_work_in_the_old_profile(server, read):
    initial = b64encode(client_token()).decode()
    said = read(server.say(f"<auth xmlns='{SASL}' mechanism='HT-SHA-256-ENDP'>{initial}</auth>"))
    assert said.elements[0].first.name == "invalid-mechanism"
