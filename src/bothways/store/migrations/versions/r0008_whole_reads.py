"""Store when a dataset was last read in full, so that it can be read in full regularly.

For earlier reads this is unknown: the next run reads everything, and finds what was missed.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "watermarks",
        sa.Column(
            "whole_at",
            sa.DateTime(timezone=True),
            comment="when all of it was last read; null if unknown",
        ),
    )


def downgrade() -> None:
    op.drop_column("watermarks", "whole_at")
