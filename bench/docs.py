"""Puts what was found into docs/performance.md, between marks; what stands around them is written by people."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from bench.chart import chart
from bench.goals import goal_table
from bench.report import Report, heading, start_table, table

PAGE: Final = Path(__file__).parents[1] / "docs" / "performance.md"
RESULTS: Final = Path(__file__).with_name("results.json")


def write(report: Report, page: Path = PAGE, results: Path = RESULTS) -> None:
    """The page's marked parts, the chart beside it, as SVG, and as PNG where librsvg can make one of it, and what all
    of them are made from."""
    report.save(results)
    page.write_text(filled(page.read_text(), report))
    svg = page.with_suffix(".svg")
    svg.write_text(chart(report))
    if shutil.which("rsvg-convert"):
        subprocess.run(["rsvg-convert", "--zoom=2", "-o", svg.with_suffix(".png"), svg], check=True)
    else:
        print(f"bench: no {svg.with_suffix('.png').name}, which takes rsvg-convert (librsvg2-bin)", file=sys.stderr)


def filled(text: str, report: Report) -> str:
    """The page with its marked parts made of a report."""
    for name, part in (
        ("machine", heading(report)),
        ("figures", table(report)),
        ("start", start_table(report)),
        ("goals", goal_table(report)),
    ):
        text = put(text, name, part)
    return text


def put(text: str, name: str, part: str) -> str:
    """Replace what stands between the marks of that name; ValueError if there are none."""
    begin, end = f"<!-- bench: {name} -->\n", f"<!-- /bench: {name} -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the page has no part that is marked {begin.strip()} … {end}")
    return f"{before}{begin}\n{part.strip()}\n\n{end}{after}"
