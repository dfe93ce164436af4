"""Archives at the server: each account's messages, kept once, and found again by whoever owns them."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Final

from pydantic import Field

from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.core.xml import Element
from chirrup.ext.archive import EXTENDED, FULL_TEXT, GROUPCHAT_FIELD, NS
from chirrup.ext.archive.indexes import Indexes
from chirrup.ext.archive.payloads import Default, Fin, Metadata, Preferences, Query
from chirrup.ext.archive.preferences import Wishes
from chirrup.ext.archive.query import Asked, Found, find, form, read
from chirrup.ext.archive.results import Envelope, fin, metadata
from chirrup.ext.archive.retention import Retention
from chirrup.ext.archive.rules import is_archived
from chirrup.ext.offline.handing_over import querying
from chirrup.ext.offline.server import Offline
from chirrup.ext.retraction import NS as RETRACTION
from chirrup.ext.rsm import NS as PAGES
from chirrup.ext.stanza_ids.rules import add_stanza_id, stanza_id_by
from chirrup.server import hooks
from chirrup.server.module import (
    Account,
    Addressee,
    Later,
    Module,
    Origin,
    Redelivery,
    Request,
    Session,
    Settings,
    Xep,
    iq_get,
    iq_set,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from chirrup.server.host import Host

_ACCOUNTS: Final = (Addressee.OWN, Addressee.ACCOUNT)
_PAGE_OCTETS: Final = 1_048_576
"""Octets after which a page ends before its time, so that one of large messages can be sent."""
_AGAIN: Final = 10_000
"""Messages of others' sessions that are known to have been given to a session."""
_SHARE: Final = 4
"""Pages that have room together among what may wait for a client."""


class ArchiveSettings(Settings):
    """What is archived, and how it is given out."""

    default: Default = "always"
    """Whether messages are archived for accounts that haven't said what they want: "always", "never", or "roster" for
    those with contacts only."""
    max_page: int = Field(default=250, ge=1)
    """Messages that a query gets at most, whatever it asks for; it asks for the next page then."""
    page: int = Field(default=50, ge=1)
    """Messages that a query gets which doesn't say how many it wants."""
    max_preferences: int = Field(default=1_000, ge=0)
    """Addresses that an account may list in its preferences."""
    days: float = Field(default=0, ge=0)
    """Days after which messages are taken out of archives; 0 keeps them."""
    max_megabytes: float = Field(default=256, ge=0)
    """How large an account's archive gets before its oldest messages go; 0 sets no bound."""
    full_text: bool = True
    """Whether clients may search their archives for words. An account's index is made when it first searches."""


class Again:
    """The last archived messages that a session was given because another never acknowledged them."""

    def __init__(self) -> None:
        self.uids: dict[str, None] = {}

    def add(self, uid: str) -> None:
        self.uids[uid] = None
        if len(self.uids) > _AGAIN:
            del self.uids[next(iter(self.uids))]


class Archive(Module):
    """Keeps each account's messages, for its clients to ask for."""

    xeps = (Xep(313, "1.1.3"), Xep(441, "0.2.0"), Xep(59, "1.0", "archives give no pages by index"), Xep(431, "0.2.0"))
    features = (RETRACTION,)  # retractions are archived as messages are (XEP-0424 §2)
    needs_accounts = True
    Settings = ArchiveSettings
    settings: ArchiveSettings

    def __init__(self, host: Host, settings: ArchiveSettings) -> None:
        super().__init__(host, settings)
        full_text = (FULL_TEXT,) if settings.full_text else ()
        self.account_features = (NS, EXTENDED, GROUPCHAT_FIELD, PAGES, RETRACTION, *full_text)

    async def start(self) -> None:
        self._copies = self.host.copies
        self._messages = self.host.store.messages
        self._uid = self._messages.uid
        self._offline = self.host.find_module(Offline)
        self._preferences = self.host.store.value("archive_preferences")
        self._unasked = Wishes(self.settings.default)
        self._judged: Element | None = None  # what was sent last that is for archives: it need not be asked again
        self._indexes = Indexes(self.host)
        settings = self.settings
        self._retention = Retention(
            self.host, seconds=settings.days * 86_400, octets=int(settings.max_megabytes * 1_000_000)
        )
        self._retention.start()

    async def stop(self) -> None:
        self._indexes.stop()
        await self._retention.stop()

    @hooks.account_loading()
    async def load(self, account: Account) -> None:
        text = await self._preferences.get(account.jid.text)
        account.put(self._unasked if text is None else Wishes.from_text(text))

    @hooks.account_removed()
    def removed(self, account: Account) -> None:
        self._retention.forget(account.jid.text)

    # -- what is archived

    @hooks.message_out(after=["blocking", "stanza_ids"])
    def sent(self, session: Session, stanza: Element, to: JID) -> bool:
        self._sent(session.account, stanza, to, session)
        return False

    @hooks.message_in_name(after=["stanza_ids"])
    def sent_in_name(self, account: Account, stanza: Element, to: JID, origin: Origin) -> None:
        self._sent(account, stanza, to, origin)

    def _sent(self, account: Account, stanza: Element, to: JID, origin: Origin) -> None:
        if is_archived(stanza):
            self._judged = stanza
            # What goes to the account itself is archived as it arrives there.
            if to.bare != account.jid and account.get(Wishes).allow(account, to):
                self._archive(account, stanza, to, origin)

    @hooks.message_archiving()
    def arrived(self, account: Account, stanza: Element, to: JID, origin: Origin) -> None:
        if stanza is not self._judged and not is_archived(stanza):
            return
        sender = JID.parse(stanza.attrs["from"])
        if account.get(Wishes).allow(account, sender):
            add_stanza_id(stanza, self._uid(self._archive(account, stanza, sender, origin)), account.jid)

    @hooks.message_redelivered(after=["carbons"])
    def had_again(self, account: Account, stanza: Element, origin: Redelivery) -> None:
        """Several sessions may leave the same message: who has come since is given it once."""
        uid = stanza_id_by(stanza, account.jid)
        if not uid:
            return
        for session in account.most_available:
            again = session.find(Again) or session.put(Again())
            if uid in again.uids:
                origin.receivers.add(session)
            elif session not in origin.receivers:
                again.add(uid)

    def _archive(self, account: Account, stanza: Element, peer: JID, origin: Origin) -> int:
        number = self._copies.archive(account.jid, stanza, peer, origin)
        self._retention.note(account.jid.text, len(self._copies.text))
        return number

    # -- what is asked for

    @iq_get(Query, to=_ACCOUNTS, even_missing=True)
    def fields(self, request: Request[Query]) -> Query:
        _own(request)
        return Query(form=form(full_text=self.settings.full_text))

    @iq_set(Query, to=_ACCOUNTS, even_missing=True)
    async def query(self, request: Request[Query]) -> Fin | Later:
        """The messages are written before the result is. The client's next stanza waits for both, but where an index
        has to be made first."""
        account, session = _own(request)
        payload, settings = request.payload, self.settings
        asked = read(
            payload,
            self._messages.id_of,
            largest=settings.max_page,
            default=settings.page,
            full_text=settings.full_text,
        )
        if asked.which.text is not None:
            indexing = await self._indexes.refresh(account.jid.text)
            if indexing is not None:
                return Later(self._search(session, payload, asked, indexing))
            return await self._search(session, payload, asked)
        with querying(session):
            found = await self._find(session, payload, asked)
            end = self._give(session, payload, asked, found)
            if self._offline is not None:
                self._offline.fetched(session, [message.id for message in found.messages if message.waiting])
        return end

    async def _search(
        self, session: Session, query: Query, asked: Asked, indexing: Awaitable[None] | None = None
    ) -> Fin:
        """Who looks for words hasn't read what there is: what waits to be delivered goes on waiting."""
        if indexing is not None:
            await indexing
        return self._give(session, query, asked, await self._find(session, query, asked))

    async def _find(self, session: Session, query: Query, asked: Asked) -> Found:
        owner, messages = session.account.jid.text, self._messages
        if await messages.unstored(owner):  # a client that goes on from the end of its page would never ask for them
            raise StanzaError("resource-constraint", "some messages wait to be stored: ask again in a while")
        around = _envelope(session, query).octets
        most = min(_PAGE_OCTETS, self.host.server.config.limits.send_buffer_bytes // _SHARE)

        def look(connection: Connection) -> Found | None:
            return find(messages.within(connection), owner, asked, most_octets=most, around=around)

        store = self.host.store
        found = await (store.read_in_turn(look, owner=owner) if asked.may_take_long else store.read(look))
        if found is None:
            raise StanzaError("item-not-found", "the archive has no message with such an id")
        return found

    def _give(self, session: Session, query: Query, asked: Asked, found: Found) -> Fin:
        """Write what was found; what is said at its end."""
        envelope = _envelope(session, query)
        for message in reversed(found.messages) if query.flip_page else found.messages:
            session.write(envelope.around(message, self._uid(message.id)))
        return fin(found, asked, self._uid)

    @iq_get(Metadata, to=_ACCOUNTS, even_missing=True)
    async def metadata(self, request: Request[Metadata]) -> Metadata:
        account, _ = _own(request)
        told, _ = await self._ends(account)
        return told

    @hooks.session_told()
    async def told(self, session: Session) -> Element:
        """How far the archive goes when the resource is bound (XEP-0386 §3.2): who binds it in this way reads the
        archive up to there, and isn't handed over what waits and is in it."""
        told, waiting = await self._ends(session.account)
        if self._offline is not None:
            self._offline.left_to_archive(session, waiting)
        return told.to_element()

    async def _ends(self, account: Account) -> tuple[Metadata, list[int]]:
        """The first and the last message of an archive, be they stored yet or not; and what waits of those that are."""
        owner = account.jid.text
        unstored = await self._messages.unstored(owner)

        def look(connection: Connection) -> tuple[Metadata, list[int]]:
            rows = self._messages.within(connection)
            first, last = rows.ends(owner)
            if unstored:
                first, last = first or unstored[0], unstored[-1]
            return metadata(first, last, self._uid), rows.waiting_in_archive(owner)

        return await self.host.store.read(look)

    # -- preferences

    @iq_get(Preferences, to=_ACCOUNTS, even_missing=True)
    def preferences(self, request: Request[Preferences]) -> Preferences:
        account, _ = _own(request)
        return account.get(Wishes).to_payload()

    @iq_set(Preferences, to=_ACCOUNTS, even_missing=True)
    async def set_preferences(self, request: Request[Preferences]) -> Preferences:
        account, _ = _own(request)
        wishes = Wishes.from_payload(request.payload, self.settings.default)
        if len(wishes.always) + len(wishes.never) > self.settings.max_preferences:
            raise StanzaError("not-acceptable", f"at most {self.settings.max_preferences} addresses can be listed")
        await self._preferences.set(account.jid.text, wishes.to_text())
        account.put(wishes)
        return wishes.to_payload()


def _own(request: Request[Query] | Request[Metadata] | Request[Preferences]) -> tuple[Account, Session]:
    """The asker's account and session. Of others' archives nobody is told anything, not even whether they exist."""
    if request.session is None or request.account is None or request.to != request.sender.bare:
        raise StanzaError("forbidden", "an archive is its owner's alone")
    return request.account, request.session


def _envelope(session: Session, query: Query) -> Envelope:
    return Envelope(owner=session.account.jid, to=session.jid, queryid=query.queryid)
