"""The store's tables. Whoever changes one adds a migration; a test compares the two."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

# Set in a table's `info` to what it holds instead of people. All other tables belong to a ledger.
IMPERSONAL: Final = "impersonal"

metadata = sa.MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    }
)


def _text(
    name: str, *, null: bool = True, default: str | None = None, comment: str = ""
) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=null, server_default=default, comment=comment or None)


def _time(name: str, *, null: bool = True, comment: str = "") -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null, comment=comment or None)


def _run(name: str, *, comment: str = "") -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, comment=comment or None)


def _key(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, primary_key=True) for name in names]


def _key_or_empty(name: str, *, comment: str = "") -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True, server_default="", comment=comment or None)


_SCOPE: Final = "a platform's audience; empty where it is the whole account"


runs = sa.Table(
    "runs",
    metadata,
    sa.Column("run_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    _text("account", null=False),
    _text("sync_type", null=False),
    _text("dag_id", null=False),
    _text("dag_run_id", null=False),
    _text("status", null=False),
    _text("submitted_by", null=False, comment="a user's name, or schedule"),
    _time("started_at", null=False),
    _time("finished_at"),
    sa.Column("params", JSONB, nullable=False, server_default="{}"),
    sa.Column("dry_run", sa.Boolean, nullable=False),
    sa.Column("counts", JSONB, nullable=False, server_default="{}"),
    _text("message"),
    sa.Column("notes", JSONB, nullable=False, server_default="[]", comment="sentences"),
    _text("config_hash", null=False, default=""),
    sa.Column("guard", JSONB, comment="the guard's verdict, and who approved"),
    _run("undo_of", comment="the run whose writes this one takes back"),
    sa.Column(
        "started_on",
        sa.Date,
        nullable=False,
        server_default=sa.text("(now() AT TIME ZONE 'UTC')::date"),
        comment="the day of started_at in UTC; its jobs are in the partition of that day",
    ),
    sa.Column(
        "calls",
        JSONB,
        nullable=False,
        server_default="{}",
        comment="role → calls made to that system, and those against each of its budgets",
    ),
    sa.UniqueConstraint("dag_id", "dag_run_id"),
    sa.Index("runs_by_start", sa.text("started_at DESC"), sa.text("run_id DESC")),
    sa.Index("runs_of_sync", "account", "sync_type", sa.text("run_id DESC")),
    comment="sync runs: one row per DAG run",
)

run_lists = sa.Table(
    "run_lists",
    metadata,
    sa.Column(
        "run_id", sa.BigInteger, sa.ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True
    ),
    *_key("list_key"),
    _text("name", null=False),
    _text("status", null=False),
    _text("message"),
    sa.Column("counts", JSONB, nullable=False, server_default="{}"),
    _text("crm_list_id", comment="what the key stood for; null where that is not known"),
    _text("marketing_list_id"),
    comment="what a run did to each list that it touched",
)

run_details = sa.Table(
    "run_details",
    metadata,
    sa.Column(
        "run_id", sa.BigInteger, sa.ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True
    ),
    *_key("kind", "scope_id"),
    _text("name", null=False),
    _text("status", null=False),
    _text("message"),
    sa.Column("counts", JSONB, nullable=False, server_default="{}"),
    comment="what a run did of each campaign, form or the like that it is about",
)

# No foreign key to runs: a check per row would double the time of a bulk load. No index has what a
# write's success changes (`result`, `record_id`), so that most verdicts stay on their page (HOT).
jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("run_id", sa.BigInteger, primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column(
        "started_on",
        sa.Date,
        primary_key=True,
        comment="runs.started_on: the key of the partitions",
    ),
    _text("account", null=False),
    _text("entity"),
    _text("kind", comment="null where nothing is written"),
    _text("target", comment="the side that is written to"),
    _text("source", comment="the side that the row came from"),
    _text("source_entity"),
    _text("source_id"),
    _text("record_id"),
    _text(
        "planned_record_id",
        comment="record_id before the write: null where it creates the record",
    ),
    _text("key"),
    _text("email"),
    _text("email_key"),
    _text("list_key"),
    _text("result", null=False),
    _text(
        "planned_result",
        null=False,
        comment="what result becomes once the write succeeded; result, if no write",
    ),
    _text("reason"),
    _text("error_code"),
    _text("error_message"),
    sa.Column(
        "transient",
        sa.Boolean,
        comment="not null if it was refused, failed or held back: whether it may succeed",
    ),
    sa.Column("before", JSONB),
    sa.Column("after", JSONB),
    _time("submitted_at", null=False),
    _time("processed_at"),
    sa.CheckConstraint(
        "transient IS NOT NULL OR (result IN ('planned', planned_result) AND result <> 'error')",
        name="jobs_refused_check",
    ),
    sa.Index("jobs_by_result", "run_id", "planned_result", "seq"),
    sa.Index("jobs_refused", "run_id", "seq", postgresql_where=sa.text("transient IS NOT NULL")),
    sa.Index("jobs_by_entity", "run_id", "entity"),
    sa.Index(
        "jobs_by_reason", "run_id", "reason", "seq", postgresql_where=sa.text("reason IS NOT NULL")
    ),
    sa.Index(
        "jobs_by_list",
        "run_id",
        "list_key",
        "seq",
        postgresql_where=sa.text("list_key IS NOT NULL"),
    ),
    sa.Index("jobs_created", "run_id", "key", postgresql_where=sa.text("kind = 'create'")),
    sa.Index(
        "jobs_of_address",
        "account",
        "email_key",
        sa.text("run_id DESC"),
        "seq",
        postgresql_ops={"email_key": "text_pattern_ops"},
    ),
    sa.Index(
        "jobs_of_record",
        "account",
        "planned_record_id",
        sa.text("run_id DESC"),
        "seq",
        postgresql_where=sa.text("planned_record_id IS NOT NULL"),
    ),
    sa.Index(
        "jobs_of_source",
        "account",
        "source_id",
        sa.text("run_id DESC"),
        "seq",
        postgresql_where=sa.text("source_id IS NOT NULL"),
    ),
    postgresql_partition_by="RANGE (started_on)",
    comment="sync jobs: every row that entered a run, and what became of it",
)

unchanged = sa.Table(
    "unchanged",
    metadata,
    sa.Column(
        "run_id", sa.BigInteger, sa.ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True
    ),
    sa.Column("part", sa.Integer, primary_key=True),
    sa.Column("place", sa.Integer, primary_key=True, comment="numbers list, entity and source"),
    sa.Column("bucket", sa.Integer, primary_key=True, comment="the last bits of the ids' hash"),
    sa.Column("bits", sa.SmallInteger, nullable=False),
    *(_text(name, null=False) for name in ("account", "list_key", "entity", "source")),
    sa.Column("number", sa.Integer, nullable=False, comment="of records, erased ones included"),
    _text("ids", null=False, comment="each between two line breaks"),
    sa.Index("unchanged_by_bucket", "account", "bits", "bucket"),
    comment="unchanged records of a run, where they are too many to be jobs",
)

bulk_jobs = sa.Table(
    "bulk_jobs",
    metadata,
    sa.Column(
        "run_id", sa.BigInteger, sa.ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True
    ),
    sa.Column("part", sa.Integer, primary_key=True),
    sa.Column("target", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True, comment='"" where nothing is written'),
    sa.Column("entity", sa.Text, primary_key=True),
    sa.Column("scope_id", sa.Text, primary_key=True, comment="a campaign, say"),
    sa.Column("result", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, primary_key=True, comment='"" where there is none'),
    sa.Column(
        "planned_result",
        sa.Text,
        primary_key=True,
        server_default="",
        comment='what a planned job becomes once it is written; "" where it is not',
    ),
    sa.Column("number", sa.BigInteger, nullable=False),
    comment="jobs of a run that are counted instead of listed; those in error are in jobs",
    info={IMPERSONAL: "numbers"},
)

events = sa.Table(
    "events",
    metadata,
    sa.Column(
        "key",
        sa.Uuid(as_uuid=False),
        primary_key=True,
        comment="a hash of what tells it from all others",
    ),
    sa.Column(
        "occurred_at",
        sa.DateTime(timezone=True),
        primary_key=True,
        comment="told by the system: the key of the partitions",
    ),
    _text("account", null=False),
    _text("role", null=False, comment="the role of the system that told it"),
    _text("kind", null=False, comment="send, open, click, …"),
    _text("scope_id", null=False, default="", comment="what it belongs to: a campaign, say"),
    _text("record_id", comment="the person's id on that system"),
    _text("email_key"),
    sa.Column("details", JSONB, nullable=False, server_default="{}"),
    _run("run_id", comment="the run that read it"),
    _text(
        "crm_state",
        comment="pending, written, ignored, refused, given_up; null if not to be written",
    ),
    sa.Column("crm_attempts", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column(
        "crm_written",
        sa.Boolean,
        nullable=False,
        server_default=sa.false(),
        comment="whether the CRM has an earlier reading of it",
    ),
    sa.Index("events_by_scope", "account", "role", "scope_id", "kind"),
    sa.Index(
        "events_of_record",
        "account",
        "record_id",
        postgresql_where=sa.text("record_id IS NOT NULL"),
    ),
    sa.Index(
        "events_of_address",
        "account",
        "email_key",
        postgresql_where=sa.text("record_id IS NULL"),
    ),
    sa.Index(
        "events_pending",
        "account",
        "role",
        "kind",
        "occurred_at",
        postgresql_where=sa.text("crm_state = 'pending'"),
    ),
    sa.Index(
        "events_ignored",
        "account",
        "role",
        "email_key",
        postgresql_where=sa.text("crm_state = 'ignored'"),
    ),
    postgresql_partition_by="RANGE (occurred_at)",
    comment="what a system told that happened, once each; events never change",
)

known_systems = sa.Table(
    "known_systems",
    metadata,
    *_key("account", "side"),
    _text("vendor_account", null=False, comment="the connector, and the vendor's id"),
    _time("found_at", null=False),
    comment="which of the vendors' accounts the systems of an account are",
    info={IMPERSONAL: "ids of organizations"},
)

definitions = sa.Table(
    "definitions",
    metadata,
    *_key("account", "side", "kind", "id"),
    _text("name"),
    sa.Column("details", JSONB, nullable=False, server_default="{}"),
    _run("seen_run", comment="the last run that saw it"),
    _time("seen_at"),
    _time("deleted_at", comment="null while it is there"),
    _text("written", comment="the values that a sync last wrote elsewhere"),
    comment="named things of a system as last seen: campaigns, fields, tags, programs",
    info={IMPERSONAL: "named things of the marketing team"},
)

records = sa.Table(
    "records",
    metadata,
    *_key("account", "side", "entity", "id"),
    _text("email"),
    _text("email_key"),
    _text("status"),
    sa.Column("active", sa.Boolean),
    _time("modified_at", comment="the vendor's time of the last change that was seen"),
    _text("external_key"),
    _text("merged_into"),
    _text("scope", null=False, default="", comment=_SCOPE),
    sa.Column("fields", JSONB, nullable=False, server_default="{}"),
    _time("fields_at", comment="modified_at of the row that fields come from"),
    _run("fields_run", comment="the run that fields come from"),
    _run("kept_run", comment="the run whose sighting all else comes from"),
    _run("seen_run", comment="the last run that saw it alive"),
    _time("seen_at"),
    _run("deleted_run", comment="the last run that saw it gone"),
    _time("deleted_at", comment="null while it lives"),
    sa.Index("records_by_address", "account", "side", "email_key"),
    sa.Index(
        "records_by_external_key",
        "account",
        "side",
        "external_key",
        postgresql_where=sa.text("external_key IS NOT NULL"),
    ),
    sa.Index(
        "records_merged",
        "account",
        "side",
        "merged_into",
        postgresql_where=sa.text("merged_into IS NOT NULL"),
    ),
    sa.Index(
        "records_gone", "account", "deleted_at", postgresql_where=sa.text("deleted_at IS NOT NULL")
    ),
    comment="people of each side as last seen; deleted ones stay as tombstones",
)

members = sa.Table(
    "members",
    metadata,
    *_key("account", "side", "list_id"),
    _key_or_empty("entity"),
    *_key("member_id"),
    _text("membership_id"),
    _text("status"),
    _time("changed_at"),
    _run("kept_run", comment="the run whose sighting is kept"),
    _run("seen_run", comment="the last run that saw it there"),
    _time("seen_at"),
    _run("deleted_run", comment="the last run that saw it gone, told by list and member"),
    _time("deleted_at", comment="null while it lasts"),
    sa.Index(
        "members_by_membership",
        "account",
        "side",
        "membership_id",
        postgresql_where=sa.text("membership_id IS NOT NULL"),
    ),
    sa.Index("members_by_person", "account", "side", "member_id"),
    sa.Index(
        "members_gone", "account", "deleted_at", postgresql_where=sa.text("deleted_at IS NOT NULL")
    ),
    comment="memberships of each side as last seen; deleted ones stay as tombstones",
)

member_tombstones = sa.Table(
    "member_tombstones",
    metadata,
    *_key("account", "side", "membership_id"),
    _run("deleted_run"),
    _time("deleted_at", null=False),
    comment="memberships that a change feed told gone by their id alone",
)

links = sa.Table(
    "links",
    metadata,
    *_key("account", "entity", "crm_id"),
    _key_or_empty("scope", comment=_SCOPE),
    _text("marketing_id", null=False),
    _text("email_key"),
    _time("linked_at", null=False),
    _run("run_id"),
    sa.Column(
        "is_primary",
        sa.Boolean,
        nullable=False,
        server_default=sa.true(),
        comment="of several CRM records of one contact, the one whose fields count",
    ),
    sa.Index("links_by_marketing", "account", "marketing_id"),
    sa.Index("links_by_address", "account", "email_key"),
    comment="which CRM record and which platform contact are the same person",
)

baselines = sa.Table(
    "baselines",
    metadata,
    *_key("account", "entity", "crm_id"),
    _key_or_empty("scope", comment=_SCOPE),
    _text("marketing_id", null=False, comment="the contact of the pair"),
    sa.Column("values", JSONB, nullable=False, comment="agreed values by the mapping's names"),
    _time("agreed_at", null=False),
    _run("run_id"),
    sa.Column(
        "apart",
        JSONB,
        nullable=False,
        server_default="{}",
        comment="the platform's values where an undo left the sides apart",
    ),
    comment="the field values that a pair of records had when they last agreed",
)

mapped_fields = sa.Table(
    "mapped_fields",
    metadata,
    *_key("account", "entity", "name"),
    _text("meaning", null=False, comment="vendors' fields, type, direction, options and formats"),
    _run("run_id", comment="the run that changed the meaning; null if none has"),
    comment="the meaning of each mapped field's baselines",
    info={IMPERSONAL: "fields of the configuration"},
)

list_states = sa.Table(
    "list_states",
    metadata,
    *_key("account", "crm_list_id", "marketing_list_id"),
    *(_key_or_empty(name) for name in ("entity", "crm_id", "marketing_id")),
    _text("state", null=False),
    _time("changed_at", null=False),
    _run("run_id"),
    sa.CheckConstraint(
        "state IN ('joined', 'left_crm', 'left_marketing', 'unsubscribed',"
        " 'only_crm', 'only_marketing')",
        name="list_states_state_check",
    ),
    sa.Index("list_states_by_crm", "account", "crm_id"),
    sa.Index("list_states_by_marketing", "account", "marketing_id"),
    comment="the membership both sides had when they last agreed",
)

suppressions = sa.Table(
    "suppressions",
    metadata,
    *_key("account", "side", "email_key"),
    _key_or_empty("list_id"),
    _key_or_empty("member_id"),
    _key_or_empty("scope", comment=_SCOPE),
    _text("email"),
    _text("reason", null=False, comment="the gravest status ever seen"),
    sa.Column(
        "personal",
        sa.Boolean,
        nullable=False,
        server_default=sa.true(),
        comment="the person opted out; false if mail to the address only bounced",
    ),
    _text("vendor_reason"),
    _time("suppressed_at", comment="the earliest time the side reported"),
    _time("told_at", comment="the latest time the side reported; null until it does"),
    _text("record_id"),
    _text("key", comment="what a sync wrote its record by; empty where a person added one"),
    _text("origin", comment="who told it, as its record says"),
    _run("seen_run"),
    _run("deleted_run"),
    _time("deleted_at", comment="the side dropped its record; the word still holds"),
    _time("settled_at", comment="when the other side had it"),
    _run("lifted_run"),
    _time("lifted_at", comment="the person came back by the platform's own means"),
    _text("lifted_reason"),
    sa.Index("suppressions_by_record", "account", "side", "record_id"),
    comment="who may not be mailed: the store's memory of consent, never pruned",
)

written_consents = sa.Table(
    "written_consents",
    metadata,
    *_key("account"),
    sa.Column("key", sa.Text, primary_key=True, comment="by which its record is found there"),
    _text("member_id", null=False, comment="the platform's contact"),
    _text("email_key"),
    _time("written_at", null=False),
    sa.Index("written_consents_by_member", "account", "member_id"),
    sa.Index("written_consents_by_address", "account", "email_key"),
    comment="which consents have been written to a table in the CRM",
)

list_ids = sa.Table(
    "list_ids",
    metadata,
    *_key("account", "list_key", "side"),
    _text("list_id", null=False),
    _text("name", null=False),
    _text("entity"),
    _text("scope", null=False, default="", comment=_SCOPE),
    _time("resolved_at", null=False),
    comment="the ids that the names in the configuration stand for",
    info={IMPERSONAL: "lists, not who is on them"},
)

watermarks = sa.Table(
    "watermarks",
    metadata,
    *_key("account", "sync_type", "side", "dataset"),
    _text("value", null=False),
    _text(
        "fingerprint", null=False, comment="hash of what was asked; another one reads everything"
    ),
    _time("read_at", null=False),
    _run("run_id"),
    _time("whole_at", comment="when all of it was last read; null if unknown"),
    comment="how far a side has been read",
    info={IMPERSONAL: "places in listings"},
)

retries = sa.Table(
    "retries",
    metadata,
    *_key("account", "sync_type", "source"),
    *(_key_or_empty(name) for name in ("entity", "source_id", "list_key")),
    _text("email_key"),
    sa.Column("attempts", sa.Integer, nullable=False),
    _time("next_at", null=False),
    sa.Column("given_up", sa.Boolean, nullable=False),
    sa.Column(
        "consent",
        sa.Boolean,
        nullable=False,
        server_default=sa.false(),
        comment="an opt-out, which is never given up",
    ),
    _text("error_code"),
    _text("error_message"),
    _run("first_run"),
    _run("last_run"),
    sa.Index("retries_by_address", "account", "email_key"),
    comment="records in error, to be tried again",
)

erased = sa.Table(
    "erased",
    metadata,
    *_key("account", "address_hash"),
    _time("erased_at", null=False),
    _text("request", comment="the request that has yet to be carried out; null once it was"),
    _text("key_id", null=False, comment="the key of the hash"),
    comment="keyed hashes of the addresses of people who asked to be forgotten",
)

erasures = sa.Table(
    "erasures",
    metadata,
    sa.Column("request", sa.Text, primary_key=True, comment="chosen at random"),
    _text("account", null=False),
    _text("person", comment="address or id; null once erased or expired"),
    _time("requested_at", null=False),
    _time("erased_at"),
    _run("run_id", comment="the run that erased"),
    comment="requests to be forgotten",
)

access_log = sa.Table(
    "access_log",
    metadata,
    sa.Column("entry", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    _time("at", null=False),
    _text("user_name", null=False),
    _text("what", null=False),
    _text("account", null=False, default=""),
    _run("run_id", comment="the run whose jobs were looked at"),
    sa.Column(
        "record_ids",
        ARRAY(sa.Text),
        nullable=False,
        server_default="{}",
        comment="of the person; empty once erased",
    ),
    sa.Index("access_log_by_time", "at"),
    comment="who looked at people, and who took what out",
)

selections = sa.Table(
    "selections",
    metadata,
    *_key("selection"),
    sa.Column("record", sa.Text, primary_key=True, comment="address or id, as it was typed"),
    _text("account", null=False),
    _text("email_key", comment="the normalised address"),
    _time("filed_at", null=False),
    _text("filed_by", null=False),
    comment="whom runs are about: Airflow is told the token only",
)

notifications = sa.Table(
    "notifications",
    metadata,
    *_key("account", "sync_type", "side"),
    sa.Column("record", sa.Text, primary_key=True, comment="address or id; empty for all"),
    _text("email_key", comment="the normalised address"),
    _time("told_at", null=False),
    _time("last_told_at", null=False),
    comment="whom the vendors' events named, and no run has looked at since",
)

secrets = sa.Table(
    "secrets",
    metadata,
    *_key("name"),
    sa.Column("value", sa.LargeBinary, nullable=False),
    comment="the key of hashes in erased, until it is moved to the connection",
    info={IMPERSONAL: "keys"},
)
