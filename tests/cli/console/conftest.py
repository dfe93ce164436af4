"""These tests have terminals that programs run in, not the stand-in that those of other commands have."""

from __future__ import annotations

from tests.plugins.terminal import terminal

__all__ = ["terminal"]
