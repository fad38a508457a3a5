"""Frames of intended writes: built in one type, numbered the same way every time, cut in chunks."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from bothways.tables.operations import OPERATIONS
from bothways.transform.arrow import Array, pc
from bothways.transform.columns import column, frame, typed
from bothways.vocabulary import EXECUTION_ORDER

_IDENTITY = ("record_id", "source_id", "key", "email")
# Vendors take some hundreds to a call: a chunk of whole thousands leaves no small rest.
_ROUND: Final = 1_000
_TIE_BREAKERS = (
    *("record_id", "source_id", "key", "email", "list_key", "membership_id", "reason", "values"),
    *("before", "after", "result"),
)


def number(frames: Iterable[pd.DataFrame], schema: pa.Schema = OPERATIONS) -> pd.DataFrame:
    """Return all operations in one frame, in the order of work, with `seq` from 1.

    The order is by target, entity, kind (suppress, leave, update, create, join; rows that write
    nothing last), then by what they write, so that the same operations get the same numbers in
    whatever order they come. The index is 0, 1, 2 ….
    """
    tables = [
        pa.Table.from_pandas(typed(one, schema), schema=_nullable(schema), preserve_index=False)
        for one in frames
    ]
    table = pa.concat_tables(tables) if tables else _nullable(schema).empty_table()
    order = _order(table)
    table = table.take(order).combine_chunks()
    seq = pa.array(np.arange(1, len(table) + 1), pa.int64())
    return frame({name: seq if name == "seq" else table[name] for name in table.column_names})


def _nullable(schema: pa.Schema) -> pa.Schema:
    """Return the schema for rows that are not finished: `seq` has no value yet."""
    return pa.schema([field.with_nullable(True) for field in schema])  # noqa: FBT003


def _order(table: pa.Table) -> Array:
    places = pc.index_in(table["kind"], value_set=pa.array(EXECUTION_ORDER, pa.string()))
    extra = [name for name in table.column_names if name not in OPERATIONS.names]
    names = ["target", "entity", "place", *_TIE_BREAKERS, *extra]
    keys = table.append_column("place", pc.fill_null(places, len(EXECUTION_ORDER)))
    return pc.sort_indices(keys.select(names), sort_keys=[(name, "ascending") for name in names])


def equal_size(operations: int, *, at_most: int, workers: int) -> int:
    """Return the size of chunks that leaves no worker idle while the others write the last ones.

    Args:
        operations: How many there are; up to ``at_most`` make a single chunk.
        at_most: The size of the longest chunk.
        workers: How many chunks are written at once.
    """
    if operations <= at_most:
        return at_most
    rounds = ceil(operations / (at_most * workers))
    return min(at_most, ceil(operations / (rounds * workers) / _ROUND) * _ROUND)


def chunks(rows: pd.DataFrame, size: int) -> list[pd.DataFrame]:
    """Cut numbered operations into frames of about ``size`` rows, in order.

    All operations of one target record stand in one chunk, so that two workers never write it at
    once; a record with more than ``size`` operations makes a longer chunk. A record is known by
    its id, or before it has one by the person that it is made for, its key or its address.
    """
    if rows.empty:
        return []
    groups = _records(rows)
    sizes = np.bincount(groups)
    chunk_of_group = (np.cumsum(sizes) - 1) // max(size, 1)
    places = chunk_of_group[groups]
    order = np.argsort(places, kind="stable")
    cuts = np.flatnonzero(np.diff(places[order])) + 1
    return [rows.iloc[part].reset_index(drop=True) for part in np.split(order, cuts)]


def _records(rows: pd.DataFrame) -> np.ndarray:
    """Return the number of each row's target record, counted from 0 in order of appearance."""
    known = [column(rows, name, pa.string()) for name in _IDENTITY]
    alone = pa.array(np.arange(len(rows))).cast(pa.string())
    sides = [column(rows, name, pa.string()) for name in ("target", "entity")]
    named = pc.binary_join_element_wise(
        *sides, pc.coalesce(*known, alone), "\n", null_handling="replace"
    )
    groups: np.ndarray = pc.dictionary_encode(named).indices.to_numpy()
    return groups
