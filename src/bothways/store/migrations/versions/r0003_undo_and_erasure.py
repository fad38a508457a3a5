"""Remember where an undo left both sides apart, and who asked to be erased."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_CHECK = "list_states_state_check"
_BEFORE = "state IN ('joined', 'left_crm', 'left_marketing', 'unsubscribed')"
_AFTER = (
    "state IN ('joined', 'left_crm', 'left_marketing', 'unsubscribed',"
    " 'only_crm', 'only_marketing')"
)


def upgrade() -> None:
    op.add_column(
        "baselines",
        sa.Column(
            "apart",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="{}",
            nullable=False,
            comment="the platform's values where an undo left the sides apart",
        ),
    )
    op.drop_constraint(_CHECK, "list_states", type_="check")
    op.create_check_constraint(_CHECK, "list_states", _AFTER)
    op.create_table(
        "erasures",
        sa.Column("request", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=True, comment="address or id; null once erased"),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("run_id", sa.BigInteger(), nullable=True, comment="the run that erased"),
        sa.PrimaryKeyConstraint("request", name=op.f("erasures_pkey")),
        comment="requests to be forgotten",
    )


def downgrade() -> None:
    op.drop_table("erasures")
    op.execute("DELETE FROM list_states WHERE state IN ('only_crm', 'only_marketing')")
    op.drop_constraint(_CHECK, "list_states", type_="check")
    op.create_check_constraint(_CHECK, "list_states", _BEFORE)
    op.drop_column("baselines", "apart")
