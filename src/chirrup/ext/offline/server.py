"""Offline messages at the server: kept durably, handed over in order, forgotten once they have arrived."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from pydantic import Field

from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.core.xml import Element
from chirrup.ext.disco.payloads import Info
from chirrup.ext.offline import FEATURE
from chirrup.ext.offline.rules import Fate, fate, stamped
from chirrup.server import hooks
from chirrup.server.module import Account, Module, Origin, Session, Settings, Xep, bounce

_PAGE: Final = 100
"""Messages that are read from the store at once."""
_BATCH: Final = 1_048_576
"""Octets after which a client is asked whether they have arrived before it gets more."""


class OfflineSettings(Settings):
    """How messages get to those who weren't there. How many are kept is `limits.offline_messages`."""

    confirmation_timeout: float = Field(default=120, gt=0)
    """Seconds that a client has to confirm what it was given. Without, the next client of the account gets it again."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a client was asked after messages: its answer says that it has them."""

    answer: asyncio.Future[Element]
    last: int
    """The id of the last of them."""
    count: int


@dataclass(slots=True, eq=False)
class Kept:
    """What is kept for an account, and who is getting it. At hand with the account."""

    count: int
    """Messages in the store, or on their way there."""
    receiver: Session | None = None
    """The session that is being given them."""
    unsent: int = 0
    """How many of them it hasn't been sent yet."""
    task: asyncio.Task[None] | None = None
    question: Question | None = None
    """What the receiver hasn't answered yet, or has just now."""


class Unconfirmed:
    """Marks a session that left open whether messages had arrived. It gets no more of what is kept."""


class Offline(Module):
    """Keeps messages for accounts that nobody is using, until somebody does."""

    xeps = (Xep(160, "1.0.1"), Xep(203, "2.0"), Xep(334, "1.0.0"))
    features = (FEATURE,)
    needs_accounts = True
    Settings = OfflineSettings
    settings: OfflineSettings

    async def start(self) -> None:
        self._log = self.host.store.log("offline")

    @hooks.account_loading()
    async def load(self, account: Account) -> None:
        account.put(Kept(await self._log.count(account.jid.text)))

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
    def queue(self, account: Account, stanza: Element, to: JID, origin: Origin) -> bool:
        """Put a message behind the ones kept while its receiver is still being given those, so that it comes after
        them."""
        kept = account.get(Kept)
        if kept.receiver is None or not kept.unsent or not _reaches(kept.receiver, stanza, to):
            return False
        if fate(stanza) is not Fate.KEEP:
            return False
        if self._has_room(account):
            self._keep(account, stanza, origin)
        else:
            bounce(stanza, origin, StanzaError("resource-constraint", "too many messages are waiting"))
        return True

    def _has_room(self, account: Account) -> bool:
        return account.get(Kept).count < self.host.server.config.limits.offline_messages

    def _keep(self, account: Account, stanza: Element, origin: Origin) -> None:
        now = self.host.clock.time()
        written = stamped(stanza, self.host.jid, now).to_bytes().decode()
        kept = account.get(Kept)
        kept.count += 1
        kept.unsent += 1
        stored = self._log.append(account.jid.text, written, stamp=now)

        def settled(future: asyncio.Future[int]) -> None:
            if not future.cancelled() and future.exception() is not None:
                kept.count -= 1
                kept.unsent = max(0, kept.unsent - 1)

        stored.add_done_callback(settled)
        origin.hold(stored, stanza)

    # -- handing over

    @hooks.presence_out(after=["presence"])
    def available(self, session: Session, stanza: Element) -> None:
        if session in session.account.non_negative:
            self._offer(session.account, session)

    @hooks.session_closed(after=["presence"])
    def left(self, session: Session) -> None:
        kept = session.account.get(Kept)
        if kept.receiver is session and kept.task is not None:
            self._settle(session.account)  # it may have answered with its last words
            kept.task.cancel()
            kept.receiver = kept.task = None
            self._offer(session.account, *session.account.most_available)

    def _offer(self, account: Account, *sessions: Session) -> None:
        """Give what is kept to the first of these sessions that may have it, unless another is getting it."""
        kept = account.get(Kept)
        if not kept.count or kept.receiver is not None:
            return
        for session in sessions:
            if Unconfirmed not in session.data:
                kept.receiver, kept.unsent = session, kept.count
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
            session.data[Unconfirmed] = Unconfirmed()
            session.log.info("offline messages were not confirmed", kept=kept.count)
        self._offer(account, *account.most_available)

    async def _send_all(self, kept: Kept, session: Session) -> bool:
        """Whether the client has confirmed what it was sent: everything, or what it got before it became
        unavailable."""
        account = session.account
        last = sent = size = 0  # the last id, messages and octets since the client confirmed
        while waiting := kept.unsent:
            page = await self._log.read(account.jid.text, limit=_PAGE, after=last or None)
            if session not in account.non_negative:
                break
            if not page:  # somebody else has removed them
                kept.unsent, kept.count = max(0, kept.unsent - waiting), max(0, kept.count - waiting)
                continue
            before = sent
            for entry in page:
                written = entry.value.encode()
                session.write(written)
                last = entry.id
                sent += 1
                size += len(written)
                if size >= _BATCH:
                    break
            kept.unsent = max(0, kept.unsent - (sent - before))
            if size >= _BATCH or not kept.unsent:
                if not await self._confirms(session, last, sent):
                    return False
                sent = size = 0
        return not sent or await self._confirms(session, last, sent)

    async def _confirms(self, session: Session, last: int, count: int) -> bool:
        """Ask the client whether it has what it was sent, and forget that when it answers."""
        # Any question would do. This one every client knows; go-sendxmpp 0.5.6 falls over a ping's payload.
        answer = self.host.iq.ask(session.jid, Info().to_element(), sender=session.account.jid)
        session.account.get(Kept).question = Question(answer, last, count)
        timer = self.host.clock.call_later(self.settings.confirmation_timeout, answer.cancel)
        try:
            await asyncio.wait([answer])
            return self._settle(session.account)
        finally:
            timer.cancel()
            answer.cancel()

    def _settle(self, account: Account) -> bool:
        """Forget what the client has answered for; whether it has."""
        kept = account.get(Kept)
        question, kept.question = kept.question, None
        if question is None or not question.answer.done() or question.answer.cancelled():
            return False
        question.answer.exception()  # an error answers it as well as a result
        self._forget(account, question.last, question.count)
        return True

    def _forget(self, account: Account, last: int, count: int) -> None:
        kept = account.get(Kept)
        kept.count -= count

        def settled(future: asyncio.Future[Any]) -> None:
            if not future.cancelled() and (error := future.exception()) is not None:
                kept.count += count
                self.host.log.error("offline messages could not be removed", owner=account.jid.text, reason=str(error))

        self._log.delete_up_to(account.jid.text, last).add_done_callback(settled)


def _reaches(session: Session, stanza: Element, to: JID) -> bool:
    """Whether the rules of delivery (RFC 6121 §8.5) give a message to this session."""
    account = session.account
    if to.resource in account.sessions:
        return to.resource == session.jid.resource
    if to.resource and stanza.attrs.get("type", "normal") != "chat":
        return False
    return session in account.most_available
