"""Find jobs by the record that was known when they were planned.

The id of a record that a run creates is known only once it is written. As no index holds it any
more, the update that records it can stay on its page (HOT) and leaves all indexes alone.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "jobs",
        sa.Column(
            "planned_record_id",
            sa.Text(),
            comment="record_id before the write: null where it creates the record",
        ),
    )
    op.execute("UPDATE jobs SET planned_record_id = record_id WHERE record_id IS NOT NULL")
    op.drop_index("jobs_of_record", "jobs")
    _index("planned_record_id")


def downgrade() -> None:
    op.drop_index("jobs_of_record", "jobs")
    op.drop_column("jobs", "planned_record_id")
    _index("record_id")


def _index(column: str) -> None:
    op.create_index(
        "jobs_of_record",
        "jobs",
        ["account", column, sa.text("run_id DESC"), "seq"],
        postgresql_where=sa.text(f"{column} IS NOT NULL"),
    )
