"""What an import came to, for the operator."""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import Final

from chirrup.cli.transfer.events import Place

_MOST_PROBLEMS: Final = 100
"""Problems that are told one by one."""


class Report:
    """Tells problems at once, and what was done at the end."""

    def __init__(self, *, dry_run: bool) -> None:
        self._dry_run = dry_run
        self._counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        self._left_out: dict[str, int] = {}
        self.problems = 0
        self.skipped = 0
        """Accounts that exist already and were to stay as they are."""
        self.completed = False
        """Whether the source was read to where it ends, or to where it can't be read any further."""

    def count(self, kind: str, found: int, new: int) -> None:
        """So many of a kind were found, and so many of them weren't here before."""
        counts = self._counts[kind]
        counts[0] += found
        counts[1] += new

    def problem(self, place: Place, text: str) -> None:
        """Something can't be imported."""
        self.problems += 1
        if self.problems <= _MOST_PROBLEMS:
            print(f"chirrup: {place}: {text}", file=sys.stderr)
        elif self.problems == _MOST_PROBLEMS + 1:
            print("chirrup: there are more problems, which are only counted", file=sys.stderr)

    def left_out(self, what: str, place: Place) -> None:
        """Something has no place here; told when it is met first."""
        known = self._left_out.get(what, 0)
        self._left_out[what] = known + 1
        if not known:
            print(f"chirrup: {place}: {what} can't be kept here, and is left out wherever it is", file=sys.stderr)

    def not_ours(self, what: str) -> None:
        """Something has no place here, which was told already."""
        self._left_out[what] = self._left_out.get(what, 0) + 1

    def lines(self) -> list[str]:
        """The summary; nothing where nothing was begun."""
        if not (self.completed or self.problems or self._counts):
            return []
        would = "would be " if self._dry_run else ""
        lines = [
            f"{new:>9} {kind} {would}imported" + (f", {found - new} were here already" if found > new else "")
            for kind, (found, new) in self._counts.items()
        ]
        if self.skipped:
            lines.append(f"{self.skipped:>9} accounts left as they are")
        lines += [f"{count:>9} times left out: {what}" for what, count in self._left_out.items()]
        if self.problems or self.completed:
            lines.append(f"{self.problems:>9} problems" if self.problems else "          no problems")
        if not self.completed:
            lines.append("          not completed: run it again")
        return lines
