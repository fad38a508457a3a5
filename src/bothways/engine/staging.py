"""Staging: Parquet and JSON files of one run, on a folder or an object store.

Layout below the run's folder::

    partitions.json                      how many partitions the run is planned in
    <side>/<dataset>/<page>.parquet      canonical rows, with `bucket` (and `email_key`)
    <side>/watermarks/<step>.json        how far each dataset has been read
    <side>/progress/<step>/              how far a step has come, until it is done
    <side>/slices/<group>.json           which slices a task reads
    <side>/failures/<group>.json         which of them could not be read
    <side>/lists.json                    the lists that could be read
    <side>/read.json                     when the side was last read, and how far
    plan/<partition>.json                what a partition intends, in numbers
    chunks/<side>/<partition>-<n>.parquet
    bulk/<side>/<partition>-<n>.parquet  the same of jobs that are counted, which come after these

The files hold personal data: on a disk of this machine they are for their owner only.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from bothways.errors import StagingError
from bothways.tables.frames import to_pandas
from bothways.transform.arrow import Array, pc
from bothways.transform.partition import bounds
from bothways.vocabulary import RoleName

PARTITIONS = "partitions.json"
_IDS = ("id", "record_id", "source_id", "member_id", "merged_into", "crm_id", "marketing_id")


@dataclass(frozen=True, slots=True)
class Staging:
    """The files of one run below ``root``."""

    root: UPath

    def clear(self, *parts: str) -> None:
        """Remove what an earlier try of the same step left."""
        folder = self.root.joinpath(*parts)
        for path in _files(folder):
            path.unlink()

    def write_page(self, side: RoleName, dataset: str, number: int, rows: pa.Table) -> None:
        """Stage one page of a dataset; ``rows`` has a column `bucket`."""
        self._write_table(self.root / side / dataset / f"{number:06d}.parquet", rows)

    def drop_pages(self, side: RoleName, dataset: str, *, after: int) -> None:
        """Remove the pages of a dataset beyond a number, which an earlier try left."""
        for path in _files(self.root / side / dataset):
            if int(path.stem) > after:
                path.unlink()

    def pages(self, side: RoleName, dataset: str) -> Iterator[pa.Table]:
        """Yield the pages of a dataset, in the order in which they were read."""
        for path in _files(self.root / side / dataset):
            yield self._read_table(path)

    def write_chunk(
        self, side: RoleName, partition: int, number: int, operations: pd.DataFrame
    ) -> str:
        """Stage the operations of one apply task; return the reference that XCom carries."""
        reference = f"{partition:04d}-{number:04d}"
        path = self.root / "chunks" / side / f"{reference}.parquet"
        self._write_table(path, pa.Table.from_pandas(operations, preserve_index=False))
        return reference

    def write_bulk(self, side: RoleName, partition: int, number: int, jobs: pa.Table) -> None:
        """Stage jobs in bulk for one apply task."""
        self._write_table(self.root / "bulk" / side / f"{partition:04d}-{number:06d}.parquet", jobs)

    def drop_chunks(self, partition: int) -> None:
        """Remove the chunks that an earlier try of a partition's plan left."""
        for folder in ("chunks", "bulk"):
            for path in _files(self.root / folder):
                if path.name.startswith(f"{partition:04d}-"):
                    path.unlink()

    def read_chunk(self, side: RoleName, reference: str) -> pd.DataFrame:
        """Return the operations of one apply task.

        Raises:
            StagingError: The chunk is not there.
        """
        return to_pandas(self._read_table(self.root / "chunks" / side / f"{reference}.parquet"))

    def chunks(self, side: RoleName) -> list[str]:
        """Return the references of all chunks of a side, in order."""
        return [path.stem for path in _files(self.root / "chunks" / side)]

    def read_bulk(self, side: RoleName, number: int) -> pd.DataFrame:
        """Return the n-th chunk of a side's jobs in bulk.

        Raises:
            StagingError: The chunk is not there.
        """
        return to_pandas(self._read_table(self._bulk(side)[number]))

    def count_bulk(self, side: RoleName) -> int:
        """Return how many chunks of jobs in bulk a side has."""
        return len(self._bulk(side))

    def _bulk(self, side: RoleName) -> list[UPath]:
        return _files(self.root / "bulk" / side)

    def write_json(self, value: Any, *parts: str) -> None:
        """Stage a small JSON value."""
        with _written(self.root.joinpath(*parts)) as sink:
            sink.write(json.dumps(value, sort_keys=True).encode())

    def json_values(self, folder: str) -> list[Any]:
        """Return the JSON values that stand in a folder."""
        return [json.loads(path.read_text()) for path in _files(self.root / folder)]

    def write_table(self, rows: pa.Table, folder: str, partition: int) -> None:
        """Stage a table that a partition gives beside its plan."""
        self._write_table(self.root / folder / f"{partition:04d}.parquet", rows)

    def tables(self, folder: str) -> Iterator[pa.Table]:
        """Yield what the partitions staged in a folder, in order."""
        for path in _files(self.root / folder):
            yield self._read_table(path)

    def read_json(self, *parts: str) -> Any:
        """Return a staged JSON value, None where there is none."""
        path = self.root.joinpath(*parts)
        return json.loads(path.read_text()) if path.exists() else None

    def forget(self, ids: Collection[str], pattern: str) -> None:
        """Remove a person from every file: rows with one of the ids, or that mention an address.

        Args:
            ids: The person's ids on both sides.
            pattern: An RE2 regular expression that matches the person's addresses.
        """
        known = pa.array(list(ids), pa.string())
        for path in _files(self.root):
            if path.suffix != ".parquet":
                continue
            rows = self._read_table(path)
            theirs = pa.array(np.zeros(rows.num_rows, dtype=bool))
            for name in rows.column_names:
                kind = rows.schema.field(name).type
                if pa.types.is_string(kind) or pa.types.is_large_string(kind):
                    theirs = pc.or_(theirs, _names(rows, name, known, pattern))
            if pc.any(theirs).as_py():
                self._write_table(path, rows.filter(pc.invert(theirs)))

    def remove(self) -> None:
        """Remove all files of the run."""
        if self.root.exists():
            self.root.rmdir(recursive=True)

    def _write_table(self, path: UPath, rows: pa.Table) -> None:
        with _written(path) as sink:
            pq.write_table(rows, sink, compression="zstd")

    def _read_table(self, path: UPath) -> pa.Table:
        try:
            with path.open("rb") as source:
                return pq.read_table(source)
        except (OSError, pa.ArrowInvalid) as error:
            raise StagingError(
                f"Staged file {path.name} is missing or damaged; clear the run from `open`."
            ) from error


def run_folders(account: UPath) -> list[UPath]:
    """Return the folders of an account's runs; whatever else lies there is not ours."""
    if not account.is_dir():
        return []
    return [path for path in account.iterdir() if path.name.isdecimal() and path.is_dir()]


@dataclass(frozen=True, slots=True)
class StagedPartition:
    """One partition of what was staged: the buckets that fall to it."""

    staging: Staging
    partition: int
    partitions: int

    def read(self, side: RoleName, dataset: str) -> pd.DataFrame:
        """Return the partition's rows of a dataset; an empty frame where none was staged."""
        return _together([self._own(page) for page in self.staging.pages(side, dataset)])

    def read_all(self, side: RoleName, dataset: str) -> pd.DataFrame:
        """Return the dataset's rows in all partitions: only where they are few."""
        return _together(list(self.staging.pages(side, dataset)))

    def _own(self, page: pa.Table) -> pa.Table:
        if self.partitions == 1:
            return page
        low, high = bounds(self.partition, self.partitions)
        return page.filter((pc.field("bucket") >= low) & (pc.field("bucket") < high))


def _together(pages: list[pa.Table]) -> pd.DataFrame:
    if not pages:
        return pd.DataFrame()
    return to_pandas(pa.concat_tables(pages, promote_options="default"))


def _names(rows: pa.Table, column: str, ids: Array, pattern: str) -> Array:
    """Return a mask of the rows that mention a person in a column."""
    texts = rows[column].cast(pa.string())
    named = pc.match_substring_regex(texts, pattern, ignore_case=True)
    if column in _IDS:
        named = pc.or_kleene(named, pc.is_in(texts, value_set=ids))
    return pc.fill_null(named, fill_value=False)


@contextmanager
def _written(path: UPath) -> Iterator[IO[bytes]]:
    """Open a file to write; one that cannot be written whole is removed.

    Raises:
        StagingError: It cannot be written.
    """
    try:
        _make_folder(path.parent)
        with path.open("wb") as sink:
            _keep_private(path, 0o600)
            yield sink
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        raise StagingError(_why_not_written(error)) from error


def _make_folder(folder: UPath) -> None:
    """Make a folder and those above it that are missing; a folder that is there keeps its mode."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for one in reversed(missing):
        one.mkdir(exist_ok=True)
        _keep_private(one, 0o700)


def _keep_private(path: UPath, mode: int) -> None:
    if path.protocol in ("", "file", "local"):
        Path(path.path).chmod(mode)


def _why_not_written(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk of BOTHWAYS_STAGING is full; make room, and clear the task that failed."
    reason = error.strerror or type(error).__name__
    return (
        f"Staged files cannot be written ({reason}); "
        "check the folder or bucket that BOTHWAYS_STAGING names, and clear the task that failed."
    )


def _files(folder: UPath) -> list[UPath]:
    if not folder.exists():
        return []
    return sorted((path for path in folder.rglob("*") if path.is_file()), key=str)
