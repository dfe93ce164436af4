"""Stream limits (XEP-0478)."""

from __future__ import annotations

import pytest

from chirrup.core.parser import Limits
from chirrup.core.stream import LimitsSeen, Security

NS = "urn:xmpp:stream-limits:0"


def test_a_server_says_what_holds_before_and_after_authentication(link, serve):
    joined = link(server=serve(limits=Limits(stanza_bytes=10_000), idle_seconds=1800))
    assert joined.client.of(LimitsSeen) == [LimitsSeen(16_384, 1800), LimitsSeen(10_000, 1800)]


def test_a_server_that_has_no_limit_of_idleness(link):
    assert link().client.of(LimitsSeen)[-1] == LimitsSeen(262_144, None)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("<max-bytes> 10000 </max-bytes><idle-seconds>1800</idle-seconds>", LimitsSeen(10_000, 1800)),
        ("", LimitsSeen(None, None)),
        ("<max-bytes>-1</max-bytes><idle-seconds>soon</idle-seconds>", LimitsSeen(None, None)),
        ("<max-bytes>" + "9" * 5000 + "</max-bytes>", LimitsSeen(None, None)),
    ],
)
def test_what_a_client_makes_of_them(dial, header, text, seen):
    client = dial(security=Security())
    client.stream.open()
    client.say(
        header(from_="im.example.com", to=None, id="s1")
        + f"<stream:features><limits xmlns='{NS}'>{text}</limits></stream:features>"
    )
    assert client.of(LimitsSeen) == [seen]
