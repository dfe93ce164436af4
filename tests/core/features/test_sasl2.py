"""Authentication by XEP-0388: both ends against one another, its own examples, and each way that it fails."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chirrup.core.errors import LocalProtocolError, SASLError
from chirrup.core.jid import JID
from chirrup.core.parser import Limits
from chirrup.core.sasl import MECHANISMS, derive_keys
from chirrup.core.states import State
from chirrup.core.stream import (
    Authenticated,
    AuthFailed,
    Bound,
    Credentials,
    Failed,
    FeaturesSeen,
    Granted,
    NeedCredentials,
    NeedKeys,
    NeedPassword,
    NeedSaltedPassword,
    Ready,
    Security,
    SessionRequest,
    UserAgent,
)
from chirrup.core.xml import Element

NS = "urn:xmpp:sasl:2"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
BIND = "urn:xmpp:bind:0"
CB = "urn:xmpp:sasl-cb:0"
CARBONS = "urn:xmpp:carbons:2"
SM = "urn:xmpp:sm:3"
BINDINGS = {"tls-exporter": b"exported", "tls-server-end-point": b"hashed"}
TLS, BOUND_TLS = Security(), Security(channel_bindings=BINDINGS)
PASSWORD = "r0m30myr0m30"
JULIET = "juliet@im.example.com"
ID = "d4565fa7-4d72-4749-b3d3-740edbf87770"
AGENT = UserAgent(ID, "AwesomeXMPP", "Kiva's Phone")


def encoded(data):
    return b64encode(data).decode()


def authenticate(mechanism="PLAIN", data=None, *more):
    initial = "" if data is None else f"<initial-response>{encoded(data)}</initial-response>"
    return f"<authenticate xmlns='{NS}' mechanism='{mechanism}'>{initial}{''.join(more)}</authenticate>"


def plain(*more, username="juliet", password=PASSWORD, authzid=""):
    return authenticate("PLAIN", f"{authzid}\0{username}\0{password}".encode(), *more)


@pytest.fixture
def server(serve, header):
    server = serve(security=TLS, sasl2=True, bind_inline=(CARBONS,), inline=(Element("sm", SM),))
    server.say(header(from_=JULIET))
    return server


@pytest.fixture
def ends(link, serve, dial):
    """Both ends, linked, for a policy of either."""

    def make(credentials=None, *, size=None, answers=None, bindings=BINDINGS, identities=(), client=None, **policy):
        credentials = Credentials("juliet", PASSWORD) if credentials is None else credentials
        return link(
            dial(credentials, **(client or {})),
            serve(answers, sasl2=True, **policy),
            size=size,
            bindings=bindings,
            identities=identities,
        )

    return make


def failure(read, said):
    """The condition of a failure, which is all that was said."""
    element, *rest = read(said).elements
    assert (element.name, element.ns) == ("failure", NS) and not rest
    return next(element.elements(ns=SASL)).name


# -- both ends


@pytest.mark.parametrize("size", [None, 1])
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_every_mechanism(ends, mechanism, size):
    credentials = {"EXTERNAL": Credentials("juliet", certificate=True), "ANONYMOUS": Credentials()}.get(mechanism)
    joined = ends(credentials, size=size, identities=(JULIET,), mechanisms=(mechanism,))
    account = "anonymous@im.example.com" if mechanism == "ANONYMOUS" else JULIET
    username = account.partition("@")[0]
    assert joined.client.of(Authenticated) == [Authenticated(username, account, mechanism)]
    assert [event.mechanism for event in joined.server.of(Authenticated)] == [mechanism]
    assert joined.client.stream.jid == joined.server.stream.jid == f"{account}/made-up"
    assert joined.client.of(Ready) and joined.server.of(Ready)
    assert not any("<auth " in said for said in joined.transcript)


def test_no_stream_begins_after_it(ends):
    joined = ends(mechanisms=("PLAIN",))
    assert sum("C: <?xml" in said for said in joined.transcript) == 2  # before TLS and after
    names = [[offer.name for offer in event.features.elements()] for event in joined.client.of(FeaturesSeen)]
    assert names[1:] == [["authentication", "mechanisms", "limits"], ["limits"]]


def test_the_resource_may_be_bound_as_of_old(ends):
    joined = ends(client={"resource": "balcony"})
    assert joined.client.stream.jid == joined.server.stream.jid == f"{JULIET}/balcony"
    assert joined.server.of(SessionRequest)[0].bind is None


def test_a_client_that_does_not_want_it(ends):
    joined = ends(client={"sasl2": False})
    assert joined.client.of(Ready) and not joined.server.of(SessionRequest)


def test_without_tls_it_is_neither_offered_nor_taken(serve, header, read):
    server = serve(sasl2=True, tls_required=False)
    features = read(server.say(header())).elements[0]
    assert features.child("mechanisms", SASL) and features.child("authentication", NS) is None
    assert failure(read, server.say(plain())) == "encryption-required"


def test_where_it_is_switched_off_it_is_not_taken(serve, read):
    server = serve(security=TLS)
    assert "authentication" not in server.greet()
    assert failure(read, server.say(plain())) == "encryption-required"


def test_what_the_client_says_of_itself_and_wants(ends):
    wish = Element("enable", CARBONS)
    joined = ends(bind_inline=(CARBONS,), client={"user_agent": AGENT, "tag": "AwesomeXMPP", "bind_inline": (wish,)})
    request = joined.server.of(SessionRequest)[0]
    assert request.user_agent == AGENT
    assert (request.bind.tag, request.bind.features) == ("AwesomeXMPP", (wish,))
    jid = JID(f"{JULIET}/AwesomeXMPP/made-up")
    assert joined.client.of(Bound) == [Bound(jid, switched_on=frozenset({CARBONS}))]


def test_what_is_not_offered_is_not_asked_for(ends):
    joined = ends(client={"bind_inline": (Element("enable", CARBONS),)})
    assert joined.server.of(SessionRequest)[0].bind.features == ()


def test_what_features_answer_while_binding(ends):
    metadata = Element("metadata", "urn:xmpp:mam:2")
    joined = ends(
        answers={
            SessionRequest: lambda stream, event: stream.granted(Granted(JID(f"{JULIET}/here"), (metadata,))),
        }
    )
    assert joined.client.of(Bound) == [Bound(JID(f"{JULIET}/here"), (metadata,))]


def test_limits_are_those_of_who_is_authenticated(ends):
    limits = Limits(stanza_bytes=100_000, depth=100, attributes=100, elements=10_000)
    joined = ends(limits=limits)
    parser = joined.server.stream.parser
    assert parser.limits == limits
    (stanza,) = parser.feed(b"<message>" + b"<a>" * 90 + b"x" * 90_000 + b"</a>" * 90 + b"</message>")
    assert stanza.name == "message"
    features = joined.client.of(FeaturesSeen)[-1].features
    assert features.child("limits", "urn:xmpp:stream-limits:0").child_text("max-bytes") == "100000"


def test_limits_stay_as_they_are_until_then(server, read):
    said = server.say(f"<authenticate xmlns='{NS}' mechanism='PLAIN'>{'x' * 20_000}</authenticate>")
    assert read(said).error == "policy-violation"


def test_keys_are_derived_by_the_program(link, serve, dial):
    client = dial(derive_keys=False)
    joined = link(client, serve(sasl2=True, mechanisms=("SCRAM-SHA-256",)))
    (need,) = client.of(NeedSaltedPassword)
    assert (need.algorithm, need.iterations) == ("SHA-256", 4096) and PASSWORD not in repr(need)
    client.did(client.stream.salted(need.derive()))
    joined.run()
    assert client.of(Ready)


def test_keys_are_derived_by_the_program_in_the_old_profile_too(link, serve, dial):
    client = dial(derive_keys=False)
    joined = link(client, serve(mechanisms=("SCRAM-SHA-256",)))
    (need,) = client.of(NeedSaltedPassword)
    client.did(client.stream.salted(need.derive()))
    joined.run()
    assert client.of(Ready)


def test_a_client_is_asked_for_credentials(link, serve, dial):
    client = dial(None)
    joined = link(client, serve(sasl2=True, mechanisms=("PLAIN",)))
    assert client.of(NeedCredentials) == [NeedCredentials(("PLAIN",))]
    client.did(client.stream.authenticate(Credentials("juliet", PASSWORD)))
    joined.run()
    assert client.of(Ready)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1", "PLAIN"])
def test_a_wrong_password_and_then_the_right_one(ends, mechanism):
    joined = ends(Credentials("juliet", "montague"), mechanisms=(mechanism,))
    assert joined.client.of(AuthFailed) == [AuthFailed("juliet", "not-authorized")]
    assert joined.server.of(AuthFailed) == [AuthFailed("juliet", "not-authorized")]
    joined.client.did(joined.client.stream.authenticate(Credentials("juliet", PASSWORD)))
    joined.run()
    assert joined.client.of(Ready) and joined.server.of(Ready)


# -- the server


def test_the_offer(serve, read):
    """§2.1, with the inline features of XEP-0386 §3.1."""
    server = serve(
        security=BOUND_TLS,
        sasl2=True,
        mechanisms=("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"),
        bind_inline=(CARBONS, "urn:xmpp:csi:0", SM),
        inline=(Element("sm", SM),),
    )
    features = read(server.greet()).elements[0]
    expected = Element(
        "authentication",
        NS,
        Element("mechanism", "", "SCRAM-SHA-1-PLUS"),
        Element("mechanism", "", "SCRAM-SHA-1"),
        Element(
            "inline",
            "",
            Element(
                "bind",
                BIND,
                Element(
                    "inline",
                    "",
                    Element("feature", var=CARBONS),
                    Element("feature", var="urn:xmpp:csi:0"),
                    Element("feature", var=SM),
                ),
            ),
            Element("sm", SM),
        ),
    )
    assert features.child("authentication", NS) == expected
    assert [kind.get("type") for kind in features.child("sasl-channel-binding", CB).elements()] == list(BINDINGS)


def test_success_is_followed_by_features(server, read):
    """§2.6.1"""
    said = read(server.say(plain(f"<bind xmlns='{BIND}'><tag>AwesomeXMPP</tag></bind>")))
    success, features = said.elements
    assert success == Element(
        "success",
        NS,
        Element("authorization-identifier", "", f"{JULIET}/AwesomeXMPP/made-up"),
        Element("bound", BIND),
    )
    assert features.name == "features" and server.of(Ready)


def test_without_bind_the_identifier_is_the_bare_jid(server, read):
    success, features = read(server.say(plain())).elements
    assert success == Element("success", NS, Element("authorization-identifier", "", JULIET))
    assert features.child("bind", "urn:ietf:params:xml:ns:xmpp-bind") is not None
    assert not server.of(Ready)


def test_data_with_success(server, read):
    """§2.6.1: SCRAM's last message comes along."""
    server.say(authenticate("SCRAM-SHA-1", b"n,,n=juliet,r=client"))
    assert server.of(NeedKeys) == [NeedKeys("juliet", "SHA-1")]


def test_other_requests_are_shown_and_answered(serve, read):
    resumed = Element("resumed", SM, h=345, previd="124")
    server = serve(
        {SessionRequest: lambda stream, event: stream.granted(Granted(JID(f"{JULIET}/old"), inline=(resumed,)))},
        security=TLS,
        sasl2=True,
    )
    server.greet()
    said = read(server.say(plain(f"<resume xmlns='{SM}' h='1' previd='124'/><bind xmlns='{BIND}'/>")))
    request = server.of(SessionRequest)[0]
    assert request.inline == (Element("resume", SM, h=1, previd="124"),)
    # and no features after it: the former session goes on at once (XEP-0198 §9.2)
    assert said.elements == [Element("success", NS, Element("authorization-identifier", "", f"{JULIET}/old"), resumed)]
    assert server.of(Ready) and server.stream.jid == f"{JULIET}/old"


def test_an_initial_response_may_come_later(server, read):
    assert server.say(authenticate("PLAIN")) == f"<challenge xmlns='{NS}'/>"
    data = encoded(f"\0juliet\0{PASSWORD}".encode())
    said = server.say(f"<response xmlns='{NS}'>{data}</response>")
    assert read(said).elements[0].name == "success"


def test_white_space_around_data_as_in_the_specification(server, read):
    data = encoded(f"\0juliet\0{PASSWORD}".encode())
    said = server.say(
        f"<authenticate xmlns='{NS}' mechanism='PLAIN'><initial-response>\n  {data}\n</initial-response></authenticate>"
    )
    assert read(said).elements[0].name == "success"


@pytest.mark.parametrize(
    ("element", "condition"),
    [
        (authenticate("X-NEW", b""), "invalid-mechanism"),
        (authenticate("", b""), "invalid-mechanism"),
        (authenticate("HT-SHA-256-NONE", b"juliet\0x"), "invalid-mechanism"),
        (authenticate("SCRAM-SHA-1-PLUS", b""), "invalid-mechanism"),
        (authenticate("PLAIN", b"x"), "malformed-request"),
        (plain(password="montague"), "not-authorized"),
        (plain(username="nobody"), "not-authorized"),
        (plain(authzid="romeo@im.example.com"), "invalid-authzid"),
        (plain("<user-agent id='1'/>"), "malformed-request"),
        (
            f"<authenticate xmlns='{NS}' mechanism='PLAIN'><initial-response>?</initial-response></authenticate>",
            "incorrect-encoding",
        ),
    ],
)
def test_failures(server, read, element, condition):
    assert failure(read, server.say(element)) == condition
    assert server.of(AuthFailed)[0].condition == condition
    assert not server.of(SessionRequest)
    assert read(server.say(plain())).elements[0].name == "success"


def test_who_authenticates_is_who_the_header_is_from(serve, header, read):
    server = serve(security=TLS, sasl2=True)
    server.say(header(from_="romeo@im.example.com"))
    assert failure(read, server.say(plain())) == "invalid-authzid"


def test_abort(server, read):
    server.say(authenticate("PLAIN"))
    assert failure(read, server.say(f"<abort xmlns='{NS}'><text>no</text></abort>")) == "aborted"
    assert read(server.say(plain())).elements[0].name == "success"


@pytest.mark.parametrize(
    "element",
    [
        f"<response xmlns='{NS}'/>",
        f"<abort xmlns='{NS}'/>",
        f"<next xmlns='{NS}' task='UPGR-SCRAM-SHA-256'/>",
        f"<task-data xmlns='{NS}'/>",
    ],
)
def test_what_is_not_due_ends_the_stream(server, read, element):
    assert read(server.say(element)).error == "not-authorized"


@pytest.mark.parametrize(
    "element",
    [
        plain(),
        f"<next xmlns='{NS}' task='UPGR-SCRAM-SHA-256'/>",
        f"<task-data xmlns='{NS}'/>",
        f"<auth xmlns='{SASL}' mechanism='PLAIN'/>",
        "<message/>",
        "<iq type='get' id='1'><query xmlns='jabber:iq:register'/></iq>",
    ],
)
def test_nothing_else_may_be_said_in_between(server, read, element):
    """§2.4: servers must disconnect."""
    server.say(authenticate("PLAIN"))
    assert read(server.say(element)).error == "not-authorized"


def test_another_attempt_after_success_ends_the_stream(server, read):
    server.say(plain())
    assert read(server.say(plain())).error == "not-authorized"


def test_failures_of_both_profiles_count_together(serve, read):
    server = serve(security=TLS, sasl2=True, auth_retries=2)
    server.greet()
    wrong = encoded(b"\0juliet\0montague")
    server.say(plain(password="montague"))
    server.say(f"<auth xmlns='{SASL}' mechanism='PLAIN'>{wrong}</auth>")
    assert read(server.say(plain(password="montague"))).error == "policy-violation"


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "PLAIN"])
def test_who_is_barred_hears_it_with_the_right_password_only(link, serve, dial, mechanism, old):
    barred = SASLError("account-disabled")

    def need_keys(stream, event):
        return stream.keys(derive_keys(event.algorithm, PASSWORD, b"salt", 4096), barred=barred)

    def need_password(stream, event):
        return stream.reject(barred) if event.password == PASSWORD else stream.verified(False)

    for password, condition in ((PASSWORD, "account-disabled"), ("montague", "not-authorized")):
        joined = link(
            dial(Credentials("juliet", password)),
            serve({NeedKeys: need_keys, NeedPassword: need_password}, sasl2=not old, mechanisms=(mechanism,)),
        )
        assert [event.condition for event in joined.client.of(AuthFailed)] == [condition]
        assert not joined.server.of(Authenticated)


def test_a_session_that_cannot_be_had(ends):
    full = SASLError("temporary-auth-failure", "too many sessions")
    joined = ends(answers={SessionRequest: lambda stream, event: stream.reject(full)})
    assert joined.client.of(AuthFailed) == [AuthFailed("juliet", "temporary-auth-failure", "too many sessions")]
    assert joined.server.stream.identity is None and not joined.server.of(Authenticated)


def test_answers_that_answer_nothing(serve):
    server = serve({SessionRequest: lambda stream, event: None}, security=TLS, sasl2=True)
    server.greet()
    server.say(plain())
    with pytest.raises(LocalProtocolError):
        server.stream.answer(True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["authenticate", "response", "abort", "next", "task-data", "right"]), max_size=6))
def test_any_order_ends_ready_or_in_a_failure(serve, said):
    server = serve(security=TLS, sasl2=True, upgrades=("SHA-1", "SHA-512"))
    server.greet()
    for name in said:
        server.say(plain(f"<bind xmlns='{BIND}'/>") if name == "right" else f"<{name} xmlns='{NS}' mechanism='PLAIN'/>")
        if server.stream.state in (State.CLOSED, State.READY):
            break
    assert bool(server.of(Ready)) == (server.stream.identity is not None)
    assert not (server.of(Ready) and server.of(Failed))


# -- the client


def reach(dial, header, offer, security=BOUND_TLS, **policy):
    """A client that has seen these features, and what it said to them."""
    client = dial(security=security, **policy)
    client.stream.open()
    client.stream.take()
    client.say(header(from_="im.example.com", to=None, id="1"))
    return client, client.say(f"<stream:features>{offer}</stream:features>")


def offer(*names, types=None, more=""):
    listed = "".join(f"<mechanism>{name}</mechanism>" for name in names)
    announced = "".join(f"<channel-binding type='{kind}'/>" for kind in types or ())
    feature = "" if types is None else f"<sasl-channel-binding xmlns='{CB}'>{announced}</sasl-channel-binding>"
    return f"<authentication xmlns='{NS}'>{listed}{more}</authentication>{feature}"


def test_the_request(dial, header, read):
    """§2.3"""
    _, said = reach(dial, header, offer("SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", types=tuple(BINDINGS)), user_agent=AGENT)
    first = b"p=tls-exporter,,n=juliet,r=client-nonce-1"
    assert read(said).elements == [
        Element(
            "authenticate",
            NS,
            Element("initial-response", "", encoded(first)),
            Element(
                "user-agent", "", Element("software", "", AGENT.software), Element("device", "", AGENT.device), id=ID
            ),
            mechanism="SCRAM-SHA-1-PLUS",
        )
    ]


def test_the_old_profile_where_there_is_no_other(dial, header):
    _, said = reach(dial, header, f"<mechanisms xmlns='{SASL}'><mechanism>PLAIN</mechanism></mechanisms>")
    assert said.startswith(f"<auth xmlns='{SASL}'")


@pytest.mark.parametrize(
    "features",
    [
        offer("SCRAM-SHA-1", types=("tls-exporter",)),  # XEP-0440 §4, rule 5
        offer("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"),  # rule 4
        offer("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", types=()),
    ],
)
def test_a_client_is_not_talked_out_of_channel_binding(dial, header, read, features):
    _, said = reach(dial, header, features)
    assert read(said).error == "policy-violation"


def test_lists_that_were_changed_on_the_way(ends, link, serve, dial):
    """The server offers more than what the client sees."""
    client = dial()
    server = serve(sasl2=True, mechanisms=("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1"))
    receive = client.stream.receive
    client.stream.receive = lambda data: receive(data.replace(b"<mechanism>SCRAM-SHA-256</mechanism>", b""))
    joined = link(client, server)
    (failed,) = client.of(Failed)
    assert failed.error.condition == "not-authorized" and "list of mechanisms" in failed.error.text
    assert not joined.server.of(Authenticated)


@pytest.mark.parametrize(
    ("success", "condition"),
    [
        (f"<success xmlns='{NS}'/>", None),
        (f"<success xmlns='{NS}'><authorization-identifier>{JULIET}</authorization-identifier></success>", None),
        (
            f"<success xmlns='{NS}'><authorization-identifier>romeo@x</authorization-identifier></success>",
            "invalid-from",
        ),
        (
            f"<success xmlns='{NS}'><authorization-identifier>@</authorization-identifier></success>",
            "improper-addressing",
        ),
        (
            f"<success xmlns='{NS}'><authorization-identifier>{JULIET}</authorization-identifier>"
            f"<bound xmlns='{BIND}'/></success>",
            "improper-addressing",
        ),
        (f"<challenge xmlns='{NS}'/>", "not-authorized"),
        (f"<task-data xmlns='{NS}'/>", "not-authorized"),
        (f"<success xmlns='{NS}'><additional-data>?</additional-data></success>", None),
    ],
)
def test_what_a_server_says_of_success(dial, header, read, success, condition):
    client, _ = reach(dial, header, offer("PLAIN"))
    said = client.say(success)
    if condition is None:
        assert client.stream.identity is not None or read(said).error == "not-authorized"
    else:
        assert read(said).error == condition and client.stream.identity is None


def test_success_without_proof(dial, header, read):
    client, _ = reach(dial, header, offer("SCRAM-SHA-1", types=None), security=TLS)
    said = client.say(f"<success xmlns='{NS}'><authorization-identifier>{JULIET}</authorization-identifier></success>")
    assert read(said).error == "not-authorized" and not client.of(Authenticated)


@pytest.mark.parametrize("name", ["challenge", "success", "failure", "continue", "task-data"])
def test_a_server_that_speaks_before_it_is_asked(dial, header, read, name):
    client, _ = reach(dial, header, offer("PLAIN"), credentials=None)
    assert read(client.say(f"<{name} xmlns='{NS}'/>")).error
