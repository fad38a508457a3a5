"""Which events that a platform told are written to the CRM, and to whom they are related there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from bothways.syncs.base import BULK_JOBS, Inputs
from bothways.syncs.jobs import named_keys
from bothways.syncs.persons import crm_person
from bothways.transform.columns import looked_up, typed
from bothways.transform.json_rows import json_objects, with_more
from bothways.vocabulary import OperationKind, Reason, Result, RoleName

BATCH: Final = 10_000
"""How many events are planned, and written by one task."""

_ENTITIES: Final = ("contact", "lead")
_TEXT: Final = pd.ArrowDtype(pa.string())
_VALUES: Final = {
    "occurred_at": "occurred_at",
    "person_entity": "person_entity",
    "person_id": "person_id",
    "email": "email_key",
}


@dataclass(frozen=True, slots=True)
class Written:
    """What events are written as.

    Attributes:
        entity: The kind of the CRM's records.
        kinds: The kinds of events, in the order in which they are written.
        values: What a record says beside its person, its time and the event's details: name →
            column of the events (kind, scope_id).
        labels: What people read in place of a kind.
        details: What is written of the details that the store has, both JSON objects.
    """

    entity: str
    kinds: tuple[str, ...]
    values: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    details: Callable[[pd.Series], pd.Series] = lambda told: told


def event_jobs(
    inputs: Inputs, written: Written, scopes: pd.Series | None = None
) -> Iterator[pd.DataFrame]:
    """Yield BULK_JOBS for the events that wait, a batch at a time.

    An event without any person's id or address is left out as empty.

    Args:
        inputs: The plan's inputs.
        written: What they are written as.
        scopes: Ids of what they belong to (campaigns, say) that the CRM has, or will have by then.
            The events of others go on waiting. None if they belong to nothing.
    """
    for kind in written.kinds:
        for rows, counted in _waiting(inputs, kind):
            ready = rows if scopes is None else rows[rows["scope_id"].isin(scopes)]
            found = _chosen(inputs, _identified(inputs, ready))
            if not found.empty:
                jobs = _jobs(inputs, written, kind, found)
                yield jobs[jobs["kind"].notna()] if counted else jobs


def _waiting(inputs: Inputs, kind: str) -> Iterator[tuple[pd.DataFrame, bool]]:
    """Yield events that wait; first those that were ignored, of people who have changed since.

    A full read does not tell who has changed, so that all that were ignored are looked at again.
    With the events comes whether an earlier run has counted them as ignored, which is not news.
    """
    if inputs.whole:
        for rows in _all(inputs, kind, ignored=True):
            yield rows, False
    else:
        for rows in _ignored(inputs, kind):
            yield rows, True
    for rows in _all(inputs, kind):
        yield rows, False


def _ignored(inputs: Inputs, kind: str) -> Iterator[pd.DataFrame]:
    keys, ids = _changed(inputs, "crm", "email_key"), _changed(inputs, "marketing", "id")
    given: set[str] = set()
    for start in range(0, max(len(keys), len(ids)), BATCH):
        addresses, members = keys.iloc[start : start + BATCH], ids.iloc[start : start + BATCH]
        known = inputs.view.people("marketing", email_keys=addresses)["id"]
        rows = inputs.view.ignored_events(
            "marketing", kind, email_keys=addresses, record_ids=pd.concat([known, members])
        )
        rows = rows[~rows["key"].isin(given)]
        given.update(rows["key"])
        for first in range(0, len(rows), BATCH):
            yield rows.iloc[first : first + BATCH]


def _all(inputs: Inputs, kind: str, *, ignored: bool = False) -> Iterator[pd.DataFrame]:
    after = None
    while True:
        rows = inputs.view.pending_events(
            "marketing", kind, limit=BATCH, after=after, ignored=ignored
        )
        yield rows
        if len(rows) < BATCH:
            return
        last = rows.iloc[-1]
        after = (pd.Timestamp(last["occurred_at"]).to_pydatetime(), str(last["key"]))


def _changed(inputs: Inputs, role: RoleName, column: str) -> pd.Series:
    """Return what a column says of the people of a system who are new or have changed."""
    read = [inputs.staged.read_all(role, f"{entity}s") for entity in _ENTITIES]
    found = [rows[column] for rows in read if not rows.empty]
    return pd.concat(found).dropna().drop_duplicates() if found else pd.Series(dtype=_TEXT)


def _identified(inputs: Inputs, rows: pd.DataFrame) -> pd.DataFrame:
    """Fill in the address of whom an event names by id only, and the id the other way round."""
    unnamed, unknown = rows["email_key"].isna(), rows["record_id"].isna()
    if not (unnamed ^ unknown).any():
        return rows
    people = inputs.view.people(
        "marketing",
        ids=rows.loc[unnamed, "record_id"].dropna(),
        email_keys=rows.loc[unknown, "email_key"].dropna(),
    )
    keys = people.drop_duplicates("id").set_index("id")["email_key"]
    ids = people.dropna(subset="email_key").drop_duplicates("email_key").set_index("email_key")
    return rows.assign(
        email_key=rows["email_key"].fillna(looked_up(rows["record_id"], keys)),
        record_id=rows["record_id"].fillna(looked_up(rows["email_key"], ids["id"])),
    )


def _chosen(inputs: Inputs, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the events of the people whom the person at the trigger form named; all if nobody."""
    named = inputs.options.records
    if not named:
        return rows
    ids = pd.Series(named, dtype=_TEXT)
    links = inputs.view.links(crm_ids=ids)["marketing_id"]
    people = inputs.view.people("crm", ids=ids)["email_key"].dropna()
    theirs = rows["record_id"].isin(pd.concat([ids, links]))
    return rows[theirs | rows["email_key"].isin(pd.concat([named_keys(inputs), people]))]


def _jobs(inputs: Inputs, written: Written, kind: str, rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.reset_index(drop=True).assign(kind=written.labels.get(kind, kind))
    rows = pd.concat([rows, crm_person(inputs, rows)], axis=1)
    nobody = rows["record_id"].isna() & rows["email_key"].isna()
    reason = rows["reason"].mask(nobody, Reason.EMPTY.value)
    reason = reason.mask(inputs.view.erased(rows["email_key"]), Reason.ERASED.value)
    ignored = reason.notna()
    values = with_more(
        json_objects(rows, {**written.values, **_VALUES}), written.details(rows["details"])
    )
    result = rows["written"].map({True: Result.UPDATED.value, False: Result.NEW.value})
    jobs: dict[str, Any] = {
        "target": "crm",
        "kind": pd.Series(OperationKind.UPSERT.value, index=rows.index).mask(ignored),
        "entity": written.entity,
        "source": "marketing",
        "source_entity": "contact",
        "source_id": rows["record_id"],
        "email": rows["email_key"],
        "values": values.mask(ignored),
        "reason": reason,
        "result": result.mask(ignored, Result.IGNORED.value),
    }
    kept = ["key", "email_key", "scope_id", "occurred_at", "attempts"]
    return typed(rows[kept].assign(**jobs), BULK_JOBS)
