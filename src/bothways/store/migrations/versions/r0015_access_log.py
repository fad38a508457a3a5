"""Record who looked at people, and who downloaded what."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "access_log",
        sa.Column("entry", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False, server_default=""),
        sa.Column("run_id", sa.BigInteger(), comment="the run whose jobs were looked at"),
        sa.Column(
            "record_ids",
            sa.ARRAY(sa.Text()),
            nullable=False,
            server_default="{}",
            comment="of the person; empty once erased",
        ),
        comment="who looked at people, and who took what out",
    )
    op.create_index("access_log_by_time", "access_log", ["at"])


def downgrade() -> None:
    op.drop_table("access_log")
