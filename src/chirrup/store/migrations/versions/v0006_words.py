"""Words on PostgreSQL are cut as on SQLite: what was indexed before is indexed again when somebody searches."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.execute("TRUNCATE message_text, message_indexed")
