"""Waiting messages, exported and imported (XEP-0227, Offline Messages)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Final

from chirrup.core.jid import JID
from chirrup.core.values import parse_element
from chirrup.core.xml import CLIENT, Element, serialise
from chirrup.ext.delay.payloads import Delay
from chirrup.ext.offline.arriving import LEEWAY, cleaned, delay_of, id_for, message_from, same
from chirrup.ext.stanza_ids.rules import stanza_id
from chirrup.server.transfer import NS, Incoming, Part
from chirrup.store.message_rows import Message, MessageRows, Range, moment_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from chirrup.store import Store

_PAGE: Final = 200
_IN_MEMORY: Final = 4_000_000
"""Octets of messages beyond which those that were read wait in a file."""
_SECOND: Final = 1_000_000
_NEAR: Final = 1000
"""Messages of about the same time that one is compared with."""


class Transfer(Part):
    """What waits for the account.

    Messages are stored when all else of the account has been: many of them are in its archive, and stored once then."""

    opens = frozenset({("offline-messages", NS)})
    finishes_last = True

    def __init__(self, store: Store, owner: JID) -> None:
        super().__init__(store, owner)
        self._spool: IO[bytes] | None = None

    async def export(self) -> AsyncIterator[str]:
        messages, host = self.store.messages, JID.parse(self.owner.domain)
        last, begun = 0, False
        while page := await messages.waiting(self.owner.text, after=last, limit=_PAGE):
            if not begun:
                yield "<offline-messages>"
                begun = True
            for message in page:
                said = Delay(moment_of(message.id), host).to_element(), stanza_id(messages.uid(message.id), self.owner)
                yield _with(message, said if message.archived else said[:1])
            last = page[-1].id
        if begun:
            yield "</offline-messages>"

    async def take(self, element: Element, incoming: Incoming) -> None:
        if element.name != "message":
            raise ValueError(f"<{element.name}/> is no message that could wait")
        message_from(0, element, self.owner, archived=False, waiting=True)  # raises what would be too late to tell then
        if self._spool is None:
            self._spool = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed by finish, or when it is forgotten
        written = str(element).encode()
        self._spool.write(len(written).to_bytes(8, "big") + written)

    async def finish(self, incoming: Incoming) -> None:
        if self._spool is None:
            return
        with self._spool as spool:
            spool.seek(0)
            elements = _read(spool)
            while page := list(islice(elements, _PAGE)):
                await self._store(page, incoming)

    async def _store(self, elements: list[Element], incoming: Incoming) -> None:
        owner, found = self.owner, []
        now = datetime.fromtimestamp(incoming.started, UTC)
        latest = now + timedelta(seconds=LEEWAY)
        for element in elements:
            number = id_for(min(delay_of(element, owner.domain) or now, latest), owner)
            stanza = cleaned(element, owner, waited=True)
            found.append(message_from(number, stanza, owner, archived=False, waiting=True))
        fresh = incoming.fresh

        def put(connection: Connection) -> int:
            rows, count = self.store.messages.within(connection), 0
            for message in found:
                twin = _twin(rows, owner, message)
                if twin is None:
                    count += rows.bring_in(owner.text, [message])
                elif fresh:
                    count += rows.wait_again(owner.text, twin)
            return count

        if found:
            await incoming.store("waiting messages", len(found), put, size=sum(len(each.value) for each in found))


def _with(message: Message, said: tuple[Element, ...]) -> str:
    value = message.value
    inside = value[: -len("/>")] + ">" if value.endswith("/>") else value[: -len("</message>")]
    added = "".join(serialise(element, CLIENT) for element in said)
    return f"<message xmlns='{CLIENT}'{inside[len('<message') :]}{added}</message>"


def _read(spool: IO[bytes]) -> Iterator[Element]:
    while length := spool.read(8):
        yield parse_element(spool.read(int.from_bytes(length, "big")).decode())


def _twin(rows: MessageRows, owner: JID, message: Message) -> int | None:
    """The id of the same message in the archive. Servers store it there and here at moments that differ a little, and
    that they know to the second only."""
    second = message.id // _SECOND * _SECOND
    exact = Range(after=message.id - 1, before=message.id + 1)
    near = Range(after=second - _SECOND, before=second + 2 * _SECOND, peer=message.peer)
    for which in exact, near:
        for one in rows.page(owner.text, which, limit=_NEAR):
            if same(one.value, message.value):
                return one.id
    return None
