"""Searching in the texts of archived messages: FTS5 on SQLite, `tsvector` on PostgreSQL.

The index is made when somebody searches, not when a message is stored: most accounts never do, and storing stays as
cheap as it is. Each search begins with `index`, until that has caught up. What goes from the archive goes from here in
the same transaction.

Both databases have one index for all accounts, in which an account's messages are those with a word that stands for
their owner; so a search doesn't look at those of others.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Final
from unicodedata import category, combining, normalize

from sqlalchemy import Connection, bindparam, text

BATCH: Final = 100
"""Messages that are indexed in one write."""
_BATCH_TEXT: Final = 262_144
"""Characters of stanzas after which it ends before its time: nothing else is written meanwhile."""

# What begins here has an end as well: without that, each would be looked for up to the end of the stanza.
_TEXTS: Final = re.compile(r"<(?:body|subject)(?: [^=>]*='[^']*')*+>(.*?)</(?:body|subject)>", re.DOTALL)
_LONGEST: Final = 131_072
"""Characters of a message's texts that are indexed."""
_LONGEST_PLAIN: Final = 500_000
"""Octets of them that PostgreSQL is given, which takes a megabyte of words with the places where they stand. Korean has
three times as many when it is taken apart."""
_CDATA: Final = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
_TAG: Final = re.compile(r"<[^>]*>")

_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese."""

_NO_WORD: Final = re.compile(r"[\W_]")

_LAST: Final = text("SELECT last FROM message_indexed WHERE owner = :owner")
_NEW: Final = text(
    "SELECT id, value FROM message WHERE owner = :owner AND archived = :archived AND id > :last "
    f"ORDER BY id LIMIT {BATCH}"
)
_REACHED: Final = text(
    "INSERT INTO message_indexed (owner, last) VALUES (:owner, :last) "
    "ON CONFLICT (owner) DO UPDATE SET last = excluded.last"
)
_ADD: Final = {
    # Ids are those of one account; that two accounts have the same one can happen to what came from another server.
    "sqlite": text(
        "INSERT INTO message_text (rowid, owner, words) SELECT :id, :token, :words "
        "WHERE NOT EXISTS (SELECT 1 FROM message_text WHERE rowid = :id)"
    ),
    "postgresql": text(
        "INSERT INTO message_text (owner, id, words) "
        "VALUES (:owner, :id, CAST(:token AS tsvector) || to_tsvector('simple', :words))"
    ),
}
_REMOVE: Final = {
    "sqlite": text("DELETE FROM message_text WHERE rowid IN :ids").bindparams(bindparam("ids", expanding=True)),
    "postgresql": text("DELETE FROM message_text WHERE owner = :owner AND id IN :ids").bindparams(
        bindparam("ids", expanding=True)
    ),
}
_FORGET: Final = {
    "sqlite": text("DELETE FROM message_text WHERE rowid IN (SELECT id FROM message WHERE owner = :owner)"),
    "postgresql": text("DELETE FROM message_text WHERE owner = :owner"),
}
_FORGET_REACHED: Final = text("DELETE FROM message_indexed WHERE owner = :owner")
_FOUND: Final = {
    "sqlite": "id IN (SELECT rowid FROM message_text WHERE message_text MATCH :text)",
    "postgresql": (
        "id IN (SELECT id FROM message_text WHERE owner = :owner AND words @@ "
        "(CAST(:token AS tsquery) && websearch_to_tsquery('simple', :text))) "
        "AND numnode(websearch_to_tsquery('simple', :text)) > 0"
    ),
}


def condition(dialect: str, owner: str, wanted: str) -> tuple[str, dict[str, str]]:
    """What is true of messages that have all words of a text, wherever they stand, and the values for it. A text
    without words, such as "?", is in none."""
    found = [_apart(word) for word in wanted.split() if any(map(str.isalnum, word))]
    if not found:
        return "1 = 0", {}
    if dialect != "sqlite":
        # In quotes, and without anything but words, there is nothing that has a meaning of its own.
        return _FOUND[dialect], {"token": _token(owner), "text": " ".join([f'"{_plain(word)}"' for word in found])}
    quoted = [word.replace('"', '""') for word in found]
    return _FOUND[dialect], {
        "text": " AND ".join([f"owner : {_token(owner)}", *[f'words : "{word}"' for word in quoted]])
    }


def index(connection: Connection, owner: str) -> bool:
    """Index some more of an account's archive; whether that was all of it."""
    last = connection.execute(_LAST, {"owner": owner}).scalar() or 0
    rows, size = [], 0
    with connection.execute(_NEW, {"owner": owner, "archived": True, "last": last}) as new:
        for row in new:
            rows.append(row)
            size += len(row.value)
            if size >= _BATCH_TEXT:
                break
    if not rows:
        return True
    token = _token(owner)
    found = [{"owner": owner, "id": row.id, "token": token, "words": _apart(words(row.value))} for row in rows]
    if found := [one for one in found if one["words"]]:
        dialect = connection.dialect.name
        if dialect != "sqlite":
            found = [{**one, "words": _cut(_plain(one["words"]))} for one in found]
        connection.execute(_ADD[dialect], found)
    connection.execute(_REACHED, {"owner": owner, "last": rows[-1].id})
    return len(rows) < BATCH and size < _BATCH_TEXT


def remove(connection: Connection, owner: str, ids: Sequence[int]) -> None:
    """These are no longer in the account's archive."""
    if connection.execute(_LAST, {"owner": owner}).scalar() is not None:
        connection.execute(_REMOVE[connection.dialect.name], _named(connection, owner, ids=list(ids)))


def forget(connection: Connection, owner: str) -> None:
    """The account's messages are about to be deleted."""
    if connection.execute(_LAST, {"owner": owner}).scalar() is not None:
        connection.execute(_FORGET[connection.dialect.name], {"owner": owner})
        connection.execute(_FORGET_REACHED, {"owner": owner})


def _named(connection: Connection, owner: str, **others: Any) -> dict[str, Any]:
    return others if connection.dialect.name == "sqlite" else {"owner": owner, **others}


def words(value: str) -> str:
    """What is said in a stanza, given as XML text that was written by `to_bytes`: its bodies and subjects."""
    found = " ".join(_TEXTS.findall(value))[:_LONGEST]
    if "<" in found:
        found = _TAG.sub(" ", _CDATA.sub(lambda match: html.escape(match[1]), found))
    return html.unescape(found) if "&" in found else found


def _apart(text: str) -> str:
    """With what is written without spaces between words as words of one character each: else a whole clause was one."""
    return text if text.isascii() else _UNSPACED.sub(r" \g<0> ", text)


def _plain(text: str) -> str:
    """Words with spaces between them, and without case and diacritics, as FTS5 has them by itself. PostgreSQL does that
    as its locale has it, where "C" knows ASCII only; and what looks like a number with a sign, an address or a path is
    one word to it."""
    if not text.isascii():
        text = "".join([char for char in normalize("NFD", text.casefold()) if not combining(char)])
    return _NO_WORD.sub(_unless_mark, text)


def _cut(text: str) -> str:
    return text if len(text) * 4 <= _LONGEST_PLAIN else text.encode()[:_LONGEST_PLAIN].decode(errors="ignore")


def _unless_mark(match: re.Match[str]) -> str:
    """Some scripts write vowels as marks."""
    return match[0] if category(match[0]).startswith("M") else " "


def _token(owner: str) -> str:
    """A word that stands for an account."""
    return "owner" + blake2b(owner.encode(), digest_size=16).hexdigest()
