"""Remember the meaning of each mapped field's baselines."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mapped_fields",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "meaning",
            sa.Text(),
            nullable=False,
            comment="vendors' fields, type, direction, options and formats",
        ),
        sa.Column(
            "run_id",
            sa.BigInteger(),
            nullable=True,
            comment="the run that changed the meaning; null if none has",
        ),
        sa.PrimaryKeyConstraint("account", "entity", "name", name=op.f("mapped_fields_pkey")),
        comment="the meaning of each mapped field's baselines",
    )


def downgrade() -> None:
    op.drop_table("mapped_fields")
