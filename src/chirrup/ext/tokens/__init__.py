"""Tokens to log in with (XEP-0484 0.2.0): what a client is given at one log-in is all it needs for the next."""

from __future__ import annotations
