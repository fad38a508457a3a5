"""Know which events the CRM has already, and count those that are written again as updated."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_PLACE = ("run_id", "part", "target", "kind", "entity", "scope_id", "result", "reason")


def upgrade() -> None:
    op.add_column(
        "events",
        sa.Column(
            "crm_written",
            sa.Boolean(),
            nullable=False,
            server_default=sa.false(),
            comment="whether the CRM has an earlier reading of it",
        ),
    )
    op.add_column(
        "bulk_jobs",
        sa.Column(
            "planned_result",
            sa.Text(),
            nullable=False,
            server_default="",
            comment='what a planned job becomes once it is written; "" where it is not',
        ),
    )
    op.execute("UPDATE bulk_jobs SET planned_result = 'new' WHERE result IN ('planned', 'error')")
    _keyed(*_PLACE, "planned_result")


def downgrade() -> None:
    # Two rows that only differ in what was planned become one.
    place = ", ".join(_PLACE)
    op.execute(
        "WITH gone AS (DELETE FROM bulk_jobs WHERE planned_result = 'updated' RETURNING *)"
        f" INSERT INTO bulk_jobs ({place}, planned_result, number)"
        f" SELECT {place}, 'new', number FROM gone ON CONFLICT ({place}, planned_result)"
        " DO UPDATE SET number = bulk_jobs.number + excluded.number"
    )
    _keyed(*_PLACE)
    op.drop_column("bulk_jobs", "planned_result")
    op.drop_column("events", "crm_written")


def _keyed(*columns: str) -> None:
    op.drop_constraint("bulk_jobs_pkey", "bulk_jobs")
    op.create_primary_key("bulk_jobs_pkey", "bulk_jobs", list(columns))
