"""From a log-in to all that its client asked for along with it (XEP-0388): keys and tokens that are durable, its former
session, or a new one with what it switches on (XEP-0386)."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from hmac import digest
from typing import TYPE_CHECKING, Final

from chirrup.core.errors import AddressError, PayloadError, SASLError, StanzaError, StoreError, StreamError
from chirrup.core.features import Token, UserAgent
from chirrup.core.features import resume as sm
from chirrup.core.features.bind2 import BindWish
from chirrup.core.features.resume.server import resumed
from chirrup.core.features.sasl2 import Granted, SessionRequest
from chirrup.core.jid import JID
from chirrup.core.record import record
from chirrup.core.xml import Element
from chirrup.server.binding import bind
from chirrup.server.held import Held
from chirrup.server.resume import NotResumable, attach

if TYPE_CHECKING:
    from chirrup.core.sasl import ScramKeys
    from chirrup.server.c2s import ClientConnection
    from chirrup.server.host import Host
    from chirrup.server.logs import Logger
    from chirrup.server.session import Session

_MADE_UP: Final = 9
"""Octets from which the server's part of a resource is made."""


@record
class Established:
    """What a log-in has led to."""

    granted: Granted
    session: Session | None = None
    begin: Callable[[], None] | None = None
    """What gives the connection to the session, once the stream is ready."""
    is_new: bool = False
    """Whether it isn't a former one."""


class Establishing:
    """One log-in."""

    def __init__(
        self, host: Host, connection: ClientConnection, request: SessionRequest, *, secure: bool, lang: str
    ) -> None:
        self._host = host
        self._connection = connection
        self._request = request
        self._secure = secure
        self._lang = lang
        identity = request.identity.account
        self._account = identity or JID.of(secrets.token_hex(8), host.jid.domain)  # a guest (XEP-0175)
        self._log: Logger = connection.log

    async def run(self) -> Established:
        """Raises the SASLError that the log-in fails with, or the StreamError that ends the stream."""
        request = self._request
        token = await self._token()
        if request.new_keys:
            await self._add_keys(request.new_keys)
        answer = None
        wanted = next((element for element in request.inline if (element.name, element.ns) == ("resume", sm.NS)), None)
        if wanted is not None:
            former = await self._resume(wanted, token)
            if isinstance(former, Established):
                return former
            answer = former
        inline = () if answer is None else (answer,)
        if request.bind is None:
            guest = self._account if request.identity.account is None else None
            return Established(Granted(inline=inline, token=token, guest=guest))
        held = Held(self._connection)
        session = await self._bind(request.bind, held)
        if not self._connection.over:
            self._connection.session = session
        results = [*self._switch_on(session, request.bind)]  # in the same turn of the loop: nothing comes in between
        results += [answer for tell in self._host.hooks.session_told if (answer := await _told(tell, session))]
        granted = Granted(session.jid, tuple(results), inline, token)
        return Established(granted, session, partial(held.release, session), is_new=True)

    async def _add_keys(self, keys: Sequence[ScramKeys]) -> None:
        try:
            await self._host.store.accounts.add_keys(self._host.name, self._account.local, keys)
        except StoreError:
            self._log.info("keys not upgraded: storage fails")
        else:
            self._log.info("keys upgraded", algorithms=[each.algorithm for each in keys])

    async def _token(self) -> Token | None:
        """The token that the client gets; none while storage fails, which keeps nobody out, but who uses one in a way
        that has to be written down."""
        tokens, request = self._host.tokens, self._request
        agent, used = request.user_agent, request.token
        if tokens is None or agent is None or request.identity.account is None:
            return None
        try:
            if used is not None:
                return await tokens.use(self._account, agent, used, request.wants_token)
            return await tokens.give(self._account, agent, request.wants_token) if request.wants_token else None
        except StoreError:
            if used is not None and (used.count is not None or used.invalidate):
                raise SASLError("temporary-auth-failure", "the use of a token can't be stored") from None
            self._log.info("no token given: storage fails")
            return None

    # -- a former session

    async def _resume(self, element: Element, token: Token | None) -> Established | Element:
        """The former session, or what the client is told where there is none."""
        try:
            wanted = sm.Resume.parse(element)
            session, go_on = await come_back(
                self._host, self._account, wanted.previd, wanted.h, self._connection, secure=self._secure
            )
        except PayloadError as error:
            return sm.failed(StanzaError("bad-request", str(error)))
        except NotResumable as refused:
            return sm.failed(refused.error, refused.handled)
        assert session.management is not None
        answer = resumed(wanted.previd, session.management.handled)
        return Established(Granted(session.jid, None, (answer,), token), session, go_on)

    # -- a new session

    async def _bind(self, wish: BindWish, held: Held) -> Session:
        host, agent = self._host, self._request.user_agent
        account = await (host.guest(self._account.local) if host.anonymous else host.load(self._account.local))
        if agent is not None and agent.id and account is not None:
            for older in list(account.sessions.values()):
                if (known := older.find(UserAgent)) is not None and known.id == agent.id:
                    older.wire.fail(StreamError("conflict", "the same client has logged in anew"))
        try:
            return await bind(
                host, self._account, self._resource(wish), held,
                log=self._log, secure=self._secure, lang=self._lang, data=() if agent is None else (agent,),
            )  # fmt: skip
        except StanzaError as error:
            raise SASLError("temporary-auth-failure", error.text or error.condition) from None

    def _resource(self, wish: BindWish) -> str:
        """The client's tag, and what makes the resource its own: the same each time for the same installation
        (XEP-0386 §3.2.1), which tells nobody its id."""
        agent = self._request.user_agent
        if agent is not None and agent.id:
            label = "\0".join(("resource", self._account.text, agent.id, wish.tag))
            octets = digest(self._host.server.secret, label.encode(), "sha256")[:_MADE_UP]
        else:
            octets = secrets.token_bytes(_MADE_UP)
        own = urlsafe_b64encode(octets).decode()
        if not wish.tag:
            return own
        try:
            return self._account.with_resource(f"{wish.tag}/{own}").resource
        except AddressError:
            return own

    def _switch_on(self, session: Session, wish: BindWish) -> Iterator[Element]:
        """Each feature that was asked for and is there; what they answer."""
        for element in wish.features:
            switch = self._host.bind_inline.get((element.name, element.ns))
            if switch is None:
                continue
            try:
                answer = switch(session, element)
            except Exception:
                session.log.exception("a feature could not be switched on", element=element.name, ns=element.ns)
                continue
            if answer is not None:
                yield answer


async def come_back(
    host: Host, account: JID | None, previd: str, h: int, connection: ClientConnection, *, secure: bool
) -> tuple[Session, Callable[[], None]]:
    """The session that a client goes on with, and what gives it the connection once the stream is ready. Raises
    NotResumable, or the StreamError that ends the stream. A guest, who has no account yet, has no session either."""
    try:
        if account is None:
            raise NotResumable(StanzaError("item-not-found"))
        session = await host.resumable.claim(account, previd, h, connection)
    except NotResumable as refused:
        connection.log.info("session not resumed", condition=refused.error.condition)
        raise
    return session, partial(attach, session, connection, h, connection.log.bind(jid=session.jid.text), secure=secure)


async def _told(tell: Callable[[Session], Awaitable[Element | None]], session: Session) -> Element | None:
    try:
        return await tell(session)
    except Exception:
        session.log.exception("a client could not be told all of its account")
        return None
