"""Invitations at the server: commands that make them, and what their tokens open."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from chirrup.core.errors import AddressError, ChirrupError, PayloadError, StanzaError
from chirrup.core.jid import JID
from chirrup.core.record import record
from chirrup.core.xml import Element
from chirrup.ext.administration.server import Administration
from chirrup.ext.commands.execution import Command, Execution, Failed, Outcome
from chirrup.ext.commands.server import Commands
from chirrup.ext.forms.declared import Questions, form, question
from chirrup.ext.invitations import CREATE_ACCOUNT, IBR_TOKEN, INVITATION, INVITE
from chirrup.ext.invitations.invitation import MOST_DAYS, Invitation, Invitations
from chirrup.ext.invitations.payloads import Preauth
from chirrup.ext.registration.server import Registration
from chirrup.ext.roster.server import Rosters
from chirrup.server import hooks
from chirrup.server.module import Account, Module, Origin, Request, Settings, Xep, iq_set

if TYPE_CHECKING:
    from sqlalchemy import Connection

_DAY = 86_400.0


class InvitationsSettings(Settings):
    """Who may invite whom, and for how long."""

    days: float = Field(default=7, gt=0, le=MOST_DAYS)
    """Days after which an invitation has expired."""
    users_may_invite: bool = True
    """Whether every user may invite people to make an account here. Without, they invite contacts only."""
    invitations_per_user: int = Field(default=20, ge=1)
    """Invitations of one user that may be open at the same time."""
    landing_url: str = ""
    """Web page that explains an invitation to people without a chat program, such as
    "https://example.org/invite/#{token}"; {token} and {uri} stand for the token and the whole link."""

    @field_validator("landing_url")
    @classmethod
    def _is_one(cls, url: str) -> str:
        if url and not (url.startswith(("https://", "http://")) and ("{token}" in url or "{uri}" in url)):
            raise ValueError(
                'should be a web address with {token} or {uri} in it, such as "https://example.org/#{token}"'
            )
        return url


@form()
class NewAccount(Questions):
    username: str | None = question("Username", description="Left empty, whoever is invited chooses it.")
    roster_subscription: bool = question("Become contacts", var="roster-subscription", default=True)


@form(INVITATION)
class Made(Questions):
    uri: str = question("Link")
    landing_url: str | None = question("Web page", var="landing-url")
    expire: datetime | None = question("Good until")


@record
class Ticket:
    """A token that a stream has shown before its registration. It doesn't expire from then on (XEP-0445 §5)."""

    token: str
    invitation: Invitation


class Inviting(Module):
    """Lets people invite others, to an account here or as contacts."""

    needs = ("roster", "registration", "commands", "administration")
    xeps = (Xep(379, "0.3.3"), Xep(401, "0.6.0", "a landing page is elsewhere, by a setting"), Xep(445, "0.2.0"))
    needs_accounts = True
    Settings = InvitationsSettings
    settings: InvitationsSettings

    async def start(self) -> None:
        self._invitations = Invitations(self.host.store, self.host.name)
        self._rosters = self.need(Rosters)
        self._registration = self.need(Registration)
        self._registration.doorkeeper = self
        commands, administration = self.need(Commands), self.need(Administration)
        commands.add(Command(INVITE, "Invite somebody", self._invite, allowed=self._is_user))
        if self._registration.takes_tokens:
            allowed = self._is_user if self.settings.users_may_invite else administration.is_admin
            commands.add(Command(CREATE_ACCOUNT, "Invite somebody to an account here", self._create, allowed=allowed))

    def _is_user(self, jid: JID) -> bool:
        return bool(jid.local) and jid.domain == self.host.jid.domain

    def stream_features(self, *, logged_in: bool, secure: bool) -> Iterable[Element]:
        return () if logged_in or not self._registration.takes_tokens else (Element("register", IBR_TOKEN),)

    # -- making them

    async def _invite(self, execution: Execution) -> Outcome:
        """A link for one more contact, who may make an account here where users may invite (XEP-0401 §5.1)."""
        may_register = self.settings.users_may_invite and self._registration.takes_tokens
        maker = execution.requester.bare.text
        return await self._make(Invitation(maker, may_register=may_register, maker=maker))

    async def _create(self, execution: Execution) -> Outcome:
        """A link for one more account (XEP-0401 §5.4)."""
        asked = await execution.ask(NewAccount)
        username = await self._free(asked.username or "")
        maker = execution.requester.bare.text
        inviter = maker if asked.roster_subscription else ""
        return await self._make(Invitation(inviter, username, maker=maker), register=True)

    async def _free(self, username: str) -> str:
        """The name, prepared. Failed where nobody can have it any more."""
        if not username:
            return ""
        try:
            local = JID.of(username, self.host.jid.domain).local
        except AddressError as error:
            raise Failed(str(error)) from None
        if await self.host.store.accounts.exists(self.host.name, local):
            raise Failed(f"somebody is called {local} already")
        return local

    async def _make(self, invitation: Invitation, *, register: bool = False) -> Outcome:
        now = self.host.clock.time()
        expires = now + self.settings.days * _DAY
        invitation = replace(invitation, expires=expires)
        try:
            token = await self._invitations.create(invitation, now=now, most=self.settings.invitations_per_user)
        except ChirrupError as error:
            raise Failed(str(error)) from None
        uri = (
            replace(invitation, inviter="").link(self.host.name, token)
            if register
            else invitation.link(self.host.name, token)
        )
        page = self.settings.landing_url.replace("{token}", token).replace("{uri}", uri)
        return Made(uri=uri, landing_url=page or None, expire=datetime.fromtimestamp(round(expires), UTC))

    # -- accounts for those who were invited

    @iq_set(Preauth, before_login=True)
    async def show(self, request: Request[Preauth]) -> None:
        """A stream shows its token, before it registers (XEP-0445 §5)."""
        if request.session is not None or not request.peer:
            raise StanzaError("not-allowed", "you have an account already")
        self._registration.tried(request.peer)
        invitation = await self._invitations.find(request.payload.token, now=self.host.clock.time())
        if (
            invitation is None
            or not invitation.may_register
            or not self._registration.takes_tokens
            or not await self._stands(invitation)
        ):
            raise StanzaError("item-not-found", "the invitation is unknown, was used, or has expired")
        request.stream[Ticket] = Ticket(request.payload.token, invitation)

    async def _stands(self, invitation: Invitation) -> bool:
        """Whether its maker is still there, and not disabled."""
        if not invitation.maker:
            return True
        known = await self.host.store.accounts.info(self.host.name, JID(invitation.maker).local)
        return known is not None and not known.disabled

    def invited(self, stream: dict[type, Any]) -> bool:
        """Whether a stream has shown a token."""
        return Ticket in stream

    async def admit(self, stream: dict[type, Any], local: str) -> None:
        """Refuse, by StanzaError, a name that isn't the one that the stream's token is for, or is kept for another."""
        ticket: Ticket | None = stream.get(Ticket)
        wanted = ticket.invitation.username if ticket is not None else ""
        if wanted and wanted != local:
            raise StanzaError("not-acceptable", f"the invitation is for {wanted}")
        if not wanted and await self._invitations.reserved(local, now=self.host.clock.time()):
            raise StanzaError("conflict", "that username is kept for somebody who was invited")

    def take(self, connection: Connection, stream: dict[type, Any]) -> None:
        """Use up the stream's token, in the transaction that makes its account. StanzaError where somebody else was
        quicker."""
        ticket: Ticket | None = stream.get(Ticket)
        if ticket is not None and not self._invitations.use_within(connection, ticket.token):
            raise StanzaError("not-allowed", "the invitation was used by somebody else")

    async def registered(self, stream: dict[type, Any], local: str) -> None:
        """An account was made: it and its inviter become contacts."""
        ticket: Ticket | None = stream.pop(Ticket, None)
        if ticket is None or not ticket.invitation.inviter:
            return
        inviter, account = await self.host.load(JID(ticket.invitation.inviter).local), await self.host.load(local)
        if inviter is not None and account is not None:
            await self._rosters.befriend(inviter, account.jid)
            await self._rosters.befriend(account, inviter.jid)

    # -- contacts

    @hooks.subscription_in(before=["roster"])
    def requested(self, account: Account, stanza: Element, sender: JID, origin: Origin) -> bool:
        """A subscription request with a token of the account's own is granted, and answered by one (XEP-0379 §3.5)."""
        if stanza.attrs.get("type") != "subscribe" or stanza.child(Preauth.NAME, Preauth.NS) is None:
            return False
        origin.hold(self.host.server.spawn(self._requested(account, stanza, sender, origin)), stanza)
        return True

    async def _requested(self, account: Account, stanza: Element, sender: JID, origin: Origin) -> None:
        if await self._opens(account, stanza):
            await self._rosters.expect(account, sender)
            self._rosters.receive(account, stanza, sender, origin)
            self._rosters.ask(account, sender)
        else:
            self._rosters.receive(account, stanza, sender, origin)

    async def _opens(self, account: Account, stanza: Element) -> bool:
        """Whether the stanza's token is one by which the account invited somebody; it is used up then."""
        try:
            shown = Preauth.find(stanza)
        except PayloadError:
            return False
        if shown is None:
            return False
        invitation = await self._invitations.find(shown.token, now=self.host.clock.time())
        if invitation is None or invitation.inviter != account.jid.text or invitation.username:
            return False
        return await self._invitations.use(shown.token)
