"""Resource binding (RFC 6120 §7)."""

from __future__ import annotations

import pytest

from chirrup.core.errors import LocalProtocolError, StanzaError
from chirrup.core.jid import JID
from chirrup.core.states import State
from chirrup.core.stream import BindRefused, BindRequest, Bound, Closed, Failed, Ready, Security
from chirrup.core.xml import CLIENT, Element

NS = "urn:ietf:params:xml:ns:xmpp-bind"
STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
AUTH = (
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldAByMG0zMG15cjBtMzA=</auth>",
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'>=</auth>",
)


def ask(resource="", **changes):
    attributes = {"type": "set", "id": "b1", **changes}
    written = "".join(f" {key}='{value}'" for key, value in attributes.items() if value is not None)
    return f"<iq{written}><bind xmlns='{NS}'>{resource}</bind></iq>"


@pytest.fixture
def server(serve):
    return logged_in(serve(security=Security()))


def logged_in(server, auth=AUTH[0]):
    server.greet()
    assert "<success" in server.say(auth)
    server.greet()
    return server


def test_it_is_offered_after_authentication(serve, read):
    server = serve(security=Security())
    assert read(server.greet()).elements[0].child("bind", NS) is None
    server.say(AUTH[0])
    assert read(server.greet()).elements[0].child("bind", NS) == Element("bind", NS)


@pytest.mark.parametrize("to", [None, "im.example.com", "juliet@im.example.com"])
def test_a_resource_of_the_clients_choice(server, to):
    assert server.say(ask("<resource>balcony</resource>", to=to)).endswith(
        f"id='b1' type='result'><bind xmlns='{NS}'><jid>juliet@im.example.com/balcony</jid></bind></iq>"
    )
    assert server.of(BindRequest) == [BindRequest("balcony")]
    assert server.events[-1] == Ready()
    assert server.stream.jid == "juliet@im.example.com/balcony"


@pytest.mark.parametrize("resource", ["", "<resource/>", "<resource></resource>", "<other xmlns='urn:example'/>"])
def test_a_resource_of_the_servers_choice(server, resource):
    assert "<jid>juliet@im.example.com/made-up</jid>" in server.say(ask(resource))
    assert server.of(BindRequest) == [BindRequest(None)]


def test_a_resource_is_prepared(server):
    server.say(ask("<resource>e\u0301\u00a0x</resource>"))
    assert server.of(BindRequest) == [BindRequest("é x")]


def test_the_server_may_override_it(server):
    server.answers[BindRequest] = lambda stream, _: stream.bound(JID("juliet@im.example.com/other"))
    assert "<jid>juliet@im.example.com/other</jid>" in server.say(ask("<resource>balcony</resource>"))


def test_an_anonymous_user_gets_an_account_with_the_resource(serve):
    server = logged_in(serve(security=Security()), AUTH[1])
    assert "<jid>anonymous@im.example.com/x</jid>" in server.say(ask("<resource>x</resource>"))


@pytest.mark.parametrize(
    "text",
    [
        ask(type="get"),
        ask(id=None),
        ask(id=""),
        ask().replace("</iq>", "<more/></iq>"),
        ask("<resource>" + "x" * 1024 + "</resource>"),
        ask("<resource>\u0007</resource>".replace("\u0007", "\u2028")),
    ],
)
def test_bad_requests(server, read, text):
    (answer,) = read(server.say(text)).elements
    assert answer.get("type") == "error"
    assert answer.child("error") is not None
    assert answer.child("error").get("type") == "modify"
    assert answer.child("error").child("bad-request", STANZAS) is not None
    assert not server.of(BindRequest)
    assert server.say(ask())
    assert server.of(Ready)


@pytest.mark.parametrize(
    "text",
    [ask(to="romeo@im.example.com"), ask(to="example.net"), ask(type="result"), ask(type="error"), ask(type=None)],
)
def test_requests_that_end_the_stream(server, read, text):
    assert read(server.say(text)).error == "not-authorized"
    assert not server.of(BindRequest)


@pytest.mark.parametrize(
    ("error", "kind"), [("conflict", "cancel"), ("resource-constraint", "wait"), ("not-allowed", "cancel")]
)
def test_a_refused_resource(server, read, error, kind):
    server.answers[BindRequest] = lambda stream, _: stream.refuse(StanzaError(error))
    (answer,) = read(server.say(ask())).elements
    assert answer.attrs == {"id": "b1", "type": "error"}
    assert answer.child("error") == Element("error", CLIENT, Element(error, STANZAS), type=kind)
    assert server.stream.state is State.FEATURES


def test_so_many_retries(serve, read):
    refused = {BindRequest: lambda stream, _: stream.refuse(StanzaError("conflict"))}
    server = logged_in(serve(refused, security=Security(), bind_retries=5))
    for _ in range(5):
        server.say(ask())
    assert server.stream.state is State.FEATURES
    said = read(server.say(ask()))
    assert said.elements[0].get("type") == "error"
    assert said.error == "policy-violation"


@pytest.mark.parametrize("answer", ["juliet@im.example.com/x", JID("juliet@im.example.com"), True])
def test_it_is_answered_by_a_full_jid(server, answer):
    server.answers[BindRequest] = lambda stream, _: None
    server.say(ask())
    with pytest.raises(LocalProtocolError):
        server.stream.answer(answer)


def test_a_second_request_is_left_for_the_session(server, read):
    second = ask("<resource>two</resource>", id="b2")
    server.say(ask("<resource>one</resource>") + second)
    assert server.of(BindRequest) == [BindRequest("one")]
    (iq,) = server.stream.parser.feed(server.stream.leftover)
    assert iq.get("id") == "b2"


# -- the client


def test_the_resource_that_the_policy_asks_for(link, dial):
    joined = link(dial(resource="balcony"))
    assert joined.client.of(Bound) == [Bound(JID("juliet@im.example.com/balcony"))]
    assert joined.server.of(BindRequest) == [BindRequest("balcony")]


def test_another_resource_after_a_refusal(link, serve, dial):
    def once(stream, request):
        if request.resource == "balcony":
            return stream.refuse(StanzaError("conflict", "taken", type="modify"))
        return stream.bound(JID("juliet@im.example.com/garden"))

    joined = link(dial(resource="balcony"), serve({BindRequest: once}))
    (refused,) = joined.client.of(BindRefused)
    assert (refused.error.condition, refused.error.type) == ("conflict", "modify")
    joined.client.did(joined.client.stream.bind("garden"))
    joined.run()
    assert joined.client.stream.jid == "juliet@im.example.com/garden"
    assert joined.client.of(Ready)


def test_a_client_gives_up_after_a_refusal(link, serve):
    refuse = {BindRequest: lambda stream, _: stream.refuse(StanzaError("not-allowed"))}
    joined = link(server=serve(refuse))
    joined.client.did(joined.client.stream.close())
    joined.run()
    assert joined.client.events[-1] == joined.server.events[-1] == Closed()


def binding(dial, header, features=f"<bind xmlns='{NS}'/>"):
    """A client that has authenticated and gets these features."""
    client = dial(security=Security())
    client.stream.open()
    sasl = "urn:ietf:params:xml:ns:xmpp-sasl"
    client.say(
        header(from_="im.example.com", to=None, id="s1")
        + f"<stream:features><mechanisms xmlns='{sasl}'><mechanism>PLAIN</mechanism></mechanisms></stream:features>"
    )
    client.say(f"<success xmlns='{sasl}'/>")
    out = client.say(
        header(from_="im.example.com", to=None, id="s2") + f"<stream:features>{features}</stream:features>"
    )
    return client, out


def answered(jid, id_="iq-1", kind="result"):
    return f"<iq type='{kind}' id='{id_}'><bind xmlns='{NS}'><jid>{jid}</jid></bind></iq>"


@pytest.mark.parametrize(
    ("answer", "condition"),
    [
        (answered("juliet@im.example.com/x", "iq-2"), "policy-violation"),
        (answered("juliet@im.example.com/x", ""), "policy-violation"),
        (answered("juliet@im.example.com/x", kind="set"), "policy-violation"),
        (answered("juliet@im.example.com"), "improper-addressing"),
        (answered("@"), "improper-addressing"),
        ("<iq type='result' id='iq-1'/>", "improper-addressing"),
        ("<message/>", "not-authorized"),
        ("<stream:features/>", "unsupported-stanza-type"),
    ],
)
def test_a_client_refuses_wrong_answers(dial, header, read, answer, condition):
    client, _ = binding(dial, header)
    assert read(client.say(answer)).error == condition
    assert client.of(Failed)
    assert not client.of(Bound)


def test_a_client_takes_the_jid_that_it_is_given(dial, header):
    client, out = binding(dial, header)
    assert out == f"<iq type='set' id='iq-1'><bind xmlns='{NS}'/></iq>"
    client.say(answered("\n  Romeo@im.example.com/garden\n") + "<message id='early'/>")
    assert client.stream.jid == "romeo@im.example.com/garden"
    assert client.stream.leftover == b"<message id='early'/>"


def test_a_client_cannot_do_without(dial, header, read):
    _, out = binding(dial, header, features="")
    assert read(out).error == "unsupported-feature"


def test_nothing_else_is_an_answer_to_a_refusal(dial, header):
    client, _ = binding(dial, header)
    client.say(f"<iq type='error' id='iq-1'><error type='cancel'><conflict xmlns='{STANZAS}'/></error></iq>")
    assert client.of(BindRefused)
    with pytest.raises(LocalProtocolError):
        client.stream.answer(7)
