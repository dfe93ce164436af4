"""From a TCP connection to a stream that is ready: what the events of `core.stream` ask of a client, done."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, cast

from chirrup.client.link import Link
from chirrup.core.errors import (
    AuthenticationError,
    Disconnected,
    NetworkError,
    SASLError,
    StanzaError,
    StreamError,
    TrustError,
)
from chirrup.core.features.sasl2 import TokenReceived, TokenRefused
from chirrup.core.features.starttls import NS as STARTTLS
from chirrup.core.jid import JID
from chirrup.core.parser import StreamParser
from chirrup.core.states import State
from chirrup.core.stream import (
    Authenticated,
    AuthFailed,
    BindRefused,
    Bound,
    ClientStream,
    Closed,
    Event,
    Failed,
    FeaturesSeen,
    LimitsSeen,
    NeedSaltedPassword,
    Ready,
    Security,
    SeeOtherHost,
    SessionResumed,
    StartTLS,
)
from chirrup.core.xml import STREAMS, Element
from chirrup.net import trust as tls
from chirrup.net.certificates import ascii_name
from chirrup.net.clock import Clock
from chirrup.net.deadline import Deadline
from chirrup.net.dial import Target
from chirrup.net.trust import Trust

_TEMPORARY: Final = frozenset({"temporary-auth-failure", "aborted"})
"""SASL conditions that say nothing of the credentials."""
_FOR_OTHERS: Final = frozenset({62, 64})
"""OpenSSL's codes for certificates that are for another host or address."""
_NO_XMPP: Final = frozenset({"bad-format", "bad-namespace-prefix", "invalid-namespace", "not-well-formed"})
"""What is found of something that isn't a server for clients."""
_OF_STRANGERS: Final = frozenset({18, 19, 20, 21})
"""Those for certificates that nobody known has signed, or only themselves."""


class Redirected(Exception):  # noqa: N818 - no fault of anybody
    """The server sends the client elsewhere."""

    def __init__(self, host: str, port: int | None, *, secure: bool) -> None:
        super().__init__(host if port is None else f"{host}:{port}")
        self.host, self.port = host, port
        self.secure = secure
        """Whether it came under TLS, and so from who the certificate says."""


@dataclass(slots=True)
class Negotiated:
    """A stream that is ready."""

    link: Link
    parser: StreamParser
    leftover: bytes
    jid: JID
    features: Element
    """What the server offered last."""
    max_bytes: int | None = None
    """How large a stanza the server takes (XEP-0478), if it says."""
    idle_seconds: int | None = None
    """After how long a silence the server may act."""
    resumed: bool = False
    """Whether the session is the former one (XEP-0198)."""
    offered: Element | None = None
    """What the server offered under TLS before it knew who it was."""
    switched_on: frozenset[str] = frozenset()
    """The namespaces of what was switched on while the resource was bound (XEP-0386)."""


async def open_link(
    sock: socket.socket, target: Target, *, domain: str, trust: Trust, clock: Clock, seconds: float
) -> tuple[Link, Security | None]:
    """Make a connection of a connected socket, with TLS where it comes first there.

    Raises TrustError, DeadlineError or NetworkError; the socket is closed then."""
    loop = asyncio.get_running_loop()
    where = str(target)
    link = Link(loop, where)
    if not target.direct_tls:
        await loop.create_connection(lambda: link, sock=sock)
        return link, None
    try:
        context = await tls.context(trust)
        async with Deadline(clock, seconds, f"TLS handshake with {where}"):
            await loop.create_connection(
                lambda: link, sock=sock, ssl=context, server_hostname=ascii_name(domain),
                ssl_handshake_timeout=2 * seconds,
            )  # fmt: skip
        return link, _security(link, trust)
    except NetworkError:
        raise
    except (OSError, ssl.SSLError) as error:
        raise tls_failure(error, domain, where) from error
    except BaseException:
        sock.close()
        raise


def tls_failure(error: Exception, domain: str, where: str) -> NetworkError:
    """The error for a handshake that failed."""
    if isinstance(error, ssl.CertificateError):
        if error.verify_code in _FOR_OTHERS:
            return TrustError(f"the certificate of {where} isn't one for {domain}: {error.verify_message}")
        cure = "; the option ca names authorities to trust" if error.verify_code in _OF_STRANGERS else ""
        return TrustError(f"the certificate of {where} isn't trusted for {domain}: {error.verify_message}{cure}")
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error) or "it broke off"
    if reason == "WRONG_VERSION_NUMBER":
        reason = "what answers there speaks no TLS"
    return NetworkError(f"TLS handshake with {where}: {reason}")


def _security(link: Link, trust: Trust) -> Security:
    try:
        return tls.security(cast("ssl.SSLObject", link.transport.get_extra_info("ssl_object")), trust, link.where)
    except TrustError:
        link.abort()
        raise


class Negotiation:
    """Drives a stream until it is ready, each step within its deadline."""

    def __init__(
        self,
        link: Link,
        stream: ClientStream,
        *,
        account: str,
        trust: Trust,
        clock: Clock,
        seconds: float,
        tell: Callable[[Event], None],
    ) -> None:
        """`account` is whose credentials these are, for errors; `seconds` is what each step may take; `tell` is given
        the events that are to be remembered for the next time: Authenticated, TokenReceived and TokenRefused."""
        self._tell = tell
        self._link = link
        self._stream = stream
        self._account = account
        self._trust = trust
        self._clock = clock
        self._seconds = seconds
        self._features = Element("features", STREAMS)
        self._limits = LimitsSeen(None, None)
        self._offered: Element | None = None
        self._resumed = False
        self._switched_on: frozenset[str] = frozenset()
        self._own_resource = True
        self._derivation: NeedSaltedPassword | None = None
        self._tls_is_next = False
        self._done = False

    async def run(self) -> Negotiated:
        """Raises what ended it: StreamError, AuthenticationError, SASLError (try again later), NetworkError or
        Redirected. The connection is closed then."""
        link, stream = self._link, self._stream
        try:
            stream.open()
            link.write(stream.take())
            while not self._done:
                await self._take_step()
                if self._tls_is_next:
                    await self._start_tls()
        except BaseException:
            link.close()
            raise
        leftover = stream.leftover + link.take()
        return Negotiated(
            link, stream.parser, leftover, JID(stream.jid), self._features, self._limits.max_bytes,
            self._limits.idle_seconds, self._resumed, self._offered, self._switched_on,
        )  # fmt: skip

    @property
    def step(self) -> str:
        """What is waited for, for people to read."""
        stream = self._stream
        if stream.parser.header is None:
            return "waiting for the stream header"
        if stream.state is State.FEATURES:
            return "waiting for stream features"
        if stream.identity is not None:
            return "waiting for the resource"
        if stream.security is None and self._features.child("starttls", STARTTLS) is not None:
            return "waiting for the answer to STARTTLS"
        return "waiting for authentication"

    async def _take_step(self) -> None:
        """Read until something else is waited for. Octets that come one by one don't put off the deadline."""
        step = self.step
        async with Deadline(self._clock, self._seconds, f"{step} ({self._link.where})"):
            while not (self._done or self._tls_is_next) and self.step == step:
                self._handle(self._stream.receive(await self._read()))
                while (need := self._derivation) is not None:
                    self._derivation = None
                    self._handle(self._stream.salted(await asyncio.to_thread(need.derive)))

    async def _read(self) -> bytes:
        try:
            return await self._link.read()
        except Disconnected as error:
            if self._stream.parser.header is None and self._seen_nothing:
                guess = "" if self._stream.security or self._link.broken else "; it may be a port for direct TLS"
                raise Disconnected(f"{error} before a stream began{guess}") from None
            raise

    @property
    def _seen_nothing(self) -> bool:
        """Whether nothing has come that only a server for clients says."""
        return not self._features.attrs and not self._features.children

    def _handle(self, events: list[Event]) -> None:
        for place, event in enumerate(events):
            match event:
                case StartTLS():
                    self._tls_is_next = True
                case FeaturesSeen(features=features):
                    if self._stream.identity is None and self._stream.security is not None:
                        self._offered = features
                    self._features = features
                case LimitsSeen():
                    self._limits = event
                case Authenticated() | TokenReceived() | TokenRefused():
                    self._tell(event)
                case SessionResumed():
                    self._resumed = True
                case Bound(switched_on=switched_on):
                    self._switched_on = switched_on
                case Ready():
                    self._done = True
                case NeedSaltedPassword():
                    self._derivation = event
                case AuthFailed(condition=condition, text=text):
                    self._farewell()
                    raise self._refused(condition, text)
                case BindRefused(error=error):
                    self._handle([*self._bind_again(error), *events[place + 1 :]])
                    return
                case SeeOtherHost(host=host, port=port):
                    self._farewell()
                    raise Redirected(host, port, secure=self._stream.security is not None)
                case Failed(error=error, received=received):
                    self._farewell()
                    if self._seen_nothing and not received and error.condition in _NO_XMPP:
                        raise NetworkError(f"{self._link.where} isn't an XMPP server's port for clients: {error}")
                    raise error
                case Closed():
                    self._farewell()
                    raise Disconnected(f"{self._link.where} closed the stream: {self.step}")
        self._link.write(self._stream.take())

    def _farewell(self) -> None:
        self._stream.close()
        self._link.write(self._stream.take())

    def _refused(self, condition: str, text: str) -> SASLError:
        if condition in _TEMPORARY:
            return SASLError(condition, text)
        if "channel binding" in text.lower():
            text += "; the option channel_binding switches that off"
        elif condition == "not-authorized" and "password" not in text.lower():
            text = f"the address or the password is wrong{f' ({text})' if text else ''}"
        return AuthenticationError(condition, text, account=self._account)

    def _bind_again(self, error: StanzaError) -> list[Event]:
        """A resource that the server refuses gives way to one that it makes."""
        if not self._own_resource:
            self._farewell()
            raise error
        self._own_resource = False
        return self._stream.bind("")

    async def _start_tls(self) -> None:
        link, stream = self._link, self._stream
        self._tls_is_next = False
        context = await tls.context(self._trust)
        if link.take():
            raise StreamError("policy-violation", "something came between STARTTLS and the handshake")
        domain = stream.domain
        try:
            async with Deadline(self._clock, self._seconds, f"TLS handshake with {link.where}"):
                await link.start_tls(
                    context, server_side=False, seconds=2 * self._seconds, server_hostname=ascii_name(domain)
                )
        except NetworkError:
            raise
        except (OSError, ssl.SSLError) as error:
            raise tls_failure(error, domain, link.where) from error
        self._handle(stream.secured(_security(link, self._trust)))


class Ids:
    """Ids that nobody can guess: 64 random bits each, drawn from the system 64 at a time."""

    __slots__ = ("_octets",)

    def __init__(self) -> None:
        self._octets: Iterator[bytes] = iter(())

    def __call__(self) -> str:
        for octets in self._octets:
            return octets.hex()
        drawn = os.urandom(512)
        self._octets = iter([drawn[start : start + 8] for start in range(0, 512, 8)])
        return next(self._octets).hex()


def make_nonce() -> str:
    return secrets.token_urlsafe(18)
