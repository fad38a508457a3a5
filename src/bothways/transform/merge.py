"""Field by field: what changed on which side since both agreed, and what is to be written where.

The base is the value that both sides had when they last agreed; without one (a first sync) it
counts as empty. What one side cannot hold (a cut text, a rounded number) is no change.

For a field that travels both ways:

- equal on both sides: nothing to write, whatever the base says;
- changed on one side only: it moves to the other, also when it was cleared;
- changed on both sides to different values: a conflict, which the field's policy decides. With
  ``newest`` the side modified later wins; the CRM, where that is equal or unknown.

A field that travels one way belongs to its source: a change there moves, a change at the target is
written over (both changed: a recorded conflict that the source wins), and a source that never had
a value takes none away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from bothways.config.mapping import ConflictPolicy, FieldMapping, Mapping
from bothways.tables.fields import FIELD_PREFIX
from bothways.transform.arrow import Array, constant, nulls, pc
from bothways.transform.columns import arrow, frame
from bothways.transform.link_ends import truths
from bothways.transform.values import settle, shared_type

_TIME = pa.timestamp("us", tz="UTC")
_CONFLICT_TEXTS = ("field", "crm", "marketing", "winner")


@dataclass(frozen=True, slots=True)
class Merge:
    """What a merge decided. Frames have the rows' index and the columns ``field:<name>``.

    Attributes:
        to_crm: True where `values` is to be written to the CRM.
        to_marketing: True where `values` is to be written to the platform.
        values: What both sides have once it is written, and so the next base; where the sides
            differ and nothing may be written, the base as it was.
        conflicts: `row` (index label), `field` (the mapping's name), `crm` and `marketing` (the
            values as text) and `winner` (``crm`` or ``marketing``).
    """

    to_crm: pd.DataFrame
    to_marketing: pd.DataFrame
    values: pd.DataFrame
    conflicts: pd.DataFrame


def merge(
    base: pd.DataFrame | None,
    crm: pd.DataFrame,
    marketing: pd.DataFrame,
    mapping: Mapping,
    *,
    crm_modified: pd.Series,
    marketing_modified: pd.Series,
    unfit: Sequence[pd.DataFrame] = (),
) -> Merge:
    """Merge the fields that both sides have.

    Args:
        base: Agreed values by index label; rows and columns may be missing. None: no base at all.
        crm: The CRM's values in the shared format, as `fields.to_shared` gives them.
        marketing: The platform's, over the same index.
        mapping: Which fields there are, which way they travel, and who wins.
        crm_modified: When each CRM record was changed, over the same index; UTC.
        marketing_modified: The same for the platform.
        unfit: True where a side has a value that could not be read (each side's
            `Converted.unfit`, by index label): the field is left alone on that row.

    Raises:
        ValueError: The two sides' frames are not aligned.
    """
    if not crm.index.equals(marketing.index):
        raise ValueError("the sides' rows are not aligned; give both frames the same index")
    newer = _newer(crm_modified, marketing_modified)
    agreed = _aligned(base, crm.index)
    merged = _Merged(crm.index)
    for name, item in mapping.fields.items():
        label = FIELD_PREFIX + name
        if item.fixed is not None or label not in crm.columns or label not in marketing.columns:
            continue
        kind = shared_type(item)
        before = nulls(len(crm), kind) if label not in agreed else arrow(agreed[label], kind)
        field = _Field(item, arrow(crm[label], kind), arrow(marketing[label], kind), before)
        merged.add(name, field, newer, _unread(unfit, label, crm.index))
    return merged.result()


def differences(left: pd.DataFrame, right: pd.DataFrame, mapping: Mapping) -> pd.DataFrame:
    """Return a mask of where shared values differ by more than one side's precision.

    Args:
        left: ``field:<name>`` columns.
        right: The same over the same index; columns that either lacks are left out.
        mapping: Which fields there are.
    """
    found = {}
    for name, item in mapping.fields.items():
        label = FIELD_PREFIX + name
        if label in left.columns and label in right.columns:
            kind = shared_type(item)
            found[label] = pa.array(
                ~_same(arrow(left[label], kind), arrow(right[label], kind), item)
            )
    return _frame(found, left.index)


def _aligned(base: pd.DataFrame | None, index: pd.Index) -> pd.DataFrame:
    if base is None:
        return pd.DataFrame(index=index)
    return base if base.index.equals(index) else base.reindex(index)


def _unread(unfit: Sequence[pd.DataFrame], label: str, index: pd.Index) -> np.ndarray:
    """Return a mask of the rows on which either side's value of a field could not be read."""
    unread = np.zeros(len(index), dtype=bool)
    for side in unfit:
        if label in side.columns:
            unread |= truths(arrow(side[label].reindex(index), pa.bool_()))
    return unread


def _newer(crm: pd.Series, marketing: pd.Series) -> np.ndarray:
    """Return a mask of the rows modified later on the platform, as far as its time is known."""
    ours, theirs = arrow(crm, _TIME), arrow(marketing, _TIME)
    only_theirs = pc.and_(theirs.is_valid(), ours.is_null())
    newer: np.ndarray = truths(pc.greater(theirs, ours)) | truths(only_theirs)
    return newer


@dataclass(frozen=True, slots=True)
class _Field:
    """The three values of one field."""

    item: FieldMapping
    crm: Array
    marketing: Array
    base: Array


class _Merged:
    """Collects the verdicts, field by field."""

    def __init__(self, index: pd.Index) -> None:
        self._index = index
        self._to_crm: dict[str, Array] = {}
        self._to_marketing: dict[str, Array] = {}
        self._values: dict[str, Array] = {}
        self._conflicts: list[pd.DataFrame] = []

    def add(self, name: str, field: _Field, newer: np.ndarray, unread: np.ndarray) -> None:
        """Decide one field."""
        differ = ~_same(field.crm, field.marketing, field.item)
        rows = np.flatnonzero(differ & ~unread)
        to_crm, to_marketing = np.zeros((2, len(differ)), dtype=bool)
        if len(rows):
            picked = _take(field, rows)
            crm_wins, marketing_wins, conflict = _decide(picked, newer[rows])
            to_marketing[rows], to_crm[rows] = crm_wins, marketing_wins
            self._record(name, picked, rows, conflict, crm_wins)
        label = FIELD_PREFIX + name
        self._to_crm[label], self._to_marketing[label] = pa.array(to_crm), pa.array(to_marketing)
        self._values[label] = _merged_values(field, differ | unread, to_crm, to_marketing)

    def _record(
        self, name: str, field: _Field, rows: np.ndarray, conflict: np.ndarray, crm_wins: np.ndarray
    ) -> None:
        if not conflict.any():
            return
        winner = np.where(crm_wins[conflict], "crm", "marketing")
        texts = {
            "field": constant(name, pa.string(), int(conflict.sum())),
            "crm": field.crm.filter(pa.array(conflict)).cast(pa.string()),
            "marketing": field.marketing.filter(pa.array(conflict)).cast(pa.string()),
            "winner": pa.array(winner, pa.string()),
        }
        found = frame(texts)
        found.insert(0, "row", self._index[rows[conflict]])
        self._conflicts.append(found)

    def result(self) -> Merge:
        """Return the verdicts."""
        return Merge(
            to_crm=_frame(self._to_crm, self._index),
            to_marketing=_frame(self._to_marketing, self._index),
            values=_frame(self._values, self._index),
            conflicts=self._all_conflicts(),
        )

    def _all_conflicts(self) -> pd.DataFrame:
        if self._conflicts:
            return pd.concat(self._conflicts, ignore_index=True)
        none = frame({name: nulls(0, pa.string()) for name in _CONFLICT_TEXTS})
        none.insert(0, "row", self._index[:0])
        return none


def _take(field: _Field, rows: np.ndarray) -> _Field:
    places = pa.array(rows)
    crm, marketing, base = (
        values.take(places) for values in (field.crm, field.marketing, field.base)
    )
    return _Field(field.item, crm, marketing, base)


def _decide(field: _Field, newer: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return masks of rows that differ: the CRM wins, the platform wins, both had changed."""
    item = field.item
    crm_changed = ~_same(field.crm, field.base, item)
    marketing_changed = ~_same(field.marketing, field.base, item)
    conflict = crm_changed & marketing_changed
    if not item.travels_to("crm") or not item.travels_to("marketing"):
        source, target = crm_changed, field.crm
        if item.travels_to("crm"):
            source, target = marketing_changed, field.marketing
        wins = source | truths(target.is_valid())
        none = np.zeros(len(wins), dtype=bool)
        return (none, wins, conflict) if item.travels_to("crm") else (wins, none, conflict)
    marketing_wins = np.where(conflict, _policy(item, newer), marketing_changed)
    return ~marketing_wins, marketing_wins, conflict


def _policy(item: FieldMapping, newer: np.ndarray) -> np.ndarray:
    """Return a mask of the rows on which the platform wins a conflict."""
    if item.conflict is ConflictPolicy.NEWEST:
        return newer
    return np.full(len(newer), item.conflict is ConflictPolicy.MARKETING)


def _same(left: Array, right: Array, item: FieldMapping) -> np.ndarray:
    """Return a mask of values that are equal as far as both sides can store them."""
    same = _equal(left, right)
    rows = np.flatnonzero(~same)
    if len(rows) and (item.max_length or item.decimals is not None or item.date_format):
        places = pa.array(rows)
        same[rows] = _equal(settle(left.take(places), item), settle(right.take(places), item))
    return same


def _equal(left: Array, right: Array) -> np.ndarray:
    both_empty = pc.and_(left.is_null(), right.is_null())
    equal: np.ndarray = truths(pc.or_kleene(pc.equal(left, right), both_empty)).copy()
    return equal


def _merged_values(
    field: _Field, unequal: np.ndarray, to_crm: np.ndarray, to_marketing: np.ndarray
) -> Array:
    if not unequal.any():
        return settle(field.crm, field.item)
    undecided = pa.array(unequal & ~to_crm & ~to_marketing)
    decided = pc.if_else(pa.array(to_crm), field.marketing, field.crm)
    return settle(pc.if_else(undecided, field.base, decided), field.item)


def _frame(columns: dict[str, Array], index: pd.Index) -> pd.DataFrame:
    return frame(columns, index) if columns else pd.DataFrame(index=index)
