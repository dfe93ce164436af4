"""Offline messages at the server: kept durably, handed over in order, forgotten once they have arrived."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Final

from pydantic import Field

from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.core.xml import Element
from chirrup.ext import delay
from chirrup.ext.disco.payloads import Info
from chirrup.ext.offline import FEATURE
from chirrup.ext.offline.handing_over import Given, Kept, Unconfirmed, no_query
from chirrup.ext.offline.rules import Fate, claims_delay_by, fate, handed_over, sender_of
from chirrup.ext.stanza_ids.rules import stanza_id_by
from chirrup.server import hooks
from chirrup.server.module import Account, Module, Origin, Redelivery, Session, Settings, Xep, bounce

_PAGE: Final = 100
"""Messages that are read from the store at once."""
_BATCH: Final = 1_048_576
"""Octets after which a client is asked whether they have arrived before it gets more."""


class OfflineSettings(Settings):
    """How messages get to those who weren't there. How many are kept is `limits.offline_messages`."""

    confirmation_timeout: float = Field(default=120, gt=0)
    """Seconds that a client has to confirm what it was given. Without, the next client of the account gets it again."""


class Offline(Module):
    """Keeps messages for accounts that nobody is using, until somebody does."""

    xeps = (Xep(160, "1.0.1"), Xep(203, "2.0"), Xep(334, "1.0.0"))
    features = (FEATURE,)
    needs_accounts = True
    Settings = OfflineSettings
    settings: OfflineSettings

    async def start(self) -> None:
        self._copies = self.host.copies
        self._messages = self.host.store.messages

    @hooks.account_loading()
    async def load(self, account: Account) -> None:
        account.put(Kept(await self._messages.count_waiting(account.jid.text)))

    # -- keeping

    @hooks.message_unclaimed()
    def keep(self, account: Account, stanza: Element, to: JID, origin: Origin) -> bool:
        """Keep what nobody is there to receive; left to be refused if it may not be kept, or if there is no room."""
        decided = fate(stanza)
        if decided is Fate.KEEP and self._has_room(account):
            self._keep(account, stanza, origin)
            return True
        return decided is Fate.DROP

    @hooks.message_in()
    def strip_forged_delay(self, account: Account, stanza: Element, to: JID, origin: Origin) -> None:
        """Take away a delay that claims to be of this host, which has given none (XEP-0203 §5)."""
        for child in stanza.children:
            if child.__class__ is not str and child.ns == delay.NS and not isinstance(origin, Redelivery):  # type: ignore[union-attr]
                stanza.children = [other for other in stanza.children if not claims_delay_by(other, self.host.jid)]
                return

    @hooks.message_in()
    def queue(self, account: Account, stanza: Element, to: JID, origin: Origin) -> bool:
        """Put a message behind the ones kept while a receiver of it is still being given those, so that it comes after
        them there; its other receivers have it at once."""
        kept = account.get(Kept)
        if isinstance(origin, Redelivery) and origin.written in kept.written:
            return True  # it waits still, and will be handed over again
        busy = kept.receiver
        if busy is None or not kept.unsent or busy not in account.non_negative:
            return False
        if not _reaches(busy, stanza, to) or fate(stanza) is not Fate.KEEP:
            return False
        if not self._has_room(account):
            bounce(stanza, origin, StanzaError("resource-constraint", "too many messages are waiting"))
            return True
        compiled = self.host.hooks
        again = isinstance(origin, Redelivery)
        have = origin.receivers if isinstance(origin, Redelivery) else ()
        if busy in have:
            return False
        if not again:
            for archive in compiled.message_archiving:
                archive(account, stanza, to, origin)
        self._keep(account, stanza, origin)
        receivers = (busy,) if to.resource in account.sessions else account.most_available
        for session in receivers:
            if session is not busy and session not in have:
                session.write(stanza.to_bytes())
        if not again:
            for note in compiled.message_delivered:
                note(account, stanza, receivers)
        return True

    def _has_room(self, account: Account) -> bool:
        return account.get(Kept).count < self.host.server.config.limits.offline_messages

    def _keep(self, account: Account, stanza: Element, origin: Origin) -> None:
        kept = account.get(Kept)
        kept.count += 1
        kept.unsent += 1
        stored: asyncio.Future[Any]
        number = self._id_of(account, stanza) if isinstance(origin, Redelivery) else None
        if number is not None:
            stored = self._messages.wait_again(account.jid.text, number)
            origin.hold(stored, stanza)
        else:
            if isinstance(origin, Redelivery):
                self._own_delay(stanza)
            stored = self._copies.keep(account.jid, stanza, JID.parse(stanza.attrs["from"]), origin)

        def settled(future: asyncio.Future[Any]) -> None:
            if not future.cancelled() and (future.exception() is not None or future.result() is False):
                kept.count -= 1
                kept.unsent = max(0, kept.unsent - 1)

        stored.add_done_callback(settled)

    def _id_of(self, account: Account, stanza: Element) -> int | None:
        """The id of a message which is delivered again, in the archive."""
        uid = stanza_id_by(stanza, account.jid)
        return self._messages.id_of(uid) if uid else None

    def _own_delay(self, stanza: Element) -> None:
        """Make the delay that this host has given a message one that isn't taken for forged when it is handed over."""
        for index, child in enumerate(stanza.children):
            if claims_delay_by(child, self.host.jid):
                stanza.children[index] = child.copy().set("from", None)

    # -- handing over

    @hooks.presence_out(after=["presence"])
    def available(self, session: Session, stanza: Element) -> None:
        if session in session.account.non_negative:
            self._offer(session.account, session)

    @hooks.session_closed(after=["presence"])
    def left(self, session: Session) -> None:
        """What it hasn't confirmed is for others; it may have done so with its last words."""
        account = session.account
        kept = account.get(Kept)
        pages = kept.pages.pop(session, [])
        for page in pages:
            if page.confirmed:
                self._forget(account, page.ids)
            page.arrived.cancel()
        receiving = kept.receiver is session and kept.task is not None
        if receiving and kept.task is not None:
            self._settle(account)
            kept.task.cancel()
            kept.receiver = kept.task = None
        if pages or receiving:
            self._offer(account, *account.most_available)

    def _offer(self, account: Account, *sessions: Session) -> None:
        """Give what is kept to the first of these sessions that may have it, unless another is getting it, or has
        fetched it."""
        kept = account.get(Kept)
        count = kept.count - len(kept.in_pages())
        if count <= 0 or kept.receiver is not None:
            return
        for session in sessions:
            if Unconfirmed not in session.data:
                kept.receiver, kept.unsent = session, count
                kept.task = self.host.server.spawn(self._hand_over(kept, session))
                return

    async def _hand_over(self, kept: Kept, session: Session) -> None:
        """Send what is kept, oldest first, and forget it batch by batch when the client has said that it's there."""
        account = session.account
        try:
            confirmed = await self._send_all(kept, session)
        finally:
            if kept.receiver is session:
                kept.receiver = kept.task = None
        if not confirmed:
            session.put(Unconfirmed())
            session.log.info("offline messages were not confirmed", kept=kept.count)
        self._offer(account, *account.most_available)

    async def _send_all(self, kept: Kept, session: Session) -> bool:
        """Whether the client has confirmed what it was sent: everything, or what it got before it became
        unavailable."""
        account = session.account
        ids = list[int]()  # those which the client hasn't confirmed
        last = size = 0
        if account.redelivering is not None:  # what was handed over to another before is known by that
            await asyncio.shield(account.redelivering.over)
        kept.handed.clear()
        kept.written.clear()
        kept.fetched = kept.in_pages()
        while waiting := kept.unsent:
            await no_query(session)
            page = await self._messages.waiting(account.jid.text, limit=_PAGE, after=last)
            await no_query(session)
            if session not in account.non_negative:
                break
            if not page:  # somebody else has removed them
                kept.unsent, kept.count = max(0, kept.unsent - waiting), max(0, kept.count - waiting)
                continue
            for message in page:
                last = message.id
                if last in kept.fetched:
                    continue
                if account.refuses(sender_of(message)):  # by now
                    kept.unsent = max(0, kept.unsent - 1)
                    self._forget(account, [last])
                    continue
                written = handed_over(message, account.jid, self.host.jid, self._messages.uid(last))
                session.write(written)
                ids.append(last)
                kept.handed.add(last)
                kept.written.add(written)
                kept.unsent = max(0, kept.unsent - 1)
                size += len(written)
                if size >= _BATCH:
                    break
            if ids and (size >= _BATCH or not kept.unsent):
                if not await self._confirms(session, ids):
                    return False
                ids, size = [], 0
        return not ids or await self._confirms(session, ids)

    async def _confirms(self, session: Session, ids: list[int]) -> bool:
        """Wait until the client has what it was sent, and forget that then."""
        arrived = self._arrival(session)
        session.account.get(Kept).given = Given(ids, arrived)
        try:
            await asyncio.wait([arrived])
            return self._settle(session.account)
        finally:
            arrived.cancel()

    def _arrival(self, session: Session) -> asyncio.Future[Any]:
        """Done when the client has what it was sent by now: it acknowledges by stream management, or by answering a
        question. Cancelled if that takes too long."""
        if session.management is not None:
            arrived: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            session.when_acknowledged(lambda: None if arrived.done() else arrived.set_result(None))
            return arrived
        # Any question would do. This one every client knows; go-sendxmpp 0.5.6 falls over a ping's payload.
        answer = self.host.iq.ask(session.jid, Info().to_element(), sender=session.account.jid)
        timer = self.host.clock.call_later(self.settings.confirmation_timeout, answer.cancel)
        answer.add_done_callback(lambda _: timer.cancel())
        return answer

    def _settle(self, account: Account) -> bool:
        """Forget what the client has confirmed; whether it has."""
        kept = account.get(Kept)
        given, kept.given = kept.given, None
        if given is None or not given.confirmed:
            return False
        self._forget(account, given.ids)
        return True

    def fetched(self, session: Session, ids: list[int]) -> None:
        """A client was just sent these waiting messages out of the archive; those that it wasn't handed over yet
        needn't be any more (XEP-0313 §6.1.1), and are forgotten once it has them. What another client is being handed
        over it gets all the same: some of that came when it was there already, and stands behind what is older."""
        kept = session.account.get(Kept)
        if kept.receiver not in (None, session):
            return
        known = kept.in_pages()
        if kept.receiver is session:
            known |= kept.handed | kept.fetched
        new = [number for number in ids if number not in known]
        if not new:
            return
        if kept.receiver is session:
            kept.fetched.update(new)
            kept.unsent = max(0, kept.unsent - len(new))
        page = Given(new, self._arrival(session))
        kept.pages.setdefault(session, []).append(page)
        page.arrived.add_done_callback(partial(self._has_page, session, page))

    def _has_page(self, session: Session, page: Given, arrived: asyncio.Future[Any]) -> None:
        """A client has what it has fetched, or hasn't said so in time."""
        account = session.account
        kept = account.get(Kept)
        confirmed = page.confirmed
        pages = kept.pages.get(session, [])
        if page not in pages:
            return  # the session is over, and that was seen to
        pages.remove(page)
        if not pages:
            del kept.pages[session]
        if confirmed:
            self._forget(account, page.ids)
        else:
            session.put(Unconfirmed())
            self._offer(account, *account.most_available)

    def left_to_archive(self, session: Session, ids: list[int]) -> None:
        """A client that has come finds these in the archive: they needn't be handed over (XEP-0386 §3.2), unless
        another is being given them, or it's gone again."""
        account = session.account
        kept = account.get(Kept)
        if ids and kept.receiver is None and account.sessions.get(session.jid.resource) is session:
            self._forget(account, ids)

    def _forget(self, account: Account, ids: list[int]) -> None:
        kept = account.get(Kept)
        kept.handed.difference_update(ids)
        if not kept.handed:
            kept.written.clear()
        taken = min(kept.count, len(ids))
        kept.count -= taken

        def settled(future: asyncio.Future[Any]) -> None:
            if future.cancelled():
                return
            error = future.exception()
            # Somebody else may have forgotten some of them at the same time.
            kept.count = max(0, kept.count + taken - (0 if error else future.result()))
            if error is not None:
                self.host.log.error("offline messages could not be removed", owner=account.jid.text, reason=str(error))

        self._messages.delivered(account.jid.text, ids).add_done_callback(settled)


def _reaches(session: Session, stanza: Element, to: JID) -> bool:
    """Whether the rules of delivery (RFC 6121 §8.5) give a message to this session."""
    account = session.account
    if to.resource in account.sessions:
        return to.resource == session.jid.resource
    if to.resource and stanza.attrs.get("type", "normal") != "chat":
        return False
    return session in account.most_available
