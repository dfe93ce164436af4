"""The figures as a chart, in SVG: a group for each scenario, a bar for each server."""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape

from bench.report import Report

_COLOURS: Final = {
    "chirrup": "#1f6feb",
    "prosody": "#e08600",
    "prosody-sqlite": "#9a6700",
    "ejabberd": "#2da44e",
    "relay": "#8c959f",
}
_OTHER: Final = "#bf3989"
_WIDTH: Final = 970
_LEFT: Final = 360
"""Where the bars begin; the names of the scenarios are left of it."""
_BAR: Final = 13
_GAP: Final = 12
_SPAN: Final = 440
"""How long the longest bar of a group is: the rest is for its figure."""


def chart(report: Report) -> str:
    """Each group has a scale of its own, so that the dearest server's bar is as long as any; the figures are µs."""
    parts = []
    y = 58
    for scenario in report.scenarios:
        bars = [(server, cpu) for server in report.versions if (cpu := report.cpu(scenario, server)) is not None]
        if not bars:
            continue
        middle = y + len(bars) * _BAR / 2 + 4
        parts.append(f'<text x="{_LEFT - 10}" y="{middle:.1f}" text-anchor="end">{escape(scenario)}</text>')
        most = max(cpu for _, cpu in bars) or 1.0
        for server, cpu in bars:
            parts.append(_bar(y, server, cpu, cpu / most * _SPAN))
            y += _BAR
        y += _GAP
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" width="{_WIDTH}" height="{y}" '
            'font-family="system-ui, sans-serif" font-size="12" fill="#24292f">',
            f'<rect width="{_WIDTH}" height="{y}" fill="#ffffff"/>',
            '<text x="12" y="22" font-size="15" font-weight="bold">'
            "Microseconds of server CPU time a unit of work: shorter is better</text>",
            *_legend(report),
            *parts,
            "</svg>",
            "",
        ]
    )


def _bar(y: float, server: str, cpu: float, length: float) -> str:
    colour = _COLOURS.get(server, _OTHER)
    return (
        f'<rect x="{_LEFT}" y="{y}" width="{max(1.0, length):.1f}" height="{_BAR - 2}" fill="{colour}"/>'
        f'<text x="{_LEFT + max(1.0, length) + 5:.1f}" y="{y + 10}" font-size="11">{cpu:,.1f}</text>'
    )


def _legend(report: Report) -> list[str]:
    return [
        f'<rect x="{_LEFT + 120 * place}" y="34" width="11" height="11" fill="{_COLOURS.get(server, _OTHER)}"/>'
        f'<text x="{_LEFT + 120 * place + 16}" y="44">{escape(server)}</text>'
        for place, server in enumerate(report.versions)
    ]
