"""What the sync of tags reads, and what happens to each tag and each row.

Names are merged by the one that both sides last agreed on: a name that only one side has changed
goes to the other. If both have, the platform's wins, since campaigns and forms there use it. A tag
stays in its audience or category: a row that is moved is moved back.
"""

from __future__ import annotations

from typing import Any, Final, cast

import pandas as pd

from bothways.config.account import Account
from bothways.records import RecordKind
from bothways.streams.definitions import Records, Tags
from bothways.syncs.base import Dataset, Inputs, Plan, Request, SyncType
from bothways.syncs.definitions import read_ids, settled, waiting
from bothways.syncs.jobs import ignored, job_frame, joined, unchanged
from bothways.syncs.tags import AUDIENCE, KINDS, SPEC, Settings
from bothways.syncs.tags.pairing import agreed_members, paired, place
from bothways.transform.json_rows import json_objects
from bothways.vocabulary import OperationKind, Reason, Result

_CONFLICT: Final = "conflict: name"
_CUT: Final = "…"


def datasets(request: Request) -> list[Dataset]:
    """Read all tags of the platform; of the CRM all rows, and those that have changed."""
    if request.side == "marketing":
        return [Dataset(kind.name, Tags(kind=cast(Any, kind.name))) for kind in KINDS]
    whole = [Dataset(kind.name, Records(kind=kind.name, everything=True)) for kind in KINDS]
    changes = [Dataset(changes_of(kind), Records(kind=kind.name)) for kind in KINDS[1:]]
    return [*whole, *changes]


def plan(inputs: Inputs) -> Plan:
    """Decide on each tag and each row; they are few, so in one partition."""
    if inputs.partition:
        return Plan(joined([]))
    pairs: dict[str, pd.DataFrame] = {}
    jobs, told = [], []
    for kind in KINDS:
        parents = pairs.get(kind.parent)
        pairs[kind.name] = paired(inputs, kind, parents)
        part = _Part(inputs, kind, pairs[kind.name], parents)
        jobs += part.jobs()
        told.append(part.told())
    made = joined(jobs)
    return Plan(
        joined([made, settled(inputs, made)]),
        keep={"told_definitions": pd.concat(told, ignore_index=True)},
    )


class _Part:
    """The decisions on the tags and rows of one kind."""

    def __init__(
        self,
        inputs: Inputs,
        kind: RecordKind,
        pairs: pd.DataFrame,
        parents: pd.DataFrame | None,
    ) -> None:
        self._inputs = inputs
        self._kind = kind
        self._again = inputs.options.full_resync
        self._parent = {kind.parent_value: "parent"} if kind.parent else {}
        self._follows = follows(inputs.account) and kind is not AUDIENCE
        there = pairs["there"]
        tags = pairs[there & ~pairs["again"]]
        self._taken = place(tags["parent"], tags["name"])
        # Nobody deletes all rows at once to delete the tags: the table was recreated.
        self._emptied = not pairs["key"].notna().any()
        parents_there = parents.loc[parents["there"], "id"] if parents is not None else []
        self._parents_there = pd.Series(parents_there, dtype=pairs["id"].dtype)
        self._pairs = pairs[_entered(inputs, kind, pairs)]

    def jobs(self) -> list[pd.DataFrame]:
        """Return the jobs for the tags and rows."""
        rows = self._pairs
        has_tag, has_row = rows["there"] & ~rows["again"], rows["row"].notna()
        ended = ~rows["there"] & rows["id"].notna() & has_row & ~rows["again"]
        new = (rows["id"].isna() | rows["again"]) & rows["own_name"].notna()
        return [
            *self._both(rows[has_tag & has_row]),
            *self._without_row(rows[has_tag & ~has_row]),
            *self._without_tag(rows[ended]),
            *self._new(rows[new]),
        ]

    def told(self) -> pd.DataFrame:
        """Return the names that both sides agree on without a write."""
        rows = self._pairs
        same = rows["there"] & ~rows["again"] & _equal(rows["name"], rows["own_name"])
        rows = rows[same & rows["key"].notna() & ~_equal(rows["name"], rows["agreed"])]
        written = json_objects(rows, {"name": "name"})
        return pd.DataFrame(
            {"side": "marketing", "kind": self._kind.name, "id": rows["id"], "written": written}
        )

    def _both(self, rows: pd.DataFrame) -> list[pd.DataFrame]:
        """Rename what one side has renamed, and update the row."""
        known = rows["agreed"].notna()
        moved = known & ~_equal(rows["name"], rows["agreed"])
        # A name that was truncated for the CRM was not typed by anybody.
        typed = rows["own_name"].notna() & ~rows["own_name"].str.endswith(_CUT).fillna(value=False)
        differs = ~_equal(rows["own_name"], rows["name"])
        edited = known & typed & differs & ~_equal(rows["own_name"], rows["agreed"])
        conflict, edited = edited & moved, edited & ~moved & bool(self._kind.parent)
        wanted = place(rows["parent"], rows["own_name"])
        taken = edited & wanted.isin(self._taken) & wanted.ne(place(rows["parent"], rows["name"]))
        renames = edited & ~taken
        stale = differs & (typed | moved | rows["own_name"].isna())
        stale |= rows["key"].isna() | rows["gone"].fillna(value=False).astype(bool) | self._again
        stale |= ~_equal(rows["parent"], rows["own_parent"])
        stale |= ~_equal(rows["list"], rows["own_list"])
        stale |= ~_equal(rows["mapped"], rows["own_mapped"])
        stale |= ~_equal(rows["rated"], rows["own_rated"])
        writes = (stale & ~edited).astype(bool)
        reason = pd.Series(None, index=rows.index, dtype=rows["name"].dtype)
        return [
            unchanged(rows[~writes & ~edited], **self._from_tag(rows)),
            ignored(rows[taken], Reason.DUPLICATE_NAME, **self._from_row(rows)),
            self._to_platform(
                rows[renames],
                OperationKind.UPDATE,
                record_id=rows["id"],
                before=json_objects(rows, {"name": "name"}),
                result=Result.UPDATED,
            ),
            self._to_crm(rows[writes], reason=reason.mask(conflict, _CONFLICT)),
        ]

    def _without_row(self, rows: pd.DataFrame) -> list[pd.DataFrame]:
        """Write the row, unless somebody has deleted it."""
        deleted = rows["written"].notna() & (not self._emptied) & (not self._again)
        follow = deleted & self._follows
        about = self._from_row(rows) | {"source_id": rows["id"]}
        return [
            self._to_crm(rows[~deleted]),
            ignored(rows[deleted & ~follow], Reason.DELETED_IN_CRM, **about),
            job_frame(
                rows[follow],
                target="marketing",
                kind=OperationKind.DELETE,
                record_id=rows["id"],
                values=json_objects(rows, {"name": "name", "parent_id": "parent"}),
                before=json_objects(rows, {"name": "name"}),
                result=Result.DELETED,
                **about,
            ),
        ]

    def _without_tag(self, rows: pd.DataFrame) -> list[pd.DataFrame]:
        """Mark the rows of what was deleted on the platform, or delete them."""
        deleted = self._follows & ~self._of_people(rows["id"])
        marked = ~deleted & rows["gone"].fillna(value=False).astype(bool)
        about = self._from_tag(rows)
        named = json_objects(rows, {"name": "own_name"})
        return [
            ignored(rows[marked], Reason.DELETED_IN_MARKETING, **about),
            job_frame(
                rows[deleted],
                target="crm",
                kind=OperationKind.DELETE,
                record_id=rows["row"],
                before=named,
                result=Result.DELETED,
                **about,
            ),
            job_frame(
                rows[~deleted & ~marked],
                target="crm",
                kind=OperationKind.UPSERT,
                key=rows["id"],
                record_id=rows["row"],
                values=json_objects(rows.assign(gone=True), {**self._parent, "gone": "gone"}),
                after=named,
                reason=Reason.DELETED_IN_MARKETING,
                result=Result.UPDATED,
                **about,
            ),
        ]

    def _of_people(self, ids: pd.Series) -> pd.Series:
        """Return a mask of tags whose rows the CRM will not delete, since people have them."""
        return ids.isin(agreed_members(self._inputs, ids)["crm_list_id"])

    def _new(self, rows: pd.DataFrame) -> list[pd.DataFrame]:
        """Create on the platform what a person has added; of rows of one name, only the first."""
        unplaced = ~rows["own_parent"].isin(self._parents_there)
        wanted = place(rows["own_parent"], rows["own_name"])
        again = ~unplaced & (rows["again"] | wanted.isin(self._taken) | wanted.duplicated())
        about = self._from_row(rows)
        return [
            ignored(rows[unplaced], Reason.NO_PARENT, **about),
            ignored(rows[again], Reason.DUPLICATE_NAME, **about),
            self._to_platform(
                rows.assign(parent=rows["own_parent"])[~unplaced & ~again],
                OperationKind.CREATE,
                key=rows["row"],
                result=Result.NEW,
            ),
        ]

    def _to_platform(self, rows: pd.DataFrame, kind: OperationKind, **columns: Any) -> pd.DataFrame:
        values = json_objects(rows, {"name": "own_name", "parent_id": "parent"})
        return job_frame(
            rows,
            target="marketing",
            kind=kind,
            values=values,
            after=json_objects(rows, {"name": "own_name"}),
            **self._from_row(rows),
            **columns,
        )

    def _to_crm(self, rows: pd.DataFrame, **columns: Any) -> pd.DataFrame:
        """Write rows by key; a row that a person added by its id, so that it gets the key."""
        named = {"list_id": "list", "marketing_lists": "mapped", "rating": "rated", "gone": "gone"}
        own = {column.name: named[column.name] for column in self._kind.columns}
        values = json_objects(rows.assign(gone=False), {"name": "name", **self._parent, **own})
        result = pd.Series(Result.NEW.value, index=rows.index)
        return job_frame(
            rows,
            target="crm",
            kind=OperationKind.UPSERT,
            key=rows["id"],
            record_id=rows["row"].where(rows["key"].isna()),
            values=values,
            before=json_objects(rows, {"name": "own_name"}).where(rows["row"].notna()),
            after=values,
            result=result.mask(rows["row"].notna(), Result.UPDATED.value),
            **self._from_tag(rows),
            **columns,
        )

    def _from_tag(self, rows: pd.DataFrame) -> dict[str, Any]:
        name = self._kind.name
        return {
            "source": "marketing",
            "source_entity": name,
            "source_id": rows["id"],
            "entity": name,
        }

    def _from_row(self, rows: pd.DataFrame) -> dict[str, Any]:
        name = self._kind.name
        return {
            "source": "crm",
            "source_entity": name,
            "source_id": rows["row"],
            "entity": f"platform_{name}" if self._kind.parent else name,
        }


def _entered(inputs: Inputs, kind: RecordKind, pairs: pd.DataFrame) -> pd.Series:
    """Return a mask of what enters: what is named, else all but what failed and is not due."""
    named = [name.casefold() for name in inputs.options.records]
    if named:
        columns = ("id", "row", "name", "own_name")
        found = pd.concat([pairs[name].str.casefold().isin(named) for name in columns], axis=1)
        return found.any(axis=1)
    changed = read_ids(inputs, "crm", changes_of(kind))
    asleep = waiting(inputs, SPEC.name, "marketing", pairs["id"], changed)
    for ids in ("row", "id"):
        asleep |= waiting(inputs, SPEC.name, "crm", pairs[ids], changed)
    return ~(asleep & ~pairs["row"].isin(changed))


def changes_of(kind: RecordKind) -> str:
    """Return the name of the dataset of the rows that have changed since the last run."""
    return f"changed_{kind.name}"


def _equal(some: pd.Series, others: pd.Series) -> pd.Series:
    """Return a mask of rows where two columns have the same value, or both have none."""
    same = some.eq(others).fillna(value=False) | (some.isna() & others.isna())
    return same.astype(bool)


def follows(account: Account) -> bool:
    """Return whether deletions on one side are carried to the other."""
    return cast(Settings, account.settings_of(SPEC)).deletions == "follow"


SYNC: Final = SyncType(datasets, plan)
