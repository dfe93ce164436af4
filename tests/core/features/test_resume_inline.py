"""Stream management along with log-in: both requests at once, as a client that comes back has them (XEP-0386 §3.2)."""

from __future__ import annotations

import pytest

from chirrup.core.errors import StanzaError
from chirrup.core.features.resume import Management, failed, managed
from chirrup.core.features.sasl2 import ServerSASL2
from chirrup.core.jid import JID
from chirrup.core.stream import (
    CLIENT_FEATURES,
    Bound,
    ClientPolicy,
    ClientStream,
    Credentials,
    Failed,
    Granted,
    NotResumed,
    Ready,
    SessionRequest,
    SessionResumed,
)
from chirrup.core.xml import Element

SM = "urn:xmpp:sm:3"
OLD, NEW = JID("juliet@im.example.com/old"), JID("juliet@im.example.com/new")
JULIET = Credentials("juliet", "r0m30myr0m30")
ENABLED = Element("enabled", SM, id="new", resume=True, max=600)
GONE = failed(StanzaError("item-not-found"), 1)


@pytest.fixture
def ends(link, serve, dial):
    """Both ends, of which the server grants what it is told to."""

    def make(management, granted, *, policy=None, **host):
        program = dial()
        program.stream = ClientStream(
            "im.example.com",
            policy or ClientPolicy(JULIET),
            make_id=iter("abcdefgh").__next__,
            make_nonce=lambda: "nonce",
            features=managed(CLIENT_FEATURES, management),
        )
        server = serve(
            {SessionRequest: lambda stream, event: stream.granted(granted)},
            **{"sasl2": True, "bind_inline": (SM,), "inline": (Element("sm", SM),), **host},
        )
        return link(program, server)

    return make


def former():
    """The management of a session with two stanzas that the server hasn't acknowledged."""
    management = Management()
    management.begin()
    management.jid = OLD.text
    management.take_enabled(Element("enabled", SM, id="old", resume=True))
    management.sent(b"<message id='1'/>", 0)
    management.sent(b"<message id='2'/>", 0)
    management.ledger.handled = 7
    management.disconnected()
    return management


def test_a_new_session(ends):
    management = Management()
    joined = ends(management, Granted(NEW, (ENABLED,)))
    assert management.enabled and (management.id, management.jid) == ("new", NEW.text)
    request = joined.server.of(SessionRequest)[0]
    assert request.bind.features == (Element("enable", SM, resume=True),) and not request.inline
    assert joined.client.of(Bound) == [Bound(NEW, (ENABLED,), frozenset({SM}))] and joined.client.of(Ready)
    assert not any("<enable " in said for said in joined.transcript[-2:])


def test_the_former_one(ends):
    management = former()
    resumed = Element("resumed", SM, previd="old", h=1)
    joined = ends(management, Granted(OLD, None, (resumed,)))
    assert joined.server.of(SessionRequest)[0].inline == (Element("resume", SM, previd="old", h=7),)
    assert joined.client.of(SessionResumed) and joined.client.of(Ready) and not joined.client.of(Bound)
    assert joined.client.stream.jid == OLD.text and management.enabled
    assert list(management.unacknowledged) == [b"<message id='2'/>"]
    assert "features" not in joined.transcript[-1] and joined.client.stream.leftover == b""


def test_the_former_one_at_a_server_that_sends_features_all_the_same(ends, monkeypatch):
    """They say nothing: the stream is ready by then, and whoever has it gets them (XEP-0198 §9.2)."""
    offer = "<stream:features><sm xmlns='urn:xmpp:sm:3'/></stream:features>"
    management = former()
    success = ServerSASL2._answer_session

    def more(self, stream, answer):
        outcome = success(self, stream, answer)
        stream._out.append(offer.encode())
        return outcome

    monkeypatch.setattr(ServerSASL2, "_answer_session", more)
    joined = ends(management, Granted(OLD, None, (Element("resumed", SM, previd="old", h=1),)))
    assert joined.client.of(SessionResumed) and joined.client.of(Ready)
    assert joined.client.stream.leftover == offer.encode()


def test_the_former_one_is_gone(ends):
    management = former()
    joined = ends(management, Granted(NEW, (ENABLED,), (GONE,)))
    assert [event.error.condition for event in joined.client.of(NotResumed)] == ["item-not-found"]
    assert management.lost == [(b"<message id='2'/>", 0)]
    assert management.enabled and (management.id, management.jid) == ("new", NEW.text)
    assert management.ledger.handled == 0 and joined.client.stream.jid == NEW.text


@pytest.mark.parametrize("answers", [(), (failed(StanzaError("internal-server-error")),)])
def test_a_server_that_does_not_switch_it_on(ends, answers):
    management = former()
    joined = ends(management, Granted(NEW, answers, (GONE,)))
    assert joined.client.of(Ready) and not management.enabled and not management.id


@pytest.mark.parametrize(
    ("management", "answer"),
    [
        (Management(), Element("resumed", SM, previd="", h=0)),
        (Management(), GONE),
        (former(), Element("resumed", SM, previd="another", h=0)),
        (former(), Element("resumed", SM, previd="old")),
        (former(), Element("resumed", SM, previd="old", h=3)),
    ],
)
def test_what_a_server_may_not_say(ends, management, answer):
    joined = ends(management, Granted(inline=(answer,)))
    assert joined.client.of(Failed) and not joined.client.of(Ready)


def test_where_neither_is_offered_nothing_is_given_up(ends):
    management = former()
    joined = ends(management, Granted(NEW, ()), bind_inline=(), inline=())
    assert joined.client.of(Ready) and management.id == "old" and len(list(management.unacknowledged)) == 2
