"""Keep whom the vendors' events name until a run looks at them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notifications",
        sa.Column("account", sa.Text(), primary_key=True),
        sa.Column("sync_type", sa.Text(), primary_key=True),
        sa.Column("side", sa.Text(), primary_key=True),
        sa.Column("record", sa.Text(), primary_key=True, comment="address or id; empty for all"),
        sa.Column("email_key", sa.Text(), comment="the normalised address"),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_told_at", sa.DateTime(timezone=True), nullable=False),
        comment="whom the vendors' events named, and no run has looked at since",
    )


def downgrade() -> None:
    op.drop_table("notifications")
