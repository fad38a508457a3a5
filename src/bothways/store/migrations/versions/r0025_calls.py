"""Count the calls that each run makes to each system."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "runs",
        sa.Column(
            "calls",
            JSONB(),
            nullable=False,
            server_default="{}",
            comment="role → calls made to that system, and those against each of its budgets",
        ),
    )


def downgrade() -> None:
    op.drop_column("runs", "calls")
