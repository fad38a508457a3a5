"""Let a baseline belong to the pair of records that it was taken from.

Existing baselines were taken from the pair that is linked now, unless the link was made or moved
after both sides agreed. Baselines of no pair are dropped, since nothing can be compared with them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_OWN = """
UPDATE baselines SET marketing_id = links.marketing_id
FROM links
WHERE links.account = baselines.account AND links.entity = baselines.entity
  AND links.crm_id = baselines.crm_id AND links.linked_at <= baselines.agreed_at
"""
_BEFORE = "the field values both sides had when they last agreed"
_AFTER = "the field values that a pair of records had when they last agreed"


def upgrade() -> None:
    op.add_column(
        "baselines",
        sa.Column(
            "marketing_id",
            sa.Text(),
            nullable=True,
            comment="the contact of the pair",
        ),
    )
    op.execute(_OWN)
    op.execute("DELETE FROM baselines WHERE marketing_id IS NULL")
    op.alter_column("baselines", "marketing_id", nullable=False)
    op.create_table_comment("baselines", _AFTER, existing_comment=_BEFORE)


def downgrade() -> None:
    op.create_table_comment("baselines", _BEFORE, existing_comment=_AFTER)
    op.drop_column("baselines", "marketing_id")
