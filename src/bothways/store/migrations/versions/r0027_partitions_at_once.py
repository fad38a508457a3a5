"""Let two workers make the same partition at once.

`to_regclass` answers from a cache that waiting for an advisory lock does not refresh: a worker that
had waited did not see the partition that another one had just made, and failed making it again. A
query of the catalogue sees it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_FUNCTION = """
CREATE OR REPLACE FUNCTION add_partition(parent text, day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = {schema}, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    first date;
    past date;
    fill int := 100;
    name text;
BEGIN
    IF parent = 'jobs' THEN
        first := date_trunc('week', day::timestamp);
        past := first + 7;
        fill := 50;
    ELSIF parent = 'events' THEN
        first := date_trunc('month', day::timestamp);
        past := first + interval '1 month';
    ELSE
        RAISE EXCEPTION 'The store does not partition %', parent;
    END IF;
    name := parent || '_' || to_char(first, 'YYYYMMDD');
    IF to_regclass(quote_ident(name)) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('bothways'), hashtext(name));
    IF {there} THEN
        RETURN;
    END IF;
    EXECUTE format(
        'CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS) WITH (fillfactor = %s)',
        name, parent, fill);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        parent, name, first, past);
END
$$
"""
_QUERIED = """EXISTS (
        SELECT FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = to_regclass(parent) AND relname = name
    )"""
_CACHED = "to_regclass(quote_ident(name)) IS NOT NULL"


def upgrade() -> None:
    _make(_QUERIED)


def downgrade() -> None:
    _make(_CACHED)


def _make(there: str) -> None:
    schema = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    op.execute(_FUNCTION.format(schema=schema, there=there))
