"""Invitations in a table of their own, where they are found by what they are for; as a map they were read whole."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
FIELDS = {"inviter": "", "username": "", "may_register": True, "expires": None, "maker": ""}


def upgrade() -> None:
    invitation = op.create_table(
        "invitation",
        sa.Column("host", KEY, primary_key=True),
        sa.Column("token", KEY, primary_key=True),
        sa.Column("inviter", KEY, nullable=False),
        sa.Column("username", KEY, nullable=False),
        sa.Column("may_register", sa.Boolean, nullable=False),
        sa.Column("expires", sa.Float),
        sa.Column("maker", KEY, nullable=False),
    )
    op.create_index("invitation_by_username", "invitation", ["host", "username"])
    op.create_index("invitation_by_expiry", "invitation", ["host", "expires"])
    op.create_index("invitation_by_maker", "invitation", ["maker", "host"])
    op.create_index("invitation_by_inviter", "invitation", ["inviter"])
    connection = op.get_bind()
    kept = connection.execute(sa.text("SELECT owner, key, value FROM map_entry WHERE name = 'invitations'")).all()
    rows = [{"host": row.owner, "token": row.key, **FIELDS, **json.loads(row.value)} for row in kept]
    if rows:
        connection.execute(sa.insert(invitation), rows)
    connection.execute(sa.text("DELETE FROM map_entry WHERE name = 'invitations'"))
