"""Publish-subscribe: nodes, who has to do with them, and items."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _key(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, KEY, primary_key=True) for name in names]


def upgrade() -> None:
    op.create_table(
        "pubsub_node",
        *_key("owner", "node"),
        sa.Column("config", sa.Text, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
    )
    op.create_table(
        "pubsub_affiliation",
        *_key("owner", "node", "jid"),
        sa.Column("affiliation", sa.Text, nullable=False),
    )
    op.create_table(
        "pubsub_subscription",
        *_key("owner", "node", "jid", "subid"),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("options", sa.Text, nullable=False),
    )
    op.create_table(
        "pubsub_item",
        *_key("owner", "node", "item"),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("publisher", sa.Text, nullable=False),
        sa.Column("stamp", sa.Float, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
    )
    op.create_index("pubsub_item_by_position", "pubsub_item", ["owner", "node", "position", "size"], unique=True)
