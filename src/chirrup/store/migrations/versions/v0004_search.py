"""An index of the words of archived messages, for accounts that search in theirs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "message_indexed",
        sa.Column("owner", KEY, primary_key=True),
        sa.Column("last", sa.BigInteger, nullable=False),
    )
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE VIRTUAL TABLE message_text USING fts5(owner, words, tokenize = 'unicode61 remove_diacritics 2')"
        )
    else:
        op.execute(
            'CREATE TABLE message_text (owner text COLLATE "C", id bigint, words tsvector NOT NULL, '
            "PRIMARY KEY (owner, id))"
        )
        op.execute("CREATE INDEX message_text_by_words ON message_text USING gin (words)")
