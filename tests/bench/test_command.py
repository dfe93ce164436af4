"""The command: what it is given, and peers that aren't there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bench.__main__ import main, present, select
from bench.peers import Peer, Running
from bench.peers.prosody import PROSODY
from bench.scenarios import scenarios


def never(folder: Path, certificate: Path, key: Path) -> Running:
    raise AssertionError("a server that isn't installed was started")


def test_a_missing_peer_is_left_out_with_a_line_that_says_how_to_get_it(capsys: pytest.CaptureFixture[str]) -> None:
    missing = Peer("openfire", "openfire-server", lambda: None, never)
    here = Peer("relay", "", lambda: "1.0", never)
    assert present([missing, here]) == [here]
    assert capsys.readouterr().err == (
        "bench: openfire isn't installed and is left out; "
        "on Debian 'apt-get install openfire-server' as root mends that\n"
    )


def test_with_no_server_at_all_it_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "")
    assert PROSODY.version() is None
    assert main(["--servers", "prosody"]) == 1
    assert "prosody isn't installed" in capsys.readouterr().err


def test_a_server_that_nobody_knows_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--servers", "chirrup,openfire"])
    assert (
        "no server is called openfire; there are chirrup, prosody, prosody-sqlite, ejabberd, relay"
        in capsys.readouterr().err
    )


def test_a_scenario_that_nobody_knows_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chta*"]) == 2
    assert "no scenario is called chta*" in capsys.readouterr().err


def test_patterns_choose_scenarios() -> None:
    assert list(select([], 1.0)) == list(scenarios())
    assert set(select(["chat, TLS*", "presence"], 1.0)) == {
        *[f"chat, TLS{kind}, {kept}" for kept in ("archived", "not kept")
          for kind in ("", ", realistic", ", stream management, carbons", ", one in flight")],
        "presence",
    }  # fmt: skip


def test_files_are_reported_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = {"scenario": "chat", "server": "chirrup", "started_in": 0.2, "started_with": 0.1, "cpu_us": 20.0}
    result = {"unit": "message", "units": 1000, "seconds": 1.0, "cpu": 0.02, "generator_cpu": 0.1, "figures": {}}
    part = {
        "machine": "m",
        "versions": {"chirrup": "1"},
        "runs": [{**run, "result": result}],
        "failures": [],
        "scales": [0.2],
    }
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(json.dumps(part))
    assert main(["--report", str(tmp_path / "a.json"), "--report", str(tmp_path / "b.json")]) == 0
    out = capsys.readouterr().out
    assert "- Runs of each: 2\n- Provisional: with 20% of the work" in out
    assert "| chat | chirrup | 20.0 |" in out
