"""The second step: page through one side into staging, and remember what was seen.

Each page is staged as Parquet and merged into the store's last seen state, so that a plan may ask
the store for anybody whom an incremental read did not bring. Pages that wait for the store are
taken in as one, where the stream allows it.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final

import pandas as pd
import pyarrow as pa
from sqlalchemy import Connection

from bothways.connectors.base import Connector, Page
from bothways.engine import lists, undo
from bothways.engine.ahead import fetched_ahead
from bothways.engine.identity import check_identity
from bothways.engine.progress import Mark, Point, Progress, progress_of
from bothways.engine.run import Run
from bothways.engine.step import sentence_of
from bothways.errors import (
    ConnectorError,
    NotPrepared,
    RunStopped,
    TemporaryFailure,
    WatermarkExpired,
)
from bothways.store import runs, selections, watermarks
from bothways.streams.base import Sighting
from bothways.syncs.base import Dataset, KnownList, Request, implementation
from bothways.tables.frames import to_pandas
from bothways.vocabulary import RoleName

log = logging.getLogger(__name__)

READ: Final = "read.json"
_STEP: Final = "whole"
_DOUBTFUL: Final = "_doubtful"


def extract(run: Run, side: RoleName, connector: Connector) -> dict[str, int]:
    """Read what the sync type asks for on one side; return rows by dataset.

    Datasets that are read in slices are left to `engine.slices`. A list that cannot be read, or is
    deleted meanwhile, fails alone. Any other failure ends the step; another try goes on from where
    it stopped.

    Raises:
        ConnectorError: The vendor refused or failed.
        RunStopped: The connection reaches another account of the vendor than earlier runs.
    """
    progress = progress_of(run.staging, side, _STEP)
    if not progress.points:
        run.staging.clear(side)
    check_identity(run, side, connector)
    known = lists.resolve(run, side, connector)
    request = Request(run.account, side, connector.entities, dict(known), run.options)
    counts, marks = {}, {}
    members_left = False
    for dataset in implementation(run.sync).datasets(request):
        if dataset.stream.sliced_by:
            continue
        reading = Reading(run, side, connector, dataset, request.lists)
        try:
            counts[dataset.name], marks[dataset.name] = reading.read(progress)
        except TemporaryFailure:
            raise
        except ConnectorError as error:
            if not dataset.list_key:
                raise
            with run.store.begin() as conn:
                lists.refuse(conn, run, dataset.list_key, sentence_of(error))
            del known[dataset.list_key]
        members_left |= reading.left
    if members_left:
        _refuse_vanished(run, side, connector, known, marks)
    run.staging.write_json([asdict(item) for item in known.values()], side, "lists.json")
    reached = {name: mark["value"] for name, mark in marks.items() if mark["value"] is not None}
    run.staging.write_json(last_read(progress.begun, reached), side, READ)
    progress.end(marks)
    log.info("Read from %s: %s", connector.declaration.title, told(counts))
    return counts


def told(counts: Mapping[str, int]) -> str:
    """Return numbers of rows by dataset, for a log."""
    return ", ".join(f"{number} {name}" for name, number in counts.items()) or "nothing"


def last_read(at: datetime, reached: Mapping[str, str]) -> dict[str, Any]:
    """Return the contents of `read.json`: when a read began, and how far each dataset got."""
    return {"at": at.isoformat(), "reached": dict(reached)}


def _refuse_vanished(
    run: Run,
    side: RoleName,
    connector: Connector,
    known: dict[str, KnownList],
    marks: Mapping[str, Mark],
) -> None:
    """Refuse lists that were deleted while they were read: their members did not leave them.

    Their watermarks are dropped, so that a list that comes back is read in full: by what has been
    read now, it is empty.
    """
    for item in lists.vanished(connector, list(known.values())):
        with run.store.begin() as conn:
            gone = lists.absent(side, f"`{item.name}` was deleted while it was read.")
            lists.refuse(conn, run, item.key, gone)
            for dataset, mark in marks.items():
                if item.key in mark["lists"]:
                    watermarks.forget(
                        conn, **run.place(side), sync_type=run.sync.name, dataset=dataset
                    )
        del known[item.key]


@dataclass(slots=True)
class Reading:
    """One dataset on its way from the vendor into staging and store.

    Attributes:
        number: How many pages have been kept; what was taken in as one counts as one.
        left: Whether anybody has turned out to have left a list.
    """

    run: Run
    side: RoleName
    connector: Connector
    dataset: Dataset
    lists: Mapping[str, KnownList]
    number: int = 0
    left: bool = False

    def read(self, progress: Progress) -> tuple[int, Mark]:
        """Return the number of rows, and how far the dataset has been read.

        Args:
            progress: Where an earlier try stopped, and where this one says how far it is.
        """
        stopped = progress.points.get(self.dataset.name)
        if stopped is not None and stopped.mark is not None:
            self.left = stopped.left
            return stopped.rows, stopped.mark
        try:
            reached = self._all_pages(stopped or Point(self.since()), progress)
        except NotPrepared as error:
            if not self.run.options.dry_run:
                raise
            self._note(f"{error.vendor}: {error.message}. The dry run treats it as empty.")
            return 0, self._mark(None, 0, whole=False)
        if reached.since is None:
            with self.run.store.begin() as conn:
                self.left |= self.dataset.stream.sweep(self._sighting(conn))
        rows = reached.rows + self._named() + self._look_up()
        # Where each read returns everything, it says nothing of a full read of the system.
        whole = reached.since is None and not self.dataset.stream.always_whole
        mark = self._mark(reached.watermark, rows, whole=whole)
        done = replace(reached, rows=rows, left=self.left, mark=mark)
        progress.keep(self.dataset.name, done)
        return rows, mark

    def _mark(self, watermark: str | None, rows: int, *, whole: bool) -> Mark:
        """Return how far the dataset has been read."""
        return {
            "value": watermark,
            "fingerprint": self._fingerprint(),
            "lists": self._list_keys(),
            "whole": whole,
            "stream": self.dataset.stream.name,
            "rows": rows,
        }

    def _all_pages(self, start: Point, progress: Progress) -> Point:
        """Read from a point; read everything where the vendor cannot tell what has changed."""
        try:
            reached = self._pages(start, progress)
        except WatermarkExpired as error:
            if start.cursor is not None:  # it may be forgotten sooner than the watermark
                return self._all_pages(Point(start.since, left=self.left), progress)
            self._note(
                f"{error.vendor} no longer knows how far {self.dataset.name} was read; "
                "everything was re-read."
            )
            return self._pages(Point(None, left=self.left), progress)
        if reached.since is not None and (reason := self._reads_whole_for()):
            title = self.connector.declaration.title
            self._note(f"{title}: {self.dataset.name} read in full, since {reason}.")
            return self._pages(Point(None, left=self.left), progress)
        return reached

    def since(self) -> str | None:
        """Return the watermark of the last read; None if the dataset is to be read in full."""
        if self.dataset.stream.always_whole:
            return None
        sync_type, name = self.dataset.changes_of or (self.run.sync.name, self.dataset.name)
        if self.run.options.full_resync and not self.dataset.changes_of:
            return None
        place, asked = self.run.place(self.side), {"sync_type": sync_type, "dataset": name}
        every = None if self.run.options.restricted else self.dataset.whole_every
        with self.run.store.begin() as conn:
            since = watermarks.read(conn, **place, **asked, fingerprint=self._fingerprint())
            if since is None or every is None:
                return since
            if not watermarks.whole_read_due(conn, **place, **asked, every=every):
                return since
        self._note(
            f"{self.connector.declaration.title}: {name} read in full, as every {every.days} days, "
            "in case one was reported late."
        )
        return None

    def absorb_changes(self, since: str) -> str:
        """Put the changes since then into the store, staging nothing; return the new watermark."""
        stream, reached = self.dataset.stream, since
        with self._ahead(stream.pages(self.connector, since)) as pages:
            for page in pages:
                with self.run.store.begin() as conn:
                    stream.absorb(self._sighting(conn), page)
                reached = page.watermark or reached
        return reached

    @contextmanager
    def _ahead(self, pages: Iterator[Page]) -> Iterator[Iterator[Page]]:
        """Give pages that are keyed, and fetched ahead."""
        together = self.dataset.stream.together
        with fetched_ahead(pages, lambda page: page.rows.num_rows) as bunches:
            yield (page for bunch in bunches for page in together(bunch))

    def _pages(self, start: Point, progress: Progress) -> Point:
        """Keep all pages from a point on, and say after each how far this is."""
        for part in (*self.dataset.stream.parts, _DOUBTFUL):
            self.run.staging.drop_pages(self.side, self.dataset.name + part, after=start.pages)
        self.number, self.left = start.pages, start.left
        reached = start
        found = self.dataset.stream.pages(self.connector, start.since, start.cursor)
        with self._ahead(found) as pages:
            for page in pages:
                rows = reached.rows + self._keep(page, whole=start.since is None)
                reached = Point(
                    start.since,
                    cursor=page.cursor,
                    watermark=page.watermark or reached.watermark,
                    pages=self.number,
                    rows=rows,
                    left=self.left,
                )
                if page.cursor is not None:
                    progress.keep(self.dataset.name, reached)
        return reached

    def _keep(self, page: Page, *, whole: bool = False) -> int:
        stream = self.dataset.stream
        self.number += 1
        with self.run.store.begin() as conn:
            seen = self._sighting(conn)
            for part, rows in stream.staged(seen, page, whole=whole).items():
                self._stage(part, rows)
            found = stream.absorb(seen, page)
            if len(found.doubtful):
                rows = pa.Table.from_pandas(found.doubtful, preserve_index=False)
                self._stage(_DOUBTFUL, rows)
        self.left |= found.left
        return page.rows.num_rows

    def _stage(self, part: str, rows: pa.Table) -> None:
        self.run.staging.write_page(self.side, self.dataset.name + part, self.number, rows)

    def _doubtful(self) -> pd.DataFrame:
        """Return the records that have to be looked up once the read is over."""
        pages = list(self.run.staging.pages(self.side, self.dataset.name + _DOUBTFUL))
        return to_pandas(pa.concat_tables(pages)) if pages else pd.DataFrame()

    def _reads_whole_for(self) -> str:
        doubtful = self._doubtful()
        return self.dataset.stream.reads_whole_for(doubtful) if len(doubtful) else ""

    def _named(self) -> int:
        """Read the records that the person at the trigger form named, or that are to be undone."""
        if selections.unresolved(self.run.options.records):
            raise RunStopped(selections.LOST)
        if self.dataset.changes_of:
            return 0
        stream = self.dataset.stream
        pages = stream.named(self.connector, self._chosen)
        return sum(self._keep(stream.keyed(page)) for page in pages)

    def _chosen(self, entity: str) -> Sequence[str]:
        if self.run.options.undo_run:
            return undo.people_of(self.run, self.side, entity)
        return self.run.options.records

    def _look_up(self) -> int:
        """Look up the doubtful records; return the number of rows."""
        stream, doubtful = self.dataset.stream, self._doubtful()
        if doubtful.empty:
            return 0
        with self.run.store.begin() as conn:
            left = stream.unresolved(self._sighting(conn), doubtful)
        pages = stream.look_up(self.connector, left)
        return sum(self._keep(stream.keyed(page)) for page in pages)

    def _sighting(self, conn: Connection) -> Sighting:
        return Sighting(conn, self.run.place(self.side), self.run.run_id)

    def _list_keys(self) -> list[str]:
        named = self.dataset.stream.lists
        return [key for key, item in self.lists.items() if item.id in named]

    def _fingerprint(self) -> str:
        stream = self.dataset.stream
        query = json.dumps([stream.name, stream.query(), self.dataset.rules], sort_keys=True)
        return hashlib.sha256(query.encode()).hexdigest()[:16]

    def _note(self, sentence: str) -> None:
        with self.run.store.begin() as conn:
            runs.note(conn, run_id=self.run.run_id, sentence=sentence)
