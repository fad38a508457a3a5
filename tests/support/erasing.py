"""Erasing people on their request, without Airflow around it.

erasing = Erasing(world)
request = erasing.file("ann@mail.example")
assert erasing.run(request, confirm=request).status == "Completed"
"""

from __future__ import annotations

import itertools

from upath import UPath

from bothways.engine.erase import close_erasure, erase_side, open_erasure
from bothways.engine.open_run import find_run
from bothways.engine.run import Run
from bothways.engine.staging import Staging
from bothways.engine.step import step
from bothways.errors import BothwaysError
from bothways.store import erasures
from bothways.tables import SIDES
from tests.support.engine import Finished, World

_DAG = "test__erase"
_numbers = itertools.count(1)


class Erasing:
    """Carries out requests as the DAG's tasks do."""

    def __init__(self, world: World) -> None:
        self.world = world

    def file(self, person: str) -> int:
        with self.world.store.begin() as conn:
            return erasures.file_request(conn, account="test", person=person)

    def open(self, name: str, request: int | None, confirm: int | None) -> None:
        open_erasure(
            self.world.store,
            account="test",
            request=request,
            confirm=confirm,
            dag_id=_DAG,
            dag_run_id=name,
            submitted_by="tester",
            missing_connections=lambda names: [],
        )

    def side(self, name: str, side: str) -> None:
        run = self.found(name)
        with step(run, f"erase_{side}"):
            connector = self.world.connector(side)
            try:
                erase_side(run, side, connector)  # type: ignore[arg-type]
            finally:
                connector.close()

    def close(self, name: str) -> None:
        folder = UPath(self.world.folder / "staging") / "test"
        close_erasure(self.found(name), [Staging(path) for path in folder.iterdir()])

    def found(self, name: str) -> Run:
        return find_run(
            self.world.store, dag_id=_DAG, dag_run_id=name, staging_for=self.world._staging
        )

    def run(self, request: int | None, confirm: int | None = None, tries: int = 6) -> Finished:
        name = f"manual__{next(_numbers)}"
        try:
            self.open(name, request, confirm)
        except BothwaysError:
            return self.world.finished("erase", name)
        for side in SIDES:
            for _ in range(tries):
                try:
                    self.side(name, side)
                    break
                except BothwaysError:
                    continue
        self.close(name)
        return self.world.finished("erase", name)
