"""Keep which consents of members have been written to a table in the CRM."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "written_consents",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False, comment="by which its record is found there"),
        sa.Column("member_id", sa.Text(), nullable=False, comment="the platform's contact"),
        sa.Column("email_key", sa.Text()),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account", "key", name="written_consents_pkey"),
        comment="which consents have been written to a table in the CRM",
    )
    op.create_index("written_consents_by_member", "written_consents", ["account", "member_id"])
    op.create_index("written_consents_by_address", "written_consents", ["account", "email_key"])


def downgrade() -> None:
    op.drop_table("written_consents")
