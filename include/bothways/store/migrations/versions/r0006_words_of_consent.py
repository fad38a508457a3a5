"""Order words of consent by their own clock, keep them by the list's id, and never give them up.

- What a key of the configuration stands for may change, so that an unsubscribe from a list now
  stands under the list's id at the side that told it. A key that was mapped to another list before
  this migration takes the words along for the last time: which list they were about is not known.
- The latest time that a side told was never kept. It is unknown, which lets no word be lifted,
  until the side tells it: the next run of `suppressions` reads all of them. A word that was lifted
  has the time that is known, so that a later one, which was not heard so far, is.
- Consent work that had been given up is due at once. Of a leave, the reason is no longer known: it
  counts as consent until it is tried.
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
# Two keys may stand for one list: of two rows on one address, the one in force stays, then the
# graver one.
_BY_ID = f"""
CREATE TEMPORARY TABLE words_by_list_id ON COMMIT DROP AS
SELECT DISTINCT ON (account, side, email_key, list_id, member_id) *
FROM (
    SELECT account, side, email_key, coalesce(nullif(ids.list_id, ''), words.list_key) AS list_id,
           {_OTHERS}
    FROM suppressions AS words LEFT JOIN list_ids AS ids USING (account, side, list_key)
    WHERE words.list_key <> ''
) AS found
ORDER BY account, side, email_key, list_id, member_id, lifted_at IS NOT NULL,
    array_position(
        ARRAY['unsubscribed', 'bounced', 'complained', 'suppressed'], reason
    ) DESC NULLS FIRST,
    seen_run DESC NULLS LAST
"""
_MOVE_BACK = f"""
INSERT INTO suppressions (account, side, email_key, list_id, {_OTHERS})
SELECT account, side, email_key, list_id, {_OTHERS} FROM words_by_list_id
"""
_BY_KEY = f"""
CREATE TEMPORARY TABLE words_by_list_key ON COMMIT DROP AS
SELECT account, side, email_key,
       coalesce(
           (
               SELECT min(ids.list_key) FROM list_ids AS ids
               WHERE ids.account = words.account AND ids.side = words.side
                   AND ids.list_id = words.list_id
           ),
           list_id
       ) AS list_key,
       {_OTHERS}
FROM suppressions AS words WHERE list_id <> ''
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
            comment="the person said so; false where mail to the address bounced and no more",
        ),
    )
    op.add_column(
        "suppressions",
        sa.Column(
            "told_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="the latest; null until the side tells one",
        ),
    )
    op.alter_column("suppressions", "suppressed_at", comment="the earliest time that the side told")
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
            comment="somebody may not be mailed: never given up",
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
    """Exchange a column of the ledger's primary key for another one, empty in every row."""
    op.drop_constraint("suppressions_pkey", "suppressions")
    op.drop_column("suppressions", old)
    op.add_column("suppressions", sa.Column(new, sa.Text(), server_default="", nullable=False))
    key = ["account", "side", "email_key", new, "member_id"]
    op.create_primary_key("suppressions_pkey", "suppressions", key)
