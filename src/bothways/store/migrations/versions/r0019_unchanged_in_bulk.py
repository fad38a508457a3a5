"""Keep unchanged records of a full read by their ids, some hundreds to a row."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "unchanged",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False, comment="numbers list, entity and source"),
        sa.Column("bucket", sa.Integer(), nullable=False, comment="the last bits of the ids' hash"),
        sa.Column("bits", sa.SmallInteger(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("list_key", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column(
            "number", sa.Integer(), nullable=False, comment="of records, erased ones included"
        ),
        sa.Column("ids", sa.Text(), nullable=False, comment="each between two line breaks"),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.run_id"], name="unchanged_run_id_fkey", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "part", "place", "bucket", name="unchanged_pkey"),
        comment="unchanged records of a run, where they are too many to be jobs",
    )
    op.create_index("unchanged_by_bucket", "unchanged", ["account", "bits", "bucket"])


def downgrade() -> None:
    op.drop_table("unchanged")
