"""Keep the named things of a system as last seen: campaigns, fields, tags, programs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "definitions",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("account", "side", "kind", "id")),
        sa.Column("name", sa.Text()),
        sa.Column("details", JSONB(), nullable=False, server_default="{}"),
        sa.Column("seen_run", sa.BigInteger(), comment="the last run that saw it"),
        sa.Column("seen_at", sa.DateTime(timezone=True)),
        sa.Column("deleted_at", sa.DateTime(timezone=True), comment="null while it is there"),
        sa.PrimaryKeyConstraint("account", "side", "kind", "id", name="definitions_pkey"),
        comment="named things of a system as last seen: campaigns, fields, tags, programs",
    )


def downgrade() -> None:
    op.drop_table("definitions")
