"""What a source of accounts consists of, in the order in which it is read."""

from __future__ import annotations

from typing import TypeAlias

from chirrup.core.errors import ChirrupError
from chirrup.core.record import record
from chirrup.core.xml import Element
from chirrup.server.transfer import Name


@record
class Place:
    """Where something stands, for the operator."""

    file: str
    line: int = 0
    """0 where lines mean nothing."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@record
class HostBegins:
    """The accounts that follow are of this host."""

    place: Place
    jid: str


@record
class UserBegins:
    """What follows is of this account."""

    place: Place
    name: str
    password: str | None


@record
class Child:
    """A child of the account's element; or with `within`, a child of that one."""

    place: Place
    element: Element
    within: Name | None = None


@record
class UserEnds:
    """That was all of the account."""


@record
class Problem:
    """Something that can't be read; what follows can."""

    place: Place
    text: str


Event: TypeAlias = HostBegins | UserBegins | Child | UserEnds | Problem


class Unreadable(ChirrupError):  # noqa: N818 - reads as the condition it is
    """A source that can't be read any further."""

    def __init__(self, place: Place, text: str) -> None:
        super().__init__(f"{place}: {text}")
        self.place = place
        self.text = text
