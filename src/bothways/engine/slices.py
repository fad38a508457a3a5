"""Reading in slices: a long stream in many tasks, each with some of its slices.

It follows the extract of a side, since what is staged by then says which slices there are. A slice
that cannot be read fails alone. The dataset that the slices are made of is then read again from
where the run before stopped, so that the next run comes to the same slices.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from bothways.connectors.base import Connector
from bothways.engine.extract import Reading, told
from bothways.engine.progress import progress_of
from bothways.engine.run import Run
from bothways.engine.staging import StagedPartition, Staging
from bothways.engine.step import sentence_of
from bothways.errors import ConnectorError, Denied, TemporaryFailure
from bothways.store import runs, watermarks
from bothways.streams.base import Slice
from bothways.syncs.base import Dataset, KnownList, Request, implementation
from bothways.vocabulary import RoleName

log = logging.getLogger(__name__)

GROUPS: Final = 32
"""How many tasks read the slices of a side, at most."""

_GROUPS: Final = "slices"
_FAILURES: Final = "failures"


def plan_slices(run: Run, side: RoleName, connector: Connector) -> list[int]:
    """Divide among tasks what is to be read in slices; return the numbers of the groups.

    Args:
        run: The run; the side was extracted.
        side: Which side.
        connector: Of that side; it is not called.
    """
    found = [(dataset.name, part.key) for dataset, part in _slices(run, side, connector)]
    number = min(GROUPS, len(found))
    for folder in (_GROUPS, _FAILURES):
        run.staging.clear(side, folder)
    for group in range(number):
        run.staging.write_json(found[group::number], side, _GROUPS, f"{group}.json")
    if found:
        log.info("%d slices to read from %s", len(found), connector.declaration.title)
    return list(range(number))


def extract_slices(run: Run, side: RoleName, connector: Connector, group: int) -> dict[str, int]:
    """Read one group of slices; return rows by dataset. Another try goes on where it stopped.

    Raises:
        TemporaryFailure: The vendor cannot answer now.
        Denied: The vendor refuses the connection.
    """
    progress = progress_of(run.staging, side, f"slices-{group}")
    chosen = {tuple(item) for item in run.staging.read_json(side, _GROUPS, f"{group}.json") or []}
    counts: dict[str, int] = {}
    marks, failures = {}, []
    for dataset, part in _slices(run, side, connector):
        if (dataset.name, part.key) not in chosen:
            continue
        one = _alone(dataset, part)
        try:
            rows, marks[one.name] = Reading(run, side, connector, one, {}).read(progress)
        except (TemporaryFailure, Denied):
            raise
        except ConnectorError as error:
            sentence = f"{part.failure}: {sentence_of(error)}"
            failure = {"dataset": dataset.stream.sliced_by, "scope_id": part.key}
            failures.append({**failure, "sentence": sentence})
            with run.store.begin() as conn:
                runs.note(conn, run_id=run.run_id, sentence=sentence)
        else:
            counts[dataset.name] = counts.get(dataset.name, 0) + rows
    run.staging.write_json(failures, side, _FAILURES, f"{group}.json")
    progress.end(marks)
    log.info("Read from %s: %s", connector.declaration.title, told(counts))
    return counts


def failures_of(staging: Staging, side: RoleName) -> list[dict[str, str]]:
    """Return which slices could not be read.

    Each is a `dataset` that it is a slice of, the `scope_id` of what it belongs to, and a
    `sentence`.
    """
    return [item for part in staging.json_values(f"{side}/{_FAILURES}") for item in part]


def staged_slices(run: Run, side: RoleName, connector: Connector) -> Iterator[Dataset]:
    """Yield the slices that plans are made of, each as a dataset of its own."""
    for dataset, part in _slices(run, side, connector):
        if part.stream.parts:
            yield _alone(dataset, part)


def _alone(dataset: Dataset, part: Slice) -> Dataset:
    name = f"{dataset.name}/{quote(part.key, safe='')}"
    return replace(dataset, name=name, stream=part.stream)


def _slices(run: Run, side: RoleName, connector: Connector) -> Iterator[tuple[Dataset, Slice]]:
    staged: list[dict[str, Any]] = run.staging.read_json(side, "lists.json") or []
    lists = {item["key"]: KnownList(**item) for item in staged}
    request = Request(run.account, side, connector.entities, lists, run.options)
    for dataset in implementation(run.sync).datasets(request):
        if dataset.stream.sliced_by and dataset.stream.is_offered(connector):
            rows = StagedPartition(run.staging, 0, 1).read_all(side, dataset.stream.sliced_by)
            for part in dataset.stream.slices(rows, _last_read(run, side, dataset)):
                yield dataset, part


def _last_read(run: Run, side: RoleName, dataset: Dataset) -> datetime:
    """Return when the run began that last read what a dataset is sliced by, or else this one."""
    asked = {"sync_type": run.sync.name, "dataset": dataset.stream.sliced_by}
    with run.store.begin() as conn:
        known = watermarks.last_read(conn, **run.place(side), **asked)
        return known or runs.started_at(conn, run_id=run.run_id)
