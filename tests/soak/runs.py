"""Sync runs that go on step by step, so that people may act in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from bothways.errors import BothwaysError
from bothways.vocabulary import SIDES
from tests.soak.kill_points import Killed, KillPoints, killed_at
from tests.support.engine import Finished, World
from tests.support.sandbox import SandboxServer

STAGES = (
    "open", "extract_crm", "extract_marketing", "plan", "review", "apply_crm", "apply_marketing",
    "close",
)  # fmt: skip
BAD_LINE = {
    "share": {"429": 0.1, "500": 0.1, "502": 0.05, "cut": 0.1},
    "after_write": 0.15,
    "rows_refused": 0.1,
    "import_faults": 0.1,
}
_WAITS = "waits"
# Longer than what was read counts as fresh.
_THOUGHT = timedelta(minutes=30)


@dataclass
class Running:
    """A run that is under way.

    Attributes:
        sync_type: What it syncs.
        name: The DAG run's.
        since: When it began, as the history counts.
        flagged: Addresses that have been flagged in the CRM ever since.
        stages: Executes a stage at each step and gives its name.
        again: What is killed or fails is tried again.
        waits: It waits for a person's answer.
        waited: It did so once.
        approved: The answer.
        troubled: The line was bad, or its process died.
    """

    sync_type: str
    name: str
    since: int
    flagged: frozenset[str]
    stages: Iterator[str] = field(init=False)
    again: bool = True
    waits: bool = False
    waited: bool = False
    approved: bool = True
    troubled: bool = False

    def tried(self, attempt: Callable[[bool], object]) -> None:
        """Run a step as Airflow would."""
        KillPoints.retrying(self.again)(attempt)


@dataclass(frozen=True)
class Ended:
    """A run that is over, with what the audit has of it; None where it was left alone."""

    run: Running
    audit: Finished | None


class Runs:
    """The runs of a history: one of each sync type at a time, as Airflow has it."""

    def __init__(self, world: World, sandbox: SandboxServer) -> None:
        self._world = world
        self._sandbox = sandbox
        self._number = 0
        self.under_way: dict[str, Running] = {}
        self.finished: list[Finished] = []

    @property
    def hasty(self) -> bool:
        """A run may have read already what somebody changes now, and write it in a moment."""
        return any(not run.waited for run in self.under_way.values())

    def look(self, flagged: frozenset[str]) -> None:
        """Note which addresses are flagged in the CRM as of now."""
        for run in self.under_way.values():
            run.flagged &= flagged

    def at_work(self) -> bool:
        """Return whether a run is in progress, or was left as if it were; one that waits is not."""
        query = "SELECT 1 FROM runs WHERE status = 'In Progress' LIMIT 1"
        return bool(self._world.query(query))

    def begin(
        self, sync_type: str, since: int, flagged: frozenset[str], **options: object
    ) -> Running:
        """Make a run that has done nothing yet."""
        self._number += 1
        run = Running(sync_type, f"run__{self._number}", since, flagged)
        run.stages = self._stages(run, options)
        self.under_way[sync_type] = run
        return run

    def go(
        self,
        run: Running,
        until: str = "close",
        *,
        faults: int | None = None,
        kill_point: int | None = None,
        then: str = "again",
    ) -> Ended | None:
        """Let a run go on until a stage is done, or it waits for an answer; return it if it ended.

        Args:
            run: Which.
            until: One of `STAGES`.
            faults: The line is bad meanwhile; the number chooses where.
            kill_point: The run is killed there (see `killed_at`), unless it ends before.
            then: What is done after that: the dead step is run "again", the run is "closed" as it
                is, or it is "left" and nobody looks at it any more.
        """
        run.again = then == "again"
        run.troubled |= faults is not None or kill_point is not None
        if faults is not None:
            self._sandbox.faults({"*": {**BAD_LINE, "seed": faults}})
        try:
            over = self._advance(run, until, kill_point, then)
        finally:
            if faults is not None:
                self._sandbox.faults()
        if not over:
            return None
        del self.under_way[run.sync_type]
        audit = self._world.finished(run.sync_type, run.name) if self._opened(run) else None
        if audit:
            self.finished.append(audit)
        return Ended(run, audit)

    def _advance(self, run: Running, until: str, kill_point: int | None, then: str) -> bool:
        """Execute stages; return whether the run is over."""
        try:
            with killed_at(kill_point):
                for stage in run.stages:
                    if stage == _WAITS or STAGES.index(stage) >= STAGES.index(until):
                        return stage == "close"
        except Killed:
            if then == "left" or not self._opened(run):
                return True
        except BothwaysError:
            pass
        if self._opened(run):
            self._world.close_run(run.sync_type, run.name)
        return True

    def _stages(self, running: Running, options: dict[str, object]) -> Iterator[str]:
        world = self._world
        parts = world.open(running.sync_type, running.name, **options)
        run = world.found(running.sync_type, running.name)
        yield "open"
        for side in SIDES:
            running.tried(lambda _last, side=side: world.extract(run, side))
            yield f"extract_{side}"
        for part in range(parts):
            running.tried(lambda _last, part=part: world.plan(run, part))
        yield "plan"
        chunks: list[int] = []
        running.tried(lambda _last: chunks.extend(world.review(run)))
        if self._status(running) == "Awaiting Approval":
            running.waits = running.waited = True
            yield _WAITS
            running.waits = False
            world.age(run, _THOUGHT)
            chunks = world.answer(run, approved=running.approved)
        yield "review"
        for side in SIDES:
            for chunk in chunks:
                running.tried(
                    lambda last, side=side, chunk=chunk: world.apply(run, side, chunk, last=last)
                )
                yield f"apply_{side}"
            yield f"apply_{side}"
        world.close_run(running.sync_type, running.name)
        yield "close"

    def _status(self, run: Running) -> str | None:
        rows = self._world.query(
            "SELECT status FROM runs WHERE dag_id = :dag AND dag_run_id = :run",
            dag=f"test__{run.sync_type}",
            run=run.name,
        )
        return str(rows[0]["status"]) if rows else None

    def _opened(self, run: Running) -> bool:
        return self._status(run) is not None
