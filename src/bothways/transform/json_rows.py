"""One JSON object per row, made and read column by column."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO

import pandas as pd
import pyarrow as pa
import pyarrow.json

from bothways.tables.fields import FIELD_PREFIX
from bothways.transform.arrow import Array, constant, nulls, pc
from bothways.transform.columns import arrow, one_chunk, series

_MUST_ESCAPE = r'["\\\x00-\x1f]'
_CONTROLS = [chr(code) for code in range(0x20)]


def field_columns(frame: pd.DataFrame) -> dict[str, str]:
    """Return the ``field:<name>`` columns of a frame by their bare names, as keys of an object."""
    names = [name for name in frame.columns if name.startswith(FIELD_PREFIX)]
    return {name.removeprefix(FIELD_PREFIX): name for name in names}


def json_objects(
    frame: pd.DataFrame,
    columns: Mapping[str, str],
    mask: pd.DataFrame | None = None,
    without: pd.DataFrame | None = None,
) -> pd.Series:
    """Return one JSON object text per row.

    Numbers and booleans are written as such, dates and times (UTC) as ISO 8601 text, a null or a
    number that is not finite as null.

    Args:
        frame: The rows; columns of strings, numbers, booleans, dates or times.
        columns: Key of the object → column of the frame, in the order of writing.
        mask: False where a key is to be absent; a column that it lacks is present on every row.
        without: True where a key is to be absent, such as `Converted.unfit`.

    Returns:
        Strings over the frame's index; ``{}`` where every key is absent.
    """
    members = []
    for key, name in columns.items():
        member = _members(key, arrow(frame[name]))
        present = _present(name, mask, without)
        members.append(member if present is None else pc.if_else(present, member, ""))
    if not members:
        return series(constant("{}", pa.string(), len(frame)), frame.index)
    joined = pc.utf8_ltrim(pc.binary_join_element_wise(*members, ""), characters=",")
    return series(pc.binary_join_element_wise("{", joined, "}", ""), frame.index)


def with_more(objects: pd.Series, more: pd.Series) -> pd.Series:
    """Return JSON objects with the members of others added, as texts."""
    alone = more == "{}"
    joined = objects.str.slice(0, -1) + "," + more.str.slice(1)
    return joined.mask(alone, objects)


def read_objects(texts: pd.Series, types: Mapping[str, pa.DataType]) -> pd.DataFrame:
    """Return the values of JSON objects that `json_objects` made, as ``field:<key>`` columns.

    Args:
        texts: One object per row; null is an empty one.
        types: Key → type to read it as. A key that a row lacks is null, and so is every value of a
            key that was stored as another type before its mapping was changed.

    Returns:
        One column per key over the same index.

    Raises:
        pyarrow.ArrowInvalid: A text is no JSON object.
    """
    found = _read_lines(pc.fill_null(arrow(texts, pa.string()), "{}"), types)
    columns = {FIELD_PREFIX + key: series(values, texts.index) for key, values in found.items()}
    return pd.DataFrame(columns, index=texts.index)


def _read_lines(lines: Array, types: Mapping[str, pa.DataType]) -> dict[str, Array]:
    if not len(lines):
        return {key: nulls(0, kind) for key, kind in types.items()}
    document = "\n".join(lines.to_pylist()).encode()
    try:
        return _read_keys(document, types)
    except pa.ArrowInvalid:
        _read_keys(document, {})  # raises where it is no JSON at all
        return {key: _read_key(document, key, kind) for key, kind in types.items()}


def _read_key(document: bytes, key: str, kind: pa.DataType) -> Array:
    """Read one key; all null where it holds another type."""
    try:
        return _read_keys(document, {key: kind})[key]
    except pa.ArrowInvalid:
        rows = document.count(b"\n") + 1
        return nulls(rows, kind)


def _read_keys(document: bytes, types: Mapping[str, pa.DataType]) -> dict[str, Array]:
    """Read one object per line; times and dates are text in JSON."""
    schema = pa.schema([pa.field(key, _json_type(kind)) for key, kind in types.items()])
    parse = pyarrow.json.ParseOptions(
        explicit_schema=schema, unexpected_field_behavior="ignore", newlines_in_values=False
    )
    read = pyarrow.json.ReadOptions(use_threads=False, block_size=len(document) + 1)
    table = pyarrow.json.read_json(BytesIO(document), read, parse)
    return {key: one_chunk(table[key]).cast(kind) for key, kind in types.items()}


def _json_type(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_temporal(kind) else kind


def _present(name: str, mask: pd.DataFrame | None, without: pd.DataFrame | None) -> Array | None:
    """Return on which rows a column is written; None for all of them."""
    present = None
    if mask is not None and name in mask.columns:
        present = pc.fill_null(arrow(mask[name], pa.bool_()), fill_value=False)
    if without is not None and name in without.columns:
        fits = pc.invert(pc.fill_null(arrow(without[name], pa.bool_()), fill_value=False))
        present = fits if present is None else pc.and_(present, fits)
    return present


def _members(key: str, values: Array) -> Array:
    """Return ``,"key":value`` per row."""
    start = "," + json.dumps(key, ensure_ascii=False) + ":"
    texts = pc.fill_null(_texts(values), "null")
    return pc.binary_join_element_wise(start, texts, "")


def _texts(values: Array) -> Array:
    """Return each value as JSON; null for null."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        return _quoted(_escaped(values.cast(pa.string())))
    if pa.types.is_timestamp(values.type):
        return _quoted(_instants(values))
    if pa.types.is_date(values.type):
        return _quoted(values.cast(pa.date32()).cast(pa.string()))
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_finite(values), values, pa.scalar(None, values.type))
    return values.cast(pa.string())


def _quoted(texts: Array) -> Array:
    return pc.binary_join_element_wise('"', texts, '"', "")


def _escaped(texts: Array) -> Array:
    odd = pc.fill_null(pc.match_substring_regex(texts, _MUST_ESCAPE), fill_value=False)
    if not pc.any(odd).as_py():
        return texts
    escaped = pc.replace_substring(texts.filter(odd), "\\", "\\\\")
    escaped = pc.replace_substring(escaped, '"', '\\"')
    if pc.any(pc.match_substring_regex(escaped, r"[\x00-\x1f]")).as_py():
        for control in _CONTROLS:
            escaped = pc.replace_substring(escaped, control, json.dumps(control)[1:-1])
    return pc.replace_with_mask(texts, odd, escaped)


def _instants(values: Array) -> Array:
    """Return times as ISO 8601 in UTC with a ``Z``, and fractions only where there are any."""
    moments = values.cast(pa.timestamp("us", tz="UTC"), safe=False)
    texts = pc.strftime(moments, format="%Y-%m-%dT%H:%M:%SZ")
    return pc.replace_substring_regex(texts, r"(?:\.0+|(\.\d*?[1-9])0+)Z$", r"\1Z")
