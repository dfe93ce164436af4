"""Accounts, values, maps and logs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("host", KEY, primary_key=True),
        sa.Column("local", KEY, primary_key=True),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.Column("last_login", sa.Float),
        sa.Column("last_logout", sa.Float),
        sa.Column("last_status", sa.Text, nullable=False),
    )
    op.create_table(
        "account_keys",
        sa.Column("host", KEY, primary_key=True),
        sa.Column("local", KEY, primary_key=True),
        sa.Column("algorithm", KEY, primary_key=True),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.Column("iterations", sa.Integer, nullable=False),
        sa.Column("stored_key", sa.LargeBinary, nullable=False),
        sa.Column("server_key", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(["host", "local"], ["account.host", "account.local"], ondelete="CASCADE"),
    )
    op.create_table(
        "single_value",
        sa.Column("owner", KEY, primary_key=True),
        sa.Column("name", KEY, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "map_entry",
        sa.Column("owner", KEY, primary_key=True),
        sa.Column("name", KEY, primary_key=True),
        sa.Column("key", KEY, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    _create_log()


def _create_log() -> None:
    op.create_table(
        "log_entry",
        sa.Column("id", ID, primary_key=True, autoincrement=False),
        sa.Column("owner", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("peer", KEY),
        sa.Column("entry_id", KEY),
        sa.Column("stamp", sa.Float, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_index("log_entry_by_owner", "log_entry", ["owner", "name", "id"])
    op.create_index("log_entry_by_stamp", "log_entry", ["name", "stamp"])
    for name, columns, unique in (
        ("log_entry_by_peer", ["owner", "name", "peer", "id"], False),
        ("log_entry_by_entry_id", ["owner", "name", "entry_id"], True),
    ):
        present = sa.text(f"{columns[2]} IS NOT NULL")
        op.create_index(name, "log_entry", columns, unique=unique, sqlite_where=present, postgresql_where=present)
    sequence = op.create_table("log_sequence", sa.Column("last", ID, nullable=False))
    op.bulk_insert(sequence, [{"last": 0}])
