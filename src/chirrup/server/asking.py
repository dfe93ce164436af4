"""Who asks when the host itself does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.core.stanza import read_error
from chirrup.core.xml import Element


class Asker:
    """The origin of an IQ that the host asks: what this server itself answers is an answer too."""

    patient = True

    def __init__(self, future: asyncio.Future[Element], for_: JID | None) -> None:
        self.for_ = for_
        """Who wants to know, where that is neither the host nor the sender."""
        self._future = future

    def answer(self, stanza: Element) -> None:
        settle(self._future, stanza)

    def hold(self, stored: asyncio.Future[Any], stanza: Element) -> None:
        """Handlers of IQs wait for the store themselves."""

    def refused(self, error: StanzaError) -> None:
        if not self._future.done():
            self._future.set_exception(error)

    async def wait(self, waiting: Awaitable[None]) -> None:
        try:
            await waiting
        except Exception as error:
            self.refused(error if isinstance(error, StanzaError) else StanzaError("internal-server-error"))
            if not isinstance(error, StanzaError):
                raise


def settle(future: asyncio.Future[Element], answer: Element) -> None:
    """Give the future an answer: a result, or the error that it carries. Only the first one counts."""
    if future.done():
        return
    if answer.attrs["type"] == "result":
        future.set_result(answer)
    else:
        future.set_exception(read_error(answer))
