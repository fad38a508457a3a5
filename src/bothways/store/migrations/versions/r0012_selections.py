"""Keep whom a run is about in the store, so that Airflow need not be told an address."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "selections",
        sa.Column("selection", sa.Text(), primary_key=True),
        sa.Column("record", sa.Text(), primary_key=True, comment="address or id, as it was typed"),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("email_key", sa.Text(), comment="the normalised address"),
        sa.Column("filed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("filed_by", sa.Text(), nullable=False),
        comment="whom runs are about: Airflow is told the token only",
    )


def downgrade() -> None:
    op.drop_table("selections")
