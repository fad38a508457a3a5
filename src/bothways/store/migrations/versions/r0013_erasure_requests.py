"""Erasure requests get ids that nobody can guess, and hashes say whose request is still open.

A request that is still open gets a new id too: `bothways erase ACCOUNT --pending` tells it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_PERSON = "address or id; null once erased"
_EXPIRES = f"{_PERSON} or expired"


def upgrade() -> None:
    open_request = "the request that has yet to be carried out; null once it was"
    op.add_column("erased", sa.Column("request", sa.Text(), comment=open_request))
    op.execute("ALTER TABLE erasures ALTER COLUMN request DROP IDENTITY")
    op.execute(
        "ALTER TABLE erasures ALTER COLUMN request TYPE text"
        " USING replace(gen_random_uuid()::text, '-', '')"
    )
    op.alter_column("erasures", "request", comment="chosen at random")
    op.alter_column("erasures", "person", comment=_EXPIRES, existing_comment=_PERSON)


def downgrade() -> None:
    op.alter_column("erasures", "person", comment=_PERSON, existing_comment=_EXPIRES)
    op.alter_column("erasures", "request", comment=None)
    op.execute("ALTER TABLE erasures DROP COLUMN request")
    op.execute(
        "ALTER TABLE erasures ADD COLUMN request bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
    )
    op.drop_column("erased", "request")
