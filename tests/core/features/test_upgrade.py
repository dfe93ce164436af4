"""Keys of other hash functions, given by a client (XEP-0480)."""

from __future__ import annotations

from base64 import b64encode

import pytest

from chirrup.core.sasl import derive_keys
from chirrup.core.stream import (
    Authenticated,
    AuthFailed,
    Credentials,
    Failed,
    NeedSaltedPassword,
    NeedUpgrades,
    Ready,
    Security,
    SessionRequest,
)
from chirrup.core.xml import Element

NS = "urn:xmpp:sasl:2"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
UPGRADE = "urn:xmpp:sasl:upgrade:0"
SCRAM = "urn:xmpp:scram-upgrade:0"
PASSWORD = "r0m30myr0m30"
ALL = ("SHA-512", "SHA-256", "SHA-1")
PLAIN = b64encode(f"\0juliet\0{PASSWORD}".encode()).decode()


def plain(*tasks):
    wishes = "".join(f"<upgrade xmlns='{UPGRADE}'>{task}</upgrade>" for task in tasks)
    initial = f"<initial-response>{PLAIN}</initial-response>"
    return f"<authenticate xmlns='{NS}' mechanism='PLAIN'>{initial}{wishes}</authenticate>"


def next_(task):
    return f"<next xmlns='{NS}' task='{task}'/>"


def hashed(octets):
    return f"<task-data xmlns='{NS}'><hash xmlns='{SCRAM}'>{b64encode(octets).decode()}</hash></task-data>"


@pytest.fixture
def server(serve):
    server = serve(security=Security(), sasl2=True, upgrades=ALL)
    server.greet()
    return server


def failure(read, said):
    element = read(said).elements[0]
    assert (element.name, element.ns) == ("failure", NS)
    return next(element.elements(ns=SASL)).name


# -- both ends


@pytest.mark.parametrize("size", [None, 1])
def test_all_that_are_offered(link, serve, dial, size):
    mechanisms = ("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1")
    joined = link(dial(), serve(sasl2=True, mechanisms=mechanisms, upgrades=ALL), size=size)
    assert joined.server.of(NeedUpgrades) == [NeedUpgrades("juliet", ("SHA-256", "SHA-512"))]
    keys = joined.server.of(SessionRequest)[0].new_keys
    assert set(keys) == {
        derive_keys(name, PASSWORD, b"salt for " + name.encode(), 4096) for name in ("SHA-256", "SHA-512")
    }
    assert joined.client.of(Ready) and joined.server.of(Ready)


def test_nothing_lacks(link, serve, dial):
    answers = {NeedUpgrades: lambda stream, event: stream.upgrades(())}
    joined = link(dial(), serve(answers, sasl2=True, mechanisms=("SCRAM-SHA-1-PLUS",), upgrades=ALL))
    assert joined.client.of(Ready) and joined.server.of(SessionRequest)[0].new_keys == ()


@pytest.mark.parametrize(
    ("mechanism", "policy"), [("SCRAM-SHA-1", {}), ("PLAIN", {}), ("SCRAM-SHA-1-PLUS", {"upgrade_keys": False})]
)
def test_a_client_keeps_its_keys_where_somebody_may_listen(link, serve, dial, mechanism, policy):
    """§7"""
    joined = link(dial(**policy), serve(sasl2=True, mechanisms=(mechanism,), upgrades=ALL))
    assert joined.client.of(Ready) and not joined.server.of(NeedUpgrades)


def test_keys_are_derived_by_the_program(link, serve, dial):
    client = dial(derive_keys=False)
    joined = link(client, serve(sasl2=True, mechanisms=("SCRAM-SHA-1-PLUS",), upgrades=("SHA-256",)))
    for count in (1, 2):
        needs = client.of(NeedSaltedPassword)
        assert len(needs) == count
        client.did(client.stream.salted(needs[-1].derive()))
        joined.run()
    assert client.of(Ready)


def test_only_who_shows_the_password_may_give_new_keys(link, serve, dial):
    server = serve(sasl2=True, mechanisms=("EXTERNAL",), upgrades=ALL)
    joined = link(dial(Credentials("juliet", certificate=True)), server, identities=("juliet@im.example.com",))
    assert joined.client.of(Ready)
    other = serve(sasl2=True, security=Security(identities=("juliet@im.example.com",)), upgrades=ALL)
    other.greet()
    other.say(
        f"<authenticate xmlns='{NS}' mechanism='EXTERNAL'><initial-response/>"
        f"<upgrade xmlns='{UPGRADE}'>UPGR-SCRAM-SHA-256</upgrade></authenticate>"
    )
    assert other.of(Authenticated) and not other.of(NeedUpgrades)


# -- the server


def test_the_offer(serve, read):
    """§4.2"""
    features = read(serve(security=Security(), sasl2=True, upgrades=ALL).greet()).elements[0]
    upgrades = features.child("authentication", NS).elements("upgrade", UPGRADE)
    assert [element.text for element in upgrades] == [f"UPGR-SCRAM-{name}" for name in ALL]


def test_the_exchange(server, read):
    """§5, example 5"""
    assert server.say(plain("UPGR-SCRAM-SHA-256")) == (
        f"<continue xmlns='{NS}'><tasks><task>UPGR-SCRAM-SHA-256</task></tasks></continue>"
    )
    salt = b64encode(b"salt for SHA-256").decode()
    assert server.say(next_("UPGR-SCRAM-SHA-256")) == (
        f"<task-data xmlns='{NS}'><salt xmlns='{SCRAM}' iterations='4096'>{salt}</salt></task-data>"
    )
    success = read(server.say(hashed(b"x" * 32))).elements[0]
    assert success == Element("success", NS, Element("authorization-identifier", "", "juliet@im.example.com"))
    assert [keys.algorithm for keys in server.of(SessionRequest)[0].new_keys] == ["SHA-256"]


def test_tasks_that_nobody_knows_are_passed_over(server, read):
    said = read(server.say(plain("UPGR-BLOOP2", "UPGR-SCRAM-SHA-256-PLUS", "SCRAM-SHA-256")))
    assert said.elements[0].name == "success" and not server.of(NeedUpgrades)


@pytest.mark.parametrize("octets", [b"", b"x", b"x" * 20, b"x" * 33])
def test_a_hash_of_the_wrong_size(server, read, octets):
    server.say(plain("UPGR-SCRAM-SHA-256"))
    server.say(next_("UPGR-SCRAM-SHA-256"))
    assert failure(read, server.say(hashed(octets))) == "malformed-request"
    assert not server.of(SessionRequest) and not server.of(Authenticated)


@pytest.mark.parametrize("data", ["", "<hash xmlns='urn:xmpp:scram-upgrade:0'>?</hash>", "<salt xmlns='urn:x'/>"])
def test_task_data_that_is_none(server, read, data):
    server.say(plain("UPGR-SCRAM-SHA-256"))
    server.say(next_("UPGR-SCRAM-SHA-256"))
    condition = failure(read, server.say(f"<task-data xmlns='{NS}'>{data}</task-data>"))
    assert condition in ("malformed-request", "incorrect-encoding")


def test_another_task_than_the_one_that_is_due(server, read):
    server.say(plain("UPGR-SCRAM-SHA-256"))
    assert failure(read, server.say(next_("UPGR-SCRAM-SHA-512"))) == "malformed-request"


@pytest.mark.parametrize("element", [f"<abort xmlns='{NS}'/>", next_("x")])
def test_after_a_task_that_failed_there_is_no_other_attempt(server, read, element):
    """XEP-0388 §7.4"""
    server.say(plain("UPGR-SCRAM-SHA-256"))
    server.say(element)
    assert [event.condition for event in server.of(AuthFailed)]
    assert read(server.say(plain())).error == "not-authorized"


@pytest.mark.parametrize(
    "element", [plain(), hashed(b"x" * 32), f"<response xmlns='{NS}'/>", "<message/>", f"<abort xmlns='{SASL}'/>"]
)
def test_what_is_not_due_between_tasks_ends_the_stream(server, read, element):
    server.say(plain("UPGR-SCRAM-SHA-256"))
    assert read(server.say(element)).error == "not-authorized"


# -- the client


@pytest.mark.parametrize(
    "salt",
    [
        "",
        f"<salt xmlns='{SCRAM}'>c2FsdA==</salt>",
        f"<salt xmlns='{SCRAM}' iterations='4096'/>",
        f"<salt xmlns='{SCRAM}' iterations='4095'>c2FsdA==</salt>",
        f"<salt xmlns='{SCRAM}' iterations='10000001'>c2FsdA==</salt>",
        f"<salt xmlns='{SCRAM}' iterations='9{'0' * 30}'>c2FsdA==</salt>",
        f"<salt xmlns='{SCRAM}' iterations='4096'>?</salt>",
    ],
)
def test_a_salt_that_a_client_must_not_work_with(link, serve, dial, salt):
    client = dial()
    receive = client.stream.receive

    def tampered(data):
        if b"<task-data" in data:
            data = f"<task-data xmlns='{NS}'>{salt}</task-data>".encode()
        return receive(data)

    client.stream.receive = tampered
    joined = link(client, serve(sasl2=True, mechanisms=("SCRAM-SHA-1-PLUS",), upgrades=("SHA-256",)))
    (failed,) = client.of(Failed)
    assert failed.error.condition == "not-authorized"
    assert not joined.server.of(Authenticated)


def test_a_task_that_was_not_asked_for_is_not_done(link, serve, dial):
    client = dial()
    receive = client.stream.receive
    client.stream.receive = lambda data: receive(data.replace(b"<task>UPGR-SCRAM-SHA-256", b"<task>TOTP-EXAMPLE"))
    link(client, serve(sasl2=True, mechanisms=("SCRAM-SHA-1-PLUS",), upgrades=("SHA-256",)))
    assert [event.condition for event in client.of(AuthFailed)] == ["aborted"]


def test_keys_are_given_only_to_a_server_that_has_proved_itself(link, serve, dial):
    client = dial()
    receive = client.stream.receive

    def tampered(data):
        start, end = data.find(b"<additional-data>"), data.find(b"</additional-data>")
        return receive(data if start < 0 else data[:start] + data[end + len(b"</additional-data>") :])

    client.stream.receive = tampered
    joined = link(client, serve(sasl2=True, mechanisms=("SCRAM-SHA-1-PLUS",), upgrades=("SHA-256",)))
    assert client.of(Failed)[0].error.condition == "not-authorized"
    assert not any("<next" in said or "<task-data" in said for said in joined.transcript)
