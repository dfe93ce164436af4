"""What Prosody keeps on disk with its internal storage: a folder for each host, in it one for each store, in it a file
for each account; given as what a document of XEP-0227 would have said."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from chirrup.cli.transfer.events import Child, Event, HostBegins, Place, Problem, Unreadable, UserBegins, UserEnds
from chirrup.cli.transfer.lua import NO_XML, Table, Value, read_items, read_table
from chirrup.core.errors import PayloadError
from chirrup.core.values import format_datetime
from chirrup.core.xml import CLIENT, XML_LANG, Element
from chirrup.ext import archive, blocking, delay, forms, forwarding, private_storage, pubsub, roster, vcard
from chirrup.ext.vcard4 import NODE as VCARD4
from chirrup.ext.vcard4.conversion import to_vcard_temp
from chirrup.ext.vcard4.payloads import VCard4
from chirrup.server.transfer import ACCOUNT, ARCHIVE, NS, SCRAM

_ALGORITHMS: Final = {40: "SHA-1", 64: "SHA-256", 128: "SHA-512"}
"""By the length of keys, in hexadecimal digits."""
_HEXADECIMAL: Final = re.compile(r"(?:[0-9a-fA-F]{2})+")
_NAME: Final = re.compile(r"[^\W\d][\w.\-·]*")
_OWN_NAMES: Final = {"include_payload": "deliver_payloads", "notify_items": "deliver_notifications"}
"""Prosody's names of fields of a node's configuration, where they aren't those of XEP-0060."""
_LAST: Final = 253_402_300_799.0
"""The last second that a date can name."""
_PAGE: Final = 500
"""Items of a node that are given together."""
_NO_DATA: Final = frozenset({"account_details", "archive_cleanup", "smacks_h", "accounts_cleanup"})
"""Stores with nothing to take over."""


def is_data_folder(folder: Path) -> bool:
    """Whether a folder looks like Prosody's data."""
    return any(folder.glob("*/accounts/*.dat"))


class DataFolder:
    """Reads a data folder, `/var/lib/prosody` as a rule."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __iter__(self) -> Iterator[Event]:
        try:
            yield from self._hosts()
        except OSError as error:
            raise Unreadable(Place(error.filename or str(self._folder)), error.strerror or str(error)) from None

    def _hosts(self) -> Iterator[Event]:
        for host in sorted(path for path in self._folder.iterdir() if path.is_dir()):
            place, jid = Place(str(host)), unquote(host.name)
            if not (host / "accounts").is_dir():
                yield Problem(place, f"{jid} has no accounts here, and is left out")
                continue
            stores = {unquote(path.name): path for path in sorted(host.iterdir()) if path.is_dir()}
            yield HostBegins(place, jid)
            yield from self._left_out(stores)
            for account in sorted(stores["accounts"].glob("*.dat")):
                yield from _User(stores, jid, account).events()

    @staticmethod
    def _left_out(stores: dict[str, Path]) -> Iterator[Event]:
        for name, path in stores.items():
            if name not in _STORES and name not in _NO_DATA and not name.startswith("pep_"):
                yield Problem(Place(str(path)), f"the store {name!r} is left out: nothing here has a place for it")


class _User:
    """One account."""

    def __init__(self, stores: dict[str, Path], domain: str, account: Path) -> None:
        self._stores = stores
        self._file_name = account.stem
        self._domain = domain
        self._account = account

    def events(self) -> Iterator[Event]:
        place = Place(str(self._account))
        try:
            table = read_table(self._account)
        except Unreadable as error:
            yield Problem(error.place, error.text)
            return
        yield UserBegins(place, unquote(self._file_name), table.text("password") or None)
        for element in _credentials(table):
            yield Child(place, element)
        for store, read in _STORES.items():
            if read is not None:
                yield from self._guarded(read(self, store))
        yield UserEnds()

    def _guarded(self, events: Iterator[Event]) -> Iterator[Event]:
        """Where a file can't be read any further, the next one can."""
        try:
            yield from events
        except Unreadable as error:
            yield Problem(error.place if error.place.file else Place(str(self._account)), error.text)

    def _messages(self, store: str) -> Iterator[tuple[Place, Table, Element] | Problem]:
        """The messages of a store; where one is broken, the next isn't."""
        for place, item in self._items(store):
            try:
                yield place, item, _element(item, CLIENT)
            except Unreadable as error:
                yield Problem(place, error.text)

    def _path(self, store: str, ending: str) -> Path | None:
        """The account's file of a store, if it has one."""
        folder = self._stores.get(store)
        path = None if folder is None else folder / f"{self._file_name}{ending}"
        return path if path is not None and path.is_file() else None

    def _table(self, store: str) -> tuple[Place, Table] | None:
        path = self._path(store, ".dat")
        return None if path is None else (Place(str(path)), read_table(path))

    def _items(self, store: str) -> Iterator[tuple[Place, Table]]:
        path = self._path(store, ".list")
        return iter(()) if path is None else read_items(path)

    # -- stores

    def roster(self, store: str) -> Iterator[Event]:
        if (found := self._table(store)) is None:
            return
        place, table = found
        query = Element("query", roster.NS)
        for jid, contact in table.keyed.items():
            if isinstance(jid, str) and jid != "pending" and isinstance(contact, Table):
                query.append(_contact(jid, contact))
        yield Child(place, query)
        for pending in (table.table(False).table("pending"), table.table("pending")):
            for jid, request in pending.keyed.items():
                if isinstance(jid, str):
                    yield from self._guarded(_request(place, jid, request))

    def vcard(self, store: str) -> Iterator[Event]:
        if (found := self._table(store)) is not None:
            yield Child(found[0], _element(found[1], vcard.NS))

    def private(self, store: str) -> Iterator[Event]:
        if (found := self._table(store)) is not None:
            for kept in found[1].keyed.values():
                if isinstance(kept, Table):
                    yield from self._guarded(_kept_element(found[0], kept))

    def blocklist(self, store: str) -> Iterator[Event]:
        if (found := self._table(store)) is not None:
            blocked = Element("blocklist", blocking.NS)
            for jid in found[1].keyed:
                if isinstance(jid, str):
                    blocked.c("item", jid=jid)
            yield Child(found[0], blocked)

    def archive_preferences(self, store: str) -> Iterator[Event]:
        if (found := self._table(store)) is None:
            return
        table = found[1]
        default = table.get(False)
        written = ("always" if default else "never") if isinstance(default, bool) else default
        preferences = Element("prefs", archive.NS, default=written or None)
        for name, wanted in (("always", True), ("never", False)):
            addresses = preferences.c(name)
            for jid, archived in table.keyed.items():
                if isinstance(jid, str) and archived is wanted:
                    addresses.c("jid", text=jid)
        yield Child(found[0], preferences)

    def archive(self, store: str) -> Iterator[Event]:
        for found in self._messages(store):
            if isinstance(found, Problem):
                yield found
                continue
            place, item, message = found
            forwarded = Element("forwarded", forwarding.NS)
            forwarded.c("delay", delay.NS, stamp=_stamp(item))
            forwarded.append(message)
            yield Child(place, Element("result", archive.NS, forwarded, id=item.text("key")), ("archive", ARCHIVE))

    def offline(self, store: str) -> Iterator[Event]:
        for found in self._messages(store):
            if isinstance(found, Problem):
                yield found
                continue
            place, item, message = found
            message.c("delay", delay.NS, from_=self._domain, stamp=_stamp(item))
            yield Child(place, message, ("offline-messages", NS))

    def pep(self, store: str) -> Iterator[Event]:
        if (found := self._table(store)) is None:
            return
        place, table = found
        for node, kept in table.keyed.items():
            if isinstance(node, str):
                for element in _node(node, kept if isinstance(kept, Table) else Table()):
                    yield Child(place, element, ("pubsub", pubsub.OWNER))
        for node in table.keyed:
            if isinstance(node, str):
                yield from self._guarded(self._node_items(place, node))
        everybody_may = table.table(VCARD4).table("config").get("access_model") == "open"
        if everybody_may and self._path("vcard", ".dat") is None:
            yield from self._guarded(self._older_card(place))

    def _older_card(self, place: Place) -> Iterator[Event]:
        """The vCard that Prosody makes of the published one for clients that know no other (its mod_vcard_legacy)."""
        for _, item in list(self._items(f"pep_{VCARD4}"))[-1:]:
            with suppress(PayloadError):
                yield Child(place, to_vcard_temp(VCard4.parse(_element(item, ""))).to_element())

    def _node_items(self, place: Place, node: str) -> Iterator[Event]:
        items = Element("items", pubsub.NS, node=node)
        for at, item in self._items(f"pep_{node}"):
            try:
                payload = [_element(item, "")] if item.text("name") else []
            except Unreadable as error:
                yield Problem(at, error.text)
                continue
            items.c("item", id=item.text("key"), publisher=item.text("with") or None).children += payload
            if len(items.children) == _PAGE:
                yield Child(place, items, ("pubsub", pubsub.NS))
                items = Element("items", pubsub.NS, node=node)
        yield Child(place, items, ("pubsub", pubsub.NS))


_STORES: Final[dict[str, Callable[[_User, str], Iterator[Event]] | None]] = {
    "accounts": None,
    "roster": _User.roster,
    "vcard": _User.vcard,
    "private": _User.private,
    "blocklist": _User.blocklist,
    "archive_prefs": _User.archive_preferences,
    "archive": _User.archive,
    "offline": _User.offline,
    "pep": _User.pep,
}


def _credentials(table: Table) -> Iterator[Element]:
    stored, server, count = table.text("stored_key"), table.text("server_key"), table.get("iteration_count")
    algorithm = _ALGORITHMS.get(len(stored))
    if algorithm and isinstance(count, int) and all(_HEXADECIMAL.fullmatch(key) for key in (stored, server)):
        salt = table.get("salt")
        octets = salt.encode() if isinstance(salt, str) else salt if isinstance(salt, bytes) else b""
        credentials = Element("scram-credentials", SCRAM, mechanism=f"SCRAM-{algorithm}")
        credentials.c("iter-count", text=str(count))
        for name, value in (
            ("salt", octets),
            ("server-key", bytes.fromhex(server)),
            ("stored-key", bytes.fromhex(stored)),
        ):
            credentials.c(name, text=b64encode(value).decode())
        yield credentials
    if table.get("disabled") is True:
        yield Element("account", ACCOUNT, disabled=True)


def _contact(jid: str, contact: Table) -> Element:
    item = Element("item", roster.NS, jid=jid)
    for name in ("subscription", "ask", "name"):
        item.set(name, contact.text(name) or None)
    for group in contact.table("groups").keyed:
        item.c("group", text=str(group))
    return item


def _request(place: Place, jid: str, request: Value) -> Iterator[Event]:
    element = _element(request, CLIENT) if isinstance(request, Table) else Element("presence", CLIENT)
    yield Child(place, element.set("type", "subscribe").set("from", jid))


def _kept_element(place: Place, kept: Table) -> Iterator[Event]:
    yield Child(place, Element("query", private_storage.NS, _element(kept, "")))


def _node(node: str, kept: Table) -> Iterator[Element]:
    """A node's configuration, affiliations and subscriptions."""
    owner = pubsub.OWNER
    form = Element("x", forms.NS, type="submit")
    form.c("field", var="FORM_TYPE", type="hidden").c("value", text=pubsub.NODE_CONFIG)
    for name, value in kept.table("config").keyed.items():
        if name == "_defaults_only":  # how Prosody knows that nobody else has configured it
            continue
        field = form.c("field", var=f"pubsub#{_OWN_NAMES.get(str(name), name)}")
        for one in value.listed if isinstance(value, Table) else [value]:
            field.c("value", text=_written(one))
    yield Element("configure", owner, form, node=node)
    affiliations = Element("affiliations", owner, node=node)
    for jid, affiliation in kept.table("affiliations").keyed.items():
        affiliations.c("affiliation", jid=jid, affiliation=_written(affiliation))
    subscriptions = Element("subscriptions", owner, node=node)
    for jid in kept.table("subscribers").keyed:
        subscriptions.c("subscription", jid=jid, subscription="subscribed")
    yield from (element for element in (affiliations, subscriptions) if element.children)


def _element(stanza: Table, ns: str) -> Element:
    """XML as Prosody stores it; `ns` is where it stands. Raises Unreadable for what can't be XML."""
    attributes = stanza.table("attr")
    element = Element(_name(stanza.get("name")), attributes.text("xmlns") or ns)
    for name, value in attributes.keyed.items():
        if name not in ("xmlns", "stamp_legacy"):
            space, _, local = str(name).rpartition("\1")
            key = XML_LANG if name == "xml:lang" else _name(local)
            element.attrs[f"{space}}}{key}" if space else key] = _written(value)
    if "key" in stanza.keyed or "when" in stanza.keyed or attributes.text("stamp_legacy"):
        element.attrs.pop("stamp", None)  # of storage
    for child in stanza.listed:
        element.children.append(_element(child, element.ns) if isinstance(child, Table) else _written(child))
    return element


def _name(value: Value) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise Unreadable(Place(""), f"{value!r} is no name that an element or an attribute can have")
    return value


def _stamp(item: Table) -> str:
    when = item.get("when")
    if isinstance(when, int | float) and not isinstance(when, bool) and 0 <= when <= _LAST:
        return format_datetime(datetime.fromtimestamp(when, UTC))
    return item.table("attr").text("stamp")  # of versions before 0.11


def _written(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return NO_XML.sub("\ufffd", value.decode("utf-8", "replace"))
    return "" if value is None else str(value)
