"""Block lists at the server: kept, pushed, and put into force. What arrives from blocked addresses is refused where it
is delivered, by `Account.blocked`; what goes to them is refused here."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Iterable
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.core.payload import Payload
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.blocking import ERRORS, NS, REPORTING
from chirrup.ext.blocking.blocked import Blocked
from chirrup.ext.blocking.payloads import Block, BlockList, Item, Report, Unblock
from chirrup.ext.presence.directed import Directed
from chirrup.ext.roster.roster import Roster
from chirrup.ext.roster.server import Rosters
from chirrup.server import hooks
from chirrup.server.module import Account, Addressee, Module, Request, Session, Settings, Xep, iq_get, iq_set

_DAY: Final = 86_400.0
_LONGEST_REASON: Final = 200
"""Characters of a report's reason, which is a URN, that are told."""


def _address(text: str) -> str:
    return JID(text).text


class BlockingSettings(Settings):
    """What a block list may hold, and who hears of reports."""

    max_blocked: int = Field(default=1000, ge=1)
    """Addresses that an account may block."""
    report_to: tuple[Annotated[str, AfterValidator(_address)], ...] = Field(default=())
    """Addresses that are sent a message about each report, such as those of administrators."""
    max_reports: int = Field(default=20, ge=0)
    """Reports of an account that are heard within a day; the addresses of further ones are blocked, and that is all."""


class Listening:
    """Marks a session that has asked for the block list, and so receives its changes."""


class Reported:
    """When an account has reported somebody, in seconds since 1970. Kept with the account."""

    def __init__(self) -> None:
        self.times: deque[float] = deque()


class Blocking(Module):
    """Lets accounts block addresses, and report them."""

    needs = ("roster",)
    xeps = (Xep(191, "1.3"), Xep(377, "0.4.1", "for the server's administrators; nothing is passed to others"))
    features = (NS, REPORTING)
    needs_accounts = True
    Settings = BlockingSettings
    settings: BlockingSettings

    async def start(self) -> None:
        self.need(Rosters)
        self._map = self.host.store.map("blocked")

    @hooks.account_loading()
    async def load(self, account: Account) -> None:
        stored = await self._map.all(account.jid.text)
        if stored:
            self._take(account, Blocked(account.jid, map(JID, stored)))

    # -- what clients ask for

    @iq_get(BlockList, to=[Addressee.OWN])
    def get(self, request: Request[BlockList]) -> BlockList:
        account = _account(request)
        if request.session is not None:
            request.session.put(Listening())
        blocked = account.find(Blocked)
        return BlockList(tuple(map(Item, blocked.jids))) if blocked is not None else BlockList()

    @iq_set(Block, to=[Addressee.OWN])
    async def block(self, request: Request[Block]) -> None:
        account = _account(request)
        items = request.payload.items
        if not items:
            raise StanzaError("bad-request", "there is nothing to block")
        jids = dict.fromkeys(item.jid for item in items)
        known = account.find(Blocked) or Blocked(account.jid)
        if len(known) + sum(jid not in known.jids for jid in jids) > self.settings.max_blocked:
            raise StanzaError("resource-constraint", f"{self.settings.max_blocked} addresses can be blocked at most")
        await self._map.set_many(account.jid.text, dict.fromkeys((jid.text for jid in jids), ""))
        blocked = account.find(Blocked) or Blocked(account.jid)
        new = [jid for jid in jids if jid not in blocked.jids]
        seen = [jid for jid in _contacts_in(account, new, blocked) if account.get(Roster).shares_with(jid)]
        blocked.add(jids)
        self._take(account, blocked)
        self._push(account, Block(tuple(map(Item, jids))))
        self._part(account, seen)
        for item in items:
            if item.report is not None and item.report.reason:
                self._report(account, item.jid, item.report)

    @iq_set(Unblock, to=[Addressee.OWN])
    async def unblock(self, request: Request[Unblock]) -> None:
        account = _account(request)
        jids = [item.jid for item in request.payload.items]
        owner = account.jid.text
        done: asyncio.Future[int] = (
            self._map.delete(owner, *(jid.text for jid in jids)) if jids else self._map.clear(owner)
        )
        await done
        blocked = account.find(Blocked)
        if blocked is not None:
            gone = [jid for jid in jids or list(blocked.jids) if jid in blocked.jids]
            blocked.discard(gone)
            self._take(account, blocked)
            self._push(account, Unblock(tuple(map(Item, jids))))
            self._meet(account, _contacts_in(account, gone, blocked))

    def _take(self, account: Account, blocked: Blocked) -> None:
        account.put(blocked)
        account.blocked = blocked.matches if blocked else None

    def _push(self, account: Account, change: Payload) -> None:
        """Tell the sessions that have asked for the list of a change."""
        element = change.to_element()
        for session in account.sessions.values():
            if Listening in session.data:
                session.send(Element("iq", CLIENT, element, type="set", id=secrets.token_urlsafe(9), to=session.jid))

    # -- presence

    def _part(self, account: Account, seen: Iterable[JID]) -> None:
        """Become unavailable to those who have seen the account's presence and won't any more (§3.3)."""
        for jid in seen:
            for session in account.available:
                self.host.send(Element("presence", CLIENT, type="unavailable", from_=session.jid, to=jid))
        for session in account.sessions.values():
            directed = session.find(Directed) or Directed()
            for jid in [jid for jid in directed if account.refuses(jid)]:
                self.host.send(Element("presence", CLIENT, type="unavailable", from_=session.jid, to=jid))
                directed.discard(jid)

    def _meet(self, account: Account, contacts: Iterable[JID]) -> None:
        """Show the account's presence again to those who may see it (§3.4), and ask for that of those it may see."""
        if not account.available:
            return
        roster = account.get(Roster)
        for jid in contacts:
            state = roster.get(jid.bare).state
            for session in account.available if state.shares else ():
                if session.presence is not None:
                    self.host.send(session.presence.copy().set("to", jid))
            if state.receives:
                self.host.send(
                    Element("presence", CLIENT, type="probe", from_=account.jid, to=jid, id=secrets.token_urlsafe(9))
                )

    # -- what goes to blocked addresses

    @hooks.message_out(before=["archive"])
    def message(self, session: Session, stanza: Element, to: JID) -> None:
        if session.account.blocked is not None:
            _refuse(session.account, to)

    @hooks.presence_directed(before=["presence"])
    def presence(self, session: Session, stanza: Element, to: JID) -> None:
        _refuse(session.account, to)

    @hooks.subscription_out(before=["roster"])
    def subscription(self, session: Session, stanza: Element, to: JID) -> None:
        _refuse(session.account, to)

    @hooks.iq_out()
    def iq(self, session: Session, stanza: Element, to: JID) -> None:
        _refuse(session.account, to)

    # -- reports

    def _report(self, account: Account, jid: JID, report: Report) -> None:
        """Tell of a report: the log, other modules, and those who are named in the settings."""
        reported = account.find(Reported)
        if reported is None:
            account.put(reported := Reported())
        now = self.host.clock.time()
        times = reported.times
        while times and times[0] <= now - _DAY:
            times.popleft()
        if len(times) >= self.settings.max_reports:
            return
        times.append(now)
        reason = report.reason[:_LONGEST_REASON]
        self.host.log.info("an address was reported", reporter=account.jid.text, address=jid.text, reason=reason)
        element = report.to_element()
        for handler in self.host.hooks.address_reported:
            handler(account, jid, element)
        for address in self.settings.report_to:
            said = [text.text.strip() for text in report.texts]
            words = "\n".join([f"{account.jid} reports {jid}: {reason}", *said])
            body = Element("body", CLIENT, words)
            item = Item(jid, report).to_element()
            self.host.send(
                Element(
                    "message", CLIENT, body, item, type="normal", id=secrets.token_urlsafe(9), from_=self.host.jid,
                    to=address,
                )
            )  # fmt: skip


def _refuse(account: Account, to: JID) -> None:
    """Raise what a user is told who sends something to a blocked address (§3.3)."""
    if account.refuses(to):
        raise StanzaError("not-acceptable", "you have blocked this address", type="cancel", app=f"{{{ERRORS}}}blocked")


def _contacts_in(account: Account, jids: Iterable[JID], blocked: Blocked) -> list[JID]:
    """Who sees the account's presence or shows it theirs by a subscription, is meant by one of these items, and isn't
    blocked."""
    contacts = account.get(Roster).contacts
    subscribed = {contact.jid: None for contact in contacts if contact.state.shares or contact.state.receives}
    meant = Blocked(account.jid, jids)
    full = [jid for jid in meant.jids if jid.resource and jid.bare in subscribed]
    return [jid for jid in (*filter(meant.matches, subscribed), *full) if not blocked.matches(jid)]


def _account(request: Request[Any]) -> Account:
    assert request.account is not None
    return request.account
