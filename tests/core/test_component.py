"""The component protocol: XEP-0114 §3, both ends."""

from __future__ import annotations

import pytest

from chirrup.core.component import NS, ClientHandshake, ServerHandshake, proof
from chirrup.core.errors import StreamError
from chirrup.core.parser import Limits

HEADER = f"<stream:stream xmlns='{NS}' xmlns:stream='http://etherx.jabber.org/streams' to='plays.shakespeare.lit'>"
SECRETS = {"plays.shakespeare.lit": "wherefore"}


def server() -> ServerHandshake:
    return ServerHandshake(SECRETS.get, make_id=lambda: "3BF96D32", limits=Limits())


def client(domain: str = "plays.shakespeare.lit", secret: str = "wherefore") -> ClientHandshake:
    return ClientHandshake(domain, secret, limits=Limits())


def test_proof_is_the_hash_of_id_and_secret() -> None:
    assert proof("3BF96D32", "wherefore") == "044e42487c4cff35e6c7d4aa30be6662d8280e2c"  # as sha1sum says


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_both_ends_agree(size: int) -> None:
    here, there = server(), client()

    def pass_on(data: bytes, to: ServerHandshake | ClientHandshake) -> bool:
        agreed = [to.receive(data[at : at + size]) for at in range(0, len(data), size)]
        return any(agreed)

    assert not pass_on(there.take(), here)
    assert not pass_on(here.take(), there)
    assert pass_on(there.take(), here)
    assert pass_on(here.take(), there)
    assert here.domain == "plays.shakespeare.lit"


def test_a_header_like_the_examples() -> None:
    end = server()
    assert not end.receive(HEADER.encode())
    written = end.take().decode()
    assert "from='plays.shakespeare.lit'" in written
    assert "id='3BF96D32'" in written
    assert f"xmlns='{NS}'" in written


def test_what_comes_behind_the_handshake_is_kept() -> None:
    end = server()
    shown = proof("3BF96D32", "wherefore")
    assert end.receive(f"{HEADER}<handshake>{shown}</handshake><presence from='a' to='b'/>".encode())
    assert [stanza.name for stanza in end.stanzas] == ["presence"]
    assert end.take().endswith(b"<handshake/>")


@pytest.mark.parametrize(
    ("sent", "condition"),
    [
        (HEADER + "<handshake>aaee83c26aeeafcbabeabfcbcd50df997e0a2a1e</handshake>", "not-authorized"),
        (HEADER + "<handshake/>", "not-authorized"),
        (HEADER + "<message from='plays.shakespeare.lit' to='a@b'/>", "not-authorized"),
        (HEADER.replace("plays", "games"), "host-unknown"),
        (HEADER.replace("plays.", "a@plays."), "improper-addressing"),
        (HEADER.replace(" to='plays.shakespeare.lit'", ""), "improper-addressing"),
        (HEADER.replace(NS, "jabber:client"), "invalid-namespace"),
        (HEADER.replace("/streams", "/rivers"), "invalid-namespace"),
        ("GET / HTTP/1.1", "not-well-formed"),
    ],
)
def test_who_is_refused(sent: str, condition: str) -> None:
    end = server()
    with pytest.raises(StreamError) as refused:
        end.receive(sent.encode())
    assert refused.value.condition == condition
    written = end.farewell(refused.value).decode()
    assert written.count("<stream:stream ") == 1, "an error comes inside a stream"
    assert f"<{condition} " in written
    assert written.endswith("</stream:stream>")


@pytest.mark.parametrize("condition", ["not-authorized", "host-unknown", "conflict"])
def test_a_component_is_told_why(condition: str) -> None:
    end = client()
    error = f"<stream:error><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
    with pytest.raises(StreamError) as refused:
        end.receive(HEADER.replace(" to=", " id='1' from=").encode() + error.encode())
    assert refused.value.condition == condition


def test_a_server_without_a_stream_id() -> None:
    with pytest.raises(StreamError, match="id"):
        client().receive(HEADER.replace(" to=", " from=").encode())
