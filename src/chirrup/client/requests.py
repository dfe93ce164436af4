"""Requests that wait for their answer, which nobody but who was asked can give."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from chirrup.core.jid import JID
from chirrup.core.stanza import read_error
from chirrup.core.xml import Element


@dataclass(slots=True)
class _Pending:
    to: JID | None
    """Whom was asked; None for the own server, on the account's behalf."""
    answer: asyncio.Future[Element]


class Requests:
    """The IQs of one client that haven't been answered, by id."""

    __slots__ = ("_pending",)

    def __init__(self) -> None:
        self._pending: dict[str, _Pending] = {}

    def __bool__(self) -> bool:
        return bool(self._pending)

    def expect(self, id_: str, to: JID | None) -> asyncio.Future[Element]:
        """The answer to come. Raises StanzaError where it is an error."""
        answer: asyncio.Future[Element] = asyncio.get_running_loop().create_future()
        self._pending[id_] = _Pending(to, answer)
        return answer

    def forget(self, id_: str) -> None:
        self._pending.pop(id_, None)

    def take(self, iq: Element, sender: JID | None, me: JID) -> bool:
        """Take an IQ of type "result" or "error". False if nobody waits for it from that sender.

        `sender` is None for what came without an address: that is the server's word in the account's name (RFC 6120
        §8.1.2.1). So is what comes from the account or the server itself."""
        pending = self._pending.get(iq.attrs.get("id", ""))
        if pending is None or pending.answer.done():
            return False
        if pending.to is None:
            known = sender is None or sender == me.bare or sender == me.host or sender == me
        else:
            known = sender == pending.to or (sender is None and pending.to in (me.bare, me.host))
        if not known:
            return False
        if iq.attrs["type"] == "error":
            pending.answer.set_exception(read_error(iq))
        else:
            pending.answer.set_result(iq)
        return True

    def fail(self, error: Exception) -> None:
        """No answer will come."""
        pending, self._pending = self._pending, {}
        for one in pending.values():
            if not one.answer.done():
                one.answer.set_exception(error)
                one.answer.exception()  # whoever waits is told; nobody may wait any more
