"""Keep which of the vendors' accounts the systems of an account are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "known_systems",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column(
            "vendor_account",
            sa.Text(),
            nullable=False,
            comment="the connector, and the vendor's id",
        ),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account", "side", name="known_systems_pkey"),
        comment="which of the vendors' accounts the systems of an account are",
    )


def downgrade() -> None:
    op.drop_table("known_systems")
