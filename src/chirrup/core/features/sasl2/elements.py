"""The elements of XEP-0388 that both ends write and read, and where an exchange of them stands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from chirrup.core.errors import SASLError
from chirrup.core.features import UserAgent
from chirrup.core.sasl import decode_base64, encode_base64
from chirrup.core.stanza import SASL, read_failure
from chirrup.core.states import SASL2, SASL2_EXCHANGE, Said
from chirrup.core.xml import Element

NS: Final = "urn:xmpp:sasl:2"

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LONGEST_NAME: Final = 200
"""Characters of the software's and the device's name that are kept."""


class Exchange:
    """Where an exchange stands, by the table; common to both ends."""

    def __init__(self) -> None:
        self.state = SASL2.IDLE

    def may(self, said: Said) -> bool:
        return said in SASL2_EXCHANGE[self.state]

    def say(self, said: Said) -> None:
        self.state = SASL2_EXCHANGE[self.state][said]


def data_in(parent: Element, name: str) -> bytes | None:
    """The data in a child element; None where there is none. Raises SASLError."""
    child = parent.child(name, NS)
    return None if child is None else decode_data(child)


def decode_data(element: Element) -> bytes:
    """Raises SASLError. White space around is passed over, as the XEP's own examples have it."""
    text = element.text.strip()
    return decode_base64(text) if text else b""


def encode_data(data: bytes) -> str | None:
    """§2.2: empty data is an empty element."""
    return encode_base64(data) if data else None


def write_user_agent(agent: UserAgent) -> Element:
    element = Element("user-agent", NS, id=agent.id or None)
    for name, text in (("software", agent.software), ("device", agent.device)):
        if text:
            element.c(name).t(text)
    return element


def read_user_agent(parent: Element) -> UserAgent | None:
    """Raises SASLError for an id that is no UUID."""
    element = parent.child("user-agent", NS)
    if element is None:
        return None
    id_ = element.get("id")
    if id_ and not _UUID.fullmatch(id_):
        raise SASLError("malformed-request", "the id of a <user-agent/> is a UUID")
    software, device = (element.child_text(name).strip()[:_LONGEST_NAME] for name in ("software", "device"))
    return UserAgent(id_.lower(), software, device)


def write_failure(error: SASLError) -> Element:
    """§2.6.2: the condition is in the namespace of RFC 6120's profile, the text in ours."""
    return Element(
        "failure", NS, Element(error.condition, SASL), Element("text", NS, error.text) if error.text else None
    )


def read_error(element: Element) -> SASLError:
    error = read_failure(element)
    return SASLError(error.condition, error.text or element.child_text("text", NS))


def write_continue(data: bytes | None, tasks: Sequence[str]) -> Element:
    """§2.6.3: the mechanism has succeeded, and one of these is still to be done."""
    element = Element("continue", NS, Element("tasks", NS, *[Element("task", NS, name) for name in tasks]))
    if data is not None:
        element.children.insert(0, Element("additional-data", NS, encode_data(data)))
    return element


def read_tasks(element: Element) -> list[str]:
    tasks = element.child("tasks", NS)
    return [] if tasks is None else [task.text.strip() for task in tasks.elements("task", NS)]
