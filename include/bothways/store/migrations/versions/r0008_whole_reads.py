"""Remember when a dataset was read whole, so that it is read whole again in time.

Of what was read before, it is not known: the next run reads whole, and finds what was missed.
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
            comment="when all of it was read last; null where that is not known",
        ),
    )


def downgrade() -> None:
    op.drop_column("watermarks", "whole_at")
