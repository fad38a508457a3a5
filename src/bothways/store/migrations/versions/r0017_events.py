"""Keep what systems tell that happened: sends, opens, clicks, by the month in which it did."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("key", sa.Uuid(), comment="a hash of what tells it from all others"),
        sa.Column(
            "occurred_at",
            sa.DateTime(timezone=True),
            comment="told by the system: the key of the partitions",
        ),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False, comment="the role of the system that told it"),
        sa.Column("kind", sa.Text(), nullable=False, comment="send, open, click, …"),
        sa.Column(
            "scope_id",
            sa.Text(),
            nullable=False,
            server_default="",
            comment="what it belongs to: a campaign, say",
        ),
        sa.Column("record_id", sa.Text(), comment="the person's id on that system"),
        sa.Column("email_key", sa.Text()),
        sa.Column("details", JSONB(), nullable=False, server_default="{}"),
        sa.Column("run_id", sa.BigInteger(), comment="the run that read it"),
        sa.Column(
            "crm_state",
            sa.Text(),
            comment="pending, written, refused, given_up; null if not to be written",
        ),
        sa.Column("crm_attempts", sa.SmallInteger(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("key", "occurred_at", name="events_pkey"),
        postgresql_partition_by="RANGE (occurred_at)",
        comment="what a system told that happened, once each; events never change",
    )
    op.create_index("events_by_scope", "events", ["account", "role", "scope_id", "kind"])
    op.create_index(
        "events_of_record",
        "events",
        ["account", "record_id"],
        postgresql_where=sa.text("record_id IS NOT NULL"),
    )
    op.create_index(
        "events_of_address",
        "events",
        ["account", "email_key"],
        postgresql_where=sa.text("record_id IS NULL"),
    )
    op.create_index(
        "events_pending",
        "events",
        ["account", "role", "kind", "occurred_at"],
        postgresql_where=sa.text("crm_state = 'pending'"),
    )
    for day in ("now()", "now() + interval '1 month'"):
        op.execute(f"SELECT add_partition('events', (({day}) AT TIME ZONE 'UTC')::date)")


def downgrade() -> None:
    op.drop_table("events")
