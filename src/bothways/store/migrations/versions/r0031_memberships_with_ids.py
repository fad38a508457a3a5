"""Leave memberships without an id of their own out of the index that finds them by it.

Where a platform gives its memberships none, every new one went into that index for nothing.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

_NAME = "members_by_membership"
_COLUMNS = ["account", "side", "membership_id"]


def upgrade() -> None:
    op.drop_index(_NAME, "members")
    op.create_index(
        _NAME, "members", _COLUMNS, postgresql_where=sa.text("membership_id IS NOT NULL")
    )


def downgrade() -> None:
    op.drop_index(_NAME, "members")
    op.create_index(_NAME, "members", _COLUMNS)
