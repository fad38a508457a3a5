"""Erasing people on their request, without Airflow around it.

erasing = Erasing(world)
request = erasing.file("ann@mail.example")
assert erasing.run(request, confirm=request).status == "Completed"
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

from upath import UPath

from bothways.engine.erase import (
    close_erasure,
    erase_records,
    find_records,
    open_erasure,
    review_erasure,
)
from bothways.engine.open_run import find_run
from bothways.engine.run import Run
from bothways.engine.staging import Staging, run_folders
from bothways.engine.step import step
from bothways.errors import BothwaysError
from bothways.store import erasures
from bothways.vocabulary import SIDES
from tests.support.engine import Finished, World

_numbers = itertools.count(1)


class Erasing:
    """Carries out requests as the DAG's tasks do."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._dag = f"{world.name}__erase"

    def file(self, person: str) -> str:
        with self.world.store.begin() as conn:
            return erasures.file_request(conn, account=self.world.name, person=person)

    def open(
        self, name: str, request: str | None, confirm: str | None, *, dry_run: bool = False
    ) -> None:
        open_erasure(
            self.world.store,
            account=self.world.name,
            request=request,
            confirm=confirm,
            dry_run=dry_run,
            dag_id=self._dag,
            dag_run_id=name,
            submitted_by="tester",
            missing_connections=lambda names: [],
        )

    def find(self, name: str, side: str) -> None:
        self._with_connector(name, side, "find", find_records)

    def side(self, name: str, side: str) -> None:
        self._with_connector(name, side, "erase", erase_records)

    def review(self, name: str, *, approve: bool | None = None) -> list[int]:
        run = self.found(name)
        with step(run, "review"):
            verdict = review_erasure(run)
        if verdict.ask and approve is not None:
            return self.world.answer(run, approved=approve)
        return verdict.chunks

    def close(self, name: str) -> None:
        folder = UPath(self.world.folder / "staging") / self.world.name
        close_erasure(self.found(name), [Staging(path) for path in run_folders(folder)])

    def found(self, name: str) -> Run:
        return find_run(
            self.world.store, dag_id=self._dag, dag_run_id=name, staging_for=self.world._staging
        )

    def run(
        self,
        request: str | None,
        confirm: str | None = None,
        tries: int = 6,
        *,
        dry_run: bool = False,
        approve: bool | None = None,
    ) -> Finished:
        name = f"manual__{next(_numbers)}"
        try:
            self.open(name, request, confirm, dry_run=dry_run)
        except BothwaysError:
            self.close(name)  # as Airflow does after the last try
            return self.world.finished("erase", name)
        for side in SIDES:
            self._tried(tries, lambda side=side: self.find(name, side))
        for _ in self.review(name, approve=approve):
            for side in SIDES:
                self._tried(tries, lambda side=side: self.side(name, side))
        self.close(name)
        return self.world.finished("erase", name)

    def _with_connector(self, name: str, side: str, verb: str, act: Callable[..., object]) -> None:
        run = self.found(name)
        with step(run, f"{verb}_{side}"):
            connector = self.world.connector(side)
            try:
                act(run, side, connector)
            finally:
                connector.close()

    def _tried(self, tries: int, attempt: Callable[[], None]) -> None:
        for _ in range(tries):
            try:
                attempt()
            except BothwaysError:
                continue
            return
