"""Create the store."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "baselines",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("crm_id", sa.Text(), nullable=False),
        sa.Column(
            "values",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="agreed values by the mapping's names",
        ),
        sa.Column("agreed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account", "entity", "crm_id", name=op.f("baselines_pkey")),
        comment="the field values both sides had when they last agreed",
    )
    op.create_table(
        "erased",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("address_hash", sa.Text(), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account", "address_hash", name=op.f("erased_pkey")),
        comment="keyed hashes of the addresses of people who asked to be forgotten",
    )
    op.create_table(
        "jobs",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=True, comment="null where nothing is written"),
        sa.Column("target", sa.Text(), nullable=True, comment="the side that is written to"),
        sa.Column("source", sa.Text(), nullable=True, comment="the side that the row came from"),
        sa.Column("source_entity", sa.Text(), nullable=True),
        sa.Column("source_id", sa.Text(), nullable=True),
        sa.Column("record_id", sa.Text(), nullable=True),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("email_key", sa.Text(), nullable=True),
        sa.Column("list_key", sa.Text(), nullable=True),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column(
            "planned_result",
            sa.Text(),
            nullable=True,
            comment="what result becomes once the write succeeded",
        ),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("transient", sa.Boolean(), nullable=True),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("processed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("chunk", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "seq", name=op.f("jobs_pkey")),
        comment="sync jobs: every row that entered a run, and what became of it",
    )
    op.create_index(
        "jobs_by_address",
        "jobs",
        ["run_id", "email_key"],
        unique=False,
        postgresql_ops={"email_key": "text_pattern_ops"},
    )
    op.create_index("jobs_by_entity", "jobs", ["run_id", "entity", "seq"], unique=False)
    op.create_index(
        "jobs_by_reason",
        "jobs",
        ["run_id", "reason", "seq"],
        unique=False,
        postgresql_where=sa.text("reason IS NOT NULL"),
    )
    op.create_index("jobs_by_result", "jobs", ["run_id", "result", "seq"], unique=False)
    op.create_index(
        "jobs_created",
        "jobs",
        ["run_id", "key"],
        unique=False,
        postgresql_where=sa.text("kind = 'create'"),
    )
    op.create_index(
        "jobs_of_address",
        "jobs",
        ["account", "email_key", sa.literal_column("run_id DESC"), "seq"],
        unique=False,
    )
    op.create_index(
        "jobs_of_record",
        "jobs",
        ["account", "record_id", sa.literal_column("run_id DESC"), "seq"],
        unique=False,
        postgresql_where=sa.text("record_id IS NOT NULL"),
    )
    op.create_index(
        "jobs_of_source",
        "jobs",
        ["account", "source_id", sa.literal_column("run_id DESC"), "seq"],
        unique=False,
        postgresql_where=sa.text("source_id IS NOT NULL"),
    )
    op.create_table(
        "links",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("crm_id", sa.Text(), nullable=False),
        sa.Column("marketing_id", sa.Text(), nullable=False),
        sa.Column("email_key", sa.Text(), nullable=True),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "speaks",
            sa.Boolean(),
            server_default=sa.text("true"),
            nullable=False,
            comment="of several CRM records of one person, the one whose fields count",
        ),
        sa.PrimaryKeyConstraint("account", "entity", "crm_id", name=op.f("links_pkey")),
        comment="which CRM record and which platform contact are the same person",
    )
    op.create_index("links_by_address", "links", ["account", "email_key"], unique=False)
    op.create_index("links_by_marketing", "links", ["account", "marketing_id"], unique=False)
    op.create_table(
        "list_ids",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("list_key", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("list_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account", "list_key", "side", name=op.f("list_ids_pkey")),
        comment="the ids that the names in the configuration stand for",
    )
    op.create_table(
        "list_states",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("list_key", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), server_default="", nullable=False),
        sa.Column("crm_id", sa.Text(), server_default="", nullable=False),
        sa.Column("marketing_id", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state IN ('joined', 'left_crm', 'left_marketing', 'unsubscribed')",
            name="list_states_state_check",
        ),
        sa.PrimaryKeyConstraint(
            "account", "list_key", "entity", "crm_id", "marketing_id", name=op.f("list_states_pkey")
        ),
        comment="the membership both sides had when they last agreed",
    )
    op.create_index("list_states_by_crm", "list_states", ["account", "crm_id"], unique=False)
    op.create_index(
        "list_states_by_marketing", "list_states", ["account", "marketing_id"], unique=False
    )
    op.create_table(
        "member_tombstones",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("membership_id", sa.Text(), nullable=False),
        sa.Column("deleted_run", sa.BigInteger(), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "account", "side", "membership_id", name=op.f("member_tombstones_pkey")
        ),
        comment="memberships that a change feed told gone by their id alone",
    )
    op.create_table(
        "members",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("list_id", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), server_default="", nullable=False),
        sa.Column("member_id", sa.Text(), nullable=False),
        sa.Column("membership_id", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "seen_run", sa.BigInteger(), nullable=True, comment="the last run that saw it there"
        ),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "deleted_run",
            sa.BigInteger(),
            nullable=True,
            comment="the last run that saw it gone, told by list and member",
        ),
        sa.Column(
            "deleted_at", sa.DateTime(timezone=True), nullable=True, comment="null while it lasts"
        ),
        sa.PrimaryKeyConstraint(
            "account", "side", "list_id", "entity", "member_id", name=op.f("members_pkey")
        ),
        comment="memberships of each side as last seen; deleted ones stay as tombstones",
    )
    op.create_index(
        "members_by_membership", "members", ["account", "side", "membership_id"], unique=False
    )
    op.create_index("members_by_person", "members", ["account", "side", "member_id"], unique=False)
    op.create_index(
        "members_gone",
        "members",
        ["account", "deleted_at"],
        unique=False,
        postgresql_where=sa.text("deleted_at IS NOT NULL"),
    )
    op.create_table(
        "records",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("email_key", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=True),
        sa.Column(
            "modified_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="the vendor's time of the last change that was seen",
        ),
        sa.Column("external_key", sa.Text(), nullable=True),
        sa.Column("merged_into", sa.Text(), nullable=True),
        sa.Column(
            "fields", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column(
            "fields_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="modified_at of the row that fields come from",
        ),
        sa.Column(
            "seen_run", sa.BigInteger(), nullable=True, comment="the last run that saw it alive"
        ),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "deleted_run", sa.BigInteger(), nullable=True, comment="the last run that saw it gone"
        ),
        sa.Column(
            "deleted_at", sa.DateTime(timezone=True), nullable=True, comment="null while it lives"
        ),
        sa.PrimaryKeyConstraint("account", "side", "entity", "id", name=op.f("records_pkey")),
        comment="people of each side as last seen; deleted ones stay as tombstones",
    )
    op.create_index("records_by_address", "records", ["account", "side", "email_key"], unique=False)
    op.create_index(
        "records_by_external_key",
        "records",
        ["account", "side", "external_key"],
        unique=False,
        postgresql_where=sa.text("external_key IS NOT NULL"),
    )
    op.create_index(
        "records_gone",
        "records",
        ["account", "deleted_at"],
        unique=False,
        postgresql_where=sa.text("deleted_at IS NOT NULL"),
    )
    op.create_table(
        "retries",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("sync_type", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), server_default="", nullable=False),
        sa.Column("source_id", sa.Text(), server_default="", nullable=False),
        sa.Column("list_key", sa.Text(), server_default="", nullable=False),
        sa.Column("email_key", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("given_up", sa.Boolean(), nullable=False),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("first_run", sa.BigInteger(), nullable=True),
        sa.Column("last_run", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint(
            "account",
            "sync_type",
            "source",
            "entity",
            "source_id",
            "list_key",
            name=op.f("retries_pkey"),
        ),
        comment="records in error, to be tried again",
    )
    op.create_index("retries_by_address", "retries", ["account", "email_key"], unique=False)
    op.create_table(
        "runs",
        sa.Column("run_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("sync_type", sa.Text(), nullable=False),
        sa.Column("dag_id", sa.Text(), nullable=False),
        sa.Column("dag_run_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("submitted_by", sa.Text(), nullable=False, comment="a user's name, or schedule"),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "params", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column(
            "counts", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column(
            "notes",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="[]",
            nullable=False,
            comment="sentences",
        ),
        sa.Column("config_hash", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "guard",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="the guard's verdict, and who approved",
        ),
        sa.Column(
            "undo_of",
            sa.BigInteger(),
            nullable=True,
            comment="the run whose writes this one takes back",
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("runs_pkey")),
        sa.UniqueConstraint("dag_id", "dag_run_id", name=op.f("runs_dag_id_dag_run_id_key")),
        comment="sync runs: one row per DAG run",
    )
    op.create_index(
        "runs_by_start",
        "runs",
        [sa.literal_column("started_at DESC"), sa.literal_column("run_id DESC")],
        unique=False,
    )
    op.create_index(
        "runs_of_sync",
        "runs",
        ["account", "sync_type", sa.literal_column("run_id DESC")],
        unique=False,
    )
    op.create_table(
        "secrets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("secrets_pkey")),
        comment="the key of the hashes in erased",
    )
    op.create_table(
        "suppressions",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("email_key", sa.Text(), nullable=False),
        sa.Column("list_key", sa.Text(), server_default="", nullable=False),
        sa.Column("member_id", sa.Text(), server_default="", nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False, comment="the gravest status ever seen"),
        sa.Column("vendor_reason", sa.Text(), nullable=True),
        sa.Column("suppressed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("record_id", sa.Text(), nullable=True),
        sa.Column("seen_run", sa.BigInteger(), nullable=True),
        sa.Column("deleted_run", sa.BigInteger(), nullable=True),
        sa.Column(
            "deleted_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="the side dropped its record; the word still holds",
        ),
        sa.Column(
            "settled_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when the other side had it",
        ),
        sa.Column("lifted_run", sa.BigInteger(), nullable=True),
        sa.Column(
            "lifted_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="the person came back by the platform's own means",
        ),
        sa.Column("lifted_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint(
            "account", "side", "email_key", "list_key", "member_id", name=op.f("suppressions_pkey")
        ),
        comment="who may not be mailed: the store's memory of consent, never pruned",
    )
    op.create_index(
        "suppressions_by_record", "suppressions", ["account", "side", "record_id"], unique=False
    )
    op.create_table(
        "watermarks",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("sync_type", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column(
            "fingerprint",
            sa.Text(),
            nullable=False,
            comment="hash of what was asked; another one reads everything",
        ),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint(
            "account", "sync_type", "side", "dataset", name=op.f("watermarks_pkey")
        ),
        comment="how far a side has been read",
    )
    op.create_table(
        "run_lists",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("list_key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column(
            "counts", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.run_id"], name=op.f("run_lists_run_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "list_key", name=op.f("run_lists_pkey")),
        comment="what a run did to each list that it touched",
    )


def downgrade() -> None:
    op.drop_table("run_lists")
    op.drop_table("watermarks")
    op.drop_index("suppressions_by_record", table_name="suppressions")
    op.drop_table("suppressions")
    op.drop_table("secrets")
    op.drop_index("runs_of_sync", table_name="runs")
    op.drop_index("runs_by_start", table_name="runs")
    op.drop_table("runs")
    op.drop_index("retries_by_address", table_name="retries")
    op.drop_table("retries")
    op.drop_index(
        "records_gone", table_name="records", postgresql_where=sa.text("deleted_at IS NOT NULL")
    )
    op.drop_index(
        "records_by_external_key",
        table_name="records",
        postgresql_where=sa.text("external_key IS NOT NULL"),
    )
    op.drop_index("records_by_address", table_name="records")
    op.drop_table("records")
    op.drop_index(
        "members_gone", table_name="members", postgresql_where=sa.text("deleted_at IS NOT NULL")
    )
    op.drop_index("members_by_person", table_name="members")
    op.drop_index("members_by_membership", table_name="members")
    op.drop_table("members")
    op.drop_table("member_tombstones")
    op.drop_index("list_states_by_marketing", table_name="list_states")
    op.drop_index("list_states_by_crm", table_name="list_states")
    op.drop_table("list_states")
    op.drop_table("list_ids")
    op.drop_index("links_by_marketing", table_name="links")
    op.drop_index("links_by_address", table_name="links")
    op.drop_table("links")
    op.drop_index(
        "jobs_of_source", table_name="jobs", postgresql_where=sa.text("source_id IS NOT NULL")
    )
    op.drop_index(
        "jobs_of_record", table_name="jobs", postgresql_where=sa.text("record_id IS NOT NULL")
    )
    op.drop_index("jobs_of_address", table_name="jobs")
    op.drop_index("jobs_created", table_name="jobs", postgresql_where=sa.text("kind = 'create'"))
    op.drop_index("jobs_by_result", table_name="jobs")
    op.drop_index(
        "jobs_by_reason", table_name="jobs", postgresql_where=sa.text("reason IS NOT NULL")
    )
    op.drop_index("jobs_by_entity", table_name="jobs")
    op.drop_index(
        "jobs_by_address", table_name="jobs", postgresql_ops={"email_key": "text_pattern_ops"}
    )
    op.drop_table("jobs")
    op.drop_table("erased")
    op.drop_table("baselines")
