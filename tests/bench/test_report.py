"""Medians, ratios, losses and marks of the table; its way through JSON; the page and the chart."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from bench.chart import chart
from bench.report import Report, Run, start_table, table
from bench.scenarios import Result

from bench import docs


def result(
    cpu_us: float, *, lost: int = 0, seconds: float = 2.0, generator_cpu: float = 0.5, **figures: float
) -> Result:
    return Result("message", 1000, seconds, cpu_us / 1e3, generator_cpu, 0.0, lost, 3 * 2**20, figures)


def report(**cpu: list[float]) -> Report:
    found = Report("a machine", dict.fromkeys(cpu, "1.0"))
    for server, values in cpu.items():
        found.runs += [Run("chat", server, result(value), 0.2, 0.1) for value in values]
    return found


def cells(text: str, server: str) -> list[str]:
    row = next(line for line in text.splitlines() if f"| {server} |" in line)
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_a_figure_is_the_median_and_its_ratios_are_to_the_better_peer_and_the_relay() -> None:
    found = report(chirrup=[30.0, 10.0, 20.0], prosody=[80.0], ejabberd=[100.0], relay=[5.0])
    assert cells(table(found), "chirrup") == ["chat", "chirrup", "20.0", "0.25", "4.00", "500", "3", "0", ""]
    assert cells(table(found), "prosody")[3] == "1.00"
    assert cells(table(found), "ejabberd")[3] == "1.25"


def test_the_better_peer_is_the_cheapest_of_those_that_did_the_scenario() -> None:
    found = report(chirrup=[20.0], prosody=[80.0], **{"prosody-sqlite": [40.0]}, ejabberd=[100.0])
    assert cells(table(found), "chirrup")[3] == "0.50"
    found.runs += [
        Run("presence", server, result(cpu), 0.2, 0.1) for server, cpu in (("chirrup", 8.0), ("prosody", 80.0))
    ]
    assert found.better_peer("presence") == pytest.approx(80.0)


def test_without_peers_and_relay_there_are_no_ratios() -> None:
    assert cells(table(report(chirrup=[20.0])), "chirrup")[3:5] == ["", ""]


def test_losses_of_all_runs_are_summed_and_further_figures_named() -> None:
    found = Report("a machine", {"chirrup": "1.0"})
    for lost, p99 in ((3, 1.0), (0, 30.0), (4, 2.5)):
        found.runs.append(Run("latency", "chirrup", result(10.0, lost=lost, p99=p99), 0.2, 0.1))
    assert cells(table(found), "chirrup")[7:] == ["7", "p99 2.50"]


def test_a_rate_that_the_generator_limited_is_marked() -> None:
    found = Report("a machine", {"relay": "1.0"})
    found.runs.append(Run("chat", "relay", result(100.0, seconds=1.0, generator_cpu=0.99), 0.2, 0.1))
    assert cells(table(found), "relay")[5] == "1,000\\*"


def test_a_generator_that_waited_for_a_core_was_the_limit_too() -> None:
    found = result(100.0, seconds=1.0, generator_cpu=0.3)
    found.generator_waited = 0.69
    assert found.generator_was_limit


def test_a_busy_generator_is_no_limit_to_a_busier_server() -> None:
    assert not result(2000.0, seconds=1.0, generator_cpu=0.99).generator_was_limit
    assert not result(100.0, seconds=1.0, generator_cpu=0.5).generator_was_limit


def test_a_run_in_which_nothing_arrived_has_no_cpu_figure() -> None:
    found = Report("a machine", {"chirrup": "1.0"})
    found.runs.append(Run("chat", "chirrup", Result("message", 0, 1.0, 0.5, 0.1, lost=64), 0.2, 0.1))
    assert found.cpu("chat", "chirrup") is None
    assert cells(table(found), "chirrup")[2] == ""


def test_a_failed_run_stands_below_the_table() -> None:
    found = report(chirrup=[20.0])
    found.failures.append("run 1: chat: prosody: TimeoutError")
    assert table(found).endswith("Failed: run 1: chat: prosody: TimeoutError")


def test_reports_go_through_json_and_join() -> None:
    first, second = report(chirrup=[20.0], prosody=[80.0]), report(chirrup=[10.0])
    parts = [json.loads(json.dumps(part.to_json())) for part in (first, second)]
    joined = Report.from_json(*parts)
    assert joined.runs == first.runs + second.runs
    assert joined.versions == first.versions
    third = Report.from_json(report(chirrup=[20.0]).to_json(), report(prosody=[10.0]).to_json())
    assert list(third.versions) == ["chirrup", "prosody"]


def test_the_table_of_starts_is_in_milliseconds() -> None:
    assert cells(start_table(report(chirrup=[20.0, 30.0])), "chirrup") == ["chirrup", "200", "100", "2"]


def test_the_chart_is_xml_with_a_bar_for_each_server() -> None:
    root = ElementTree.fromstring(chart(report(chirrup=[20.0], prosody=[80.0])))
    rects = root.findall(".//{*}rect")
    bars = [float(rect.get("width", 0)) for rect in rects if rect.get("x") and rect.get("y") != "34"]
    assert len(bars) == 2
    assert bars[1] == pytest.approx(4 * bars[0])


def test_only_the_marked_parts_of_the_page_are_replaced(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    parts = [
        f"<!-- bench: {name} -->\nold\n<!-- /bench: {name} -->" for name in ("machine", "figures", "start", "goals")
    ]
    page.write_text("\n".join(["by hand", *parts, "by hand too", ""]))
    results = tmp_path / "results.json"
    docs.write(report(chirrup=[20.0]), page, results)
    once = page.read_text()
    docs.write(report(chirrup=[20.0]), page, results)
    assert page.read_text() == once
    assert once.startswith("by hand\n")
    assert once.endswith("\nby hand too\n")
    assert "old" not in once
    assert "| chat | chirrup | 20.0 |" in once
    assert page.with_suffix(".svg").exists()
    assert Report.from_json(json.loads(results.read_text())) == report(chirrup=[20.0])


def test_the_page_says_what_the_results_say() -> None:
    """After a change to the goals or the tables: `python -m bench --report bench/results.json --docs`."""
    page = docs.PAGE.read_text()
    assert docs.filled(page, Report.from_json(json.loads(docs.RESULTS.read_text()))) == page


def test_a_page_without_marks_is_an_error() -> None:
    with pytest.raises(ValueError, match="no part that is marked"):
        docs.put("text", "figures", "table")
