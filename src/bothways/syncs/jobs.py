"""Builders for the jobs of a plan: typed frames, whatever rows they are made from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd
import pyarrow as pa
from pandas.api.extensions import ExtensionArray
from pandas.arrays import ArrowExtensionArray

from bothways.syncs.base import JOBS, Inputs
from bothways.tables.frames import frame_of
from bothways.transform.arrow import constant
from bothways.transform.normalise import email_keys
from bothways.vocabulary import Reason, Result


def job_frame(rows: pd.DataFrame, **columns: Any) -> pd.DataFrame:
    """Return one job per row of ``rows``.

    Args:
        rows: Gives the index; its columns are not looked at.
        **columns: Columns of JOBS, as series over an index that holds these rows, or as one value
            for all. What is not given is null; `seq` is given when all jobs of a plan are numbered.
    """
    if rows.empty:
        return frame_of(JOBS)
    given = {**columns, "seq": 0}
    made = {field.name: _column(given.get(field.name), rows.index, field.type) for field in JOBS}
    return pd.DataFrame(made, index=rows.index, copy=False)


def _column(value: Any, index: pd.Index, kind: pa.DataType) -> ExtensionArray:
    """Return a series' values for an index, or one value for each row of it, as an array."""
    if isinstance(value, pd.Series):
        own = value if value.index is index else value.reindex(index)
        array: ExtensionArray = own.astype(pd.ArrowDtype(kind)).array
        return array
    return ArrowExtensionArray(constant(value, kind, len(index)))


def ignored(rows: pd.DataFrame, reason: Any, **columns: Any) -> pd.DataFrame:
    """Return jobs that are ignored for a reason; those of duplicates are counted as such."""
    reasons = reason if isinstance(reason, pd.Series) else pd.Series(reason, index=rows.index)
    result = pd.Series(Result.IGNORED, index=rows.index)
    result = result.mask(reasons == Reason.DUPLICATE, Result.DUPLICATE)
    return job_frame(rows, result=result, reason=reason, **columns)


def hints(verdicts: pd.DataFrame) -> pd.Series:
    """Return what helps to mend an address that `ignore.ignore_reasons` found wrong; else null."""
    typo = (verdicts["reason"] == Reason.INVALID) & verdicts["detail"].notna()
    return ("Did you mean " + verdicts["detail"] + "?").where(typo.fillna(value=False))


def unchanged(rows: pd.DataFrame, **columns: Any) -> pd.DataFrame:
    """Return jobs of records that are as they should be."""
    return job_frame(rows, result=Result.UNCHANGED, **columns)


def joined(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return all jobs in one frame."""
    kept = [frame for frame in frames if not frame.empty]
    return pd.concat(kept, ignore_index=True) if kept else frame_of(JOBS)


def chosen(inputs: Inputs, rows: pd.DataFrame, *ids: str) -> pd.DataFrame:
    """Return the rows that the person at the trigger form named; all where nobody was named.

    Args:
        inputs: The plan's inputs.
        rows: Has `email_key`, and the id columns that ``ids`` names.
        *ids: Columns that may hold a named id.
    """
    named = inputs.options.records
    if not named or rows.empty:
        return rows
    keep = rows["email_key"].isin(named_keys(inputs))
    for column in ids:
        keep |= rows[column].isin(named)
    return rows[keep]


def named_keys(inputs: Inputs) -> pd.Series:
    """Return the normalised addresses among the records that were named."""
    return email_keys(
        pd.Series([item for item in inputs.options.records if "@" in item], dtype="string")
    )


def due(inputs: Inputs, source: str, entity: str, list_key: str = "") -> pd.DataFrame:
    """Return the records in error that are due again: source_id and email_key.

    Of a run for chosen records only these; they are looked at whether they are due or not.
    """
    rows = inputs.retries
    keep = (rows["source"] == source) & (rows["entity"] == entity)
    return chosen(inputs, rows[keep & (rows["list_key"].fillna("") == list_key)], "source_id")


def sentences(place: str, problems: pd.DataFrame) -> tuple[str, ...]:
    """Return what the run's notes say of values that did not fit, with how many there were."""
    counted = problems.groupby("message", sort=True).size()
    return tuple(f"{place}: {number} times {message}" for message, number in counted.items())
