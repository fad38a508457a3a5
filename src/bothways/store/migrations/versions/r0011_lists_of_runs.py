"""Remember which lists a run worked on, by their ids.

Of an earlier run it is known where memberships of today's lists were last settled by it. Of the
others it is not: they may have worked on a list that today's has replaced.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_FILL = """
UPDATE run_lists AS told
SET crm_list_id = ours.list_id, marketing_list_id = theirs.list_id
FROM runs, list_ids AS ours, list_ids AS theirs
WHERE runs.run_id = told.run_id
  AND ours.account = runs.account AND ours.list_key = told.list_key AND ours.side = 'crm'
  AND theirs.account = runs.account AND theirs.list_key = told.list_key
  AND theirs.side = 'marketing'
  AND EXISTS (
    SELECT 1 FROM list_states AS state
    WHERE state.account = runs.account AND state.run_id = runs.run_id
      AND state.crm_list_id = ours.list_id AND state.marketing_list_id = theirs.list_id
  )
"""


def upgrade() -> None:
    told = "what the key stood for; null where that is not known"
    op.add_column("run_lists", sa.Column("crm_list_id", sa.Text(), comment=told))
    op.add_column("run_lists", sa.Column("marketing_list_id", sa.Text()))
    op.execute(_FILL)


def downgrade() -> None:
    op.drop_column("run_lists", "marketing_list_id")
    op.drop_column("run_lists", "crm_list_id")
