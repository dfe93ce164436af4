from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chirrup.server.config import LogConfig
from chirrup.server.logs import WIRE, configure
from chirrup.server.wire_log import WireLog, _Masker, wire_log


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in (None, "chirrup", WIRE)]
    before = [(logger.level, list(logger.handlers)) for logger in loggers]
    yield
    for logger, (level, handlers) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = handlers
    logging.captureWarnings(False)


def test_it_is_off_unless_asked_for_by_name(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        assert wire_log("2f9c", "::1") is None
    configure(LogConfig(level="debug"))
    assert wire_log("2f9c", "::1") is None


def test_it_has_bodies_when_on_whatever_the_level(caplog: pytest.LogCaptureFixture) -> None:
    configure(LogConfig(level="error", wire=True))
    log = wire_log("2f9c", "::1")
    assert isinstance(log, WireLog)
    log.received(b"<message><body>meet me</body></message>")
    log.sent(b"<message>")
    assert [(record.getMessage(), record.values) for record in caplog.records] == [
        ("received", {"stream": "2f9c", "peer": "::1", "xml": "<message><body>meet me</body></message>"}),
        ("sent", {"stream": "2f9c", "peer": "::1", "xml": "<message>"}),
    ]


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("<auth mechanism='PLAIN'>AGE=</auth><x/>", "<auth mechanism='PLAIN'>…</auth><x/>"),
        ("<s:auth\nmechanism='PLAIN'\n>AGE=</s:auth >", "<s:auth\nmechanism='PLAIN'\n>…</s:auth >"),
        ("<response>YQ==</response><challenge>Yg==</challenge>", "<response>…</response><challenge>…</challenge>"),
        ("<a><password><![CDATA[<b>]]></password></a>", "<a><password>…</password></a>"),
        ("<initial-response>YQ==</initial-response><b/>", "<initial-response>…</initial-response><b/>"),
        ("<success xmlns='x'><token token='s3cr3t'/></success>", "<success xmlns='x'>…</success>"),
        ("<task-data xmlns='x'><hash>YQ==</hash></task-data>", "<task-data xmlns='x'>…</task-data>"),
        ("<success/><response xmlns='x'/><b>1</b>", "<success/><response xmlns='x'/><b>1</b>"),
        ("<message><body>auth> password</body></message>", "<message><body>auth> password</body></message>"),
        ("<authors>Ann</authors>", "<authors>Ann</authors>"),
    ],
)
def test_what_people_log_in_with_is_masked_however_it_is_cut(sent: str, shown: str) -> None:
    for size in range(1, len(sent) + 1):
        masker = _Masker()
        pieces = [masker.feed(sent.encode()[at : at + size]) for at in range(0, len(sent), size)]
        assert b"".join(pieces).decode() == shown


@given(st.lists(st.binary(max_size=40)))
def test_it_never_fails_and_forgets_nothing_that_is_not_masked(pieces: list[bytes]) -> None:
    masker = _Masker()
    shown = b"".join(masker.feed(piece) for piece in pieces)
    whole = b"".join(pieces)
    assert whole.startswith(shown)
    assert len(whole) - len(shown) <= max(0, len(whole) - whole.rfind(b"<"))


def test_a_tag_that_never_ends_is_not_kept_for_ever() -> None:
    masker = _Masker()
    shown = b"".join(masker.feed(b"<a" + b"a" * 998) for _ in range(100))
    assert len(shown) > 90_000
