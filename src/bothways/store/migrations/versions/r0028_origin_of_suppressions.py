"""Keep who told a suppression that another account's sync recorded in the CRM."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_COLUMNS = {
    "key": "what a sync wrote its record by; empty where a person added one",
    "origin": "who told it, as its record says",
}


def upgrade() -> None:
    for name, comment in _COLUMNS.items():
        op.add_column("suppressions", sa.Column(name, sa.Text(), comment=comment))


def downgrade() -> None:
    for name in _COLUMNS:
        op.drop_column("suppressions", name)
