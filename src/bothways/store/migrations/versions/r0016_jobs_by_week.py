"""Partition the jobs by the week in which their run started, so that retention drops whole weeks.

The functions belong to the owner of the store and run with the owner's rights: the role of ordinary
runs may call them, and needs no right to create or drop anything.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_COLUMNS = """
    account, entity, kind, target, source, source_entity, source_id, record_id, key, email,
    email_key, list_key, result, planned_result, reason, error_code, error_message, transient,
    before, after, submitted_at, processed_at
"""

_TABLE = """
CREATE TABLE jobs (
    run_id bigint NOT NULL,
    seq bigint NOT NULL,
    {day}
    account text NOT NULL,
    entity text,
    kind text,
    target text,
    source text,
    source_entity text,
    source_id text,
    record_id text,
    key text,
    email text,
    email_key text,
    list_key text,
    result text NOT NULL,
    planned_result text {planned},
    reason text,
    error_code text,
    error_message text,
    transient boolean,
    before jsonb,
    after jsonb,
    submitted_at timestamptz NOT NULL,
    processed_at timestamptz{last}
) {partitioned}
"""

_COMMENTS = {
    "kind": "null where nothing is written",
    "target": "the side that is written to",
    "source": "the side that the row came from",
}

# Neither `result` nor anything else that a write's success changes is in an index, so that the
# verdicts of updates, joins and leaves stay on their page (HOT).
_INDEXES = """
ALTER TABLE jobs ADD CONSTRAINT jobs_pkey PRIMARY KEY (run_id, seq, started_on);
CREATE INDEX jobs_by_result ON jobs (run_id, planned_result, seq);
CREATE INDEX jobs_refused ON jobs (run_id, seq) WHERE transient IS NOT NULL;
CREATE INDEX jobs_by_entity ON jobs (run_id, entity);
CREATE INDEX jobs_by_reason ON jobs (run_id, reason, seq) WHERE reason IS NOT NULL;
CREATE INDEX jobs_by_list ON jobs (run_id, list_key, seq) WHERE list_key IS NOT NULL;
CREATE INDEX jobs_created ON jobs (run_id, key) WHERE kind = 'create';
CREATE INDEX jobs_of_address
    ON jobs (account, email_key text_pattern_ops, run_id DESC, seq);
CREATE INDEX jobs_of_record
    ON jobs (account, record_id, run_id DESC, seq) WHERE record_id IS NOT NULL;
CREATE INDEX jobs_of_source
    ON jobs (account, source_id, run_id DESC, seq) WHERE source_id IS NOT NULL;
"""

_OLD_INDEXES = """
ALTER TABLE jobs ADD CONSTRAINT jobs_pkey PRIMARY KEY (run_id, seq);
CREATE INDEX jobs_by_result ON jobs (run_id, result, seq);
CREATE INDEX jobs_by_entity ON jobs (run_id, entity, seq);
CREATE INDEX jobs_by_reason ON jobs (run_id, reason, seq) WHERE reason IS NOT NULL;
CREATE INDEX jobs_by_list ON jobs (run_id, list_key, seq) WHERE list_key IS NOT NULL;
CREATE INDEX jobs_by_address ON jobs (run_id, email_key text_pattern_ops);
CREATE INDEX jobs_created ON jobs (run_id, key) WHERE kind = 'create';
CREATE INDEX jobs_of_address ON jobs (account, email_key, run_id DESC, seq);
CREATE INDEX jobs_of_record
    ON jobs (account, record_id, run_id DESC, seq) WHERE record_id IS NOT NULL;
CREATE INDEX jobs_of_source
    ON jobs (account, source_id, run_id DESC, seq) WHERE source_id IS NOT NULL;
"""

# Attaching a table locks the parent against no reader and no writer; CREATE TABLE … PARTITION OF
# would.
_ADD = """
CREATE FUNCTION add_partition(parent text, day date) RETURNS void
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
    IF to_regclass(quote_ident(name)) IS NOT NULL THEN
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

_DROP = """
CREATE FUNCTION drop_partition(parent text, first date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = {schema}, pg_temp SET timezone = 'UTC' SET lock_timeout = '5s' AS $$
DECLARE
    name text := parent || '_' || to_char(first, 'YYYYMMDD');
    width interval := CASE parent WHEN 'jobs' THEN interval '1 week' ELSE interval '1 month' END;
BEGIN
    IF parent NOT IN ('jobs', 'events') OR NOT EXISTS (
        SELECT FROM pg_inherits
        WHERE inhparent = to_regclass(parent) AND inhrelid = to_regclass(quote_ident(name))
    ) THEN
        RAISE EXCEPTION 'The store has no partition %', name;
    END IF;
    IF first + width > now() THEN
        RAISE EXCEPTION 'Partition % is in use', name;
    END IF;
    EXECUTE format('DROP TABLE %I', name);
    RETURN true;
EXCEPTION WHEN lock_not_available THEN
    RETURN false;
END
$$
"""


def upgrade() -> None:
    op.add_column(
        "runs",
        sa.Column(
            "started_on",
            sa.Date(),
            nullable=False,
            server_default=sa.text("(now() AT TIME ZONE 'UTC')::date"),
            comment="the day of started_at in UTC; its jobs are in the partition of that day",
        ),
    )
    op.execute("UPDATE runs SET started_on = (started_at AT TIME ZONE 'UTC')::date")
    _make_functions()
    _set_aside()
    check = "transient IS NOT NULL OR (result IN ('planned', planned_result) AND result <> 'error')"
    op.execute(
        _TABLE.format(
            day="started_on date NOT NULL,",
            planned="NOT NULL",
            last=f", CONSTRAINT jobs_refused_check CHECK ({check})",
            partitioned="PARTITION BY RANGE (started_on)",
        )
    )
    day = "coalesce(r.started_on, (j.submitted_at AT TIME ZONE 'UTC')::date)"
    source = "jobs_before j LEFT JOIN runs r USING (run_id)"
    today = "(now() AT TIME ZONE 'UTC')::date"
    op.execute(
        f"SELECT add_partition('jobs', day) FROM (SELECT DISTINCT date_trunc('week', {day})::date"
        f" FROM {source} UNION VALUES ({today}), ({today} + 7)) days (day)"
    )
    result = "coalesce(j.planned_result, j.result)"
    refused = f"j.result = 'error' OR j.result NOT IN ('planned', {result})"
    given = {
        "account": "j.account",
        "planned_result": result,
        "transient": f"CASE WHEN {refused} THEN coalesce(j.transient, false) ELSE j.transient END",
    }
    names = [name.strip() for name in _COLUMNS.split(",")]
    values = ", ".join(given.get(name, f"j.{name}") for name in names)
    op.execute(
        f"INSERT INTO jobs (run_id, seq, started_on, {_COLUMNS})"
        f" SELECT j.run_id, j.seq, {day}, {values} FROM {source}"
    )
    op.drop_table("jobs_before")
    op.execute(_INDEXES)
    _comment(
        {
            "started_on": "runs.started_on: the key of the partitions",
            "planned_result": "what result becomes once the write succeeded; result, if no write",
            "transient": "not null if it was refused, failed or held back: whether it may succeed",
        }
    )


def downgrade() -> None:
    _set_aside()
    last = ", chunk integer"
    op.execute(_TABLE.format(day="", planned="", last=last, partitioned=""))
    names = f"run_id, seq, {_COLUMNS}"
    op.execute(f"INSERT INTO jobs ({names}) SELECT {names} FROM jobs_before")
    op.execute("UPDATE jobs SET planned_result = NULL WHERE kind IS NULL")
    op.drop_table("jobs_before")
    op.execute(_OLD_INDEXES)
    _comment({"planned_result": "what result becomes once the write succeeded"})
    op.execute("DROP FUNCTION add_partition")
    op.execute("DROP FUNCTION drop_partition")
    op.drop_column("runs", "started_on")


def _set_aside() -> None:
    op.rename_table("jobs", "jobs_before")
    # Names of constraints and indexes are taken in the schema.
    names = "SELECT conname FROM pg_constraint WHERE conrelid = 'jobs_before'::regclass"
    for name in op.get_bind().scalars(sa.text(names)).all():
        op.execute(f"ALTER TABLE jobs_before RENAME CONSTRAINT {name} TO {name}_before")
    for line in (_INDEXES + _OLD_INDEXES).splitlines():
        if line.startswith("CREATE INDEX"):
            op.execute(f"DROP INDEX IF EXISTS {line.split()[2]}")


def _make_functions() -> None:
    quote = op.get_bind().dialect.identifier_preparer.quote_identifier
    schema = quote(op.get_bind().execute(sa.text("SELECT current_schema()")).scalar_one())
    for function in (_ADD, _DROP):
        op.execute(function.format(schema=schema))
    op.execute("REVOKE ALL ON FUNCTION add_partition, drop_partition FROM PUBLIC")


def _comment(further: dict[str, str]) -> None:
    op.create_table_comment(
        "jobs", "sync jobs: every row that entered a run, and what became of it"
    )
    for name, comment in {**_COMMENTS, **further}.items():
        op.alter_column("jobs", name, comment=comment)
