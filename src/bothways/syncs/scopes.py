"""Plans for a platform that keeps several audiences apart: scope by scope, then put together.

Within a scope a person is one contact at most, as on a platform without scopes. The scopes meet in
the CRM, where the person has the same records for all of them. If two would write to one record,
or create the same person, the one whose list stands first in the account's file does; the other
waits for the next run. That sees what the first has written as the CRM's value, and the base that
the waiting pair last agreed on, so that it decides as in any other case and comes to rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pandas as pd

from bothways.syncs.base import Inputs, Plan
from bothways.syncs.jobs import joined
from bothways.transform.normalise import email_keys
from bothways.vocabulary import OperationKind, Reason, Result, Status

# An unsubscribe is from one scope; all else is about the address or the sender.
_COUNTS_IN_EACH = [Status.BOUNCED.value, Status.COMPLAINED.value, Status.SUPPRESSED.value]
_RECORD = ["entity", "record_id"]
_PERSON = ["entity", "email_key"]


def by_scope(inputs: Inputs, planner: Callable[[Inputs], Plan]) -> Plan:
    """Have each scope of the mapped lists planned on its own; return what is decided together."""
    plans: list[Plan] = []
    for scope in inputs.scopes():
        decided = _in_scope(planner(inputs.within(scope)), scope)
        plans.append(_after(plans, decided))
    return plans[0] if len(plans) == 1 else _together(plans)


def said_elsewhere(inputs: Inputs, keys: pd.Series) -> pd.Series:
    """Return, by address, the bounce, complaint or suppression of a contact in another scope.

    The ledger of suppressions learns of it as well, but only from the next run of `suppressions`.
    """
    found = [view.people("marketing", email_keys=keys) for view in inputs.elsewhere]
    if not found:
        return pd.Series(dtype="string")
    people = pd.concat(found)
    people = people[people["status"].isin(_COUNTS_IN_EACH)]
    return people.drop_duplicates("email_key").set_index("email_key")["status"]


def _in_scope(decided: Plan, scope: str) -> Plan:
    """Return a plan that says in which scope its contacts are.

    What creates a contact is keyed by the address, which may occur in each scope.
    """
    jobs = decided.jobs
    on_platform = jobs["target"].eq("marketing").fillna(value=False)
    jobs = jobs.assign(
        scope=jobs["scope"].fillna(scope),
        key=jobs["key"].mask(on_platform, _scoped_key(jobs["key"], scope)),
    )
    return replace(
        decided, jobs=jobs, keep={name: _kept(rows, scope) for name, rows in decided.keep.items()}
    )


def _kept(rows: pd.DataFrame, scope: str) -> pd.DataFrame:
    scopes = rows["scope"].fillna(scope) if "scope" in rows else scope
    rows = rows.assign(scope=scopes)
    return rows.assign(key=_scoped_key(rows["key"], scope)) if "key" in rows else rows


def _scoped_key(keys: pd.Series, scope: str) -> pd.Series:
    return f"{scope}:" + keys if scope and len(keys) else keys


def _after(plans: Sequence[Plan], decided: Plan) -> Plan:
    """Return a plan without what has to wait, as an earlier scope writes the same record."""
    if not plans:
        return decided
    jobs = decided.jobs
    earlier = joined(one.jobs for one in plans)
    updates = _among(_writes(jobs, OperationKind.UPDATE), _writes(earlier, OperationKind.UPDATE))
    creates = _among(_creations(jobs), _creations(earlier), _PERSON)
    waiting = jobs.index.isin([*updates, *creates])
    keys = jobs.loc[creates, "key"]
    waiting |= (jobs["record_id"].isna() & jobs["key"].isin(keys)).to_numpy(dtype=bool)
    told = jobs.assign(
        kind=jobs["kind"].mask(waiting),
        result=jobs["result"].mask(waiting, Result.IGNORED),
        reason=jobs["reason"].mask(waiting, Reason.WAITS),
        transient=jobs["transient"].mask(waiting, other=True),
    )
    return replace(decided, jobs=told, keep=_without(decided, jobs.loc[updates]))


def _without(decided: Plan, updates: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return what is kept, but no baseline of the records whose updates wait."""
    keep = dict(decided.keep)
    agreed = keep.get("baselines", pd.DataFrame())
    if not agreed.empty:
        records = pd.MultiIndex.from_frame(updates[_RECORD])
        own = pd.MultiIndex.from_frame(agreed[["entity", "crm_id"]])
        keep["baselines"] = agreed[~own.isin(records)]
    return keep


def _writes(jobs: pd.DataFrame, kind: OperationKind) -> pd.DataFrame:
    """Return the operations of one kind on records of the CRM."""
    wanted = jobs["target"].eq("crm") & jobs["kind"].eq(kind)
    return jobs[wanted.fillna(value=False).to_numpy(dtype=bool)]


def _creations(jobs: pd.DataFrame) -> pd.DataFrame:
    created = _writes(jobs, OperationKind.CREATE)
    return created.assign(email_key=email_keys(created["email"]))


def _among(rows: pd.DataFrame, others: pd.DataFrame, names: Sequence[str] = _RECORD) -> pd.Index:
    """Return the index of the rows that agree with one of the others."""
    own, theirs = (pd.MultiIndex.from_frame(frame[list(names)]) for frame in (rows, others))
    return rows.index[own.isin(theirs)]


def _together(plans: Sequence[Plan]) -> Plan:
    names = dict.fromkeys(name for one in plans for name in one.keep)
    return Plan(
        joined(one.jobs for one in plans),
        notes=tuple(note for one in plans for note in one.notes),
        skipped=tuple(key for one in plans for key in one.skipped),
        keep={
            name: _concat([one.keep[name] for one in plans if name in one.keep]) for name in names
        },
    )


def _concat(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    kept = [frame for frame in frames if not frame.empty]
    return pd.concat(kept, ignore_index=True) if kept else frames[0]
