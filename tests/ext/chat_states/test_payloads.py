from __future__ import annotations

import pytest

from chirrup.core.values import parse_element
from chirrup.ext.chat_states.payloads import ChatState, chat_state_of, set_chat_state


@pytest.mark.parametrize("state", list(ChatState))
def test_a_state_is_written_and_read(state: ChatState) -> None:
    message = parse_element("<message xmlns='jabber:client' type='chat'><thread>act2scene2chat1</thread></message>")
    assert chat_state_of(message) is None
    set_chat_state(message, state)
    assert message.child(state.value, "http://jabber.org/protocol/chatstates") is not None
    assert chat_state_of(message) is state


def test_a_message_tells_of_one_state() -> None:
    message = parse_element(
        "<message xmlns='jabber:client'><body>hi</body><active xmlns='http://jabber.org/protocol/chatstates'/></message>"
    )
    set_chat_state(message, ChatState.GONE)
    assert [child.name for child in message.elements()] == ["body", "gone"]


def test_what_is_no_state() -> None:
    message = parse_element(
        "<message xmlns='jabber:client'><dancing xmlns='http://jabber.org/protocol/chatstates'/></message>"
    )
    assert chat_state_of(message) is None
