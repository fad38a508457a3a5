"""Verify: both sides read whole and compared, and a reason for each mismatch.

What the two-way sync would do is what is not as it should be, so that its plan is the comparison.
Each operation of that plan becomes a job without a write, with the reason of the mismatch:

- ``given_up`` and ``retry_pending``: the last runs could not write it;
- ``conflict``: both sides were changed to different values;
- ``pending``: changed since the last run; the next one will update it;
- ``drift``: no sync will resolve it.

What the sync leaves alone on purpose keeps its own reason (`do_not_mail`, `undone`, …). To
repair means to let the operations of drift be written.
"""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from bothways.syncs.base import Dataset, Inputs, Plan, Request
from bothways.syncs.marketing_lists import SPEC, planning
from bothways.transform.normalise import email_keys
from bothways.vocabulary import SIDES, Reason, Result, RoleName

_CHANGED = "changed_"


def datasets(request: Request) -> list[Dataset]:
    """Read what the two-way sync has yet to see, and then everything."""
    whole = planning.datasets(request)
    changes = [
        replace(item, name=_CHANGED + item.name, changes_of=(SPEC.name, item.name))
        for item in whole
        if not item.stream.always_whole
    ]
    return [*changes, *whole]


def plan(inputs: Inputs) -> Plan:
    """Turn what the two-way sync would do into mismatches, but for what is to be repaired."""
    decided = planning.plan(inputs)
    jobs = decided.jobs
    mismatch = jobs["kind"].notna()
    reason = _reasons(inputs, jobs[mismatch]).reindex(jobs.index)
    repaired = mismatch & (reason == Reason.DRIFT) & inputs.options.repair
    reported = mismatch & ~repaired
    told = jobs.assign(
        kind=jobs["kind"].mask(reported),
        result=jobs["result"].mask(reported, Result.IGNORED),
        reason=jobs["reason"].mask(reported, reason),
    )
    if not inputs.options.repair:
        return Plan(told, notes=decided.notes)
    return _of_repaired(replace(decided, jobs=told), _ids(jobs[reported]))


def _reasons(inputs: Inputs, operations: pd.DataFrame) -> pd.Series:
    """Return why each of the operations is still to be done."""
    ids, keys = _changed(inputs)
    by_person = operations["record_id"].isin(ids) | operations["source_id"].isin(ids)
    reason = pd.Series(Reason.DRIFT, index=operations.index, dtype="string[pyarrow]")
    address = email_keys(operations["email"])
    reason = reason.mask(by_person | address.isin(keys), Reason.PENDING)
    # Whom a query finds is looked up by each sync, and changes without a change to anybody.
    dynamic = [key for key, item in inputs.lists["crm"].items() if not item.static]
    reason = reason.mask(operations["list_key"].isin(dynamic), Reason.PENDING)
    conflict = operations["reason"].str.startswith("conflict: ").fillna(value=False)
    reason = reason.mask(conflict, Reason.CONFLICT)
    waiting = inputs.view.retries(SPEC.name)
    for why, rows in (
        (Reason.RETRY_PENDING, waiting[~waiting["given_up"]]),
        (Reason.GIVEN_UP, waiting[waiting["given_up"]]),
    ):
        failed = operations["record_id"].isin(rows["source_id"]) | address.isin(rows["email_key"])
        reason = reason.mask(failed | operations["source_id"].isin(rows["source_id"]), why)
    return reason


def _changed(inputs: Inputs) -> tuple[pd.Series, pd.Series]:
    """Return who changed since the two-way sync last read: ids, of linked people too; addresses."""
    found = {side: _changed_on(inputs, side) for side in SIDES}
    links = inputs.view.links
    pairs = links(crm_ids=found["crm"][0], marketing_ids=found["marketing"][0])
    more = links(crm_ids=pairs["crm_id"], marketing_ids=pairs["marketing_id"])
    ids = [found[side][0] for side in found]
    return (
        pd.concat([*ids, more["crm_id"], more["marketing_id"]]).dropna().drop_duplicates(),
        pd.concat([found[side][1] for side in found]).dropna().drop_duplicates(),
    )


def _changed_on(inputs: Inputs, side: RoleName) -> tuple[pd.Series, pd.Series]:
    names = ("contacts", "leads") if side == "crm" else ("contacts",)
    people = [inputs.staged.read_all(side, _CHANGED + name) for name in names]
    told = "members" if side == "crm" else "contacts_members"
    members = inputs.staged.read_all(side, _CHANGED + told)
    none = pd.Series(dtype="string[pyarrow]")
    ids = [rows["id"] for rows in people if not rows.empty]
    keys = [rows["email_key"] for rows in people if not rows.empty]
    if not members.empty:
        unnamed = members.loc[members["member_id"].isna(), "membership_id"]
        ids += [members["member_id"].dropna(), inputs.view.former_members(side, unnamed)]
    return pd.concat([none, *ids]), pd.concat([none, *keys])


def _ids(jobs: pd.DataFrame) -> pd.Series:
    found: pd.Series = pd.concat([jobs["record_id"], jobs["source_id"]]).dropna()
    return found


def _of_repaired(decided: Plan, unresolved: pd.Series) -> Plan:
    """Keep what both sides agree on once drift is repaired, and nothing about other mismatches.

    No suppression is lifted: that is the two-way sync's to do.
    """

    def sound(rows: pd.DataFrame) -> pd.DataFrame:
        if rows.empty:
            return rows
        keep = ~rows["crm_id"].isin(unresolved)
        if "marketing_id" in rows:
            keep &= ~rows["marketing_id"].isin(unresolved)
        return rows[keep]

    kept = {name: sound(rows) for name, rows in decided.keep.items() if name != "lifted"}
    return replace(decided, keep=kept)
