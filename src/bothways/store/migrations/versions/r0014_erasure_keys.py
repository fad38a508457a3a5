"""Hashes of erased addresses name their key, which moves out of the store.

The key stays in `secrets` until Airflow's connection holds it; no hash is forgotten.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bothways.store.erasure_keys import Key

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_WAS = "the key of the hashes in erased"
_IS = "the key of hashes in erased, until it is moved to the connection"


def upgrade() -> None:
    op.add_column("erased", sa.Column("key_id", sa.Text(), comment="the key of the hash"))
    stored = sa.text("SELECT value FROM secrets WHERE name = 'erasure'")
    value = op.get_bind().execute(stored).scalar_one_or_none()
    if value is not None:
        fill = sa.text("UPDATE erased SET key_id = :key").bindparams(key=Key(bytes(value)).id)
        op.execute(fill)
    op.alter_column("erased", "key_id", nullable=False)
    op.create_table_comment("secrets", _IS, existing_comment=_WAS)


def downgrade() -> None:
    op.create_table_comment("secrets", _WAS, existing_comment=_IS)
    op.drop_column("erased", "key_id")
