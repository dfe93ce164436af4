"""Rosters at the server: kept, sent, changed and pushed, and the subscriptions that they are full of."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.roster import NS, PRE_APPROVAL, VERSIONS
from chirrup.ext.roster.payloads import Item, Query
from chirrup.ext.roster.roster import Contact, Roster
from chirrup.ext.roster.states import INBOUND, OUTBOUND, State, Step, approved_beforehand, removed
from chirrup.server import hooks
from chirrup.server.module import (
    Account,
    Addressee,
    Module,
    Origin,
    Request,
    Session,
    Settings,
    Xep,
    bounce,
    iq_get,
    iq_set,
)

if TYPE_CHECKING:
    from chirrup.server.host import Host

_WHOSE: Final = (Addressee.OWN, Addressee.ACCOUNT)
"""Rosters of others are refused, but with the error that RFC 6121 §2.3.3 names."""


Steward = Callable[[JID, str], bool]
"""Whether that sender may "get" or "set" the rosters of others; a StanzaError says what is missing."""


class RosterSettings(Settings):
    """What a roster may hold."""

    max_contacts: int = Field(default=1000, ge=1)
    """Items in a roster."""
    max_groups: int = Field(default=100, ge=1)
    """Groups of one item."""
    max_name_length: int = Field(default=1023, ge=1)
    """Characters in the name of a contact."""
    max_group_length: int = Field(default=1023, ge=1)
    """Characters in the name of a group."""
    max_requests: int = Field(default=200, ge=1)
    """Subscription requests that wait for an account's answer; further ones are refused."""
    max_request_length: int = Field(default=8192, ge=1)
    """Characters of a subscription request that are kept until it is answered; of a longer one only the sender is."""


class Interested:
    """Marks a session that has asked for the roster, and so receives its changes (§2.2)."""


class Rosters(Module):
    """Keeps everybody's roster and presence subscriptions."""

    xeps = (Xep(237, "1.3", "part of RFC 6121"),)
    features = (NS,)
    Settings = RosterSettings
    settings: RosterSettings

    def __init__(self, host: Host, settings: RosterSettings) -> None:
        super().__init__(host, settings)
        self._stewards: list[Steward] = []

    def let(self, steward: Steward) -> Callable[[], None]:
        """Let others than an account's owner get and set its roster; what is returned ends that."""
        self._stewards.append(steward)
        return lambda: self._stewards.remove(steward)

    def stream_features(self, *, logged_in: bool, secure: bool) -> Iterable[Element]:
        return (Element("ver", VERSIONS), Element("sub", PRE_APPROVAL)) if logged_in else ()

    # -- the account's life

    @hooks.account_loading()
    async def load(self, account: Account) -> None:
        roster = Roster(account.jid)
        if not self.host.anonymous:
            for jid, text in (await self.host.store.map("roster").all(account.jid.text)).items():
                roster.put(Contact.from_text(JID(jid), text))
        account.put(roster)

    @hooks.account_removed()
    async def remove(self, account: Account) -> None:
        await self._part_from_all(account)

    async def _part_from_all(self, account: Account) -> None:
        """End every subscription; done when that is durable at the contacts of this server."""
        roster = account.get(Roster)
        contacts = roster.contacts
        roster.clear()
        farewell = Farewell()
        for contact in contacts:
            await self._part(account, contact, farewell)
        await asyncio.gather(*farewell.stored)

    @hooks.session_closed(after=["presence"])
    def remove_guest(self, session: Session) -> None:
        """An account of an anonymous host ends with its last session."""
        if self.host.anonymous and not session.account.sessions:
            self.host.server.spawn(self._part_from_all(session.account))

    @hooks.session_available()
    def deliver_requests(self, session: Session) -> None:
        """Requests come again until they are answered (§3.1.3); those sent to other servers may have been lost on the
        way, and are sent again (§3.1.2)."""
        account = session.account
        roster = account.get(Roster)
        for contact in roster.requests:
            if not account.refuses(contact.jid):
                session.write(contact.request.encode())
        if len(account.available) > 1:
            return
        for contact in roster.contacts:
            elsewhere = contact.jid.domain != self.host.jid.domain
            if contact.state.pending_out and elsewhere and not account.refuses(contact.jid):
                self.host.send(_presence("subscribe", account.jid, contact.jid, secrets.token_urlsafe(9)))

    # -- what clients ask for

    @iq_get(Query, to=_WHOSE, even_missing=True)
    async def get(self, request: Request[Query]) -> Query | None:
        account = self._account(request, "get")
        if request.payload.items:
            raise StanzaError("bad-request", "a roster get has no items")
        if self.host.store.pending:  # else the session's answers might be held up, and pushes come before this one
            await self.host.store.settled()
        if request.session is not None:
            request.session.put(Interested())
        roster = account.get(Roster)
        return None if request.payload.ver == roster.version else roster.query()

    @iq_set(Query, to=_WHOSE, even_missing=True)
    async def set(self, request: Request[Query]) -> None:
        account = self._account(request, "set")
        if len(request.payload.items) != 1:
            raise StanzaError("bad-request", "a roster set has exactly one item")
        item = request.payload.items[0]
        roster = account.get(Roster)
        contact = roster.get(item.jid)
        if item.subscription == "remove":
            if not contact.listed:
                raise StanzaError("item-not-found", f"{item.jid} is not in the roster")
            await self._take_out(account, contact)
            return
        self._check(roster, contact, item)
        stored = self._change(account, replace(contact, name=item.name, groups=item.groups, listed=True))
        self._push(account, item.jid)
        await stored

    def _account(self, request: Request[Query], kind: str) -> Account:
        """Whose roster it is. StanzaError for those whose affair it isn't."""
        account, sender = request.account, request.sender
        if account is not None and sender.bare == account.jid:
            return account
        if any(steward(sender, kind) for steward in self._stewards):
            if account is None:
                raise StanzaError("item-not-found", "there is no such account")
            return account
        raise StanzaError("forbidden", "a roster is its owner's affair")

    async def _take_out(self, account: Account, contact: Contact) -> None:
        stored = self._change(account, Contact(contact.jid))
        self._push(account, contact.jid)
        farewell = Farewell()
        await self._part(account, contact, farewell)
        await asyncio.gather(stored, *farewell.stored)

    def _check(self, roster: Roster, contact: Contact, item: Item) -> None:
        """Refuse what can't be an item (§2.3.3)."""
        settings = self.settings
        if item.jid.bare == roster.owner:
            raise StanzaError("not-allowed", "nobody is their own contact")
        if len(set(item.groups)) != len(item.groups):
            raise StanzaError("bad-request", "a group is there twice")
        if len(item.name) > settings.max_name_length:
            raise StanzaError("not-acceptable", f"a name has {settings.max_name_length} characters at most")
        if len(item.groups) > settings.max_groups:
            raise StanzaError("not-acceptable", f"an item has {settings.max_groups} groups at most")
        if not all(0 < len(group) <= settings.max_group_length for group in item.groups):
            raise StanzaError("not-acceptable", f"a group has 1 to {settings.max_group_length} characters")
        self._check_room(roster, contact)

    def _check_room(self, roster: Roster, contact: Contact) -> None:
        if not contact.listed and len(roster) >= self.settings.max_contacts:
            raise StanzaError("resource-constraint", f"a roster has {self.settings.max_contacts} items at most")

    # -- subscriptions, from the account's clients

    @hooks.subscription_out()
    def send(self, session: Session, stanza: Element, to: JID) -> bool | Awaitable[None]:
        account = session.account
        if to == account.jid:
            raise StanzaError("not-allowed", "everybody sees their own presence")
        kind = stanza.attrs["type"]
        roster = account.get(Roster)
        before = roster.get(to)
        step = OUTBOUND[kind][before.state]
        after = replace(
            before.moved(step.state),
            approved=step.approves or (before.approved and kind != "unsubscribed"),
            listed=before.listed or kind in ("subscribe", "subscribed"),
        )
        if after.listed:
            self._check_room(roster, before)
        stanza.attrs["from"], stanza.attrs["to"] = account.jid.text, to.text
        if after != before:
            session.hold(self._change(account, after), stanza)
        if before.state.shares and not after.state.shares:  # they learn first that the account is unavailable (§3.2.2)
            self._tell(account, before, after)
        waiting = self.host.router.route(stanza, to, account.jid, session) if step.passed else None
        if waiting is not None:
            return self._follow(waiting, account, before, after)
        self._sent(account, before, after)
        return True

    async def _follow(self, waiting: Awaitable[None], account: Account, before: Contact, after: Contact) -> None:
        await waiting
        self._sent(account, before, after)

    def _sent(self, account: Account, before: Contact, after: Contact) -> None:
        if before.item != after.item and account.get(Roster).get(after.jid) == after:
            self._push(account, after.jid)  # unless the contact's answer is here already, and pushed
        if after.state.shares or not before.state.shares:
            self._tell(account, before, after)

    # -- subscriptions, from contacts

    @hooks.subscription_in()
    def receive(self, account: Account, stanza: Element, sender: JID, origin: Origin) -> bool:
        if sender == account.jid:
            return True
        stanza.attrs["from"], stanza.attrs["to"] = sender.text, account.jid.text
        kind = stanza.attrs["type"]
        before = account.get(Roster).get(sender)
        step = INBOUND[kind][before.state]
        if kind == "subscribe":
            self._requested(account, stanza, before, step, origin)
        elif step.passed:
            after = before.moved(step.state)
            origin.hold(self._change(account, after), stanza)
            for session in interested(account):
                session.send(stanza)
            if before.item != after.item:
                self._push(account, sender)
            self._tell(account, before, after)
            self._reply(account, stanza, step.reply)
        return True

    def _requested(self, account: Account, stanza: Element, before: Contact, step: Step, origin: Origin) -> None:
        """A subscription request came (§3.1.3, A.3.1)."""
        if step.reply:
            self._reply(account, stanza, step.reply)
            self._tell(account, before, before, again=True)
        elif before.approved:
            after = before.moved(approved_beforehand(before.state))
            origin.hold(self._change(account, after), stanza)
            self._reply(account, stanza, "subscribed")
            self._push(account, after.jid)
            self._tell(account, before, after)
        elif step.passed:
            if len(account.get(Roster).requests) >= self.settings.max_requests:
                bounce(stanza, origin, StanzaError("resource-constraint", "too many requests wait there"))
                return
            after = replace(before, state=step.state, request=self._kept(stanza))
            origin.hold(self._change(account, after), stanza)
            for session in account.available:
                session.send(stanza)

    def _kept(self, request: Element) -> str:
        """The request as it is stored: as it goes to clients."""
        text = request.to_bytes().decode()
        if len(text) <= self.settings.max_request_length:
            return text
        bare = request.copy()
        bare.children = []
        return bare.to_bytes().decode()

    def _reply(self, account: Account, stanza: Element, kind: str) -> None:
        """Answer on the account's behalf, if there is an answer."""
        if kind:
            sender = JID.parse(stanza.attrs["from"])
            self.host.send(_presence(kind, account.jid, sender, stanza.attrs.get("id")))

    # -- what other modules bring about

    async def befriend(self, account: Account, jid: JID) -> None:
        """Let the two see each other's presence, as far as this account's roster is concerned. Durable when this
        returns."""
        before = account.get(Roster).get(jid)
        after = replace(before.moved(State.BOTH), listed=True)
        stored = self._change(account, after)
        self._push(account, jid)
        self._tell(account, before, after)
        await stored

    async def expect(self, account: Account, jid: JID) -> None:
        """Grant the contact's next request without asking. Durable when this returns."""
        await self._change(account, replace(account.get(Roster).get(jid), approved=True, listed=True))

    def ask(self, account: Account, jid: JID) -> None:
        """Ask to see the contact's presence, unless that is so already."""
        before = account.get(Roster).get(jid)
        if not before.state.receives:
            self._change(account, before.moved(OUTBOUND["subscribe"][before.state].state))
            self._push(account, jid)
            self.host.send(_presence("subscribe", account.jid, jid, secrets.token_urlsafe(9)))

    # -- changes

    def _change(self, account: Account, contact: Contact) -> asyncio.Future[Any]:
        """Take over a contact; the future is done when it is durable. If it can't be, memory goes back to what is."""
        kept = account.get(Roster).put(contact)
        if self.host.anonymous:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            done.set_result(None)
            return done
        store = self.host.store.map("roster")
        owner, key = account.jid.text, contact.jid.text
        stored: asyncio.Future[Any] = store.set(owner, key, contact.to_text()) if kept else store.delete(owner, key)
        stored.add_done_callback(partial(self._restore_if_failed, account, contact.jid))
        return stored

    def _restore_if_failed(self, account: Account, jid: JID, stored: asyncio.Future[Any]) -> None:
        if not stored.cancelled() and stored.exception() is not None:
            self.host.server.spawn(self._restore(account, jid))

    async def _restore(self, account: Account, jid: JID) -> None:
        text = await self.host.store.map("roster").get(account.jid.text, jid.text)
        account.get(Roster).put(Contact(jid) if text is None else Contact.from_text(jid, text))
        self._push(account, jid)

    def _push(self, account: Account, jid: JID) -> None:
        """Send an item as it is now to every interested session (§2.1.6)."""
        roster = account.get(Roster)
        item = roster.get(jid).item or Item(jid, subscription="remove")
        told = Query(roster.version, (item,))
        query = told.to_element()
        for session in interested(account):
            session.send(Element("iq", CLIENT, query, type="set", id=secrets.token_urlsafe(12), to=session.jid))
        for handler in self.host.hooks.roster_changed:
            handler(account, told)

    def _tell(self, account: Account, before: Contact, after: Contact, *, again: bool = False) -> None:
        """Tell other modules of a change, if it is one."""
        was, now = before.state.subscription, after.state.subscription
        if was != now or again:
            for handler in self.host.hooks.subscription_changed:
                handler(account, after.jid, was, now)

    async def _part(self, account: Account, contact: Contact, origin: Origin) -> None:
        """End what subscriptions there are with a contact that the roster has no longer (§2.5.2)."""
        self._tell(account, contact, contact.moved(State.NONE))
        for kind in removed(contact.state):
            stanza = _presence(kind, account.jid, contact.jid, secrets.token_urlsafe(9))
            waiting = self.host.router.route(stanza, contact.jid, account.jid, origin)
            if waiting is not None:
                await waiting


class Farewell:
    """The origin of an account's last stanzas: keeps what their receivers have yet to store."""

    patient = True

    def __init__(self) -> None:
        self.stored: list[asyncio.Future[Any]] = []

    def answer(self, stanza: Element) -> None:
        """Nobody is left to read it."""

    def hold(self, stored: asyncio.Future[Any], stanza: Element) -> None:
        self.stored.append(stored)


def interested(account: Account) -> list[Session]:
    """The sessions that receive changes of the roster."""
    return [session for session in account.sessions.values() if Interested in session.data]


def _presence(kind: str, sender: JID, to: JID, identifier: str | None) -> Element:
    return Element("presence", CLIENT, type=kind, from_=sender, to=to, id=identifier)
