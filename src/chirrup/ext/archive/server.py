"""Archives at the server: each account's messages, kept once, and found again by whoever owns them."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.core.xml import Element
from chirrup.ext.archive import EXTENDED, GROUPCHAT_FIELD, NS
from chirrup.ext.archive.payloads import Default, End, Fin, Metadata, Preferences, Query, Start
from chirrup.ext.archive.preferences import Wishes
from chirrup.ext.archive.query import find, form, moment, read
from chirrup.ext.archive.results import fin, results
from chirrup.ext.archive.rules import is_archived
from chirrup.ext.offline.handing_over import querying
from chirrup.ext.offline.server import Offline
from chirrup.ext.stanza_ids.rules import add_stanza_id
from chirrup.server import hooks
from chirrup.server.module import Account, Addressee, Module, Origin, Request, Session, Settings, Xep, iq_get, iq_set

_ACCOUNTS: Final = (Addressee.OWN, Addressee.ACCOUNT)
_PAGE_OCTETS: Final = 1_048_576
"""Characters of stanzas after which a page ends before its time, so that one of large messages can be sent."""
_COUNTED: Final = 10_000
"""Messages up to which it is told how many fit a query; beyond, counting would cost more than the page."""


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


class Archive(Module):
    """Keeps each account's messages, for its clients to ask for."""

    xeps = (Xep(313, "1.1.3"), Xep(441, "0.2.0"), Xep(59, "1.0"))
    account_features = (NS, EXTENDED, GROUPCHAT_FIELD)
    needs_accounts = True
    Settings = ArchiveSettings
    settings: ArchiveSettings

    async def start(self) -> None:
        self._copies = self.host.copies
        self._messages = self.host.store.messages
        self._uid = self._messages.uid
        self._offline = self.host.find_module(Offline)
        self._preferences = self.host.store.value("archive_preferences")
        self._unasked = Wishes(self.settings.default)

    @hooks.account_loading()
    async def load(self, account: Account) -> None:
        text = await self._preferences.get(account.jid.text)
        account.put(self._unasked if text is None else Wishes.from_text(text))

    # -- what is archived

    @hooks.message_out(after=["blocking", "stanza_ids"])
    def sent(self, session: Session, stanza: Element, to: JID) -> bool:
        account = session.account
        # What goes to the account itself is archived as it arrives there.
        if is_archived(stanza) and to.bare != account.jid and account.get(Wishes).allow(account, to):
            self._copies.archive(account.jid, stanza, to, session)
        return False

    @hooks.message_archiving()
    def arrived(self, account: Account, stanza: Element, to: JID, origin: Origin) -> None:
        if not is_archived(stanza):
            return
        sender = JID.parse(stanza.attrs["from"])
        if account.get(Wishes).allow(account, sender):
            add_stanza_id(stanza, self._uid(self._copies.archive(account.jid, stanza, sender, origin)), account.jid)

    # -- what is asked for

    @iq_get(Query, to=_ACCOUNTS, even_missing=True)
    def fields(self, request: Request[Query]) -> Query:
        _own(request)
        return Query(form=form())

    @iq_set(Query, to=_ACCOUNTS, even_missing=True)
    async def query(self, request: Request[Query]) -> Fin:
        """The messages are written before the result is. The client's next stanza waits for both."""
        account, session = _own(request)
        owner, settings = account.jid, self.settings
        asked = read(request.payload, self._messages.id_of, largest=settings.max_page, default=settings.page)
        with querying(session):
            found = await self.host.store.read(
                lambda connection: find(
                    self._messages.within(connection), owner.text, asked, count_up_to=_COUNTED, most_octets=_PAGE_OCTETS
                )
            )
            if found is not None and self._offline is not None:
                self._offline.fetched(account, [message.id for message in found.messages if message.waiting])
        if found is None:
            raise StanzaError("item-not-found", "the archive has no message with such an id")
        answer = fin(found, asked, self._uid)
        if request.payload.flip_page:
            found.messages.reverse()
        for written in results(found, self._uid, owner=owner, to=session.jid, queryid=request.payload.queryid):
            session.write(written)
        return answer

    @iq_get(Metadata, to=_ACCOUNTS, even_missing=True)
    async def metadata(self, request: Request[Metadata]) -> Metadata:
        account, _ = _own(request)
        first, last = await self.host.store.read(
            lambda connection: self._messages.within(connection).ends(account.jid.text)
        )
        if first is None or last is None:
            return Metadata()
        return Metadata(Start(self._uid(first), moment(first)), End(self._uid(last), moment(last)))

    # -- preferences

    @iq_get(Preferences, to=_ACCOUNTS, even_missing=True)
    def preferences(self, request: Request[Preferences]) -> Preferences:
        account, _ = _own(request)
        return account.get(Wishes).to_payload()

    @iq_set(Preferences, to=_ACCOUNTS, even_missing=True)
    async def set_preferences(self, request: Request[Preferences]) -> Preferences:
        """They hold from now on, and are durable when the result comes."""
        account, _ = _own(request)
        wishes = Wishes.from_payload(request.payload, self.settings.default)
        if len(wishes.always) + len(wishes.never) > self.settings.max_preferences:
            raise StanzaError("not-acceptable", f"at most {self.settings.max_preferences} addresses can be listed")
        stored = self._preferences.set(account.jid.text, wishes.to_text())
        account.put(wishes)
        await stored
        return wishes.to_payload()


def _own(request: Request[Query] | Request[Metadata] | Request[Preferences]) -> tuple[Account, Session]:
    """The asker's account and session. Of others' archives nobody is told anything, not even whether they exist."""
    if request.session is None or request.account is None or request.to != request.sender.bare:
        raise StanzaError("forbidden", "an archive is its owner's alone")
    return request.account, request.session
