"""The tables, as the statements see them. Migrations make them; a test holds the two together.

`owner` is a bare JID. An account's data is all under its own bare JID, so that it can be found when the account goes:
every key starts with it.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

SCHEMA: Final = "0007"
"""The newest migration: the version of the schema that this program works with."""

metadata: Final = MetaData()

# Keys compare by code point on both databases, so that paging by key is the same everywhere.
_Key = Text().with_variant(Text(collation="C"), "postgresql")
# SQLite's row numbers are what it calls INTEGER.
_Id = BigInteger().with_variant(Integer(), "sqlite")

account: Final = Table(
    "account",
    metadata,
    Column("host", _Key, primary_key=True),
    Column("local", _Key, primary_key=True),
    Column("created", Float, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("last_login", Float),
    Column("last_logout", Float),
    Column("last_status", Text, nullable=False),
)

account_keys: Final = Table(
    "account_keys",
    metadata,
    Column("host", _Key, primary_key=True),
    Column("local", _Key, primary_key=True),
    Column("algorithm", _Key, primary_key=True),
    Column("salt", LargeBinary, nullable=False),
    Column("iterations", Integer, nullable=False),
    Column("stored_key", LargeBinary, nullable=False),
    Column("server_key", LargeBinary, nullable=False),
    ForeignKeyConstraint(["host", "local"], ["account.host", "account.local"], ondelete="CASCADE"),
)

single_value: Final = Table(
    "single_value",
    metadata,
    Column("owner", _Key, primary_key=True),
    Column("name", _Key, primary_key=True),
    Column("value", Text, nullable=False),
)

map_entry: Final = Table(
    "map_entry",
    metadata,
    Column("owner", _Key, primary_key=True),
    Column("name", _Key, primary_key=True),
    Column("key", _Key, primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)

log_entry: Final = Table(
    "log_entry",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("owner", _Key, nullable=False),
    Column("name", _Key, nullable=False),
    Column("peer", _Key),
    Column("entry_id", _Key),
    Column("stamp", Float, nullable=False),
    Column("value", Text, nullable=False),
)
Index("log_entry_by_owner", log_entry.c.owner, log_entry.c.name, log_entry.c.id)
Index("log_entry_by_stamp", log_entry.c.name, log_entry.c.stamp)
# Absent peers and entry ids are NULL and cost nothing here. So it is on PostgreSQL; to say so would load its dialect.
_by_peer = log_entry.c.peer.is_not(None)
Index(
    "log_entry_by_peer",
    *(log_entry.c.owner, log_entry.c.name, log_entry.c.peer, log_entry.c.id),
    sqlite_where=_by_peer,
)
_by_entry_id = log_entry.c.entry_id.is_not(None)
Index(
    "log_entry_by_entry_id",
    *(log_entry.c.owner, log_entry.c.name, log_entry.c.entry_id),
    unique=True,
    sqlite_where=_by_entry_id,
)

# One row: the last id that a log entry got. Whoever appends holds it until the commit, so that ids appear in their own
# order, and none is ever given twice.
log_sequence: Final = Table("log_sequence", metadata, Column("last", _Id, nullable=False))

# A publish-subscribe service is its owner: an account, or a domain of its own.
pubsub_node: Final = Table(
    "pubsub_node",
    metadata,
    Column("owner", _Key, primary_key=True),
    Column("node", _Key, primary_key=True),
    Column("config", Text, nullable=False),
    Column("created", Float, nullable=False),
)

pubsub_affiliation: Final = Table(
    "pubsub_affiliation",
    metadata,
    Column("owner", _Key, primary_key=True),
    Column("node", _Key, primary_key=True),
    Column("jid", _Key, primary_key=True),
    Column("affiliation", Text, nullable=False),
)
Index("pubsub_affiliation_by_jid", pubsub_affiliation.c.jid)

pubsub_subscription: Final = Table(
    "pubsub_subscription",
    metadata,
    Column("owner", _Key, primary_key=True),
    Column("node", _Key, primary_key=True),
    Column("jid", _Key, primary_key=True),
    Column("subid", _Key, primary_key=True),
    Column("state", Text, nullable=False),
    Column("options", Text, nullable=False),
)
Index("pubsub_subscription_by_jid", pubsub_subscription.c.jid)

pubsub_item: Final = Table(
    "pubsub_item",
    metadata,
    Column("owner", _Key, primary_key=True),
    Column("node", _Key, primary_key=True),
    Column("item", _Key, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("publisher", Text, nullable=False),
    Column("stamp", Float, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("payload", Text, nullable=False),
)
Index(
    "pubsub_item_by_position",
    *(pubsub_item.c.owner, pubsub_item.c.node, pubsub_item.c.position, pubsub_item.c.size),
    unique=True,
)

# A message that is in its owner's archive, waits for its owner, or both. An owner's messages lie together, in order.
# `id` is microseconds since 1970, or a little more: larger than every earlier one.
message: Final = Table(
    "message",
    metadata,
    Column("owner", _Key, primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("peer", _Key, nullable=False),
    Column("resource", _Key, nullable=False),
    Column("value", Text, nullable=False),
    Column("archived", Boolean, nullable=False),
    Column("waiting", Boolean, nullable=False),
    sqlite_with_rowid=False,
)
Index("message_by_peer", message.c.owner, message.c.peer, message.c.archived, message.c.id)
_waits = message.c.waiting
Index("message_waiting", message.c.owner, message.c.id, sqlite_where=_waits)

# One row: the largest id that a message got, and the key under which ids are told.
message_state: Final = Table(
    "message_state",
    metadata,
    Column("last", BigInteger, nullable=False),
    Column("secret", LargeBinary, nullable=False),
)

# Up to which id an account's archive is in the index of words; `search` has that index, which each database has its own
# kind of table for.
message_indexed: Final = Table(
    "message_indexed",
    metadata,
    Column("owner", _Key, primary_key=True),
    Column("last", BigInteger, nullable=False),
)

# What people are invited by. `maker` and `inviter` are bare JIDs, with which it goes; "" for nobody.
invitation: Final = Table(
    "invitation",
    metadata,
    Column("host", _Key, primary_key=True),
    Column("token", _Key, primary_key=True),
    Column("inviter", _Key, nullable=False),
    Column("username", _Key, nullable=False),
    Column("may_register", Boolean, nullable=False),
    Column("expires", Float),
    Column("maker", _Key, nullable=False),
)
Index("invitation_by_username", invitation.c.host, invitation.c.username)
Index("invitation_by_expiry", invitation.c.host, invitation.c.expires)
Index("invitation_by_maker", invitation.c.maker, invitation.c.host)
Index("invitation_by_inviter", invitation.c.inviter)
