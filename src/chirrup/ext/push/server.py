"""Push at the server: who is to be notified of what, and how services that fail are treated."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.core.xml import Element
from chirrup.ext.client_state.waiting import Waiting
from chirrup.ext.pubsub import NS as PUBSUB
from chirrup.ext.pubsub import PUBLISH_OPTIONS
from chirrup.ext.push import NS
from chirrup.ext.push.notifier import Notifier, drop
from chirrup.ext.push.payloads import Disable, Enable
from chirrup.ext.push.registrations import Key, Linked, Registration, Registrations
from chirrup.ext.push.rules import is_worth_it
from chirrup.ext.push.settings import PushSettings
from chirrup.ext.push.unread import is_of_another, unread
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
    Xep,
    iq_set,
)

if TYPE_CHECKING:
    from chirrup.net.clock import Timer

_MAX_NODE: Final = 1024
_MAX_OPTIONS: Final = 4096
_PATIENCE: Final = 2.0
"""Seconds that a device has to come back after its connection was lost, before it is notified of what it may lack."""


class Push(Module):
    """Has devices woken by the push services of their programs."""

    xeps = (Xep(357, "0.4.1"),)
    account_features = (NS,)
    needs_accounts = True
    Settings = PushSettings
    settings: PushSettings

    async def start(self) -> None:
        self._map = self.host.store.map("push")
        self._notifier = Notifier(self.host, self.settings, self._map)
        self._lost: dict[Session, Timer] = {}

    async def stop(self) -> None:
        for timer in self._lost.values():
            timer.cancel()
        self._notifier.stop()

    @hooks.account_loading()
    async def load(self, account: Account) -> None:
        stored = await self._map.all(account.jid.text)
        if stored:
            found = (Registration.from_stored(key, value) for key, value in stored.items())
            account.put(Registrations({registration.key: registration for registration in found}))

    @hooks.account_removed()
    def removed(self, account: Account) -> None:
        for key in list(account.find(Registrations) or ()):
            drop(account, key)

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
            linked = request.session.find(Linked)
            if linked is None:
                linked = request.session.put(Linked())
            linked.add(new.key)

    def _check(self, asked: Enable) -> None:
        """Raise what speaks against notifying a service: the server must not become somebody's tool against others.

        Accounts of this server are no push services, and would take what the host itself sends them for something
        else; nor are its hosts."""
        jid = asked.jid
        allowed = self.settings.services
        if (allowed and jid.domain not in allowed) or jid.domain in self.host.server.hosts:
            raise StanzaError("not-allowed", f"{jid} can't be used as a push service here")
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
                drop(account, registration.key)

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
        registrations, roster = account.find(Registrations), account.find(Roster)
        if not registrations or roster is None or stanza.get("type") != "subscribe":
            return False
        if not roster.get(sender).state.pending_in:  # soon, when the roster may have the request
            asyncio.get_running_loop().call_soon(self._asked, account, roster, sender)
        return False

    def _asked(self, account: Account, roster: Roster, sender: JID) -> None:
        registrations = account.find(Registrations)
        if registrations and roster.get(sender).state.pending_in:
            for registration in _of_the_absent(account, registrations):
                self._notifier.want(account, registration)

    def _message(
        self, account: Account, registrations: Registrations, stanza: Element, sessions: Sequence[Session]
    ) -> None:
        if stanza.child("pubsub", PUBSUB) is not None:
            self._revoked(account, registrations, stanza)
        elif is_of_another(stanza, account.jid) and is_worth_it(stanza):
            for registration in _of_the_absent(account, registrations):
                if stanza.get("type") == "groupchat" and not _is_any_linked(sessions, registration.key):
                    continue  # that device isn't in the room
                registration.add(stanza)
                self._notifier.want(account, registration)

    def _revoked(self, account: Account, registrations: Registrations, stanza: Element) -> None:
        """A service says that it takes no more notifications of the account (§8)."""
        pubsub = stanza.child("pubsub", PUBSUB)
        affiliation = None if pubsub is None else pubsub.child("affiliation")
        if pubsub is None or affiliation is None or affiliation.get("affiliation") != "none":
            return
        for registration in list(registrations.values()):
            if (registration.service.text, registration.node) == (stanza.get("from"), pubsub.get("node")):
                self._notifier.forget(account, registration, "the service takes no more")

    @hooks.session_detached(before=["client_state"])
    def lost(self, session: Session) -> None:
        self._look_back(session)

    @hooks.session_closed(before=["client_state"])
    def closed(self, session: Session) -> None:
        if not session.detached and not session.closing:
            self._look_back(session)

    def _look_back(self, session: Session) -> None:
        """A connection is gone, it may be for longer than the server knows: the device may not have what was sent last,
        unless its program was known to be inactive, and so notified. It has a moment to come back."""
        account, management = session.account, session.management
        if management is None or Waiting in session.data or Linked not in session.data:
            return
        if account.find(Registrations) and (missed := unread(management.queue, account.jid)):
            self._found(session)
            self._lost[session] = self.host.clock.call_later(_PATIENCE, partial(self._missed, session, missed))

    def _found(self, session: Session) -> None:
        if (timer := self._lost.pop(session, None)) is not None:
            timer.cancel()

    def _missed(self, session: Session, messages: Sequence[Element]) -> None:
        self._found(session)
        account = self.host.accounts.get(session.account.jid.local, session.account)
        registrations = account.find(Registrations) or Registrations()
        for registration in _of_the_absent(account, registrations):
            if _is_linked(session, registration.key):
                for message in messages:
                    registration.add(message)
                self._notifier.want(account, registration)

    @hooks.session_resumed()
    @hooks.session_active()
    def back(self, session: Session) -> None:
        """Somebody looks at the device again."""
        self._found(session)
        registrations = session.account.find(Registrations)
        for registration in registrations.values() if registrations else ():
            if _is_linked(session, registration.key):
                registration.seen()


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
    linked = session.find(Linked)
    return linked is not None and key in linked


def _is_any_linked(sessions: Sequence[Session], key: Key) -> bool:
    return any(_is_linked(session, key) for session in sessions)


def _account(request: Request[Any]) -> Account:
    assert request.account is not None
    return request.account
