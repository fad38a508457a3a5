"""What differs between both sides of people to whom a sync writes nothing: told, never mended."""

from __future__ import annotations

import pandas as pd

from bothways.syncs.base import Inputs
from bothways.syncs.jobs import joined
from bothways.syncs.two_way.affected import Gathered
from bothways.syncs.two_way.fields import plan_fields
from bothways.transform.columns import looked_up
from bothways.vocabulary import Result


def silent_differences(
    inputs: Inputs, gathered: Gathered, people: pd.DataFrame, in_step: pd.DataFrame
) -> pd.DataFrame:
    """Return a job for each record whose fields differ and stay so, ignored with the reason.

    Args:
        inputs: The plan's inputs.
        gathered: The people's records.
        people: Persons.rows with `consent` and `left_out`.
        in_step: Those of them whose fields are kept in step.
    """
    rows = people[~people.index.isin(in_step.index)]
    for side in ("crm", "marketing"):
        rows = rows[rows[f"{side}_id"].notna() & ~rows[f"{side}_deleted"].fillna(value=False)]
    why = rows["consent"].fillna(rows["left_out"])
    rows, why = rows[why.notna()], why.dropna()
    if rows.empty:
        return joined([])
    jobs = plan_fields(inputs, gathered, rows).jobs
    if jobs.empty:
        return jobs
    by_person = pd.Series(why.array, index=pd.Index(rows["person"]))
    by_person = by_person[~by_person.index.duplicated()]
    reason = looked_up(jobs["person"], by_person)
    told = jobs.drop(columns="person")
    return told.assign(kind=None, result=Result.IGNORED, reason=reason.astype(told["reason"].dtype))
