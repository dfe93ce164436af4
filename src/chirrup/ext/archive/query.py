"""A query, read: which messages it is about, and which page of them (XEP-0313 §§4.1 and 4.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from chirrup.core.errors import AddressError, PayloadError, StanzaError
from chirrup.core.jid import JID
from chirrup.core.record import record
from chirrup.core.values import parse_datetime
from chirrup.core.xml import Element
from chirrup.ext.archive import FULL_TEXT_FIELD, NS
from chirrup.ext.archive.payloads import Query
from chirrup.ext.forms import FORM_TYPE
from chirrup.ext.forms.payloads import Field, Form
from chirrup.ext.forms.validation import NS as VALIDATE
from chirrup.ext.rsm.pages import Wanted, wanted
from chirrup.store.message_rows import Message, MessageRows, Range, first_id_of

_SINGLE: Final = {
    "with": "jid-single",
    "start": "text-single",
    "end": "text-single",
    "before-id": "text-single",
    "after-id": "text-single",
    "include-groupchat": "boolean",
    FULL_TEXT_FIELD: "text-single",
}
_LONGEST_TEXT: Final = 256
"""Characters of a text to search for, at most."""
_COUNTED: Final = 10_000
"""Messages up to which it is told how many fit a query; beyond, counting would cost more than the page."""
_COUNTED_ALONE: Final = 1_000_000
"""As much for who wants the count and nothing else."""


def form(*, full_text: bool) -> Form:
    """The fields that a query may have (§4.1.5)."""
    anything = Element("validate", VALIDATE, Element("open", VALIDATE), datatype="xs:string")
    fields = [Field.of(FORM_TYPE, NS, "hidden")]
    fields += [Field(name, kind) for name, kind in _SINGLE.items() if full_text or name != FULL_TEXT_FIELD]
    fields.append(Field("ids", "list-multi", extensions=(anything,)))
    return Form("form", fields=tuple(fields))


@record
class Asked:
    """What a query is for."""

    which: Range
    """The messages that fit its form."""
    page: Wanted
    """The page of these, by UIDs."""
    named: tuple[int, ...]
    """The ids of messages that are named, and have to be in the archive."""
    after: int | None
    before: int | None
    """Where the page begins and ends."""

    @property
    def range(self) -> Range:
        """The messages out of which the page is the first, or with `page.backwards` the last ones."""
        after = max((id_ for id_ in (self.after, self.which.after) if id_ is not None), default=None)
        before = min((id_ for id_ in (self.before, self.which.before) if id_ is not None), default=None)
        return replace(self.which, after=after, before=before)

    @property
    def may_take_long(self) -> bool:
        """Whether the whole archive may have to be gone through: for words, for one client of somebody, or to count."""
        return self.which.text is not None or self.which.resource is not None or not self.page.limit


def read(query: Query, id_of: Callable[[str], int | None], *, largest: int, default: int, full_text: bool) -> Asked:
    """What a query asks for. Raises StanzaError."""
    if query.node:
        raise StanzaError("item-not-found", "the archive has no nodes")
    page = wanted(query.set, largest=largest, default=default)
    if page.index is not None:
        raise StanzaError("feature-not-implemented", "a page is asked for by the message before or after it")
    named: list[int] = []

    def known(uid: str) -> int:
        number = id_of(uid)
        if number is None:
            raise StanzaError("item-not-found", "the archive has no message with such an id")
        named.append(number)
        return number

    which = _range(query.form, known, largest) if query.form is not None else Range()
    if which.text is not None and not full_text:
        raise StanzaError("feature-not-implemented", "texts can't be searched here")
    after = known(page.after) if page.after is not None else None
    before = known(page.before) if page.before is not None else None
    return Asked(which, page, tuple(named), after, before)


def _range(form: Form, known: Callable[[str], int], most_ids: int) -> Range:
    if form.type != "submit" or form.form_type != NS:
        raise StanzaError("bad-request", f"a query's form is of type 'submit' and about {NS}")
    after: list[int] = []
    before: list[int] = []
    peer = resource = ids = text = None
    for field in form.fields:
        match field.var:
            case "FORM_TYPE":
                continue
            case "ids":
                if len(field.values) > most_ids:
                    raise StanzaError("not-acceptable", f"a query may name {most_ids} messages")
                ids = tuple([known(uid) for uid in field.values])
                continue
            case name if name not in _SINGLE:
                raise StanzaError("feature-not-implemented", f"a query has no field {name!r}")
        if len(field.values) > 1:
            raise StanzaError("bad-request", f"the field {field.var!r} has one value")
        if not field.value:
            continue
        try:
            match field.var:
                case "with":
                    jid = JID.parse(field.value)
                    peer, resource = jid.bare.text, jid.resource or None
                case "start":
                    after.append(first_id_of(parse_datetime(field.value)) - 1)
                case "end":
                    before.append(first_id_of(parse_datetime(field.value)) + 1)
                case "after-id":
                    after.append(known(field.value))
                case "before-id":
                    before.append(known(field.value))
                case "include-groupchat":
                    _ = field.boolean  # there are none either way
                case _:
                    text = field.value.strip()[:_LONGEST_TEXT] or None
        except (AddressError, PayloadError, ValueError) as error:
            raise StanzaError("bad-request", f"the field {field.var!r}: {error}") from None
    return Range(
        after=max(after, default=None),
        before=min(before, default=None),
        peer=peer,
        resource=resource,
        ids=ids,
        text=text,
    )


@record
class Found:
    """What a query finds."""

    messages: list[Message]
    """The page, in order."""
    complete: bool
    """Whether there are no more in range beyond the page."""
    count: int | None
    """How many fit the form, unless they are too many to be counted."""


def find(
    rows: MessageRows, owner: str, asked: Asked, *, most_octets: int, around: int = 0, count_up_to: int = _COUNTED
) -> Found | None:
    """The page, which ends before its time where its messages with `around` octets for each would have more than
    `most_octets`, so that one of large messages can be sent. None if a message that was named isn't in the archive."""
    if asked.named and rows.missing(owner, asked.named):
        return None
    page = asked.page
    found = rows.page(owner, asked.range, limit=page.limit + 1, newest=page.backwards, octets=most_octets)
    kept = _fitting(found if not page.backwards else found[::-1], page.limit, most_octets, around)
    messages = found[:kept] if not page.backwards else found[len(found) - kept :]
    count = rows.count(owner, asked.which, up_to=count_up_to if page.limit else _COUNTED_ALONE)
    return Found(messages, kept == len(found), count)


def _fitting(messages: Iterable[Message], limit: int, most_octets: int, around: int) -> int:
    """How many of these make up a page: at least one, unless none is wanted."""
    size = kept = 0
    for message in messages:
        size += around + _octets(message.value)
        if kept == limit or (kept and size > most_octets):
            break
        kept += 1
    return kept


def _octets(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
