"""Know which run a kept sighting comes from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "members",
        sa.Column(
            "kept_run", sa.BigInteger(), nullable=True, comment="the run whose sighting is kept"
        ),
    )
    op.add_column(
        "records",
        sa.Column(
            "fields_run", sa.BigInteger(), nullable=True, comment="the run that fields come from"
        ),
    )
    op.add_column(
        "records",
        sa.Column(
            "kept_run",
            sa.BigInteger(),
            nullable=True,
            comment="the run whose sighting all else comes from",
        ),
    )


def downgrade() -> None:
    op.drop_column("records", "kept_run")
    op.drop_column("records", "fields_run")
    op.drop_column("members", "kept_run")
