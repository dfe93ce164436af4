"""What a client's stream asks while it is negotiated, found out: who somebody is, and what they get."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from chirrup.core.errors import AddressError, SASLError, StanzaError, StreamError
from chirrup.core.jid import JID
from chirrup.core.stream import (
    BindRequest,
    EarlyIQ,
    Event,
    HostPolicy,
    NeedIdentity,
    NeedKeys,
    NeedPassword,
    NeedTokens,
    NeedUpgrades,
    Opened,
    ResumeRequest,
    ServerStream,
    SessionRequest,
)
from chirrup.server.auth import Known
from chirrup.server.binding import bind
from chirrup.server.establish import Establishing, come_back
from chirrup.server.resume import NotResumable

if TYPE_CHECKING:
    from chirrup.server.c2s import ClientConnection
    from chirrup.server.host import Host

QUESTIONS: Final = (
    NeedKeys, NeedPassword, NeedIdentity, NeedTokens, NeedUpgrades, EarlyIQ, BindRequest, ResumeRequest, SessionRequest,
)  # fmt: skip
"""The events that are answered, beside `Opened`."""
_LONGEST_TAG: Final = 35

Answer = Callable[[], list[Event]]
"""Tells the stream; what happens then."""


class Answers:
    """Answers what one stream asks, and holds what comes of it until the stream is ready."""

    __slots__ = ("_connection", "_credentials", "_kept", "_known", "_plaintext", "_server", "_stream", "begin")

    def __init__(self, connection: ClientConnection, stream: ServerStream, *, plaintext: bool) -> None:
        """`plaintext` says that there needn't be TLS."""
        self._connection = connection
        self._stream = stream
        self._server = connection.server
        self._credentials = connection.server.credentials
        self._plaintext = plaintext
        self._kept: dict[type, Any] = {}  # by modules, before there is a session
        self._known: Known | None = None  # whom the present attempt to log in is by, or the one that succeeded
        self.begin: Callable[[], None] | None = None
        """What gives the connection its session, once the stream is ready, where that waits for it."""

    @property
    def _secure(self) -> bool:
        return self._stream.security is not None

    # -- what is offered

    def needs_account(self, host: Host, sender: JID | None) -> bool:
        """Whether it has to be looked up what somebody can be offered who says to be that."""
        known = sender is not None and sender.local and self._stream.identity is None
        return bool(known) and self._secure and not host.anonymous

    async def _accept(self, host: Host, sender: JID) -> Answer:
        """Offer only what the account has keys for (XEP-0388 §2.1), which may have come from a server with fewer."""
        known = await self._look_up(host, sender.local)
        policy = self.policy(host)
        if not known.lacking:
            return lambda: self._stream.accept(policy)
        unusable = {f"SCRAM-{name}{plus}" for name in known.lacking for plus in ("", "-PLUS")}
        usable = tuple(name for name in policy.mechanisms if name not in unusable)
        return lambda: self._stream.accept(replace(policy, mechanisms=usable or policy.mechanisms))

    def policy(self, host: Host) -> HostPolicy:
        """What a host offers to everybody; log-in by certificate where there is one of an account here."""
        logged_in = self._stream.identity is not None
        policy = host.offers.policy(secure=self._secure, plaintext=self._plaintext, logged_in=logged_in)
        identities = self._stream.security.identities if self._stream.security else ()
        if not identities or any(JID(identity).domain == policy.domain for identity in identities):
            return policy
        return replace(policy, mechanisms=tuple(name for name in policy.mechanisms if name != "EXTERNAL"))

    # -- what is asked

    async def find(self, host: Host, event: Event) -> Answer:
        """Find out what the stream wants to know."""
        stream = self._stream
        match event:
            case Opened(sender=JID() as sender):
                return await self._accept(host, sender)
            case NeedKeys() | NeedPassword() | NeedTokens() if self._guesses:
                return lambda: stream.fail(too_many_failed())
            case NeedKeys(username=username, algorithm=algorithm):
                known = await self._look_up(host, username)
                return lambda: stream.keys(self._credentials.keys(known, algorithm), barred=known.barred)
            case NeedPassword(username=username, password=password):
                return await self._check(host, username, password)
            case NeedTokens(username=username, client=client, mechanism=mechanism):
                known = await self._look_up(host, username)
                account = JID.of(username, host.jid.domain)
                tokens = await host.tokens.known(account, client, mechanism) if host.tokens else []
                return lambda: stream.tokens(tokens, barred=known.barred)
            case NeedUpgrades(username=username, algorithms=algorithms):
                missing = (await self._look_up(host, username)).missing(algorithms)
                return lambda: stream.upgrades(missing)
            case NeedIdentity(authzid=authzid):
                return await self._identify(host, authzid)
            case EarlyIQ(iq=iq):
                try:
                    reply = await host.iq.answer_early(iq, peer=self._connection.peer, stream=self._kept)
                except StanzaError as error:
                    refused = error
                    return lambda: stream.refuse(refused)
                return lambda: stream.send(reply)
            case SessionRequest():
                return await self._let_in(partial(self._establish, host, event))
            case BindRequest(resource=resource):
                return await self._let_in(partial(self._bind, host, resource))
            case ResumeRequest(previd=previd, h=h):
                return await self._let_in(partial(self._resume, host, previd, h))
        raise AssertionError(f"nobody answers {event!r}")

    @property
    def _guesses(self) -> bool:
        """Whether so many log-ins have failed from there that no more are tried, be they right."""
        server = self._server
        return server.failed_logins.refused(self._connection.peer, server.clock.monotonic()) > 0

    # -- who somebody is

    async def _look_up(self, host: Host, local: str) -> Known:
        """What is known of that name, read once for all of an attempt's questions."""
        known = self._known
        domain = host.jid.domain
        if known is None or (known.host, known.local) != (domain, local) or not self._credentials.is_current(known):
            known = self._known = await self._credentials.look_up(domain, local)
        return known

    def failed(self) -> None:
        """An attempt to log in has failed: what is known may be old for the next."""
        self._known = None

    async def _check(self, host: Host, username: str, password: str) -> Answer:
        try:
            right = await self._credentials.check(await self._look_up(host, username), password)
        except SASLError as error:
            disabled = error
            return lambda: self._stream.reject(disabled)
        return lambda: self._stream.verified(right)

    async def _identify(self, host: Host, authzid: str) -> Answer:
        """A client has shown a certificate: may it act as that account of those in it (XEP-0178)?"""
        stream = self._stream
        identities = stream.security.identities if stream.security else ()
        try:
            account = JID(authzid or identities[0])
        except AddressError:
            return lambda: stream.verified(False)
        if account.text not in identities or account.domain != host.jid.domain:
            return lambda: stream.verified(False)
        known = await self._look_up(host, account.local)
        if (barred := known.barred) is not None:
            return lambda: stream.reject(barred)
        return lambda: stream.verified(known.found is not None)

    # -- what they get

    async def _let_in(self, give: Callable[[], Awaitable[Answer]]) -> Answer:
        """Give somebody what they want. A password that is changed, or an account that is disabled, after the proof and
        before the session is there counts: nobody who has seen to the sessions and tokens that there were would see to
        these."""
        known = self._known
        if known is None or await self._credentials.hold_good(known):
            answer = await give()
            if known is None or await self._credentials.hold_good(known):
                return answer
        return lambda: self._stream.fail(StreamError("reset", "the account has changed meanwhile; log in again"))

    async def _bind(self, host: Host, resource: str | None) -> Answer:
        stream, connection = self._stream, self._connection
        identity = stream.identity
        assert identity is not None
        account = identity.account
        if account is None:  # anonymous: an account for this session only (XEP-0175)
            account = JID.of(secrets.token_hex(8), host.jid.domain)
        try:
            session = await bind(
                host, account, resource, connection,
                log=connection.log, secure=self._secure, lang=_language(stream.lang),
            )  # fmt: skip
        except StanzaError as error:
            refused = error
            return lambda: stream.refuse(refused)
        if connection.over:
            session.end()
        else:
            connection.session = session
        return lambda: stream.bound(session.jid)

    async def _establish(self, host: Host, request: SessionRequest) -> Answer:
        stream, connection = self._stream, self._connection
        log_in = Establishing(host, connection, request, secure=self._secure, lang=_language(stream.lang))
        try:
            done = await log_in.run()
        except SASLError as error:
            refused = error
            return lambda: stream.reject(refused)
        except StreamError as error:
            fault = error
            return lambda: stream.fail(fault)
        if connection.over and done.session is not None and done.is_new:
            done.session.end()

        def go_on() -> list[Event]:
            # Not before: a former session would end with the connection.
            connection.session, self.begin = done.session, done.begin
            return stream.granted(done.granted)

        return go_on

    async def _resume(self, host: Host, previd: str, h: int) -> Answer:
        stream, connection = self._stream, self._connection
        account = stream.identity.account if stream.identity else None
        try:
            session, begin = await come_back(host, account, previd, h, connection, secure=self._secure)
        except NotResumable as refused:
            error, handled = refused.error, refused.handled
            return lambda: stream.not_resumed(error, handled)
        except StreamError as error_:
            fault = error_
            return lambda: stream.fail(fault)

        def go_on() -> list[Event]:
            assert session.management is not None
            connection.session, self.begin = session, begin
            return stream.resumed(session.jid, session.management.handled)

        return go_on


def too_many_failed() -> StreamError:
    return StreamError("policy-violation", "too many failed log-ins; try again later")


def _language(text: str) -> str:
    """A language tag that may be written on every stanza; "" for what is none (RFC 5646 §2.1)."""
    return text if len(text) <= _LONGEST_TAG and text.replace("-", "").isalnum() and text.isascii() else ""
