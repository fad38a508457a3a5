"""Find a run's jobs on one list: the audit filters by it, and each list is counted by itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "jobs_by_list",
        "jobs",
        ["run_id", "list_key", "seq"],
        unique=False,
        postgresql_where=sa.text("list_key IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("jobs_by_list", table_name="jobs")
