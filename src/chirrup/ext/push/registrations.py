"""Where an account's notifications are published, in memory and as it is stored."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from chirrup.core.jid import JID
from chirrup.core.values import parse_element
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.forms.payloads import Form

if TYPE_CHECKING:
    from chirrup.net.clock import Timer

_MAX_BODY: Final = 500
"""Characters of a message that a service is told."""

Key = tuple[JID, str]
"""A service and its node."""


@dataclass(slots=True, eq=False)
class Registration:
    """One node of a service, which stands for a device, and what is under way to it."""

    service: JID
    node: str
    options: Form | None = None
    """The form that goes along with every notification."""
    count: int = 0
    """Messages that the device was notified of since it was last seen."""
    sender: str = ""
    body: str = ""
    """Of the last of them."""
    again: bool = False
    """Whether something has happened since the last notification."""
    failures: int = 0
    """How many failed in a row."""
    answer: asyncio.Future[Element] | None = field(default=None, repr=False)
    """What the service hasn't answered yet."""
    rest: Timer | None = field(default=None, repr=False)
    """Runs until the next notification may go out."""

    @property
    def key(self) -> Key:
        return self.service, self.node

    def add(self, message: Element) -> None:
        """The device is to be notified of a message."""
        sender = message.get("from")
        self.count += 1
        self.sender = sender if message.get("type") == "groupchat" else sender.partition("/")[0]
        self.body = message.child_text("body", CLIENT)[:_MAX_BODY]

    def seen(self) -> None:
        """The device is there, and knows everything by itself."""
        self.count, self.sender, self.body, self.again = 0, "", "", False

    @property
    def stored_key(self) -> str:
        return json.dumps([self.service.text, self.node], ensure_ascii=False)

    @property
    def stored(self) -> str:
        return "" if self.options is None else str(self.options.to_element())

    @classmethod
    def from_stored(cls, key: str, value: str) -> Registration:
        service, node = json.loads(key)
        return cls(JID(service), node, Form.parse(parse_element(value)) if value else None)


class Registrations(dict[Key, Registration]):
    """All of an account. Kept with the account, if there are any."""


class Linked(set[Key]):
    """What a session has switched on, and so what stands for its device. Kept with the session."""
