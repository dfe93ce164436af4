"""Push at the server: who is to be notified of what, and how services that fail are treated."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.core.xml import Element
from chirrup.ext.client_state.waiting import Waiting
from chirrup.ext.forms.payloads import Form
from chirrup.ext.pubsub import NS as PUBSUB
from chirrup.ext.pubsub import PUBLISH_OPTIONS
from chirrup.ext.pubsub.payloads import Item, Publish, PublishOptions, PubSub
from chirrup.ext.push import NS, SUMMARY
from chirrup.ext.push.payloads import Disable, Enable, Notification
from chirrup.ext.push.registrations import Key, Linked, Registration, Registrations
from chirrup.ext.push.rules import is_worth_it
from chirrup.ext.roster.roster import Roster
from chirrup.server import hooks
from chirrup.server.module import (
    Account,
    Addressee,
    Module,
    Origin,
    Redelivery,
    Request,
    Session,
    Settings,
    Xep,
    iq_set,
)

_MAX_NODE: Final = 1024
_MAX_OPTIONS: Final = 4096
_MAX_BODY: Final = 500
_TRANSIENT: Final = frozenset(
    {
        "internal-server-error", "recipient-unavailable", "remote-server-not-found", "remote-server-timeout",
        "resource-constraint", "service-unavailable",
    }
)  # fmt: skip
"""What a service may get over, beside errors of type "wait"."""
_LONGEST_REST: Final = 3600.0


def _domain(text: str) -> str:
    return JID(text).domain


class PushSettings(Settings):
    """Where notifications may go, what they tell, and how much of the server a service may take."""

    services: frozenset[Annotated[str, AfterValidator(_domain)]] = Field(default=frozenset())
    """The domains whose push services may be used; any, if there is none."""
    max_services: int = Field(default=10, ge=1)
    """Nodes of push services that an account may have. Each has at most one notification under way."""
    interval: float = Field(default=2, ge=0)
    """Seconds between two notifications to one node; what happens meanwhile is one notification."""
    timeout: float = Field(default=60, gt=0)
    """Seconds that a service has to answer."""
    max_failures: int = Field(default=5, ge=1)
    """Notifications that may fail in a row, for lack of an answer or with an error that may pass, before a node is
    forgotten. After an error that won't pass it is forgotten at once."""
    message_count: bool = True
    """Whether a service is told how many messages there have been since the device was last seen."""
    last_message_sender: bool = False
    """Whether a service is told who sent the last one."""
    last_message_body: bool = False
    """Whether a service is told what the last one says. The service and whoever runs it can read that."""


class Push(Module):
    """Has devices woken by the push services of their programs."""

    xeps = (Xep(357, "0.4.1"),)
    account_features = (NS,)
    needs_accounts = True
    Settings = PushSettings
    settings: PushSettings

    async def start(self) -> None:
        self._map = self.host.store.map("push")

    @hooks.account_loading()
    async def load(self, account: Account) -> None:
        stored = await self._map.all(account.jid.text)
        if stored:
            found = (Registration.from_stored(key, value) for key, value in stored.items())
            account.put(Registrations({registration.key: registration for registration in found}))

    # -- what clients ask for

    @iq_set(Enable, to=[Addressee.OWN])
    async def enable(self, request: Request[Enable]) -> None:
        account, asked = _account(request), request.payload
        self._check(asked)
        new = Registration(asked.jid, asked.node, asked.options)
        known = account.find(Registrations) or Registrations()
        if new.key not in known and len(known) >= self.settings.max_services:
            raise StanzaError("resource-constraint", f"{self.settings.max_services} nodes can be notified at most")
        await self._map.set(account.jid.text, new.stored_key, new.stored)
        known = account.find(Registrations) or Registrations()
        account.put(known)
        older = known.setdefault(new.key, new)
        older.options, older.failures = new.options, 0
        older.seen()
        if request.session is not None:
            linked: Any = request.session.data.setdefault(Linked, Linked())
            linked.add(new.key)

    def _check(self, asked: Enable) -> None:
        """Raise what speaks against notifying a service: the server must not become somebody's tool against others.

        Accounts of this server are no push services, and would take what the host itself sends them for something
        else; nor is the host."""
        jid = asked.jid
        allowed = self.settings.services
        if (allowed and jid.domain not in allowed) or jid == self.host.jid:
            raise StanzaError("not-allowed", f"{jid} can't be used as a push service here")
        if jid.local and jid.domain in self.host.server.hosts:
            raise StanzaError("not-allowed", "an account is no push service")
        if len(asked.node) > _MAX_NODE:
            raise StanzaError("not-acceptable", f"a node has {_MAX_NODE} characters at most")
        options = asked.options
        if options is not None:
            if options.form_type != PUBLISH_OPTIONS:
                raise StanzaError("bad-request", f"the form should be about {PUBLISH_OPTIONS}")
            if len(str(options.to_element())) > _MAX_OPTIONS:
                raise StanzaError("not-acceptable", f"the options have {_MAX_OPTIONS} characters at most")

    @iq_set(Disable, to=[Addressee.OWN])
    async def disable(self, request: Request[Disable]) -> None:
        account, asked = _account(request), request.payload
        found = account.find(Registrations) or Registrations()
        gone = [
            registration
            for registration in found.values()
            if registration.service == asked.jid and asked.node in (None, registration.node)
        ]
        if gone:
            await self._map.delete(account.jid.text, *(registration.stored_key for registration in gone))
            for registration in gone:
                _drop(account, registration.key)

    # -- what happens

    @hooks.message_delivered()
    def delivered(self, account: Account, stanza: Element, sessions: Sequence[Session]) -> None:
        registrations = account.find(Registrations)
        if registrations:
            self._message(account, registrations, stanza, sessions)

    @hooks.message_unclaimed(before=["archive", "offline"])
    def unclaimed(self, account: Account, stanza: Element, to: JID, origin: Origin) -> bool:
        registrations = account.find(Registrations)
        if registrations and not isinstance(origin, Redelivery):
            self._message(account, registrations, stanza, ())
        return False

    @hooks.subscription_in(before=["roster"])
    def requested(self, account: Account, stanza: Element, sender: JID, origin: Origin) -> bool:
        registrations = account.find(Registrations)
        if registrations and stanza.get("type") == "subscribe":
            for registration in _of_the_absent(account, registrations):
                self._want(account, registration)
        return False

    def _message(
        self, account: Account, registrations: Registrations, stanza: Element, sessions: Sequence[Session]
    ) -> None:
        sender = stanza.get("from")
        address = sender.partition("/")[0]
        if stanza.child("pubsub", PUBSUB) is not None:
            self._revoked(account, registrations, stanza)
        elif address != account.jid.text and is_worth_it(stanza):
            for registration in _of_the_absent(account, registrations):
                if stanza.get("type") == "groupchat" and not _is_any_linked(sessions, registration.key):
                    continue  # that device isn't in the room
                registration.count += 1
                registration.sender = address if stanza.get("type") != "groupchat" else sender
                registration.body = stanza.child_text("body")[:_MAX_BODY]
                self._want(account, registration)

    def _revoked(self, account: Account, registrations: Registrations, stanza: Element) -> None:
        """A service says that it takes no more notifications of the account (§8)."""
        pubsub = stanza.child("pubsub", PUBSUB)
        affiliation = None if pubsub is None else pubsub.child("affiliation")
        if pubsub is None or affiliation is None or affiliation.get("affiliation") != "none":
            return
        for registration in list(registrations.values()):
            if (registration.service.text, registration.node) == (stanza.get("from"), pubsub.get("node")):
                self._forget(account, registration, "the service takes no more")

    @hooks.session_resumed()
    @hooks.session_active()
    def back(self, session: Session) -> None:
        """Somebody looks at the device again."""
        registrations = session.account.find(Registrations)
        for registration in registrations.values() if registrations else ():
            if _is_linked(session, registration.key):
                registration.seen()

    # -- notifications

    def _want(self, account: Account, registration: Registration) -> None:
        """Notify a node, as soon as that may be."""
        if registration.answer is not None or registration.rest is not None:
            registration.again = True
        else:
            self._notify(account, registration)

    def _notify(self, account: Account, registration: Registration) -> None:
        registration.again = False
        notification = Notification(self._summary(account, registration)).to_element()
        publish = Publish(registration.node, (Item(payloads=(notification,)),))
        options = None if registration.options is None else PublishOptions(registration.options)
        request = PubSub(publish=publish, publish_options=options).to_element()
        answer = registration.answer = self.host.iq.ask(registration.service, request, kind="set")
        timer = self.host.clock.call_later(self.settings.timeout, answer.cancel)

        def answered(future: asyncio.Future[Element]) -> None:
            timer.cancel()
            registration.answer = None
            self._answered(account, registration, future)

        answer.add_done_callback(answered)

    def _summary(self, account: Account, registration: Registration) -> Form | None:
        fields: dict[str, str | int] = {}
        if self.settings.message_count:
            fields["message-count"] = registration.count
        roster = account.find(Roster)
        if roster is not None and (requests := len(roster.requests)):
            fields["pending-subscription-count"] = requests
        if self.settings.last_message_sender and registration.sender:
            fields["last-message-sender"] = registration.sender
        if self.settings.last_message_body and registration.body:
            fields["last-message-body"] = registration.body
        return Form.of("submit", SUMMARY, fields) if fields else None

    def _answered(self, account: Account, registration: Registration, answer: asyncio.Future[Element]) -> None:
        """A service has answered, or hasn't in time (§7.1)."""
        error = StanzaError("remote-server-timeout", "no answer") if answer.cancelled() else answer.exception()
        if error is None:
            registration.failures = 0
        else:
            registration.failures += 1
            passing = isinstance(error, StanzaError) and (error.type == "wait" or error.condition in _TRANSIENT)
            if not passing or registration.failures >= self.settings.max_failures:
                self._forget(account, registration, str(error))
                return
        rest = min(self.settings.interval * 2**registration.failures, _LONGEST_REST)
        registration.rest = self.host.clock.call_later(rest, partial(self._rested, account, registration))

    def _rested(self, account: Account, registration: Registration) -> None:
        registration.rest = None
        if registration.again and self._is_current(account, registration):
            self._notify(account, registration)

    def _is_current(self, account: Account, registration: Registration) -> bool:
        account = self.host.accounts.get(account.jid.local, account)
        known = account.find(Registrations)
        return known is not None and known.get(registration.key) is registration

    def _forget(self, account: Account, registration: Registration, reason: str) -> None:
        """Notify a node no more, unless a client switches it on again."""
        account = self.host.accounts.get(account.jid.local, account)
        if not self._is_current(account, registration):
            return
        _drop(account, registration.key)
        self.host.log.info(
            "push is switched off", owner=account.jid.text, service=registration.service.text, reason=reason
        )

        def settled(future: asyncio.Future[int]) -> None:
            if not future.cancelled() and (error := future.exception()) is not None:
                self.host.log.error("push could not be switched off", owner=account.jid.text, reason=str(error))

        self._map.delete(account.jid.text, registration.stored_key).add_done_callback(settled)


def _drop(account: Account, key: Key) -> None:
    registrations = account.find(Registrations)
    if registrations is not None and (gone := registrations.pop(key, None)) is not None:
        gone.seen()
        if gone.rest is not None:
            gone.rest.cancel()
        if gone.answer is not None:
            gone.answer.cancel()


def _of_the_absent(account: Account, registrations: Registrations) -> list[Registration]:
    """Those whose device has no session, or one that has lost its connection, or that nobody looks at."""
    absent = []
    for registration in registrations.values():
        for session in account.sessions.values():
            if not session.detached and Waiting not in session.data and _is_linked(session, registration.key):
                registration.seen()
                break
        else:
            absent.append(registration)
    return absent


def _is_linked(session: Session, key: Key) -> bool:
    linked: Any = session.data.get(Linked)
    return linked is not None and key in linked


def _is_any_linked(sessions: Sequence[Session], key: Key) -> bool:
    return any(_is_linked(session, key) for session in sessions)


def _account(request: Request[Any]) -> Account:
    assert request.account is not None
    return request.account
