"""Count jobs of a kind that comes in bulk, and remember what was written of named things."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_PLACE = ("target", "kind", "entity", "scope_id", "result", "reason")


def upgrade() -> None:
    op.create_table(
        "bulk_jobs",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment='"" where nothing is written'),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("scope_id", sa.Text(), nullable=False, comment="a campaign, say"),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False, comment='"" where there is none'),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.run_id"], name="bulk_jobs_run_id_fkey", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "part", *_PLACE, name="bulk_jobs_pkey"),
        comment="jobs of a run that are counted instead of listed; those in error are in jobs",
    )
    op.add_column(
        "definitions",
        sa.Column("written", sa.Text(), comment="the values that a sync last wrote elsewhere"),
    )
    op.execute(
        "COMMENT ON COLUMN events.crm_state IS"
        " 'pending, written, ignored, refused, given_up; null if not to be written'"
    )
    op.create_index(
        "events_ignored",
        "events",
        ["account", "role", "email_key"],
        postgresql_where=sa.text("crm_state = 'ignored'"),
    )


def downgrade() -> None:
    op.drop_index("events_ignored", "events")
    op.drop_column("definitions", "written")
    op.execute(
        "COMMENT ON COLUMN events.crm_state IS"
        " 'pending, written, refused, given_up; null if not to be written'"
    )
    op.execute("UPDATE events SET crm_state = 'refused' WHERE crm_state = 'ignored'")
    op.drop_table("bulk_jobs")
