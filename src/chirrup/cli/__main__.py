"""`python -m chirrup.cli` is `chirrup`."""

from __future__ import annotations

from chirrup.cli import main

main()
