"""A store in memory, so that a plan is tested without PostgreSQL.

    store = MemoryView()
    store.add_person("crm", "c1", "ann@example.org")
    store.add_person("marketing", "m1", "ann@example.org", status="unsubscribed")
    store.add_link("c1", "m1", "ann@example.org")

It answers what `bothways.syncs.store_view.StoreView` asks, just as PostgreSQL does: a test fills
both with the same rows and compares every answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

import pandas as pd
import pyarrow as pa

from bothways.tables.fields import FIELD_PREFIX
from bothways.tables.ledgers import (
    APART_PREFIX,
    DEFINITIONS,
    LINKS,
    LIST_STATES,
    MAPPED_LISTS,
    MEMBERS,
    PENDING_EVENTS,
    RETRIES,
    SUPPRESSIONS_IN_FORCE,
    UNSEEN,
    WRITTEN_JOBS,
    WROTE_PREFIX,
    ListPair,
    baselines_schema,
    divergence_schema,
    people_schema,
    written_values_schema,
)
from bothways.transform.normalise import email_keys as normalised
from bothways.vocabulary import FieldType, RoleName, Status

Row = dict[str, Any]
Values = Mapping[str, Any]

DAY: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""When everything happened for which no time is given."""

_TEXT: Final = pd.ArrowDtype(pa.string())
_WRITTEN: Final = ("new", "updated", "re_added", "deleted")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_DATETIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)")
_DIGITS: Final = 18


class MemoryView:
    """A StoreView of one account, filled by its `add_…` methods.

    A row that is added again, under the same key, replaces the earlier one.

    Attributes:
        rows: What was added, by the names that the store's tables and their columns have.
        erased_addresses: Normalised addresses of those who asked to be forgotten.
        scope: The platform's scope that it is narrowed to; None for all.
    """

    def __init__(self) -> None:
        self._tables: dict[str, dict[tuple[Any, ...], Row]] = {}
        self.erased_addresses: list[str] = []
        self.scope: str | None = None

    @property
    def rows(self) -> dict[str, list[Row]]:
        """The rows of each table."""
        return {name: list(rows.values()) for name, rows in self._tables.items()}

    # ── filling it ────────────────────────────────────────────────────────────────────────────

    def add_person(
        self,
        side: RoleName,
        record_id: str,
        email: str | None = None,
        *,
        entity: str = "contact",
        status: str | None = Status.MAILABLE.value,
        active: bool | None = True,
        modified_at: datetime | None = DAY,
        external_key: str | None = None,
        merged_into: str | None = None,
        scope: str = "",
        fields: Values | None = None,
        deleted_at: datetime | None = None,
        seen_run: int | None = None,
    ) -> None:
        """Add a record of a person, with field values by the vendor's names."""
        self._add(
            "records",
            ("side", "entity", "id"),
            side=side,
            entity=entity,
            id=record_id,
            email=email,
            email_key=_key(email),
            status=status,
            active=active,
            modified_at=modified_at,
            external_key=external_key,
            merged_into=merged_into,
            scope=scope,
            fields=_json(fields),
            deleted_at=deleted_at,
            seen_run=seen_run,
        )

    def add_member(
        self,
        side: RoleName,
        list_id: str,
        member_id: str,
        *,
        entity: str = "contact",
        membership_id: str | None = None,
        status: str | None = Status.MAILABLE.value,
        changed_at: datetime | None = DAY,
        deleted_at: datetime | None = None,
    ) -> None:
        """Add a membership; one that is over has a time of deletion."""
        self._add(
            "members",
            ("side", "list_id", "entity", "member_id"),
            side=side,
            list_id=list_id,
            entity=entity,
            member_id=member_id,
            membership_id=membership_id,
            status=status,
            changed_at=changed_at,
            deleted_at=deleted_at,
        )

    def add_link(
        self,
        crm_id: str,
        marketing_id: str,
        email: str | None = None,
        *,
        entity: str = "contact",
        is_primary: bool = True,
        scope: str = "",
    ) -> None:
        """Add a link, with the address that the two were linked by."""
        self._add(
            "links",
            ("entity", "crm_id", "scope"),
            scope=scope,
            entity=entity,
            crm_id=crm_id,
            marketing_id=marketing_id,
            email_key=_key(email),
            is_primary=is_primary,
        )

    def add_list_state(
        self,
        pair: ListPair,
        state: str,
        *,
        crm_id: str = "",
        marketing_id: str = "",
        entity: str = "contact",
        changed_at: datetime = DAY,
    ) -> None:
        """Add how a membership stood when both sides last agreed."""
        self._add(
            "list_states",
            ("crm_list_id", "marketing_list_id", "entity", "crm_id", "marketing_id"),
            crm_list_id=pair.crm,
            marketing_list_id=pair.marketing,
            entity=entity,
            crm_id=crm_id,
            marketing_id=marketing_id,
            state=state,
            changed_at=changed_at,
        )

    def add_baseline(
        self,
        crm_id: str,
        marketing_id: str,
        values: Values,
        *,
        entity: str = "contact",
        apart: Values | None = None,
        agreed_at: datetime = DAY,
        scope: str = "",
    ) -> None:
        """Add what a pair last agreed on, by the mapping's names.

        Where an undo left the sides apart, `values` has what the CRM had and `apart` what the
        platform had.
        """
        self._add(
            "baselines",
            ("entity", "crm_id", "scope"),
            scope=scope,
            entity=entity,
            crm_id=crm_id,
            marketing_id=marketing_id,
            values=_json(values),
            apart=_json(apart),
            agreed_at=agreed_at,
        )

    def add_suppression(
        self,
        side: RoleName,
        email: str,
        *,
        reason: str = Status.UNSUBSCRIBED.value,
        list_id: str = "",
        member_id: str = "",
        record_id: str | None = None,
        personal: bool | None = None,
        vendor_reason: str | None = None,
        suppressed_at: datetime | None = DAY,
        told_at: datetime | None = DAY,
        deleted_at: datetime | None = None,
        settled_at: datetime | None = None,
        scope: str = "",
        key: str | None = "",
        origin: str | None = None,
        came_back: bool = False,
    ) -> None:
        """Add a suppression in force; it is the person's own unless mail bounced.

        `key` is what a sync wrote the CRM's record by; by default a person added it. `came_back`
        says that what the other side told of the address has been lifted since.
        """
        self._add(
            "suppressions",
            ("side", "email_key", "list_id", "member_id", "scope"),
            scope=scope,
            side=side,
            email_key=_key(email),
            list_id=list_id,
            member_id=member_id,
            email=email,
            reason=reason,
            personal=reason != Status.BOUNCED.value if personal is None else personal,
            vendor_reason=vendor_reason,
            suppressed_at=suppressed_at,
            told_at=told_at,
            record_id=record_id,
            deleted_at=deleted_at,
            settled_at=settled_at,
            key=key,
            origin=origin,
            came_back=came_back,
        )

    def add_erased(self, *emails: str) -> None:
        """Add addresses whose owners asked to be forgotten."""
        self.erased_addresses += [str(_key(email)) for email in emails]

    def add_retry(
        self,
        sync_type: str,
        source: RoleName,
        source_id: str,
        email: str | None = None,
        *,
        entity: str = "contact",
        list_key: str = "",
        given_up: bool = False,
    ) -> None:
        """Add a record in error."""
        self._add(
            "retries",
            ("sync_type", "source", "entity", "source_id", "list_key"),
            sync_type=sync_type,
            source=source,
            entity=entity,
            source_id=source_id,
            list_key=list_key,
            email_key=_key(email),
            given_up=given_up,
        )

    def add_job(
        self,
        run_id: int,
        kind: str | None,
        target: RoleName,
        *,
        result: str = "updated",
        entity: str = "contact",
        record_id: str | None = None,
        source_id: str | None = None,
        key: str | None = None,
        email: str | None = None,
        list_key: str | None = None,
        reason: str | None = None,
        source: RoleName | None = None,
        source_entity: str | None = "contact",
        before: Values | None = None,
        after: Values | None = None,
    ) -> None:
        """Add a job of an earlier run; jobs are numbered as they come."""
        seq = sum(row["run_id"] == run_id for row in self.rows.get("jobs", ()))
        self._add(
            "jobs",
            ("run_id", "seq"),
            run_id=run_id,
            seq=seq,
            target=target,
            kind=kind,
            entity=entity,
            record_id=record_id,
            source_id=source_id,
            key=key,
            email=email,
            email_key=_key(email),
            list_key=list_key,
            reason=reason,
            source=source,
            source_entity=source_entity,
            result=result,
            before=_json(before),
            after=_json(after),
        )

    def add_list_of_run(
        self, run_id: int, list_key: str, *, crm: str | None, marketing: str | None
    ) -> None:
        """Add which lists a key stood for in an earlier run."""
        self._add(
            "run_lists",
            ("run_id", "list_key"),
            run_id=run_id,
            list_key=list_key,
            crm_list_id=crm,
            marketing_list_id=marketing,
        )

    def add_definition(
        self,
        side: RoleName,
        kind: str,
        definition_id: str,
        name: str | None = None,
        *,
        details: Values | None = None,
        written: str | None = None,
        deleted_at: datetime | None = None,
    ) -> None:
        """Add a named thing: a campaign, say, and the values that a sync last wrote of it."""
        self._add(
            "definitions",
            ("side", "kind", "id"),
            side=side,
            kind=kind,
            id=definition_id,
            name=name,
            details=_json(details),
            written=written,
            deleted_at=deleted_at,
        )

    def add_event(
        self,
        side: RoleName,
        kind: str,
        scope_id: str = "",
        email: str | None = None,
        *,
        record_id: str | None = None,
        occurred_at: datetime = DAY,
        details: Values | None = None,
        crm_state: str | None = "pending",
        attempts: int = 0,
        written: bool = False,
    ) -> None:
        """Add an event, which waits to be written to the CRM; its key is a number."""
        number = len(self.rows.get("events", ()))
        self._add(
            "events",
            ("key",),
            key=str(UUID(int=number)),
            role=side,
            kind=kind,
            scope_id=scope_id,
            record_id=record_id,
            email_key=_key(email),
            occurred_at=occurred_at,
            details=_json(details),
            crm_state=crm_state,
            crm_attempts=attempts,
            crm_written=written,
        )

    def add_written_consent(self, key: str, member_id: str, email: str | None = None) -> None:
        """Add that a member's consent has been written to the CRM."""
        self._add(
            "written_consents",
            ("key",),
            key=key,
            member_id=member_id,
            email_key=_key(email),
            written_at=DAY,
        )

    def _add(self, table: str, primary_key: Sequence[str], /, **row: Any) -> None:
        self._tables.setdefault(table, {})[tuple(row[name] for name in primary_key)] = row

    # ── reading it ────────────────────────────────────────────────────────────────────────────

    def within(self, scope: str) -> MemoryView:
        """Return the view of one scope of the platform; what is added to either is in both."""
        narrowed = MemoryView()
        narrowed._tables, narrowed.scope = self._tables, scope
        narrowed.erased_addresses = self.erased_addresses
        return narrowed

    def people(
        self,
        side: RoleName,
        *,
        entity: str | None = None,
        ids: pd.Series | None = None,
        email_keys: pd.Series | None = None,
        external_keys: pd.Series | None = None,
        fields: Mapping[str, FieldType] | None = None,
        with_deleted: bool = False,
    ) -> pd.DataFrame:
        """Return the people of one side, as last seen."""
        rows = self._where("records", side=side)
        if side == "marketing":
            rows = self._in_scope(rows)
        rows = [row | {"deleted": row["deleted_at"] is not None} for row in rows]
        found = _frame(rows, people_schema(fields or {}), fields=(FIELD_PREFIX, "fields", fields))
        found = _matching(found, id=ids, email_key=email_keys, external_key=external_keys)
        if entity is not None:
            found = found[found["entity"] == entity]
        if not with_deleted:
            found = found[~found["deleted"].astype(bool)]
        return _sorted(found, "entity", "id")

    def merged(self, ids: pd.Series) -> pd.Series:
        """Return the CRM records that these were merged into, and that were merged into these."""
        rows = [row for row in self._where("records", side="crm") if row["merged_into"]]
        merges = pd.DataFrame(rows, columns=["id", "merged_into"], dtype=_TEXT)
        chain = _matching(merges, id=ids, merged_into=ids)
        while True:
            ends = pd.concat([chain["id"], chain["merged_into"]])
            longer = _matching(merges, id=chain["merged_into"], merged_into=ends)
            longer = merges.loc[chain.index.union(longer.index)]
            if len(longer) == len(chain):
                found: pd.Series = ends.drop_duplicates(ignore_index=True).rename("id")
                return found
            chain = longer

    def members(
        self,
        side: RoleName,
        *,
        list_ids: Sequence[str] | None = None,
        member_ids: pd.Series | None = None,
    ) -> pd.DataFrame:
        """Return who is on the lists of one side."""
        found = self._members(side)
        found = _matching(found[~found["deleted"].astype(bool)], member_id=member_ids)
        if list_ids is not None:
            found = found[found["list_id"].isin(list(list_ids))]
        return _sorted(found, "list_id", "entity", "member_id")

    def former_members(self, side: RoleName, membership_ids: pd.Series) -> pd.Series:
        """Return whose memberships these are or were."""
        found = _matching(self._members(side), membership_id=membership_ids)
        return _sorted(found, "list_id", "entity", "member_id")["member_id"]

    def links(
        self,
        *,
        entity: str | None = None,
        crm_ids: pd.Series | None = None,
        marketing_ids: pd.Series | None = None,
        email_keys: pd.Series | None = None,
    ) -> pd.DataFrame:
        """Return which CRM record and which platform contact are the same person."""
        found = _frame(self._in_scope(self._where("links")), LINKS)
        found = _matching(found, crm_id=crm_ids, marketing_id=marketing_ids, email_key=email_keys)
        if entity is not None:
            found = found[found["entity"] == entity]
        return _sorted(found, "entity", "crm_id", "scope")

    def list_states(
        self,
        *,
        pairs: Sequence[ListPair] | None = None,
        crm_ids: pd.Series | None = None,
        marketing_ids: pd.Series | None = None,
    ) -> pd.DataFrame:
        """Return how memberships stood when both sides last agreed."""
        found = _frame(self._where("list_states"), LIST_STATES)
        found = _matching(found, crm_id=crm_ids, marketing_id=marketing_ids)
        if pairs is not None:
            found = found[_of_pairs(found, pairs)]
        return _sorted(found, *LIST_STATES.names[:5])

    def unseen(self, pairs: Sequence[ListPair], run_id: int) -> pd.DataFrame:
        """Return whose membership is known and whom a run has not seen alive on both sides."""
        states = self.list_states()
        states = states[_of_pairs(states, pairs)].assign(contact="contact")
        names = ["side", "entity", "id", "email_key", "seen_run"]
        people = pd.DataFrame(self._where("records"), columns=names)
        for side, entity in (("crm", "entity"), ("marketing", "contact")):
            known = people[people["side"] == side].drop(columns="side")
            known = known.rename(
                columns={
                    "entity": entity,
                    "id": f"{side}_id",
                    "email_key": f"{side}_key",
                    "seen_run": f"{side}_run",
                }
            )
            states = states.merge(known.astype(object), on=[entity, f"{side}_id"], how="left")
        seen = (states["crm_run"] == run_id) & (states["marketing_run"] == run_id)
        found = states[~seen]
        found = found.assign(email_key=found["marketing_key"].fillna(found["crm_key"]))
        return _typed(found, UNSEEN).drop_duplicates(ignore_index=True)

    def baselines(
        self, entity: str, crm_ids: pd.Series, fields: Mapping[str, FieldType]
    ) -> pd.DataFrame:
        """Return the field values that pairs of records had when they last agreed."""
        rows = self._baselines(entity)
        found = _frame(rows, baselines_schema(fields), fields=(FIELD_PREFIX, "values", fields))
        return _sorted(_matching(found, crm_id=crm_ids), "crm_id")

    def divergence(
        self, entity: str, crm_ids: pd.Series, fields: Mapping[str, FieldType]
    ) -> pd.DataFrame:
        """Return the pairs whose sides an undo left apart."""
        rows = [row for row in self._baselines(entity) if row["apart"]]
        rows = [row | _flags(APART_PREFIX, row["apart"], fields) for row in rows]
        found = _frame(rows, divergence_schema(fields), fields=(FIELD_PREFIX, "apart", fields))
        return _sorted(_matching(found, crm_id=crm_ids), "crm_id")

    def suppressions(
        self,
        side: RoleName | None = None,
        *,
        email_keys: pd.Series | None = None,
        record_ids: pd.Series | None = None,
        list_ids: Mapping[RoleName, str] | None = None,
    ) -> pd.DataFrame:
        """Return the suppressions in force."""
        rows = self._where("suppressions", **({} if side is None else {"side": side}))
        if self.scope is not None:
            counts = ("", self.scope)
            others = Status.UNSUBSCRIBED.value
            rows = [row for row in rows if row["scope"] in counts or row["reason"] != others]
        if list_ids is not None:
            rows = [row for row in rows if list_ids.get(row["side"]) == row["list_id"]]
        found = _frame(rows, SUPPRESSIONS_IN_FORCE)
        found = _matching(found, email_key=email_keys, record_id=record_ids)
        return _sorted(found, "email_key", "side", "list_id", "member_id", "scope")

    def erased(self, email_keys: pd.Series) -> pd.Series:
        """Return a mask of the addresses whose owners asked to be forgotten."""
        return email_keys.isin(pd.Series(self.erased_addresses, dtype=_TEXT)).astype(bool)

    def retries(self, sync_type: str) -> pd.DataFrame:
        """Return a sync type's records in error, whether they are due or not."""
        found = _frame(self._where("retries", sync_type=sync_type), RETRIES)
        return _sorted(found, *RETRIES.names)

    def written_jobs(self, run_id: int) -> pd.DataFrame:
        """Return what a run wrote, but for single fields."""
        return _sorted(_frame(self._written(run_id), WRITTEN_JOBS), "seq")

    def written_values(
        self, run_id: int, target: RoleName, entity: str, fields: Mapping[str, FieldType]
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the values that a run's updates wrote over, and those that they wrote."""
        mapped = "entity" if target == "crm" else "source_entity"
        rows = [
            row | _flags(WROTE_PREFIX, row["after"], fields)
            for row in self._written(run_id)
            if (row["kind"], row["target"], row[mapped]) == ("update", target, entity)
        ]
        schema = written_values_schema(fields)
        before, after = (
            _frame(rows, schema, fields=(FIELD_PREFIX, name, fields)).set_index("seq").sort_index()
            for name in ("before", "after")
        )
        return before[[FIELD_PREFIX + name for name in fields]], after

    def created_ids(self, run_id: int, target: RoleName, keys: pd.Series) -> pd.Series:
        """Return the ids of the people whom a run created, over the keys of their creation."""
        rows = self._where("jobs", run_id=run_id, kind="create", target=target)
        found = _frame(rows, WRITTEN_JOBS).dropna(subset="record_id")
        found = _matching(found, key=keys).drop_duplicates("key")
        return found.set_index("key")["record_id"]

    def list_ids(self, run_id: int, side: RoleName) -> Mapping[str, str]:
        """Return the ids that a run's lists had on a side, by list key, where they are known."""
        found = {
            row["list_key"]: row[f"{side}_list_id"]
            for row in self._where("run_lists", run_id=run_id)
        }
        return {key: list_id for key, list_id in found.items() if list_id is not None}

    def mapped_lists(self) -> pd.DataFrame:
        """Return what the keys of the account's lists stood for when a run last looked at them."""
        rows = sorted(self._where("run_lists"), key=lambda row: int(row["run_id"]))
        known = (row for row in rows if row["crm_list_id"] and row["marketing_list_id"])
        last = {row["list_key"]: row for row in known}
        return _frame([last[key] for key in sorted(last)], MAPPED_LISTS)

    def definitions(self, side: RoleName, kind: str, *, deleted: bool = False) -> pd.DataFrame:
        """Return the named things of a system that are not deleted, or those that are."""
        rows = [
            row | {"details": json.dumps(row["details"])}
            for row in self._where("definitions", side=side, kind=kind)
            if (row["deleted_at"] is not None) is deleted
        ]
        return _sorted(_frame(rows, DEFINITIONS), "id")

    def written_consents(self, keys: pd.Series) -> pd.Series:
        """Return those of the keys whose consents have been written to the CRM."""
        rows = [{"key": row["key"]} for row in self._where("written_consents")]
        found = _matching(_frame(rows, pa.schema([pa.field("key", pa.string())])), key=keys)
        return _sorted(found, "key")["key"]

    def pending_events(
        self,
        side: RoleName,
        kind: str,
        *,
        limit: int,
        after: tuple[datetime, str] | None = None,
        ignored: bool = False,
    ) -> pd.DataFrame:
        """Return events that wait to be written to the CRM, the oldest first."""
        state = "ignored" if ignored else "pending"
        rows = self._where("events", role=side, kind=kind, crm_state=state)
        rows = [row for row in rows if after is None or (row["occurred_at"], row["key"]) > after]
        return _events(rows).head(limit)

    def ignored_events(
        self, side: RoleName, kind: str, *, email_keys: pd.Series, record_ids: pd.Series
    ) -> pd.DataFrame:
        """Return events that were ignored, since the CRM had nobody to relate them to."""
        rows = self._where("events", role=side, kind=kind, crm_state="ignored")
        found = _matching(_events(rows), email_key=email_keys, record_id=record_ids)
        return found.reset_index(drop=True)

    def _where(self, table: str, **values: Any) -> list[Row]:
        rows = self._tables.get(table, {}).values()
        return [row for row in rows if all(row[name] == value for name, value in values.items())]

    def _in_scope(self, rows: list[Row]) -> list[Row]:
        return rows if self.scope is None else [row for row in rows if row["scope"] == self.scope]

    def _baselines(self, entity: str) -> list[Row]:
        rows = self._in_scope(self._where("baselines", entity=entity))
        return sorted(rows, key=lambda row: str(row["scope"]))

    def _members(self, side: RoleName) -> pd.DataFrame:
        rows = self._where("members", side=side)
        return _frame([row | {"deleted": row["deleted_at"] is not None} for row in rows], MEMBERS)

    def _written(self, run_id: int) -> list[Row]:
        rows = self._where("jobs", run_id=run_id)
        return [row for row in rows if row["kind"] is not None and row["result"] in _WRITTEN]


def _events(rows: list[Row]) -> pd.DataFrame:
    told = [
        row
        | {
            "details": json.dumps(row["details"]),
            "attempts": row["crm_attempts"],
            "written": row["crm_written"],
        }
        for row in rows
    ]
    return _sorted(_frame(told, PENDING_EVENTS), "occurred_at", "key")


_Fields = tuple[str, str, Mapping[str, FieldType] | None]
"""Prefix of the columns, the row's key that holds the values, and the types of the fields."""


def _frame(rows: list[Row], schema: pa.Schema, *, fields: _Fields | None = None) -> pd.DataFrame:
    """Return rows as a frame of a schema, whose field columns come from JSON values."""
    if fields is not None:
        prefix, source, types = fields
        rows = [row | _fields(prefix, row[source], types or {}) for row in rows]
    return pa.Table.from_pylist(rows, schema).to_pandas(types_mapper=pd.ArrowDtype)


def _fields(prefix: str, values: Values, types: Mapping[str, FieldType]) -> Row:
    return {prefix + name: _fit(values.get(name), kind) for name, kind in types.items()}


def _flags(prefix: str, values: Values, names: Iterable[str]) -> Row:
    return {prefix + name: name in values for name in names}


def _fit(value: Any, kind: FieldType) -> Any:
    """Return a JSON value as its type, None where it does not fit, as PostgreSQL reads it."""
    if value is None or isinstance(value, str):
        return _from_text(value, kind)
    if kind is FieldType.STRING:
        return json.dumps(value)
    if isinstance(value, bool) or kind is FieldType.BOOLEAN:
        return value if isinstance(value, bool) and kind is FieldType.BOOLEAN else None
    if kind is FieldType.NUMBER:
        return float(value)
    whole = kind in (FieldType.INTEGER, FieldType.OPTION) and isinstance(value, int)
    return value if whole and len(str(abs(value))) <= _DIGITS else None


def _from_text(text: str | None, kind: FieldType) -> Any:
    if text is None or kind is FieldType.STRING:
        return text
    if kind is FieldType.DATE and _DATE.fullmatch(text):
        return date.fromisoformat(text)
    if kind is FieldType.DATETIME and _DATETIME.fullmatch(text):
        return datetime.fromisoformat(text)
    return None


def _matching(rows: pd.DataFrame, **asked: pd.Series | None) -> pd.DataFrame:
    """Return the rows that have any of the values that are asked for; all where nothing is."""
    given = {name: values for name, values in asked.items() if values is not None}
    if not given:
        return rows
    keep = pd.Series(data=False, index=rows.index)
    for name, values in given.items():
        keep |= rows[name].isin(values.dropna()).astype(bool)
    return rows[keep]


def _of_pairs(rows: pd.DataFrame, pairs: Sequence[ListPair]) -> pd.Series:
    index = pd.MultiIndex.from_frame(rows[["crm_list_id", "marketing_list_id"]])
    return pd.Series(index.isin([tuple(pair) for pair in pairs]), index=rows.index)


def _sorted(rows: pd.DataFrame, *names: str) -> pd.DataFrame:
    return rows.sort_values(list(names), kind="stable", ignore_index=True)


def _typed(rows: pd.DataFrame, schema: pa.Schema) -> pd.DataFrame:
    return rows[schema.names].astype({item.name: pd.ArrowDtype(item.type) for item in schema})


def _key(email: str | None) -> str | None:
    """Return the normalised address."""
    if email is None:
        return None
    key = normalised(pd.Series([email], dtype=_TEXT)).iloc[0]
    return None if pd.isna(key) else str(key)


def _json(values: Values | None) -> dict[str, Any]:
    """Return values as they come back from JSON: dates and times as text."""
    text = json.dumps(dict(values or {}), default=lambda value: value.isoformat())
    found: dict[str, Any] = json.loads(text)
    return found
