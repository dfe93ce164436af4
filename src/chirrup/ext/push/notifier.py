"""Notifications on their way to push services, and what becomes of services that fail."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from chirrup.core.errors import StanzaError
from chirrup.core.xml import Element
from chirrup.ext.forms.payloads import Form
from chirrup.ext.pubsub.payloads import Item, Publish, PublishOptions, PubSub
from chirrup.ext.push import SUMMARY
from chirrup.ext.push.payloads import Notification
from chirrup.ext.push.registrations import Key, Linked, Registration, Registrations
from chirrup.ext.push.settings import PushSettings
from chirrup.ext.roster.roster import Roster

if TYPE_CHECKING:
    from chirrup.server.account import Account
    from chirrup.server.host import Host
    from chirrup.store import Map

_TRANSIENT: Final = frozenset(
    {
        "internal-server-error", "recipient-unavailable", "remote-server-not-found", "remote-server-timeout",
        "resource-constraint", "service-unavailable",
    }
)  # fmt: skip
"""What a service may get over, beside errors of type "wait"."""
_LONGEST_REST: Final = 3600.0


class Notifier:
    """Notifies the nodes of one host's accounts: of each, one notification at a time."""

    def __init__(self, host: Host, settings: PushSettings, stored: Map) -> None:
        self._host = host
        self._settings = settings
        self._map = stored
        self._stopped = False

    def stop(self) -> None:
        """Wait for nothing any more."""
        self._stopped = True
        for account in self._host.accounts.values():
            for registration in (account.find(Registrations) or Registrations()).values():
                _let_go(registration)

    def want(self, account: Account, registration: Registration) -> None:
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
        answer = registration.answer = self._host.iq.ask(registration.service, request, kind="set")
        timer = self._host.clock.call_later(self._settings.timeout, answer.cancel)

        def answered(future: asyncio.Future[Element]) -> None:
            timer.cancel()
            registration.answer = None
            self._answered(account, registration, future)

        answer.add_done_callback(answered)

    def _summary(self, account: Account, registration: Registration) -> Form | None:
        fields: dict[str, str | int] = {}
        if self._settings.message_count:
            fields["message-count"] = registration.count
        roster = account.find(Roster)
        if roster is not None and (requests := len(roster.requests)):
            fields["pending-subscription-count"] = requests
        if self._settings.last_message_sender and registration.sender:
            fields["last-message-sender"] = registration.sender
        if self._settings.last_message_body and registration.body:
            fields["last-message-body"] = registration.body
        return Form.of("submit", SUMMARY, fields) if fields else None

    def _answered(self, account: Account, registration: Registration, answer: asyncio.Future[Element]) -> None:
        """A service has answered, or hasn't in time (§7.1)."""
        error = StanzaError("remote-server-timeout", "no answer") if answer.cancelled() else answer.exception()
        if self._stopped or not self._is_current(account, registration):
            return
        if error is None:
            registration.failures = 0
        else:
            registration.failures += 1
            passing = isinstance(error, StanzaError) and (error.type == "wait" or error.condition in _TRANSIENT)
            if not passing or registration.failures >= self._settings.max_failures:
                self.forget(account, registration, str(error))
                return
        rest = min(self._settings.interval * 2**registration.failures, _LONGEST_REST)
        registration.rest = self._host.clock.call_later(rest, partial(self._rested, account, registration))

    def _rested(self, account: Account, registration: Registration) -> None:
        registration.rest = None
        if registration.again and self._is_current(account, registration):
            self._notify(account, registration)

    def _is_current(self, account: Account, registration: Registration) -> bool:
        account = self._host.accounts.get(account.jid.local, account)
        known = account.find(Registrations)
        return known is not None and known.get(registration.key) is registration

    def forget(self, account: Account, registration: Registration, reason: str) -> None:
        """Notify a node no more, unless a client switches it on again."""
        account = self._host.accounts.get(account.jid.local, account)
        drop(account, registration.key)
        self._host.log.info(
            "push is switched off", owner=account.jid.text, service=registration.service.text, reason=reason
        )

        def settled(future: asyncio.Future[int]) -> None:
            if not future.cancelled() and (error := future.exception()) is not None:
                self._host.log.error("push could not be switched off", owner=account.jid.text, reason=str(error))

        self._map.delete(account.jid.text, registration.stored_key).add_done_callback(settled)


def drop(account: Account, key: Key) -> None:
    """Take a node out of what an account and its sessions have in memory, with all that is under way to it."""
    registrations = account.find(Registrations)
    if registrations is not None and (gone := registrations.pop(key, None)) is not None:
        gone.seen()
        _let_go(gone)
    for session in account.sessions.values():
        linked = session.find(Linked)
        if linked is not None:
            linked.discard(key)


def _let_go(registration: Registration) -> None:
    """Neither wait for an answer of a service nor for the next notification."""
    if registration.rest is not None:
        registration.rest.cancel()
    if registration.answer is not None:
        registration.answer.cancel()
