"""Fields in which an undo left the two sides apart: they stay so until somebody changes one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from bothways.syncs.base import Inputs
from bothways.syncs.jobs import ignored, joined
from bothways.syncs.two_way.values import Apart, Values, agreed_types, of_pairs
from bothways.tables.fields import FIELD_PREFIX
from bothways.tables.ledgers import APART_PREFIX
from bothways.transform.json_rows import field_columns, json_objects
from bothways.transform.merge import differences
from bothways.vocabulary import Reason


def leave_apart(inputs: Inputs, parts: Sequence[Values]) -> list[Values]:
    """Return the parts with what is to be left alone marked as unfit to be merged.

    Where one side only has changed since the undo, the other's value becomes the base, so that the
    change moves. Of a person's several records none is written while all are as they were.
    """
    found = [_left_apart(inputs, part) for part in parts]
    if not any(len(rows) for rows in found):
        return list(parts)
    marked = [_marked(part, rows) for part, rows in zip(parts, found, strict=True)]
    loud = _loud([part for part, _, _ in marked], [held for _, held, _ in marked])
    waiting = _by_person([(part, held) for part, held, _ in marked])
    return [_with(part, held, over, loud, waiting) for part, held, over in marked]


def told_apart(part: Values) -> pd.DataFrame:
    """Return a job for each pair that is left apart: ignored, with the platform's values before."""
    if part.apart is None:
        return joined([])
    held = part.apart.held & differences(part.crm, part.marketing, part.mapping)
    rows = part.rows[held.any(axis=1)]
    values = {
        name: json_objects(side.loc[rows.index], field_columns(side), mask=held.loc[rows.index])
        for name, side in (("before", part.marketing), ("after", part.crm))
    }
    return ignored(
        rows,
        Reason.UNDONE,
        target="marketing",
        entity="contact",
        record_id=rows["marketing_id"],
        source_id=rows["crm_id"],
        email=rows["marketing_email"].fillna(rows["crm_email"]),
        source="crm",
        source_entity=part.mapping.entity,
        **values,
    ).assign(person=rows["person"])


def _left_apart(inputs: Inputs, part: Values) -> pd.DataFrame:
    types = agreed_types(inputs, part.mapping)
    return inputs.view.divergence(part.mapping.entity, part.rows["crm_id"], types)


def _marked(part: Values, rows: pd.DataFrame) -> tuple[Values, pd.DataFrame, pd.DataFrame]:
    """Return the part with the base that is due, where it is held, and where it is so no more."""
    beside = of_pairs(rows, part.rows)
    names = [name for name in part.crm.columns if name in beside.columns]
    flags = pd.DataFrame(
        {name: beside[APART_PREFIX + name.removeprefix(FIELD_PREFIX)] for name in names},
        index=part.rows.index,
    )
    known = flags.reindex(columns=part.crm.columns).fillna(value=False).astype(bool)
    ours = ~differences(part.crm, part.base, part.mapping).reindex(columns=known.columns)
    theirs = ~differences(part.marketing, beside, part.mapping).reindex(columns=known.columns)
    ours, theirs = ours.fillna(value=False), theirs.fillna(value=False)
    base = part.base.copy()
    for name in names:
        base[name] = base[name].mask(known[name] & theirs[name] & ~ours[name], beside[name])
    held = known & ours & theirs
    return replace(part, base=base), held, known & ~held


def _loud(parts: Sequence[Values], held: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return, by person, the fields in which some record has changed since it last agreed."""
    found = []
    for part, still in zip(parts, held, strict=True):
        moved = differences(part.crm, part.base, part.mapping)
        moved |= differences(part.marketing, part.base, part.mapping)
        found.append((part, moved.reindex(columns=still.columns, fill_value=False) & ~still))
    return _by_person(found)


def _by_person(flags: Sequence[tuple[Values, pd.DataFrame]]) -> pd.DataFrame:
    frames = [rows.assign(person=part.rows["person"]) for part, rows in flags]
    found = pd.concat(frames).groupby("person").max()
    return found.fillna(value=False).astype(bool)


def _with(
    part: Values, held: pd.DataFrame, over: pd.DataFrame, loud: pd.DataFrame, waiting: pd.DataFrame
) -> Values:
    person = pd.Index(part.rows["person"])
    columns = held.columns
    quiet = ~loud.reindex(index=person, columns=columns).set_axis(held.index, axis=0)
    some = waiting.reindex(index=person, columns=columns).set_axis(held.index, axis=0)
    alone = quiet & some
    ended = over | (held & ~alone)
    return replace(part, unfit=(*part.unfit, alone), apart=Apart(alone, ended))
