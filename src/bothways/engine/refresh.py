"""Read what has changed at the vendors before a plan that has waited is applied.

The changes go into the store, where `recheck` finds them. Nothing is staged and no watermark moves:
the next run reads the same changes again, and acts on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Final

from bothways.connectors.base import Connector
from bothways.discovery import sync_types_that_read_consent
from bothways.engine.extract import READ, Reading, last_read
from bothways.engine.progress import marks_of
from bothways.engine.run import Run
from bothways.engine.slices import staged_slices
from bothways.errors import RunStopped, WatermarkExpired
from bothways.store.db import advisory_lock
from bothways.syncs.base import Dataset, KnownList, Request, implementation
from bothways.vocabulary import RoleName

FRESH_FOR: Final = timedelta(minutes=5)
"""How old the last read of a side may be when a plan is applied, by our own clock."""

OpenConnector = Callable[[RoleName], AbstractContextManager[Connector]]


def refresh(run: Run, open_system: OpenConnector) -> None:
    """Read the changes of each side that was last read more than `FRESH_FOR` ago.

    The first of several tasks reads; the others wait for it.

    Args:
        run: The run; all that it reads was extracted.
        open_system: Opens the connector of the system in a role.

    Raises:
        RunStopped: A vendor no longer knows what has changed since the last read.
        ConnectorError: A vendor refused or failed.
    """
    for side in run.sync.read_roles:
        with run.store.begin() as conn:
            advisory_lock(conn, "refresh", run.run_id, side)
            last = run.staging.read_json(side, READ)
            now = datetime.now(UTC)
            if now - datetime.fromisoformat(last["at"]) > FRESH_FOR:
                with open_system(side) as connector:
                    reached = _changes(run, side, connector, last["reached"])
                run.staging.write_json(last_read(now, reached), side, READ)


def _changes(
    run: Run, side: RoleName, connector: Connector, reached: dict[str, str]
) -> dict[str, str]:
    """Put the changes since then into the store; return how far each dataset has now been read."""
    found = dict(reached)
    staged = run.staging.read_json(side, "lists.json") or []
    lists = {item["key"]: KnownList(**item) for item in staged}
    request = Request(run.account, side, connector.entities, lists, run.options)
    marks = marks_of(run.staging, side)
    slices = list(staged_slices(run, side, connector))
    found = {one.name: marks[one.name]["value"] for one in slices if one.name in marks} | found
    for dataset in chain(_datasets(run, request), slices):
        reading = Reading(run, side, connector, dataset, lists)
        since = found.get(dataset.name) or (reading.since() if dataset.changes_of else None)
        if since is None:
            continue
        try:
            found[dataset.name] = reading.absorb_changes(since)
        except WatermarkExpired as error:
            raise RunStopped(
                f"The plan has waited so long that {error.vendor} no longer knows what has changed "
                "since; trigger a new run."
            ) from error
    return found


def _datasets(run: Run, request: Request) -> Iterator[Dataset]:
    """Yield the datasets of the sync itself, and the suppressions if it does not read them."""
    for dataset in implementation(run.sync).datasets(request):
        if not dataset.changes_of:
            yield dataset
    if run.sync.reads_consent:
        return
    for sync in sync_types_that_read_consent():
        if request.side not in sync.read_roles:
            continue
        for dataset in implementation(sync).datasets(request):
            if dataset.stream.tells_consent:
                yield replace(dataset, changes_of=(sync.name, dataset.name))
