"""Key list states by the pair of lists they were learned from, no longer by list key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_WHO = ["entity", "crm_id", "marketing_id"]
_LISTS = ["crm_list_id", "marketing_list_id"]

# States whose lists are not known are dropped: that pair starts with a first sync.
_FILL = """
UPDATE list_states AS state
SET crm_list_id = ours.list_id, marketing_list_id = theirs.list_id
FROM list_ids AS ours, list_ids AS theirs
WHERE ours.account = state.account AND ours.list_key = state.list_key AND ours.side = 'crm'
  AND theirs.account = state.account AND theirs.list_key = state.list_key
  AND theirs.side = 'marketing' AND ours.list_id <> '' AND theirs.list_id <> ''
"""
_DROP_UNKNOWN = "DELETE FROM list_states WHERE crm_list_id IS NULL"
# Two keys may have stood for one pair of lists; the latest state counts.
_DROP_DOUBLES = """
DELETE FROM list_states AS old USING list_states AS new
WHERE old.account = new.account AND old.crm_list_id = new.crm_list_id
  AND old.marketing_list_id = new.marketing_list_id AND old.entity = new.entity
  AND old.crm_id = new.crm_id AND old.marketing_id = new.marketing_id
  AND (old.changed_at, old.list_key) < (new.changed_at, new.list_key)
"""
_KEYS_AGAIN = """
UPDATE list_states AS state SET list_key = ours.list_key
FROM list_ids AS ours, list_ids AS theirs
WHERE ours.account = state.account AND ours.side = 'crm' AND ours.list_id = state.crm_list_id
  AND theirs.account = state.account AND theirs.list_key = ours.list_key
  AND theirs.side = 'marketing' AND theirs.list_id = state.marketing_list_id
"""


def upgrade() -> None:
    for name in _LISTS:
        op.add_column("list_states", sa.Column(name, sa.Text(), nullable=True))
    op.execute(_FILL)
    op.execute(_DROP_UNKNOWN)
    op.execute(_DROP_DOUBLES)
    op.drop_constraint("list_states_pkey", "list_states", type_="primary")
    op.drop_column("list_states", "list_key")
    op.create_primary_key("list_states_pkey", "list_states", ["account", *_LISTS, *_WHO])


def downgrade() -> None:
    op.add_column("list_states", sa.Column("list_key", sa.Text(), nullable=True))
    op.execute(_KEYS_AGAIN)
    op.execute("DELETE FROM list_states WHERE list_key IS NULL")
    op.drop_constraint("list_states_pkey", "list_states", type_="primary")
    for name in _LISTS:
        op.drop_column("list_states", name)
    op.create_primary_key("list_states_pkey", "list_states", ["account", "list_key", *_WHO])
