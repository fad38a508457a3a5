"""The second step: page through one side into staging, and remember what was seen.

Each page is staged as Parquet and merged into the store's last seen state, so that a plan may ask
the store for anybody whom an incremental read did not bring.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, cast

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from bothways.connectors.base import (
    Connector,
    FindsContacts,
    Page,
    ReadsContacts,
    ReadsListMembers,
    ReadsListSuppressions,
    ReadsSuppressions,
)
from bothways.engine import lists, undo
from bothways.engine.run import Run
from bothways.engine.step import sentence_of
from bothways.errors import ConnectorError, RunStopped, TemporaryFailure, WatermarkExpired
from bothways.store import records, runs, selections, suppressions, watermarks
from bothways.store.links import load_links
from bothways.store.members import load_members
from bothways.syncs.base import (
    Dataset,
    KnownList,
    Request,
    frame_of,
    implementation,
    to_pandas,
)
from bothways.tables.members import LIST_MEMBERS
from bothways.tables.people import contacts_schema
from bothways.transform.normalise import email_keys
from bothways.transform.partition import buckets
from bothways.vocabulary import MAILABLE_OR_PENDING, Side

log = logging.getLogger(__name__)

READ: Final = "read.json"
# Each is a call of its own; a read of everybody costs fewer calls than many of them.
LOOK_UPS = 500


def extract(run: Run, side: Side, connector: Connector) -> dict[str, int]:
    """Read what the sync type asks for on one side; return rows by dataset.

    A list that cannot be read, or is deleted meanwhile, fails alone. Any other failure ends the
    step.

    Raises:
        ConnectorError: The vendor refused or failed.
    """
    begun = datetime.now(UTC)
    run.staging.clear(side)
    known = lists.resolve(run, side, connector)
    request = Request(run.account, side, connector.entities, dict(known))
    counts, marks = {}, {}
    members_left = False
    for dataset in implementation(run.sync).datasets(request):
        reading = Reading(run, side, connector, dataset, request.lists)
        try:
            counts[dataset.name], marks[dataset.name] = reading.read()
        except TemporaryFailure:
            raise
        except ConnectorError as error:
            if not dataset.list_key:
                raise
            with run.store.begin() as conn:
                lists.refuse(conn, run, dataset.list_key, sentence_of(error))
            del known[dataset.list_key]
        members_left |= reading.members_left
    if members_left:
        _refuse_vanished(run, side, connector, known, marks)
    run.staging.write_json([asdict(item) for item in known.values()], side, "lists.json")
    run.staging.write_json(marks, side, "watermarks.json")
    reached = {name: mark["value"] for name, mark in marks.items() if mark["value"] is not None}
    run.staging.write_json(last_read(begun, reached), side, READ)
    told = ", ".join(f"{number} {name}" for name, number in counts.items())
    log.info("Read from %s: %s", connector.declaration.title, told or "nothing")
    return counts


def last_read(at: datetime, reached: Mapping[str, str]) -> dict[str, Any]:
    """Return the contents of `read.json`: when a read began, and how far each dataset got."""
    return {"at": at.isoformat(), "reached": dict(reached)}


def _refuse_vanished(
    run: Run,
    side: Side,
    connector: Connector,
    known: dict[str, KnownList],
    marks: Mapping[str, dict[str, Any]],
) -> None:
    """Refuse lists that were deleted while they were read: their members did not leave them.

    Their watermarks are dropped, so that a list that comes back is read in full: by what has been
    read now, it is empty.
    """
    for item in lists.vanished(connector, list(known.values())):
        with run.store.begin() as conn:
            lists.refuse(conn, run, item.key, f"`{item.name}` was deleted while it was read.")
            for dataset, mark in marks.items():
                if item.key in mark["lists"]:
                    watermarks.forget(
                        conn, **run.place(side), sync_type=run.sync.name, dataset=dataset
                    )
        del known[item.key]


@dataclass(slots=True)
class Reading:
    """One dataset on its way from the vendor into staging and store.

    Attributes:
        members_left: Whether anybody has turned out to have left a list.
        displaced: id and email_key, as last seen, of contacts whose address another one has now.
    """

    run: Run
    side: Side
    connector: Connector
    dataset: Dataset
    lists: Mapping[str, KnownList]
    page_number: int = 0
    members_left: bool = False
    displaced: list[pd.DataFrame] = field(default_factory=list)

    def read(self) -> tuple[int, dict[str, Any]]:
        """Return the number of rows and the watermark to move to."""
        since = self.since()
        try:
            rows, watermark = self._pages(since)
        except WatermarkExpired as error:
            self._note(
                f"{error.vendor} no longer knows how far {self.dataset.name} was read; "
                "everything was re-read."
            )
            since = None
            rows, watermark = self._pages(None)
        if since is not None and self._many_displaced():
            self._note(
                f"{self.connector.declaration.title}: {self.dataset.name} read in full, since more"
                f" than {LOOK_UPS} contacts have been replaced by others with the same address."
            )
            since = None
            rows, watermark = self._pages(None)
        if since is None:
            self._sweep()
        rows += self._named() + self._look_up_displaced()
        keys = self._list_keys()
        asked = [keys[item] for item in self.dataset.lists]
        return rows, {
            "value": watermark,
            "fingerprint": self._fingerprint(),
            "lists": asked,
            "whole": since is None,
        }

    def since(self) -> str | None:
        """Return the watermark of the last read; None if the dataset is to be read in full."""
        sync_type, name = self.dataset.changes_of or (self.run.sync.name, self.dataset.name)
        if self.run.options.full_resync and not self.dataset.changes_of:
            return None
        place, asked = self.run.place(self.side), {"sync_type": sync_type, "dataset": name}
        every = None if self.run.options.restricted else self.dataset.whole_every
        with self.run.store.begin() as conn:
            since = watermarks.read(conn, **place, **asked, fingerprint=self._fingerprint())
            if since is None or every is None:
                return since
            if not watermarks.whole_read_due(conn, **place, **asked, every=every):
                return since
        self._note(
            f"{self.connector.declaration.title}: {name} read in full, as every {every.days} days, "
            "in case one was reported late."
        )
        return None

    def absorb_changes(self, since: str) -> str:
        """Put the changes since then into the store, staging nothing; return the new watermark."""
        reached = since
        for page in self._vendor_pages(since):
            with self.run.store.begin() as conn:
                self._absorb(conn, _with_keys(page.rows), page.members)
            reached = page.watermark or reached
        return reached

    def _pages(self, since: str | None) -> tuple[int, str | None]:
        self.run.staging.clear(self.side, self.dataset.name)
        self.run.staging.clear(self.side, members_of(self.dataset.name))
        rows, watermark = 0, None
        beyond_lists = self.dataset.everybody and since is None
        for page in self._vendor_pages(since):
            rows += self._keep(page, beyond_lists=beyond_lists)
            watermark = page.watermark or watermark
        return rows, watermark

    def _vendor_pages(self, since: str | None) -> Iterator[Page]:
        connector, dataset = self.connector, self.dataset
        if dataset.kind == "contacts":
            return cast(ReadsContacts, connector).read_contacts(
                dataset.entity,
                dataset.fields,
                since=since,
                lists=dataset.lists,
                everybody=dataset.everybody,
            )
        if dataset.kind == "members":
            return cast(ReadsListMembers, connector).read_list_members(dataset.lists, since=since)
        if dataset.kind == "suppressions":
            return cast(ReadsSuppressions, connector).read_suppressions(since=since)
        return cast(ReadsListSuppressions, connector).read_list_suppressions(
            dataset.lists[0], since=since
        )

    def _named(self) -> int:
        """Read the records that the person at the trigger form named, or that are to be undone."""
        named = self.run.options.records
        if selections.unresolved(named):
            raise RunStopped(selections.LOST)
        if self.run.options.undo_run:
            named = undo.people_of(self.run, self.side, self.dataset.entity)
        if (
            not named
            or self.dataset.changes_of
            or self.dataset.kind != "contacts"
            or not isinstance(self.connector, FindsContacts)
        ):
            return 0
        pages = self.connector.find_contacts(
            self.dataset.entity,
            self.dataset.fields,
            ids=[item for item in named if "@" not in item],
            emails=[item for item in named if "@" in item],
        )
        return sum(self._keep(page) for page in pages)

    def _keep(self, page: Page, *, beyond_lists: bool = False) -> int:
        rows = _with_keys(page.rows)
        self.page_number += 1
        staged, members = rows, page.members
        if beyond_lists:
            members = None if page.members is None else _on_their_lists(page.members)
            staged = self._concerned(rows, members)
        self.run.staging.write_page(self.side, self.dataset.name, self.page_number, staged)
        if members is not None:
            self.run.staging.write_page(
                self.side, members_of(self.dataset.name), self.page_number, _with_keys(members)
            )
        with self.run.store.begin() as conn:
            self._absorb(conn, rows, page.members)
            if self.side == "marketing" and self.dataset.kind == "contacts" and rows.num_rows:
                others = records.load_others_with_addresses(
                    conn, **self.run.place(self.side), rows=to_pandas(rows)
                )
                self.displaced += [others] if len(others) else []
        return rows.num_rows

    def _many_displaced(self) -> bool:
        """Return whether reading everybody is cheaper than looking up each of them."""
        return self.dataset.everybody and sum(map(len, self.displaced)) > LOOK_UPS

    def _look_up_displaced(self) -> int:
        """Look up contacts whose address another one has now; return how many there were.

        An address is unique on a platform. So these contacts have another one by now, which this
        read was too early to see, or have been deleted, which a platform may not report as a
        change.
        """
        if not self.displaced or not isinstance(self.connector, FindsContacts):
            return 0
        before = pd.concat(self.displaced).drop_duplicates()
        self.displaced = []
        place = self.run.place(self.side)
        with self.run.store.begin() as conn:
            now = records.load_records(conn, **place, ids=before["id"], with_deleted=False)
        left = now.merge(before, on=["id", "email_key"])
        if left.empty:
            return 0
        found = pd.Series(dtype=left["id"].dtype)
        pages = self.connector.find_contacts(
            self.dataset.entity, self.dataset.fields, ids=left["id"].tolist()
        )
        for page in pages:
            self._keep(page)
            found = pd.concat([found, to_pandas(page.rows)["id"]])
        gone = left[~left["id"].isin(found)]
        if len(gone):
            self._keep(self._deletions(gone))
        return len(left)

    def _deletions(self, people: pd.DataFrame) -> Page:
        """Return a page on which these people are deleted, and have no memberships."""
        schema = contacts_schema(self.dataset.fields)
        deleted = frame_of(schema).reindex(people.index).assign(deleted=True)
        deleted = deleted.assign(**{name: people[name] for name in ("entity", "id", "email")})
        rows = pa.Table.from_pandas(deleted, schema, preserve_index=False)
        return Page(rows, LIST_MEMBERS.empty_table() if self.dataset.lists else None)

    def _concerned(self, rows: pa.Table, members: pa.Table | None) -> pa.Table:
        """Return who is on one of the lists or linked; a plan finds others in the store.

        A plan holds all staged rows in memory, and an account may have far more people than its
        lists have members.
        """
        ids = to_pandas(rows)["id"]
        with self.run.store.begin() as conn:
            links = load_links(
                conn,
                account=self.run.account.name,
                crm_ids=ids if self.side == "crm" else None,
                marketing_ids=ids if self.side == "marketing" else None,
            )
        concerned = ids.isin(links[f"{self.side}_id"])
        if members is not None:
            concerned |= ids.isin(to_pandas(members)["member_id"])
        return rows.filter(pa.array(concerned))

    def _absorb(self, conn: Connection, rows: pa.Table, members: pa.Table | None) -> None:
        place, run_id = self.run.place(self.side), self.run.run_id
        if self.dataset.kind == "contacts":
            records.absorb_contacts(conn, **place, run_id=run_id, rows=rows)
        elif self.dataset.kind == "members":
            members = rows
        else:
            suppressions.absorb_suppressions(conn, **place, run_id=run_id, rows=rows)
            if self.dataset.kind == "list_suppressions":
                # The platform tells an unsubscribe from a list as no change of the contact.
                members = _ended_on(rows)
        if members is not None:
            self.members_left |= bool(pc.any(members["deleted"]).as_py())
            records.absorb_members(conn, **place, run_id=run_id, rows=members)
            if self.dataset.kind == "contacts":
                self._end_absent(conn, rows, members)

    def _end_absent(self, conn: Connection, people: pa.Table, members: pa.Table) -> None:
        """End the memberships that a page does not tell of its people: they left those lists."""
        known = load_members(
            conn,
            **self.run.place(self.side),
            list_ids=list(self.dataset.lists),
            member_ids=to_pandas(people)["id"],
            with_deleted=False,
        )
        told = to_pandas(members.select(["list_id", "member_id"])).assign(told=True)
        beside = known.merge(told, on=["list_id", "member_id"], how="left")
        left = beside[beside["told"].isna()].drop(columns=["told", "deleted_at"])
        if not left.empty:
            self.members_left = True
            rows = pa.Table.from_pandas(
                left.assign(deleted=True), LIST_MEMBERS, preserve_index=False
            )
            place = self.run.place(self.side)
            records.absorb_members(conn, **place, run_id=self.run.run_id, rows=rows)

    def _sweep(self) -> None:
        """After a full read, whoever was not seen is gone."""
        dataset, place, run_id = self.dataset, self.run.place(self.side), self.run.run_id
        with self.run.store.begin() as conn:
            if dataset.kind == "contacts" and (dataset.everybody or not dataset.lists):
                records.sweep_contacts(conn, **place, run_id=run_id, entity=dataset.entity)
            if dataset.kind in ("contacts", "members") and dataset.lists:
                ended = records.sweep_members(
                    conn, **place, run_id=run_id, list_ids=list(dataset.lists)
                )
                self.members_left |= ended > 0

    def _list_keys(self) -> dict[str, str]:
        return {item.id: item.key for item in self.lists.values()}

    def _fingerprint(self) -> str:
        query = [
            self.dataset.kind,
            self.dataset.entity,
            sorted(self.dataset.fields.items()),
            self.dataset.lists,
            self.dataset.everybody,
            self.dataset.rules,
        ]
        return hashlib.sha256(json.dumps(query, sort_keys=True).encode()).hexdigest()[:16]

    def _note(self, sentence: str) -> None:
        with self.run.store.begin() as conn:
            runs.note(conn, run_id=self.run.run_id, sentence=sentence)


def _on_their_lists(members: pa.Table) -> pa.Table:
    """Leave out people who have unsubscribed from a list, as a read of that list alone does."""
    return members.filter(pc.is_in(members["status"], value_set=pa.array(MAILABLE_OR_PENDING)))


def _ended_on(suppressed: pa.Table) -> pa.Table:
    """Return LIST_MEMBERS of those who unsubscribed from a list: still there, and silent."""
    told = suppressed.filter(pc.is_valid(suppressed["member_id"]))
    size = told.num_rows
    columns: dict[str, Any] = {
        "list_id": told["list_id"],
        "entity": pa.array(["contact"] * size, pa.string()),
        "member_id": told["member_id"],
        "membership_id": pa.nulls(size, pa.string()),
        "status": told["reason"],
        "changed_at": pa.nulls(size, pa.timestamp("us", tz="UTC")),
        "deleted": pa.array([False] * size, pa.bool_()),
    }
    return pa.table(columns, schema=LIST_MEMBERS)


def members_of(dataset: str) -> str:
    """Return where the memberships that a contacts dataset told are staged."""
    return f"{dataset}_members"


def _with_keys(rows: pa.Table) -> pa.Table:
    """Add `email_key` where there is an address, and the bucket that decides the partition."""
    identity = "email" if "email" in rows.column_names else "member_id"
    series = rows[identity].to_pandas(types_mapper=pd.ArrowDtype)
    if identity == "email":
        series = email_keys(series)
        rows = rows.append_column("email_key", pa.array(series, pa.string(), from_pandas=True))
    return rows.append_column("bucket", pa.array(buckets(series), pa.uint8()))
