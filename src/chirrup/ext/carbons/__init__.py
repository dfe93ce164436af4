"""Carbons: what a client sends and receives is copied to the account's other clients (XEP-0280 version 1.0.1)."""

from __future__ import annotations

from typing import Final

NS: Final = "urn:xmpp:carbons:2"
RULES: Final = "urn:xmpp:carbons:rules:0"
"""The feature of those who follow the recommended rules on what is copied to the letter (§6.2)."""
