"""Clients and components all of whose stanzas are seen, both ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

from chirrup.client.client import Client
from chirrup.client.component import Component
from chirrup.client.feature import Identity
from chirrup.client.link import Link
from chirrup.client.session import Session
from chirrup.core.features import resume
from chirrup.core.xml import Element

Direction = Literal["in", "out"]
Watch = Callable[[Direction, Element], None]

_IDENTITY: Final = Identity("client", "console", "Chirrup console")


class _Watched(Session):
    watch: Watch

    def _receive(self, link: Link, element: Element) -> None:
        if element.ns != resume.NS:  # which is counting
            self.watch("in", element)
        super()._receive(link, element)

    def _write(self, link: Link, stanza: Element) -> None:
        super()._write(link, stanza)
        self.watch("out", stanza)


class WatchedClient(_Watched, Client):
    """A client that tells `watch` of each stanza as it comes, and of each stanza that it has sent."""

    def __init__(self, watch: Watch, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.watch = watch
        self.identity = _IDENTITY


class WatchedComponent(_Watched, Component):
    """The same as a component. What doesn't say from whom it is comes from the domain itself."""

    def __init__(self, watch: Watch, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.watch = watch

    def _write(self, link: Link, stanza: Element) -> None:
        stanza.attrs.setdefault("from", self.jid.text)
        super()._write(link, stanza)
