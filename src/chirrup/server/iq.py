"""IQs that the server answers itself, for its host or on behalf of an account; and those it asks."""

from __future__ import annotations

import asyncio
import inspect
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from chirrup.core.errors import ChirrupError, PayloadError, StanzaError
from chirrup.core.jid import JID
from chirrup.core.payload import Payload
from chirrup.core.stanza import result
from chirrup.core.xml import CLIENT, Element
from chirrup.server.asking import Asker, settle
from chirrup.server.module import Addressee, IQMark, Later, Module, Request
from chirrup.server.router import bounce, reason_of

if TYPE_CHECKING:
    from chirrup.server.account import Account
    from chirrup.server.host import Host
    from chirrup.server.session import Origin, Session

Handler = Callable[[Request[Any]], Any]
Delegate = Callable[[Element, JID, JID, "Origin"], bool]
"""Is given an IQ get or set with its addressee, sender and origin, to answer it by and by; False leaves it to the
modules."""


class IQs:
    """The IQ handlers of one host, and its own requests that wait for an answer."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._handlers: dict[tuple[str, str, str, Addressee], tuple[Handler, IQMark]] = {}
        self._early: frozenset[str] | None = None
        self._asked: dict[str, tuple[JID, asyncio.Future[Element]]] = {}
        self.delegated: dict[str, Delegate] = {}
        """Who answers instead of the modules here, by the namespace of the payload (XEP-0355)."""

    # -- registration

    def add(self, mark: IQMark, handler: Handler) -> Callable[[], None]:
        """Register a handler; what is returned takes it away again. ChirrupError where there is one already."""
        keys = [(*mark.key, addressee) for addressee in mark.addressees]
        for key in keys:
            if key in self._handlers:
                other = self._handlers[key][0]
                raise ChirrupError(
                    f"both {describe(handler)} and {describe(other)} answer {key[0]} {key[2]} in {key[1]}"
                )
        for key in keys:
            self._handlers[key] = (handler, mark)
        self._early = None

        def undo() -> None:
            for key in keys:
                self._handlers.pop(key, None)
            self._early = None

        return undo

    def described(self) -> list[tuple[str, str, str, str, str]]:
        """Kind, name, namespace, addressee and handler of all that is answered, for `chirrup check hooks`."""
        return sorted(
            (kind, name, ns, addressee.name, describe(handler))
            for (kind, ns, name, addressee), (handler, _) in self._handlers.items()
        )

    # -- what arrives

    def receive(self, stanza: Element, to: JID, sender: JID, origin: Origin) -> Awaitable[None] | None:
        """Take an IQ for the host, or for an account at its bare JID."""
        kind = stanza.attrs.get("type", "")
        if kind in ("result", "error"):
            self._answered(stanza, sender)
            return None
        payload = stanza.first
        if payload is None:
            bounce(stanza, origin, StanzaError("bad-request", "an IQ has a payload"))
            return None
        delegate = self.delegated.get(payload.ns) if self.delegated else None
        if delegate is not None and delegate(stanza, to, sender, origin):
            return None
        found = self._find(kind, payload, to, sender)
        if found is None:
            bounce(stanza, origin, StanzaError("service-unavailable"))
            return None
        handler, mark = found
        session = origin if self._host.is_session(origin) else None
        if to.local:
            account = self._host.accounts.get(to.local)
            if account is None:
                return self._receive_for(handler, mark, stanza, payload, to, sender, origin, session)
            if account.refuses(sender):
                bounce(stanza, origin, StanzaError("service-unavailable"))
                return None
        else:
            account = None
        return self._call(handler, mark, stanza, payload, to, sender, origin, session, account)

    @property
    def early_namespaces(self) -> frozenset[str]:
        """The namespaces of payloads that are taken from streams which are not authenticated."""
        if self._early is None:
            self._early = frozenset(mark.key[1] for _, mark in self._handlers.values() if mark.before_login)
        return self._early

    async def answer_early(self, stanza: Element, *, peer: str, stream: dict[type, Any]) -> Element:
        """The result of an IQ on a stream that isn't authenticated; `peer` is its IP address, `stream` what modules
        keep for it. StanzaError otherwise."""
        payload = stanza.first
        assert payload is not None
        found = self._handlers.get((stanza.get("type"), payload.ns, payload.name, Addressee.HOST))
        if found is None or not found[1].before_login:
            raise StanzaError("service-unavailable")
        handler, mark = found
        host = self._host.jid
        parsed = parse_payload(mark, payload)
        answer = handler(Request(parsed, stanza, host, host, None, None, peer=peer, stream=stream))
        return result(stanza, as_element(await answer if inspect.isawaitable(answer) else answer))

    def _find(self, kind: str, payload: Element, to: JID, sender: JID) -> tuple[Handler, IQMark] | None:
        key = (kind, payload.ns, payload.name)
        if not to.local:
            return self._handlers.get((*key, Addressee.HOST))
        if to == sender.bare and (found := self._handlers.get((*key, Addressee.OWN))) is not None:
            return found
        return self._handlers.get((*key, Addressee.ACCOUNT))

    async def _receive_for(
        self, handler: Handler, mark: IQMark, stanza: Element, payload: Element, to: JID, sender: JID, origin: Origin,
        session: Session | None,
    ) -> None:  # fmt: skip
        account = await self._host.load(to.local)
        refused = account is not None and account.refuses(sender)
        if refused or (account is None and not mark.even_missing):
            raise StanzaError("service-unavailable")
        waiting = self._call(handler, mark, stanza, payload, to, sender, origin, session, account)
        if waiting is not None:
            await waiting

    def _call(
        self, handler: Handler, mark: IQMark, stanza: Element, payload: Element, to: JID, sender: JID, origin: Origin,
        session: Session | None, account: Account | None,
    ) -> Awaitable[None] | None:  # fmt: skip
        parsed = parse_payload(mark, payload)
        answer = handler(Request(parsed, stanza, sender, to, session, account))
        if inspect.isawaitable(answer):
            return self._finish(answer, stanza, origin)
        origin.answer(result(stanza, as_element(answer)))
        return None

    async def _finish(self, waiting: Awaitable[Any], stanza: Element, origin: Origin) -> None:
        answer = await waiting
        if isinstance(answer, Later):
            self._host.server.spawn(self._answer_later(answer, stanza, origin))
        else:
            origin.answer(result(stanza, as_element(answer)))

    async def _answer_later(self, later: Later, stanza: Element, origin: Origin) -> None:
        try:
            origin.answer(result(stanza, as_element(await later.answer)))
        except Exception as error:
            bounce(stanza, origin, reason_of(error, self._host.log))

    # -- what the host asks

    def ask(
        self, to: JID, payload: Element, *, kind: str = "get", sender: JID | None = None, for_: JID | None = None
    ) -> asyncio.Future[Element]:
        """Send an IQ; the future gets the result stanza, or the StanzaError that came instead.

        Cancel it when the answer is no longer wanted. Only `to` itself can answer, or this server in its place. `for_`
        is who wants to know, where that isn't the host or the sender."""
        identifier = secrets.token_urlsafe(12)
        future: asyncio.Future[Element] = asyncio.get_running_loop().create_future()
        self._asked[identifier] = (to, future)
        future.add_done_callback(lambda _: self._asked.pop(identifier, None))
        source = sender or self._host.jid
        stanza = Element("iq", CLIENT, payload, type=kind, id=identifier, to=to, from_=source)
        origin = Asker(future, for_)
        try:
            waiting = self._host.router.route(stanza, to, source, origin)
        except StanzaError as error:
            origin.refused(error)
        else:
            if waiting is not None:
                self._host.server.spawn(origin.wait(waiting))
        return future

    def _answered(self, stanza: Element, sender: JID) -> None:
        expected = self._asked.get(stanza.attrs.get("id", ""))
        if expected is not None and expected[0] == sender:
            settle(expected[1], stanza)


def parse_payload(mark: IQMark, payload: Element) -> Payload | Element:
    """The payload as the handler wants it; StanzaError "bad-request" where it doesn't fit."""
    if isinstance(mark.payload, tuple):
        return payload
    try:
        return mark.payload.parse(payload)
    except PayloadError as error:
        raise StanzaError("bad-request", str(error)) from None


def as_element(answer: Payload | Element | None) -> Element | None:
    return answer.to_element() if isinstance(answer, Payload) else answer


def describe(handler: Callable[..., Any]) -> str:
    """A handler as people know it: by its module's name, and its own."""
    module = getattr(handler, "__self__", None)
    if isinstance(module, Module):
        return f"{module.name()}.{handler.__name__}"
    return getattr(handler, "__qualname__", repr(handler))
