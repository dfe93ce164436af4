"""What comes in, given to those who want it: tables by payload, made of the features that are switched on.

A handler that fails is in the log with its traceback; it ends nothing.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from chirrup.client.feature import Feature, Kind, Mark, Name, Request, marked
from chirrup.client.stanzas import Message, Presence, Stanza
from chirrup.client.workers import Workers
from chirrup.core.errors import PayloadError, StanzaError
from chirrup.core.jid import JID
from chirrup.core.payload import Payload
from chirrup.core.stanza import error_reply, result
from chirrup.core.xml import CLIENT, Element

if TYPE_CHECKING:
    from chirrup.client.entity import Entity

log: Final = logging.getLogger("chirrup.client")

S = TypeVar("S", bound=Stanza)
Handler = Callable[..., Any]
_Wanted = dict[Name, tuple[tuple[Mark, Handler], ...]]


class Dispatcher:
    """The handlers of one client or component."""

    __slots__ = (
        "_by_message", "_by_presence", "_entity", "_filters", "_iqs", "_messages", "_presences", "_texts",
        "message_out", "presence_out", "workers",
    )  # fmt: skip

    def __init__(self, entity: Entity) -> None:
        self._entity = entity
        self._iqs: dict[tuple[str, Name], tuple[Mark, Handler]] = {}
        self._filters: _Wanted = {}
        self._by_message: _Wanted = {}
        self._by_presence: _Wanted = {}
        self._messages: tuple[Handler, ...] = ()
        self._texts: tuple[Handler, ...] = ()
        self._presences: tuple[Handler, ...] = ()
        self.message_out: tuple[Callable[[Message], None], ...] = ()
        self.presence_out: tuple[Callable[[Presence], None], ...] = ()
        self.workers = Workers()

    # -- who wants what

    def add_feature(self, feature: Feature) -> None:
        for name, mark in feature.marks:
            self.add(mark, getattr(feature, name))

    def add(self, mark: Mark, handler: Handler) -> None:
        """Raises ValueError where another handler answers the same requests."""
        name = mark.name
        match mark.kind:
            case "get" | "set":
                assert name is not None
                if (mark.kind, name) in self._iqs:
                    raise ValueError(f"two handlers answer {mark.kind} <{name[0]} xmlns='{name[1]}'/>")
                self._iqs[mark.kind, name] = mark, handler
            case "filter":
                _want(self._filters, mark, handler)
            case "message" if name is not None:
                _want(self._by_message, mark, handler)
            case "presence" if name is not None:
                _want(self._by_presence, mark, handler)
            case "text":
                self._texts += (handler,)
            case "message":
                self._messages += (handler,)
            case "presence":
                self._presences += (handler,)
            case "message_out":
                self.message_out += (handler,)
            case "presence_out":
                self.presence_out += (handler,)

    def on(self, kind: Kind, handler: Handler, payload: type[Payload] | Name | None = None) -> None:
        """Add a handler that isn't a feature's."""
        self.add(marked(kind, payload), handler)

    def remove(self, handler: Handler) -> None:
        """Take a handler out, wherever it is."""
        self._messages = tuple(one for one in self._messages if one != handler)
        self._texts = tuple(one for one in self._texts if one != handler)
        self._presences = tuple(one for one in self._presences if one != handler)
        self.message_out = tuple(one for one in self.message_out if one != handler)
        self.presence_out = tuple(one for one in self.presence_out if one != handler)
        self._iqs = {key: pair for key, pair in self._iqs.items() if pair[1] != handler}
        for table in (self._filters, self._by_message, self._by_presence):
            for name, wanting in list(table.items()):
                left = tuple(pair for pair in wanting if pair[1] != handler)
                if left:
                    table[name] = left
                else:
                    del table[name]

    # -- what comes in

    def message(self, element: Element, sender: JID) -> Message | None:
        """Give a message that came to its handlers, and return what became of it; None where a filter took it."""
        return self.give(Message.received(element, sender, self._entity))

    def give(self, given: Message) -> Message | None:
        """The same for one that is made already."""
        fault = given.element.attrs.get("type") == "error"
        filtered = self._filters and (not fault or self._entity.is_own(given.sender))  # copies of errors are errors
        message = self._filter_all(given) if filtered else given
        if message is None:
            return None
        if message is not given:
            fault = message.element.attrs.get("type") == "error"
        if self._by_message and not fault:
            self._by_payload(self._by_message, message)
        for handler in self._messages:
            self.run(handler, message)
        if self._texts and not fault and message.element.child("body", CLIENT) is not None:
            for handler in self._texts:
                self.run(handler, message)
        return message

    def _filter_all(self, message: Message, done: tuple[Name, ...] = ()) -> Message | None:
        """What a filter puts in a message's place goes through the other filters too."""
        for child in message.element.children:
            if type(child) is not str:
                name = (child.name, child.ns)  # type: ignore[union-attr]
                wanting = self._filters.get(name)
                if wanting is not None and name not in done:
                    changed = self._filter(wanting, message, child)  # type: ignore[arg-type]
                    if changed is None:
                        return None
                    if changed is not message:
                        return self._filter_all(changed, (*done, name))
        return message

    def presence(self, element: Element, sender: JID) -> Presence:
        """Give presence to its handlers."""
        presence = Presence.received(element, sender, self._entity)
        if element.attrs.get("type") != "error":
            self._by_payload(self._by_presence, presence)
        for handler in self._presences:
            self.run(handler, presence)
        return presence

    def _filter(self, wanting: tuple[tuple[Mark, Handler], ...], message: Message, child: Element) -> Message | None:
        for mark, handler in wanting:
            try:
                changed: Message | None = handler(message, _parse(mark, child))
            except PayloadError as error:
                log.debug("a message with a malformed payload: %s", error)
                continue
            except Exception:
                log.exception("a filter of messages failed: %s", _describe(handler))
                continue
            if changed is not message:
                return changed
        return message

    def _by_payload(self, table: _Wanted, stanza: Stanza) -> None:
        if not table:
            return
        for child in stanza.element.children:
            if type(child) is not str:
                for mark, handler in table.get((child.name, child.ns), ()):  # type: ignore[union-attr]
                    try:
                        payload = _parse(mark, child)  # type: ignore[arg-type]
                    except PayloadError as error:
                        log.debug("a stanza with a malformed payload: %s", error)
                    else:
                        self.run(handler, stanza, payload)

    def run(self, handler: Handler, *arguments: object) -> None:
        """Call a handler. If it is async, it goes on in a worker."""
        try:
            waiting = handler(*arguments)
        except Exception:
            log.exception("a handler failed: %s", _describe(handler))
            return
        if waiting is not None:
            if inspect.iscoroutine(waiting):
                self.workers.start(waiting)
            elif inspect.isawaitable(waiting):
                self.workers.start(_wait(waiting))

    def request(self, iq: Element, sender: JID, own: bool) -> None:
        """Answer an IQ get or set (RFC 6120 §8.2.3, §8.4)."""
        payload = iq.first
        if payload is None or not iq.attrs.get("id") or sum(1 for _ in iq.elements()) != 1:
            self._entity.answer(error_reply(iq, StanzaError("bad-request", "a request has an id and one payload")))
            return
        mark, handler = self._iqs.get((iq.attrs["type"], (payload.name, payload.ns)), (None, None))
        if mark is None or handler is None or (mark.own and not own):
            self._entity.answer(error_reply(iq, StanzaError("service-unavailable")))
            return
        try:
            answer = handler(Request(_parse(mark, payload), iq, sender, own))
        except Exception as error:
            self._entity.answer(_error(iq, error, handler))
            return
        if inspect.isawaitable(answer):
            self.workers.start(self._answer_later(iq, answer, handler))
        else:
            self._entity.answer(result(iq, _element(answer)))

    async def _answer_later(self, iq: Element, awaited: Awaitable[Any], handler: Handler) -> None:
        try:
            answer = result(iq, _element(await awaited))
        except Exception as error:
            answer = _error(iq, error, handler)
        self._entity.answer(answer)


def _want(table: _Wanted, mark: Mark, handler: Handler) -> None:
    assert mark.name is not None
    table[mark.name] = (*table.get(mark.name, ()), (mark, handler))


def _parse(mark: Mark, element: Element) -> Payload | Element:
    return element if mark.payload is None else mark.payload.parse(element)


def _element(answer: Payload | Element | None) -> Element | None:
    return answer.to_element() if isinstance(answer, Payload) else answer


def _error(iq: Element, error: Exception, handler: Handler) -> Element:
    if isinstance(error, StanzaError):
        return error_reply(iq, error)
    if isinstance(error, PayloadError):
        return error_reply(iq, StanzaError("bad-request", str(error)))
    log.error("a handler of requests failed: %s", _describe(handler), exc_info=error)
    return error_reply(iq, StanzaError("internal-server-error"))


def _describe(handler: Handler) -> str:
    return cast("str", getattr(handler, "__qualname__", repr(handler)))


async def _wait(awaitable: Awaitable[Any]) -> None:
    await awaitable
