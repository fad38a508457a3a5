"""Give a platform's records, and what is remembered of them, a scope: an audience of its own.

A CRM record has one contact for each scope, and a baseline with each of them. All that is there is
about the whole account, whose scope is empty. Of several CRM records of one contact, the one whose
fields count is now called primary.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_COMMENT = "a platform's audience; empty where it is the whole account"
_KEYS = {
    "links": ["account", "entity", "crm_id"],
    "baselines": ["account", "entity", "crm_id"],
    "suppressions": ["account", "side", "email_key", "list_id", "member_id"],
}
_ATTRIBUTES = ("records", "list_ids")
_BEFORE = "of several CRM records of one person, the one whose fields count"
_AFTER = "of several CRM records of one contact, the one whose fields count"
# PostgreSQL 18 names the constraint after the column, earlier versions have none.
_RENAMED = """
DO $$ BEGIN
    IF EXISTS (
        SELECT FROM pg_constraint
        WHERE conrelid = 'links'::regclass AND conname = 'links_{old}_not_null'
    ) THEN
        ALTER TABLE links RENAME CONSTRAINT links_{old}_not_null TO links_{new}_not_null;
    END IF;
END $$
"""
# An opt-out from one audience counts for the whole account where audiences are not known. Of
# several rows on one address one in force stays.
_WIDENED = """
DELETE FROM suppressions USING (
    SELECT ctid AS place, row_number() OVER (
        PARTITION BY account, side, email_key, list_id, member_id
        ORDER BY lifted_at IS NOT NULL, scope
    ) AS number
    FROM suppressions
) AS ranked
WHERE suppressions.ctid = ranked.place AND ranked.number > 1
"""


def upgrade() -> None:
    _rename("speaks", "is_primary", before=_BEFORE, after=_AFTER)
    for table in (*_KEYS, *_ATTRIBUTES):
        scope = sa.Column("scope", sa.Text(), server_default="", nullable=False, comment=_COMMENT)
        op.add_column(table, scope)
    for table, key in _KEYS.items():
        _replace_key(table, [*key, "scope"])


def downgrade() -> None:
    op.execute(_WIDENED)
    for table in ("links", "baselines"):
        op.execute(f"DELETE FROM {table} WHERE scope <> ''")
    for table, key in _KEYS.items():
        _replace_key(table, key)
    for table in (*_KEYS, *_ATTRIBUTES):
        op.drop_column(table, "scope")
    _rename("is_primary", "speaks", before=_AFTER, after=_BEFORE)


def _rename(old: str, new: str, *, before: str, after: str) -> None:
    op.alter_column("links", old, new_column_name=new, existing_comment=before, comment=after)
    op.execute(_RENAMED.format(old=old, new=new))


def _replace_key(table: str, columns: list[str]) -> None:
    op.drop_constraint(f"{table}_pkey", table, type_="primary")
    op.create_primary_key(f"{table}_pkey", table, columns)
