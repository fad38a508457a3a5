"""Fields that an undo writes back, and what both sides are known to have afterwards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bothways.config.mapping import Mapping
from bothways.syncs.base import Inputs
from bothways.syncs.jobs import ignored, job_frame, joined, unchanged
from bothways.syncs.two_way.values import ADDRESS, ADDRESS_COLUMN, with_address
from bothways.syncs.undo_people import Standing, about, current, mapping_of
from bothways.tables.fields import FIELD_PREFIX
from bothways.tables.ledgers import WROTE_PREFIX
from bothways.transform.fields import to_shared, to_vendor, written_columns
from bothways.transform.json_rows import field_columns, json_objects
from bothways.transform.merge import differences
from bothways.vocabulary import SIDES, FieldType, OperationKind, Reason, Result, RoleName


@dataclass(frozen=True, slots=True)
class Undoing:
    """What is written back to the people of one side and mapping.

    Attributes:
        side: Where.
        jobs: The jobs.
        values: What is written, by record id: `field:<vendor name>` and `field:@email`.
        written: The same shape: whether it is written.
    """

    side: RoleName
    jobs: pd.DataFrame
    values: pd.DataFrame
    written: pd.DataFrame


def write_back(inputs: Inputs, side: RoleName, rows: pd.DataFrame) -> list[Undoing]:
    """Return what undoes the updates of one side.

    Args:
        inputs: The plan's inputs.
        side: The side.
        rows: Written jobs of kind update, with `record_id`.
    """
    entity = rows["entity" if side == "crm" else "source_entity"]
    return [_part(inputs, side, str(name), same) for name, same in rows.groupby(entity)]


def _part(inputs: Inputs, side: RoleName, entity: str, rows: pd.DataFrame) -> Undoing:
    mapping = with_address(mapping_of(inputs, entity))
    before, after = _written(inputs, side, mapping, rows)
    standing = Standing(inputs, side, rows["record_id"])
    now, unfit = _shared(standing.people.reindex(pd.Index(rows["record_id"])), mapping, side)
    now, unfit = now.set_axis(rows.index, axis=0), unfit.set_axis(rows.index, axis=0)
    wrote = _wrote(after, now.columns)
    unread = unfit.reindex(columns=now.columns, fill_value=False).astype(bool)
    # A field that has been remapped since is not the one that the run wrote to.
    remapped = np.isin(
        now.columns, [FIELD_PREFIX + name for name in inputs.without_base.get(entity, ())]
    )
    stands = wrote & ~_apart(now, after, mapping) & ~unread & ~remapped
    done = wrote & ~stands & ~_apart(now, before, mapping) & ~unread & ~remapped
    changed = wrote & ~stands & ~done
    obstacle = standing.obstacle()
    obstacle = obstacle.mask(
        obstacle.isna() & ~stands.any(axis=1) & changed.any(axis=1), Reason.CHANGED_SINCE
    )
    free = obstacle.isna()
    back = free & stands.any(axis=1)
    written = to_vendor(before[back], mapping, side)
    columns = written_columns(mapping, side)
    vendor_mask = stands.loc[back, stands.columns.intersection([*columns])].rename(columns=columns)
    jobs = joined(
        [
            ignored(rows[~free], obstacle, **about(rows)),
            unchanged(rows[free & ~back], **about(rows)),
            job_frame(
                rows[back],
                kind=OperationKind.UPDATE,
                result=Result.UPDATED,
                reason=_reasons(changed[back]),
                values=json_objects(
                    written.frame,
                    field_columns(written.frame),
                    mask=vendor_mask,
                    without=written.unfit,
                ),
                before=json_objects(now[back], field_columns(now), mask=stands[back]),
                after=json_objects(before[back], field_columns(before), mask=stands[back]),
                **about(rows),
            ),
        ]
    )
    index = pd.Index(rows.loc[back, "record_id"])
    return Undoing(
        side, jobs, written.frame.set_axis(index, axis=0), vendor_mask.set_axis(index, axis=0)
    )


def _written(
    inputs: Inputs, side: RoleName, mapping: Mapping, rows: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    run_id = int(inputs.options.undo_run or 0)
    frames = inputs.view.written_values(run_id, side, mapping.entity, _types(mapping))
    before, after = (
        frame.reindex(pd.Index(rows["seq"])).set_axis(rows.index, axis=0) for frame in frames
    )
    return before, after


def _types(mapping: Mapping) -> dict[str, FieldType]:
    """Return the types under which the audit has the fields: an option is its label."""
    return {
        name: FieldType.STRING if item.type is FieldType.OPTION else item.type
        for name, item in mapping.fields.items()
        if item.fixed is None
    }


def _shared(
    people: pd.DataFrame, mapping: Mapping, side: RoleName
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return people's fields in the mapping's names, the address among them, and what is unfit."""
    own = mapping.model_copy(
        update={"fields": {n: item for n, item in mapping.fields.items() if n != ADDRESS}}
    )
    converted = to_shared(people, own, side)
    fields = converted.frame[
        [name for name in converted.frame.columns if name.startswith(FIELD_PREFIX)]
    ]
    return fields.assign(**{ADDRESS_COLUMN: people["email_key"]}), converted.unfit


def _wrote(rows: pd.DataFrame, columns: pd.Index) -> pd.DataFrame:
    """Return which of the fields a job wrote."""
    names = {name: WROTE_PREFIX + name.removeprefix(FIELD_PREFIX) for name in columns}
    flags = rows.reindex(columns=list(names.values())).set_axis(columns, axis=1)
    return flags.fillna(value=False).astype(bool)


def _apart(left: pd.DataFrame, right: pd.DataFrame, mapping: Mapping) -> pd.DataFrame:
    return differences(left, right, mapping).reindex(columns=left.columns, fill_value=True)


def _reasons(changed: pd.DataFrame) -> pd.Series:
    """Return, for each write, the fields that are kept because somebody has since changed them."""
    reason = pd.Series("", index=changed.index)
    for name in changed.columns:
        label = ", " + name.removeprefix(FIELD_PREFIX)
        reason = reason.where(~changed[name], reason + label)
    return ("undone; changed since: " + reason.str.removeprefix(", ")).where(
        reason != "", Reason.UNDONE
    )


# ── what both sides have afterwards ───────────────────────────────────────────────────────────


def baselines(inputs: Inputs, undoing: list[Undoing]) -> pd.DataFrame:
    """Return what the two sides have once the fields are written back: `baselines` of Plan.keep.

    Where they then differ, `values` has what the CRM has and `apart` what the platform has.
    """
    ids = {
        side: [part.values.index for part in undoing if part.side == side and len(part.values)]
        for side in SIDES
    }
    if not any(ids.values()):
        return pd.DataFrame()
    pairs = inputs.view.links(
        **{  # type: ignore[arg-type]
            f"{side}_ids": pd.Series([item for index in found for item in index], dtype="string")
            for side, found in ids.items()
        },
    )
    frames = [
        _baselines(inputs, undoing, str(entity), same.reset_index(drop=True))
        for entity, same in pairs.groupby("entity")
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _baselines(
    inputs: Inputs, undoing: list[Undoing], entity: str, pairs: pd.DataFrame
) -> pd.DataFrame:
    mapping = with_address(mapping_of(inputs, entity))
    crm, crm_touched = _afterwards(inputs, undoing, "crm", pairs["crm_id"], mapping)
    marketing, touched = _afterwards(inputs, undoing, "marketing", pairs["marketing_id"], mapping)
    touched |= crm_touched
    apart = touched & differences(crm, marketing, mapping).reindex(
        columns=touched.columns, fill_value=False
    )
    return pd.DataFrame(
        {
            "entity": entity,
            "crm_id": pairs["crm_id"],
            "marketing_id": pairs["marketing_id"],
            "scope": pairs["scope"],
            "values": json_objects(crm, field_columns(crm), mask=touched),
            "apart": json_objects(marketing, field_columns(marketing), mask=apart),
        }
    )


def _afterwards(
    inputs: Inputs, undoing: list[Undoing], side: RoleName, ids: pd.Series, mapping: Mapping
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what people of a side will have, in the mapping's names, and what of it was undone."""
    people = current(inputs, side, ids).reindex(pd.Index(ids)).set_axis(ids.index, axis=0)
    touched = pd.DataFrame(data=False, index=ids.index, columns=people.columns)
    for part in undoing:
        if part.side != side or part.values.empty:
            continue
        values, written = (
            frame.reindex(pd.Index(ids)).set_axis(ids.index, axis=0)
            for frame in (part.values, part.written)
        )
        for name in values.columns:
            column = "email_key" if name == ADDRESS_COLUMN else name
            mine = written[name].fillna(value=False).astype(bool)
            people[column] = people[column].mask(mine, values[name])
            touched[column] |= mine
    shared, _ = _shared(people, mapping, side)
    flags = {
        FIELD_PREFIX + name: touched["email_key" if name == ADDRESS else FIELD_PREFIX + vendor]
        for name, item in mapping.fields.items()
        if (vendor := str(item.name(side))) and FIELD_PREFIX + name in shared
    }
    return shared, pd.DataFrame(flags).reindex(columns=shared.columns, fill_value=False)
