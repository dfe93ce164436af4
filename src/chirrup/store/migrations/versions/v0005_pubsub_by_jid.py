"""Indexes by which an account's affiliations with nodes of others, and its subscriptions to them, are found."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for kind in "affiliation", "subscription":
        op.create_index(f"pubsub_{kind}_by_jid", f"pubsub_{kind}", ["jid"])
