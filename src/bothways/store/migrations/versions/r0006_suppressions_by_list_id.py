"""Order suppressions by their side's clock, key them by list id, and never give up opt-outs.

- A key of the configuration may come to stand for another list, so an unsubscribe from a list is
  now stored under the list's id at the side that reported it. If a key was mapped to another list
  before this migration, its suppressions move along once more, since their list is not known.
- The latest time that a side reported was never stored. It is unknown, so nothing is lifted, until
  the side reports it: the next run of `suppressions` reads all of them. A lifted suppression gets
  the time that is known, so that a later one, which did not count so far, does.
- Opt-outs that had been given up are due at once. The reason of a removal is no longer known: it
  counts as an opt-out until it is tried.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_OTHERS = (
    "member_id, email, reason, personal, vendor_reason, suppressed_at, told_at, record_id,"
    " seen_run, deleted_run, deleted_at, settled_at, lifted_run, lifted_at, lifted_reason"
)
# Two keys may stand for one list: of two rows on one address, the one in force stays, else the
# graver one.
_BY_ID = f"""
CREATE TEMPORARY TABLE suppressions_by_list_id ON COMMIT DROP AS
SELECT DISTINCT ON (account, side, email_key, list_id, member_id) *
FROM (
    SELECT account, side, email_key, coalesce(nullif(ids.list_id, ''), old.list_key) AS list_id,
           {_OTHERS}
    FROM suppressions AS old LEFT JOIN list_ids AS ids USING (account, side, list_key)
    WHERE old.list_key <> ''
) AS found
ORDER BY account, side, email_key, list_id, member_id, lifted_at IS NOT NULL,
    array_position(
        ARRAY['unsubscribed', 'bounced', 'complained', 'suppressed'], reason
    ) DESC NULLS FIRST,
    seen_run DESC NULLS LAST
"""
_MOVE_BACK = f"""
INSERT INTO suppressions (account, side, email_key, list_id, {_OTHERS})
SELECT account, side, email_key, list_id, {_OTHERS} FROM suppressions_by_list_id
"""
_BY_KEY = f"""
CREATE TEMPORARY TABLE suppressions_by_list_key ON COMMIT DROP AS
SELECT account, side, email_key,
       coalesce(
           (
               SELECT min(ids.list_key) FROM list_ids AS ids
               WHERE ids.account = old.account AND ids.side = old.side
                   AND ids.list_id = old.list_id
           ),
           list_id
       ) AS list_key,
       {_OTHERS}
FROM suppressions AS old WHERE list_id <> ''
"""
_CONSENT = """
UPDATE retries SET consent = true, given_up = false, next_at = least(next_at, now())
WHERE entity = 'suppression' OR EXISTS (
    SELECT FROM jobs
    WHERE jobs.run_id = retries.last_run AND jobs.result = 'error'
        AND coalesce(jobs.source, '') = retries.source
        AND coalesce(jobs.source_entity, jobs.entity, '') = retries.entity
        AND coalesce(jobs.source_id, jobs.email_key, jobs.record_id, jobs.key, '')
            = retries.source_id
        AND coalesce(jobs.list_key, '') = retries.list_key
        AND (jobs.kind = 'suppress' OR jobs.entity = 'suppression' OR (
            jobs.kind = 'leave'
            AND coalesce(jobs.reason, '') NOT IN ('left_crm', 'left_marketing')
        ))
)
"""


def upgrade() -> None:
    op.add_column(
        "suppressions",
        sa.Column(
            "personal",
            sa.Boolean(),
            server_default=sa.true(),
            nullable=False,
            comment="the person opted out; false if mail to the address only bounced",
        ),
    )
    op.add_column(
        "suppressions",
        sa.Column(
            "told_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="the latest time the side reported; null until it does",
        ),
    )
    op.alter_column("suppressions", "suppressed_at", comment="the earliest time the side reported")
    op.execute("UPDATE suppressions SET personal = false WHERE reason = 'bounced'")
    op.execute("UPDATE suppressions SET told_at = suppressed_at WHERE lifted_at IS NOT NULL")
    op.execute(_BY_ID)
    op.execute("DELETE FROM suppressions WHERE list_key <> ''")
    _replace_in_key("list_key", "list_id")
    op.execute(_MOVE_BACK)
    op.execute(
        "DELETE FROM watermarks WHERE sync_type = 'suppressions'"
        " AND (dataset = 'suppressions' OR dataset LIKE 'list_suppressions_%')"
    )
    op.add_column(
        "retries",
        sa.Column(
            "consent",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="an opt-out, which is never given up",
        ),
    )
    op.execute(_CONSENT)


def downgrade() -> None:
    op.drop_column("retries", "consent")
    op.execute(_BY_KEY)
    op.execute("DELETE FROM suppressions WHERE list_id <> ''")
    _replace_in_key("list_id", "list_key")
    op.execute(_MOVE_BACK.replace("list_id", "list_key"))
    op.alter_column("suppressions", "suppressed_at", comment=None)
    op.drop_column("suppressions", "told_at")
    op.drop_column("suppressions", "personal")


def _replace_in_key(old: str, new: str) -> None:
    """Replace a column of the ledger's primary key by another one, empty in every row."""
    op.drop_constraint("suppressions_pkey", "suppressions")
    op.drop_column("suppressions", old)
    op.add_column("suppressions", sa.Column(new, sa.Text(), server_default="", nullable=False))
    key = ["account", "side", "email_key", new, "member_id"]
    op.create_primary_key("suppressions_pkey", "suppressions", key)
