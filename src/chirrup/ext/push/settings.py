"""What operators can set of push."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from chirrup.core.jid import JID
from chirrup.server.module import Settings


def _domain(text: str) -> str:
    return JID(text).domain


class PushSettings(Settings):
    """Where notifications may go, what they tell, and how much of the server a service may take."""

    services: frozenset[Annotated[str, AfterValidator(_domain)]] = Field(default=frozenset())
    """The domains whose push services may be used; any, if there is none."""
    max_services: int = Field(default=10, ge=1)
    """Nodes of push services that an account may have. Each has at most one notification under way."""
    interval: float = Field(default=2, ge=0)
    """Seconds between two notifications to one node; what happens meanwhile is one notification."""
    timeout: float = Field(default=60, gt=0)
    """Seconds that a service has to answer."""
    max_failures: int = Field(default=5, ge=1)
    """Notifications that may fail in a row, for lack of an answer or with an error that may pass, before a node is
    forgotten. After an error that won't pass it is forgotten at once."""
    message_count: bool = True
    """Whether a service is told how many messages there have been since the device was last seen."""
    last_message_sender: bool = False
    """Whether a service is told who sent the last one."""
    last_message_body: bool = False
    """Whether a service is told what the last one says. The service and whoever runs it can read that."""
