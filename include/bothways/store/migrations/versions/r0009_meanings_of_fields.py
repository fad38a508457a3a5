"""Remember what the agreed values of each mapped field stand for."""

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
            comment="the run that gave up another meaning; null where there was none",
        ),
        sa.PrimaryKeyConstraint("account", "entity", "name", name=op.f("mapped_fields_pkey")),
        comment="what the agreed values of each mapped field stand for",
    )


def downgrade() -> None:
    op.drop_table("mapped_fields")
