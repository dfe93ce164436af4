"""The five states, each an empty element in a message (XEP-0085 §3)."""

from __future__ import annotations

from enum import Enum
from typing import Final

from chirrup.core.xml import Element
from chirrup.ext.chat_states import NS


class ChatState(Enum):
    """What somebody is doing in a conversation."""

    ACTIVE = "active"
    """Paying attention to it; comes with every message that has a body."""
    COMPOSING = "composing"
    """Writing a message."""
    PAUSED = "paused"
    """Was writing one, and has stopped for a moment."""
    INACTIVE = "inactive"
    """Hasn't paid attention for a while."""
    GONE = "gone"
    """Has left it."""


_STATES: Final = {state.value: state for state in ChatState}


def chat_state_of(message: Element) -> ChatState | None:
    """The state that a message tells of, if any."""
    for child in message.elements(ns=NS):
        if child.name in _STATES:
            return _STATES[child.name]
    return None


def set_chat_state(message: Element, state: ChatState) -> None:
    """Let a message tell of one state and no other."""
    message.children = [child for child in message.children if isinstance(child, str) or child.ns != NS]
    message.c(state.value, NS)
