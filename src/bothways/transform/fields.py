"""Mapped fields from a vendor's names and formats to the shared ones, and back for writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from bothways.config.mapping import FieldMapping, Mapping
from bothways.errors import ConfigurationError
from bothways.tables.fields import FIELD_PREFIX
from bothways.transform.arrow import Array, pc
from bothways.transform.columns import arrow, series
from bothways.transform.values import accepted, has_value, read_values, shared_type, write_values
from bothways.vocabulary import RoleName

Conversion = Callable[[Array, FieldMapping, RoleName], Array]


@dataclass(frozen=True, slots=True)
class Converted:
    """Rows in another format, and what did not fit it.

    Attributes:
        frame: The other columns as they were, then the converted ``field:<name>`` columns. A value
            that does not fit is null.
        unfit: True where a value did not fit: the same index, and those of the converted columns
            that have such a value. Hand it to `merge`, so that a value which cannot be read is
            not taken for one that was cleared, and to `json_objects`, so that it is not written.
        problems: The same for people: `row` (index label), `field` (the mapping's name) and
            `message`, which names the field and what it takes, never the value.
    """

    frame: pd.DataFrame
    unfit: pd.DataFrame
    problems: pd.DataFrame


def shared_types(mapping: Mapping) -> dict[str, pa.DataType]:
    """Return the Arrow type of each field that both sides have, by the mapping's name."""
    return {name: shared_type(item) for name, item in mapping.fields.items() if item.fixed is None}


def to_shared(frame: pd.DataFrame, mapping: Mapping, side: RoleName) -> Converted:
    """Return what was read on ``side`` in the mapping's names and the shared format.

    Args:
        frame: Rows with ``field:<vendor name>`` columns; one that is missing stays missing.
        mapping: The mapping of these rows' entity.
        side: Where the rows were read.
    """
    work = _Work(frame, side)
    for name, item in mapping.fields.items():
        vendor_name = item.name(side)
        if vendor_name is not None and item.fixed is None:
            work.convert(FIELD_PREFIX + vendor_name, FIELD_PREFIX + name, name, item, read_values)
    return work.result()


def to_vendor(frame: pd.DataFrame, mapping: Mapping, side: RoleName) -> Converted:
    """Return shared rows in the names and formats of ``side``, ready to be written there.

    Fields that do not travel to ``side`` are left out.

    Args:
        frame: Rows with ``field:<mapping name>`` columns; one that is missing stays missing.
        mapping: The mapping of the CRM's entity.
        side: Where the rows go.
    """
    work = _Work(frame, side)
    for name, target in mapping.written(side).items():
        work.convert(
            FIELD_PREFIX + name, FIELD_PREFIX + target, name, mapping.fields[name], write_values
        )
    return work.result()


def written_columns(mapping: Mapping, side: RoleName) -> dict[str, str]:
    """Return the columns that `to_vendor` converts, each with what it makes of it."""
    return {
        FIELD_PREFIX + name: FIELD_PREFIX + target for name, target in mapping.written(side).items()
    }


def for_creation(frame: pd.DataFrame, mapping: Mapping, side: RoleName) -> pd.DataFrame:
    """Return shared rows as a new record on ``side`` gets them: with defaults and fixed values.

    Raises:
        ConfigurationError: A default or fixed value does not fit the field's type.
    """
    result = frame.copy(deep=False)
    for name, item in mapping.fields.items():
        column = FIELD_PREFIX + name
        if item.name(side) is None:
            continue
        if item.fixed is not None:
            result[column] = _repeated(item.fixed, name, item, frame.index)
        elif item.default is not None:
            given = _repeated(item.default, name, item, frame.index)
            result[column] = given if column not in frame else _filled(frame[column], given)
    return result


def _filled(values: pd.Series, given: pd.Series) -> pd.Series:
    wanted = arrow(given)
    return series(pc.coalesce(arrow(values, wanted.type), wanted), values.index)


def _repeated(value: Any, name: str, item: FieldMapping, index: pd.Index) -> pd.Series:
    found = read_values(pa.array([value]), item, "crm")
    if found[0].as_py() is None:
        message = (
            f"field `{name}`: `default` or `fixed` does not fit type `{item.type}`; "
            f"give {accepted(item, 'crm')}"
        )
        raise ConfigurationError(message)
    return series(found.take(pa.array([0] * len(index), pa.int64())), index)


class _Work:
    """Converts columns one after the other and keeps what did not fit."""

    def __init__(self, frame: pd.DataFrame, side: RoleName) -> None:
        self._frame = frame
        self._side = side
        self._converted: dict[str, pd.Series] = {}
        self._unfit: dict[str, pd.Series] = {}
        self._problems: list[pd.DataFrame] = []

    def convert(
        self, source: str, target: str, name: str, item: FieldMapping, convert: Conversion
    ) -> None:
        """Convert one column, if it is there."""
        if source not in self._frame.columns:
            return
        values = _readable(self._frame[source])
        found = convert(values, item, self._side)
        self._converted[target] = series(found, self._frame.index)
        lost = pc.and_(has_value(values), found.is_null())
        if pc.any(lost).as_py():
            self._report(target, name, item, lost)

    def _report(self, target: str, name: str, item: FieldMapping, lost: Array) -> None:
        mask = series(lost, self._frame.index)
        self._unfit[target] = mask
        message = (
            f"`{item.name(self._side)}` has a value that `{name}` cannot take; "
            f"give {accepted(item, self._side)}, or change the mapping"
        )
        rows = self._frame.index[mask.to_numpy(dtype=bool)]
        self._problems.append(pd.DataFrame({"row": rows, "field": name, "message": message}))

    def result(self) -> Converted:
        """Return what was converted."""
        others = [name for name in self._frame.columns if not name.startswith(FIELD_PREFIX)]
        kept = self._frame[others].copy(deep=False)
        found = pd.DataFrame(self._converted, index=self._frame.index)
        return Converted(
            frame=pd.concat([kept, found], axis=1),
            unfit=pd.DataFrame(self._unfit, index=self._frame.index),
            problems=_joined(self._problems, self._frame.index),
        )


def _readable(values: pd.Series) -> Array:
    """Return a column as Arrow; one that mixes types is read as text."""
    try:
        return arrow(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return arrow(values.astype("string"), pa.string())


def _joined(problems: list[pd.DataFrame], index: pd.Index) -> pd.DataFrame:
    if problems:
        return pd.concat(problems, ignore_index=True)
    texts = pd.Series([], dtype="str")
    return pd.DataFrame({"row": index[:0], "field": texts, "message": texts})
