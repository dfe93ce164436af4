"""Registration at the server: accounts made before a log-in, passwords changed and accounts removed after it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from pydantic import Field, ValidationInfo, field_validator

from chirrup.core.errors import AddressError, StanzaError, StreamError
from chirrup.core.jid import JID
from chirrup.core.xml import Element
from chirrup.ext.oob import X as OOB
from chirrup.ext.oob.payloads import Link
from chirrup.ext.registration import FEATURE, NS
from chirrup.ext.registration.form import blank, username_and_password
from chirrup.ext.registration.pace import Pace
from chirrup.ext.registration.payloads import Query
from chirrup.server.module import Addressee, Module, Request, Session, Settings, Xep, iq_get, iq_set, network

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from chirrup.core.sasl import ScramKeys
    from chirrup.server.host import Host

TAKES_TOKENS: Final = ("invitation", "open")
"""The modes in which those who were invited can register."""
_WHOSE: Final = (Addressee.HOST, Addressee.OWN)
_HOUR: Final = 3600.0
_TRIES: Final = 10
"""Names that may be tried, for each account that may be registered: most fail because somebody has them already."""
_LONGEST_PASSWORD: Final = 1024
"""Characters; preparing a longer one would take the password thread's time."""


class RegistrationSettings(Settings):
    """Who may make accounts, and what their owners may do with them."""

    mode: Literal["closed", "invitation", "open", "redirect"] = "invitation"
    """Who may register from within a chat program: "closed": nobody, "invitation": who was invited, "open": anybody,
    "redirect": nobody, but those who try are shown where else they can."""
    redirect_url: str = Field(default="", validate_default=True)
    """Web page to register at, for the mode "redirect"."""
    registrations_per_hour: int = Field(default=5, ge=1)
    """Accounts that may be registered from one IPv4 address, or one IPv6 network of 64 bits, in an hour."""
    min_password_length: int = Field(default=8, ge=1, le=128)
    """Characters that a password has at least, when it is chosen in this way."""
    password_change: Literal["secure", "always", "never"] = "secure"
    """When people may change their password from within their chat program: "secure": over TLS, "always": also without,
    for a server behind something that does the TLS, "never"."""
    password_changes_per_hour: int = Field(default=10, ge=1)
    """Password changes of one account in an hour."""
    removal: bool = True
    """Whether people may remove their account from within their chat program."""

    @field_validator("redirect_url")
    @classmethod
    def _where_to(cls, url: str, info: ValidationInfo) -> str:
        if info.data.get("mode") == "redirect" and not url.startswith(("https://", "http://")):
            raise ValueError('should be a web address, such as "https://example.org/register", for mode = "redirect"')
        return url


class TooMany:
    """Marks a stream of which the log has told that it is one too many to register."""


class Doorkeeper(Protocol):
    """What knows who was invited. `stream` is what is kept for a stream before its log-in."""

    def invited(self, stream: dict[type, Any]) -> bool:
        """Whether it has shown an invitation."""

    async def admit(self, stream: dict[type, Any], local: str) -> None:
        """Raise StanzaError where it can't have that name."""

    def take(self, connection: Connection, stream: dict[type, Any]) -> None:
        """Use its invitation up, in the transaction that makes the account. Raises StanzaError."""

    async def registered(self, stream: dict[type, Any], local: str) -> None:
        """The account was made."""


class Registration(Module):
    """Lets people make accounts, change their passwords and remove their accounts."""

    xeps = (Xep(66, "1.5", "redirects to a page where one can register"), Xep(77, "2.4"))
    needs_accounts = True
    Settings = RegistrationSettings
    settings: RegistrationSettings

    def __init__(self, host: Host, settings: RegistrationSettings) -> None:
        super().__init__(host, settings)
        self._mode = self.settings.mode
        self.doorkeeper: Doorkeeper | None = None
        """Set by the module that knows who was invited. Without, the mode "invitation" is as "closed"."""
        if self._mode != "closed" or self.settings.password_change != "never" or self.settings.removal:
            self.features = (NS, OOB) if self._mode == "redirect" else (NS,)
        most = self.settings.registrations_per_hour
        self._made = Pace(most, _HOUR)
        self._tried = Pace(most * _TRIES, _HOUR)
        self._changed = Pace(self.settings.password_changes_per_hour, _HOUR)

    def stream_features(self, *, logged_in: bool, secure: bool) -> Iterable[Element]:
        return () if logged_in or self._shut else (Element("register", FEATURE),)

    @property
    def _shut(self) -> bool:
        return self._mode == "closed" or (self._mode == "invitation" and self.doorkeeper is None)

    @property
    def takes_tokens(self) -> bool:
        """Whether those who were invited can register."""
        return self._mode in TAKES_TOKENS

    def tried(self, peer: str) -> None:
        """Count an attempt from there. StanzaError where there were too many."""
        if not self._tried.take(network(peer), self.host.clock.monotonic()):
            raise _too_many()

    def _check_open(self, stream: dict[type, Any]) -> None:
        """Refuse those who can't register."""
        if self._shut:
            raise StanzaError("service-unavailable", "nobody can register here in this way")
        if self._mode == "redirect":
            raise StanzaError("not-allowed", f"to register, visit {self.settings.redirect_url}")
        if self._mode == "invitation" and not (self.doorkeeper and self.doorkeeper.invited(stream)):
            raise StanzaError("not-allowed", "to register here takes an invitation; open its link in your chat program")

    # -- what is asked

    @iq_get(Query, to=_WHOSE, before_login=True)
    def fields(self, request: Request[Query]) -> Query:
        """What to fill in, for a client that hasn't logged in; for one that has, its own account, but no password."""
        session = self._asker(request)
        if session is not None:
            return Query(registered=True, username=session.jid.local, password="")
        if self._mode == "redirect":
            url = self.settings.redirect_url
            return Query(instructions=f"To register, visit {url}", link=Link(url))
        self._check_open(request.stream)
        instructions = (
            "Choose a username, and a password for it that has at least "
            f"{self.settings.min_password_length} characters."
        )
        return Query(instructions=instructions, username="", password="", form=blank(instructions))

    @iq_set(Query, to=_WHOSE, before_login=True)
    async def set(self, request: Request[Query]) -> None:
        session = self._asker(request)
        if request.payload.remove:
            await self._remove(request, session)
        elif session is None:
            await self._register(request.payload, request.peer, request.stream)
        else:
            await self._change_password(request.payload, session)

    def _asker(self, request: Request[Query]) -> Session | None:
        """The session of one of this host's own accounts; None for a stream that isn't authenticated. Nobody else has
        anything to ask here."""
        session = request.session
        if session is None and request.peer:
            return None
        if session is None or session.host is not self.host:
            raise StanzaError("service-unavailable")
        return session

    # -- before a log-in

    async def _register(self, query: Query, peer: str, stream: dict[type, Any]) -> None:
        """Make an account; durable when this returns (§3.1)."""
        self._check_open(stream)
        name, password = username_and_password(query)
        if not name or not password:
            raise StanzaError("not-acceptable", "both a username and a password are needed")
        jid = self._address(name)
        self._check(password)
        source, now = network(peer), self.host.clock.monotonic()
        if not self._tried.take(source, now) or not self._made.take(source, now):
            if TooMany not in stream:  # or who tries on writes as much into the log
                stream[TooMany] = TooMany()
                self.host.log.warning("too many registrations", peer=peer)
            raise _too_many()
        try:
            await self._create(jid, password, stream)
        except BaseException:
            self._made.give_back(source)
            raise
        self.host.log.info("account registered", user=jid.local, peer=peer)

    async def _create(self, jid: JID, password: str, stream: dict[type, Any]) -> None:
        store, accounts, doorkeeper = self.host.store, self.host.store.accounts, self.doorkeeper
        # An administrator's account that doesn't exist yet isn't for the first who comes along.
        if jid.text in self.host.config.admins or await accounts.exists(self.host.name, jid.local):
            raise StanzaError("conflict", "somebody has that username already")
        if doorkeeper is not None:
            await doorkeeper.admit(stream, jid.local)
        keys, now = await self._keys(password), self.host.clock.time()

        def make(connection: Connection) -> None:
            if accounts.within(connection).create_many(self.host.name, [(jid.local, keys)], created=now):
                raise StanzaError("conflict", "somebody has that username already")
            if doorkeeper is not None:
                doorkeeper.take(connection, stream)

        await store.submit(make)
        if doorkeeper is not None:
            await doorkeeper.registered(stream, jid.local)

    # -- after it

    async def _change_password(self, query: Query, session: Session) -> None:
        """Durable when this returns (§3.3). The account's other sessions end: somebody else may have that password."""
        when = self.settings.password_change
        if when == "never":
            raise StanzaError("not-allowed", "passwords can't be changed in this way here")
        if when == "secure" and not session.secure:
            raise StanzaError("not-authorized", "a password is changed over TLS only")
        name, password = username_and_password(query)
        if not name or not password:
            raise StanzaError("bad-request", "both the username and a new password are needed")
        local = session.jid.local
        if self._address(name).local != local:
            raise StanzaError("not-allowed", f"you are logged in as {local}; only that password can be changed")
        self._check(password)
        if not self._changed.take(local, self.host.clock.monotonic()):
            raise StanzaError("not-acceptable", "too many changes of the password; try later", type="wait")
        if not await self.host.store.accounts.set_keys(self.host.name, local, await self._keys(password)):
            raise StanzaError("registration-required", "the account is gone")
        self.host.password_changed(local, spare=session.jid)
        session.log.info("password changed")

    async def _remove(self, request: Request[Query], session: Session | None) -> None:
        """Remove the account: its client learns of that first, then its stream ends as the others do (§3.2)."""
        if session is None:
            raise StanzaError("unexpected-request", "log in to remove your account")
        query = request.stanza.first
        if query is None or sum(1 for _ in query.elements()) != 1:
            raise StanzaError("bad-request", "<remove/> stands alone")
        if not self.settings.removal:
            raise StanzaError("not-allowed", "accounts can't be removed in this way here")
        await self.host.remove_account(session.jid.local, spare=session.jid)
        session.log.info("account removed by its owner")
        gone = StreamError("not-authorized", "the account was removed")
        asyncio.get_running_loop().call_soon(session.wire.fail, gone)

    # -- names and passwords

    def _address(self, name: str) -> JID:
        try:
            return JID.of(name, self.host.jid.domain)
        except AddressError as error:
            raise StanzaError("not-acceptable", str(error)) from None

    def _check(self, password: str) -> None:
        least = self.settings.min_password_length
        if not least <= len(password) <= _LONGEST_PASSWORD:
            raise StanzaError("not-acceptable", f"a password has {least} to {_LONGEST_PASSWORD} characters")

    async def _keys(self, password: str) -> tuple[ScramKeys, ...]:
        try:
            return await self.host.server.credentials.make(password)
        except ValueError:
            raise StanzaError("not-acceptable", "the password has characters that passwords can't have") from None


def _too_many() -> StanzaError:
    return StanzaError("not-acceptable", "too many registrations from your address; try later", type="wait")
