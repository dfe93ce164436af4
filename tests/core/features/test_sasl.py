"""Authentication (RFC 6120 §6): each mechanism end to end, and each way that it fails."""

from __future__ import annotations

from base64 import b64encode

import pytest

from chirrup.core.errors import LocalProtocolError, SASLError
from chirrup.core.jid import JID
from chirrup.core.sasl import MECHANISMS, Advertised
from chirrup.core.states import State
from chirrup.core.stream import (
    Authenticated,
    AuthFailed,
    Credentials,
    Failed,
    NeedCredentials,
    NeedIdentity,
    NeedKeys,
    NeedPassword,
    Ready,
    Security,
)
from chirrup.core.xml import Element

NS = "urn:ietf:params:xml:ns:xmpp-sasl"
CB = "urn:xmpp:sasl-cb:0"
BINDINGS = {"tls-exporter": b"exported", "tls-server-end-point": b"hashed"}
BOUND = Security(channel_bindings=BINDINGS)
TLS = Security()
PASSWORD = "r0m30myr0m30"
JULIET = "juliet@im.example.com"


def auth(mechanism, data=None):
    attribute = "" if mechanism is None else f" mechanism='{mechanism}'"
    return f"<auth xmlns='{NS}'{attribute}>{data if isinstance(data, str) else encoded(data)}</auth>"


def encoded(data):
    return "" if data is None else b64encode(data).decode() or "="


def failure(condition):
    return f"<failure xmlns='{NS}'><{condition}/>"


def plain(username="juliet", password=PASSWORD, authzid=""):
    return auth("PLAIN", f"{authzid}\0{username}\0{password}".encode())


def mechanisms(read, text):
    features = read(text).elements[0]
    offered = features.child("mechanisms", NS)
    return [] if offered is None else [mechanism.text for mechanism in offered.elements()]


@pytest.fixture
def server(serve):
    server = serve(security=TLS)
    server.greet()
    return server


# -- both ends


@pytest.mark.parametrize("size", [None, 1])
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_every_mechanism(link, serve, dial, mechanism, size):
    credentials = {
        "EXTERNAL": Credentials("juliet", certificate=True),
        "ANONYMOUS": Credentials(),
    }.get(mechanism, Credentials("juliet", PASSWORD))
    joined = link(dial(credentials), serve(mechanisms=(mechanism,)), size=size, identities=(JULIET,))
    username, account = ("", "") if mechanism == "ANONYMOUS" else ("juliet", JULIET)
    expected = [Authenticated(username, account, mechanism)]
    assert joined.client.of(Authenticated) == joined.server.of(Authenticated) == expected
    assert joined.client.of(Ready) and joined.server.of(Ready)


@pytest.mark.parametrize("binding", list(BINDINGS))
def test_either_channel_binding(link, serve, dial, binding):
    joined = link(dial(), serve(), bindings={binding: b"data"})
    assert joined.server.stream.identity.mechanism == "SCRAM-SHA-512-PLUS"
    assert joined.client.of(Ready)


def test_without_channel_binding_data_there_is_no_plus(link, read):
    joined = link(bindings={})
    assert joined.server.stream.identity.mechanism == "SCRAM-SHA-512"
    assert not any("-PLUS" in text or CB in text for text in joined.transcript)


def test_a_man_in_the_middle_is_found_by_the_channel(link, serve, dial):
    """Two TLS connections, with somebody between them who passes everything on."""
    server = serve(security=Security(channel_bindings={"tls-exporter": b"theirs"}))
    joined = link(dial(security=Security(channel_bindings={"tls-exporter": b"ours"})), server)
    assert joined.client.of(AuthFailed) == [
        AuthFailed("juliet", "not-authorized", joined.client.of(AuthFailed)[0].text)
    ]
    assert not joined.server.of(Authenticated)


def test_a_man_in_the_middle_who_hides_channel_binding_is_found(link, serve, dial):
    server = serve(security=BOUND)
    client = dial(security=BOUND)
    client.stream.open()
    server.feed(client.stream.take())
    said = server.stream.take().decode()
    hidden = said[: said.index("<sasl-channel-binding")] + said[said.index("</sasl-channel-binding>") + 23 :]
    for algorithm in ("512", "256", "1"):
        hidden = hidden.replace(f"<mechanism>SCRAM-SHA-{algorithm}-PLUS</mechanism>", "")
    client.feed(hidden.encode())
    server.feed(client.stream.take())
    assert server.of(AuthFailed)[0].condition == "not-authorized"


def test_a_client_that_is_told_to_do_without_channel_binding_says_so(link, serve, dial):
    joined = link(dial(Credentials("juliet", PASSWORD, mechanisms=("SCRAM-SHA-256",))))
    assert joined.server.of(Authenticated) == [Authenticated("juliet", JULIET, "SCRAM-SHA-256")]


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1", "PLAIN"])
def test_a_wrong_password_and_then_the_right_one(link, serve, dial, mechanism):
    joined = link(dial(Credentials("juliet", "wrong")), serve(mechanisms=(mechanism,)))
    (failed,) = joined.client.of(AuthFailed)
    assert (failed.username, failed.condition) == ("juliet", "not-authorized")
    assert joined.server.of(AuthFailed)[0].username == "juliet"
    assert joined.client.stream.identity is None

    joined.client.did(joined.client.stream.authenticate(Credentials("juliet", PASSWORD)))
    joined.run()
    assert joined.client.of(Ready) and joined.server.of(Ready)


def test_an_unknown_user_fails_like_a_wrong_password(link, dial):
    texts = []
    for username, password in (("juliet", "wrong"), ("nobody", "wrong")):
        joined = link(dial(Credentials(username, password, mechanisms=("SCRAM-SHA-1", "SCRAM-SHA-1-PLUS"))))
        texts.append([text for text in joined.transcript if "<failure" in text])
    assert texts[0] == texts[1] != []


def test_keys_derived_once_serve_again(link, dial):
    memory = {}
    for _ in range(2):
        joined = link(dial(Credentials("juliet", PASSWORD, salted_passwords=memory)))
        assert joined.client.of(Ready)
        assert len(memory) == 1


# -- what the server offers


@pytest.mark.parametrize(
    ("security", "offered"),
    [
        (None, ["SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "ANONYMOUS"]),
        (TLS, ["SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "ANONYMOUS"]),
        (BOUND, list(MECHANISMS[1:])),
        (Security(BINDINGS, identities=(JULIET,)), list(MECHANISMS)),
    ],
)
def test_mechanisms_go_with_the_connection(serve, read, security, offered):
    assert mechanisms(read, serve(security=security, tls_required=False).greet()) == offered


def test_none_before_tls_where_it_is_required(serve, read):
    assert mechanisms(read, serve().greet()) == []


def test_none_after_authentication(server, read):
    server.say(plain())
    assert mechanisms(read, server.greet()) == []


def test_channel_binding_types(serve, read):
    features = read(serve(security=BOUND).greet()).elements[0]
    types = [Element("channel-binding", type=kind) for kind in BINDINGS]
    assert features.child("sasl-channel-binding", CB) == Element("sasl-channel-binding", CB, *types)


# -- how an attempt fails


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        (auth("CRAM-MD5"), "invalid-mechanism"),
        (auth(None), "invalid-mechanism"),
        (auth("SCRAM-SHA-1-PLUS", b"p=tls-exporter,,n=juliet,r=abc"), "invalid-mechanism"),
        (auth("EXTERNAL", b""), "invalid-mechanism"),
        (auth("PLAIN", "!!!!"), "incorrect-encoding"),
        (auth("PLAIN", "AGp1bGll dAByMG0zMG15cjBtMzA="), "incorrect-encoding"),
        (auth("PLAIN", "AGp1"[:-1]), "incorrect-encoding"),
        (auth("PLAIN", b"no nul"), "malformed-request"),
        (auth("PLAIN", "="), "malformed-request"),
        (auth("SCRAM-SHA-1", b"n,,x"), "malformed-request"),
        (auth("ANONYMOUS", b"x" * 256), "malformed-request"),
        (plain(password="wrong"), "not-authorized"),
        (plain("nobody"), "not-authorized"),
        (plain("juliet@im.example.com"), "not-authorized"),
        (plain("a b"), "not-authorized"),
        (plain(authzid="romeo@im.example.com"), "invalid-authzid"),
        (plain(authzid="juliet@im.example.com/balcony"), "invalid-authzid"),
        (plain(authzid="juliet"), "invalid-authzid"),
        (plain(authzid="@"), "invalid-authzid"),
        (f"<response xmlns='{NS}'>AAAA</response>", "malformed-request"),
        (f"<abort xmlns='{NS}'/>", "aborted"),
    ],
)
def test_failures(server, read, text, condition):
    (answer,) = read(server.say(text)).elements
    assert (answer.name, answer.ns) == ("failure", NS)
    assert answer.first.name == condition
    assert server.events[-1].condition == condition
    assert server.stream.state is State.FEATURES
    assert server.say(plain()) == f"<success xmlns='{NS}'/>"


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-1", "EXTERNAL", "SCRAM-SHA-1-PLUS"])
def test_what_needs_tls_says_so(serve, mechanism):
    for required in (True, False):
        server = serve(tls_required=required)
        server.greet()
        if required or mechanism != "SCRAM-SHA-1":
            assert server.say(auth(mechanism, b"n,,n=a,r=b")).startswith(failure("encryption-required"))
            assert not server.of(NeedKeys) and not server.of(NeedPassword)


def test_the_own_identity_may_be_asked_for(server):
    assert server.say(plain(authzid="Juliet@im.example.com")) == f"<success xmlns='{NS}'/>"
    assert server.of(Authenticated) == [Authenticated("juliet", JULIET, "PLAIN")]


def test_the_username_is_prepared(server):
    server.say(plain("Juliet"))
    assert server.of(NeedPassword) == [NeedPassword("juliet", PASSWORD)]
    assert PASSWORD not in repr(server.of(NeedPassword))


@pytest.mark.parametrize("condition", ["account-disabled", "temporary-auth-failure", "credentials-expired"])
def test_the_program_has_a_better_word(serve, condition):
    server = serve(security=TLS, answers={NeedPassword: lambda stream, _: stream.reject(SASLError(condition))})
    server.greet()
    assert server.say(plain()).startswith(failure(condition))
    assert server.of(AuthFailed) == [AuthFailed("juliet", condition, "")]


def test_no_initial_response(server):
    """The server asks for it with an empty challenge (RFC 6120 §6.3.10)."""
    assert server.say(auth("PLAIN")) == f"<challenge xmlns='{NS}'/>"
    data = encoded(f"\0juliet\0{PASSWORD}".encode())
    assert server.say(f"<response xmlns='{NS}'>{data}</response>") == f"<success xmlns='{NS}'/>"


def test_an_empty_initial_response(server):
    assert server.say(auth("ANONYMOUS", "=")) == f"<success xmlns='{NS}'/>"


def test_abort_during_an_exchange(server):
    assert "<challenge" in server.say(auth("SCRAM-SHA-1", b"n,,n=juliet,r=abc"))
    assert server.say(f"<abort xmlns='{NS}'/>") == f"{failure('aborted')}</failure>"
    assert server.events[-1] == AuthFailed("juliet", "aborted", "")
    assert server.say(plain()) == f"<success xmlns='{NS}'/>"


def test_another_auth_replaces_the_one_that_runs(server):
    """RFC 6120 §6.4.2: the old exchange is dropped, the new one begins."""
    server.say(auth("SCRAM-SHA-1", b"n,,n=juliet,r=abc"))
    assert server.say(plain()) == f"<success xmlns='{NS}'/>"
    assert not server.of(AuthFailed)


def test_a_response_out_of_turn_drops_the_exchange(server):
    server.say(auth("SCRAM-SHA-1", b"n,,n=juliet,r=abc"))
    server.say(f"<abort xmlns='{NS}'/>")
    assert server.say(f"<response xmlns='{NS}'>Yz1iaXdz</response>").startswith(failure("malformed-request"))


def test_wrong_proof(server):
    server.say(auth("SCRAM-SHA-1", b"n,,n=juliet,r=abc"))
    proof = encoded(b"c=biws,r=abcserver-nonce-1,p=" + b64encode(b"x" * 20))
    assert server.say(f"<response xmlns='{NS}'>{proof}</response>").startswith(failure("not-authorized"))


@pytest.mark.parametrize("retries", [2, 5])
def test_so_many_retries(serve, read, retries):
    server = serve(security=TLS, auth_retries=retries)
    server.greet()
    for _ in range(retries):
        assert server.say(plain(password="wrong")) == f"{failure('not-authorized')}</failure>"
    said = read(server.say(plain(password="wrong") + plain()))
    assert said.elements[0].name == "failure"
    assert said.error == "policy-violation"
    assert [type(event) for event in server.events[-2:]] == [AuthFailed, Failed]


@pytest.mark.parametrize(
    "text",
    [auth("SCRAM-SHA-1", b"n,,n=juliet,r=abc"), f"<response xmlns='{NS}'/>", f"<abort xmlns='{NS}'/>", auth("X")],
)
def test_nothing_can_be_repeated_for_ever(server, read, text):
    for _ in range(4):
        last = server.say(text)
    if server.stream.state is not State.CLOSED:
        last = server.say(text)
    assert read(last).error == "policy-violation"


def test_finding_out_which_mechanisms_fit_is_no_failure_the_first_time(serve, read):
    """A client with channel binding of another kind, or none, tries one mechanism after the other."""
    server = serve(security=Security(channel_bindings={"tls-exporter": b"data"}), auth_retries=2)
    server.greet()
    unfit = auth("SCRAM-SHA-256-PLUS", b"p=tls-unique,,n=juliet,r=abc"), auth("SCRAM-SHA-256", b"y,,n=juliet,r=abc")
    for text in unfit:
        assert server.say(text).startswith(failure("not-authorized"))
    assert [event.username for event in server.of(AuthFailed)] == [None, None]
    for _ in range(2):
        assert server.say(unfit[0]).startswith(failure("not-authorized"))
    assert read(server.say(plain(password="wrong"))).error == "policy-violation"


def test_tries_are_counted_for_the_connection_not_for_the_stream(serve, read):
    server = serve(tls_required=False, auth_retries=2)
    server.greet()
    for _ in range(2):
        server.say(auth("X"))
    server.say("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    server.did(server.stream.secured(TLS))
    server.greet()
    assert read(server.say(auth("X"))).error == "policy-violation"


def test_who_authenticates_is_who_the_header_is_from(serve, read):
    server = serve(security=TLS)
    server.greet(from_="romeo@im.example.com")
    said = read(server.say(plain()))
    assert said.error == "invalid-from"
    assert not server.of(Authenticated)


def test_a_header_in_the_clear_is_not_held_against_anyone(serve):
    server = serve(tls_required=False)
    server.greet(from_="romeo@im.example.com")
    assert server.say(auth("ANONYMOUS", "=")) == f"<success xmlns='{NS}'/>"


# -- certificates


def external(serve, *identities, **answers):
    server = serve(security=Security(identities=identities), **answers)
    server.greet()
    return server


def test_a_certificate_with_one_address(serve):
    server = external(serve, JULIET)
    assert server.say(auth("EXTERNAL", b"")) == f"<success xmlns='{NS}'/>"
    assert server.of(NeedIdentity) == [NeedIdentity("")]
    assert server.stream.identity.account == JID(JULIET)


def test_a_certificate_with_several_addresses(serve):
    server = external(serve, JULIET, "romeo@im.example.com")
    assert server.say(auth("EXTERNAL", b"")).startswith(failure("invalid-authzid"))
    assert server.say(auth("EXTERNAL", JULIET.encode())) == f"<success xmlns='{NS}'/>"
    assert server.stream.identity.account == JID(JULIET)


def test_a_certificate_for_somebody_else(serve):
    server = external(serve, "romeo@im.example.com")
    assert server.say(auth("EXTERNAL", JULIET.encode())).startswith(failure("invalid-authzid"))


def test_a_client_says_whom_its_certificate_is_for(link, dial):
    credentials = Credentials(certificate=True, authzid=JULIET)
    joined = link(dial(credentials), identities=(JULIET, "romeo@im.example.com"))
    assert joined.client.of(Authenticated) == [Authenticated("juliet", JULIET, "EXTERNAL")]


# -- the client


def reach(dial, header, features, security=TLS, credentials=None):
    """A client that is told these features; what it says to them."""
    client = dial(credentials or Credentials("juliet", PASSWORD), security=security, tls_required=security is not None)
    client.stream.open()
    client.stream.take()
    text = header(from_="im.example.com", to=None, id="s1")
    return client, client.say(f"{text}<stream:features>{features}</stream:features>")


def offer(*names, types=()):
    listed = "".join(f"<mechanism>{name}</mechanism>" for name in names)
    announced = "".join(f"<channel-binding type='{kind}'/>" for kind in types)
    feature = f"<sasl-channel-binding xmlns='{CB}'>{announced}</sasl-channel-binding>" if types else ""
    return f"<mechanisms xmlns='{NS}'>{listed}</mechanisms>{feature}"


def test_a_client_takes_the_strongest(dial, header):
    _, said = reach(dial, header, offer("PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "X-NEW"))
    assert said.startswith(f"<auth xmlns='{NS}' mechanism='SCRAM-SHA-256'>")


@pytest.mark.parametrize("types", [(), ("tls-server-end-point",), ("tls-server-end-point", "tls-unique")])
def test_a_client_uses_the_binding_that_every_server_has(dial, header, types):
    _, said = reach(dial, header, offer("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", types=types), BOUND)
    assert encoded(b"p=tls-server-end-point,,n=juliet,r=client-nonce-")[:60] in said


@pytest.mark.parametrize(
    "features",
    [
        offer("SCRAM-SHA-1", types=("tls-exporter",)),
        offer("SCRAM-SHA-1-PLUS", "PLAIN", types=("tls-unique",)),
    ],
)
def test_a_client_is_not_talked_out_of_channel_binding(dial, header, read, features):
    _, said = reach(dial, header, features, BOUND)
    assert read(said).error == "policy-violation"


@pytest.mark.parametrize("confirmed", [True, False])
def test_a_list_without_the_type_that_every_server_has_must_be_confirmed(dial, header, read, confirmed):
    """XEP-0474 §7, new rule 6."""
    types = ("tls-unique",)
    client, said = reach(dial, header, offer("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", types=types), BOUND)
    assert f"mechanism='SCRAM-SHA-1'>{encoded(b'n,,n=juliet,')[:12]}" in said
    lists = Advertised(("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"), types)
    first = "r=client-nonce-1server,s=YQ==,i=4096" + (f",h={lists.hash('SHA-1')}" if confirmed else "")
    said = client.say(f"<challenge xmlns='{NS}'>{encoded(first.encode())}</challenge>")
    assert said.startswith("<response ") if confirmed else read(said).error == "not-authorized"


def test_a_client_that_has_not_the_binding_data_says_that_it_cannot(dial, header):
    security = Security(channel_bindings={"tls-exporter": b"x"})
    types = ("tls-server-end-point",)
    _, said = reach(dial, header, offer("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", types=types), security)
    assert f"mechanism='SCRAM-SHA-1'>{encoded(b'n,,n=juliet,')[:12]}" in said


@pytest.mark.parametrize("names", [("PLAIN",), ("X-NEW",), ("ANONYMOUS",), ()])
def test_a_client_has_no_safe_way(dial, header, read, names):
    _, said = reach(dial, header, offer(*names), security=None)
    assert read(said).error == "unsupported-feature"
    assert PASSWORD not in said


def test_a_client_uses_plain_under_tls_only(dial, header):
    _, said = reach(dial, header, offer("PLAIN"))
    assert said == plain()


def test_a_client_is_not_talked_into_plain_again(dial, header, read):
    """XEP-0474 §7"""
    credentials = Credentials("juliet", PASSWORD, without_plain=True)
    _, said = reach(dial, header, offer("PLAIN", "X-NEW"), credentials=credentials)
    assert read(said).error == "unsupported-feature" and PASSWORD not in said
    _, said = reach(dial, header, offer("PLAIN", "SCRAM-SHA-1"), credentials=credentials)
    assert said.startswith(f"<auth xmlns='{NS}' mechanism='SCRAM-SHA-1'>")


def test_a_client_without_a_way_to_authenticate(dial, header, read):
    _, said = reach(dial, header, "")
    assert read(said).error == "unsupported-feature"


@pytest.mark.parametrize(
    "answer",
    [
        f"<success xmlns='{NS}'/>",
        f"<success xmlns='{NS}'>=</success>",
        f"<success xmlns='{NS}'>dj1wTk5ERlZFUXh1WHhDb1NFaVc4R0VaKzFSU289</success>",
        f"<success xmlns='{NS}'>???</success>",
        f"<challenge xmlns='{NS}'>???</challenge>",
        f"<challenge xmlns='{NS}'/>",
        f"<challenge xmlns='{NS}'>{encoded(b'r=another,s=QUJD,i=4096')}</challenge>",
        f"<challenge xmlns='{NS}'>{encoded(b'r=client-nonce-1x,s=QUJD,i=1')}</challenge>",
    ],
)
def test_a_client_believes_no_server_that_proves_nothing(dial, header, read, answer):
    client, _ = reach(dial, header, offer("SCRAM-SHA-1"))
    assert read(client.say(answer)).error == "not-authorized"
    assert client.of(Failed) and not client.of(Authenticated)


def test_a_server_that_does_not_know_the_password_is_found_out(dial, header, read):
    client, _ = reach(dial, header, offer("SCRAM-SHA-1"))
    challenge = encoded(b"r=client-nonce-1x,s=QUJD,i=4096")
    assert "<response" in client.say(f"<challenge xmlns='{NS}'>{challenge}</challenge>")
    forged = encoded(b"v=" + b64encode(b"x" * 20))
    assert read(client.say(f"<success xmlns='{NS}'>{forged}</success>")).error == "not-authorized"


def test_a_client_hears_why(dial, header):
    client, _ = reach(dial, header, offer("PLAIN"))
    text = "<text xml:lang='en'>Call 212-555-1212 for assistance.</text>"
    assert client.say(f"<failure xmlns='{NS}'><account-disabled/>{text}</failure>") == ""
    assert client.of(AuthFailed) == [AuthFailed("juliet", "account-disabled", "Call 212-555-1212 for assistance.")]
    assert client.say(f"<success xmlns='{NS}'/>")
    assert client.of(Failed)


@pytest.mark.parametrize(
    "credentials", [Credentials("a@b", "x"), Credentials("juliet", "\x07"), Credentials("juliet", "a\0b")]
)
def test_credentials_that_cannot_be_sent(dial, header, credentials):
    client, said = reach(dial, header, offer("PLAIN", "SCRAM-SHA-1"), credentials=credentials)
    assert said == ""
    assert client.of(AuthFailed)[0].condition == "malformed-request"
    client.did(client.stream.authenticate(Credentials("juliet", PASSWORD)))
    assert "<auth" in client.stream.take().decode()


def test_a_client_is_asked_for_credentials(link, dial):
    joined = link(dial(None))
    (asked,) = joined.client.of(NeedCredentials)
    assert asked.mechanisms[0] == "SCRAM-SHA-512-PLUS"
    with pytest.raises(LocalProtocolError):
        joined.client.stream.answer("password")
    joined.client.did(joined.client.stream.authenticate(Credentials("juliet", PASSWORD)))
    joined.run()
    assert joined.client.of(Ready)
