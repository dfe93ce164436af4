"""Messages in a table of their own, for archive and offline delivery; what waited in the log "offline" moves there."""

from __future__ import annotations

import re
import secrets

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
BATCH = 500
SENDER = re.compile(r"""<message(?:\s+[\w:]+\s*=\s*(?:'[^']*'|"[^"]*"))*?\s+from\s*=\s*['"]([^'"]*)['"]""")


def upgrade() -> None:
    message = op.create_table(
        "message",
        sa.Column("owner", KEY, primary_key=True),
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("peer", KEY, nullable=False),
        sa.Column("resource", KEY, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("archived", sa.Boolean, nullable=False),
        sa.Column("waiting", sa.Boolean, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("message_by_peer", "message", ["owner", "peer", "archived", "id"])
    waits = sa.text("waiting")
    op.create_index("message_waiting", "message", ["owner", "id"], sqlite_where=waits, postgresql_where=waits)
    state = op.create_table(
        "message_state",
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
    )
    op.bulk_insert(state, [{"last": _move(message), "secret": secrets.token_bytes(16)}])


def _move(message: sa.Table) -> int:
    """Move what waits, in its order; returns the last id given."""
    connection = op.get_bind()
    page = sa.text(
        "SELECT id, owner, stamp, value FROM log_entry WHERE name = 'offline' AND id > :after ORDER BY id LIMIT :limit"
    )
    after = last = 0
    while rows := connection.execute(page, {"after": after, "limit": BATCH}).all():
        after = rows[-1].id
        moved = []
        for row in rows:
            last = max(int(row.stamp * 1_000_000), last + 1)
            found = SENDER.match(row.value)
            peer, _, resource = (found[1] if found else "").partition("/")
            moved.append(
                {
                    "owner": row.owner,
                    "id": last,
                    "peer": peer,
                    "resource": resource,
                    "value": row.value,
                    "archived": False,
                    "waiting": True,
                }
            )
        connection.execute(sa.insert(message), moved)
    connection.execute(sa.text("DELETE FROM log_entry WHERE name = 'offline'"))
    return last
