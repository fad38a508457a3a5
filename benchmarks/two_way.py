"""What a two-way sync costs: API calls beside the least there can be, seconds, peak memory.

    python -m benchmarks.two_way [--sizes 1000 10000 100000]

One list with people on both sides, one tenth of them on either side only, is synced for the first
time, again, after 100 edits on each side, and once more. The vendors are the sandbox, the store is
an embedded PostgreSQL, and each step runs in a process of its own, as an Airflow task does.

The least number of calls is what the vendors' page and batch sizes allow (`LEAST` prints how):
what was told and written divided by these sizes, and nothing for finding one's way. Signing in is
counted apart: each process does it once, at another host.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

from benchmarks.step import Steps
from benchmarks.vendors import edit, fill
from tests.support.engine import World
from tests.support.postgres import TestPostgres
from tests.support.sandbox import SandboxServer

VENDOR = {"crm": "dynamics", "marketing": "dotdigital"}
PAGE = 5_000
BULK = 1_000
IMPORT = 100_000
EDITS = 100
AIM_FIRST = 1.1
AIM_IDLE = 8
AIM_MIB = 1024

LEAST = f"""\
The least number of calls, of each side:
  Dynamics    the lists, once per run; pages of {PAGE:,} contacts and {PAGE:,} members read, at
              least one each; creates, updates and joins in messages of {BULK:,}, leaves in batches
              of {BULK:,}; pages of {PAGE:,} to get the ids of created records, which bulk
              messages do not return
  Dotdigital  the lists, once per run; pages of {PAGE:,} contacts read, at least one (a full read
              covers everybody, whatever their lists); people written in imports of 50 MB (about
              {IMPORT:,} people), each polled once; leaves in calls of {BULK:,}, each polled once
"""


@dataclass
class Cost:
    """What a run did and what it took."""

    calls: dict[str, int] = field(default_factory=lambda: dict.fromkeys(VENDOR, 0))
    sign_ins: int = 0
    endpoints: dict[str, int] = field(default_factory=dict)
    told: dict[str, dict[str, int]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    mib: dict[str, float] = field(default_factory=dict)
    written: int = 0


class Bench:
    """One size: a filled sandbox, a store, and the runs over them."""

    def __init__(self, world: World, steps: Steps, people: int) -> None:
        self.world = world
        self._steps = steps
        self.people = people
        self._runs = 0
        fill(self.world, people)

    def run(self) -> tuple[Cost, dict[str, int]]:
        """Execute a run from open to close; return what it cost and the least calls by side."""
        # A day's work lies behind: nothing was changed just now, and call windows are open.
        self.world.sandbox.advance(3_600)
        self.world.sandbox.calls(forget=True)
        self._runs += 1
        cost = Cost()
        partitions = self._step(cost, "open")
        for side in VENDOR:
            cost.told[side] = self._step(cost, f"extract_{side}")
        for partition in range(partitions):
            self._step(cost, "plan", partition)
        chunks = self._step(cost, "review")["chunks"] or []
        for side in VENDOR:
            for chunk in chunks:
                self._step(cost, f"apply_{side}", chunk)
        status, message = self._step(cost, "close")
        if status != "Completed":
            raise RuntimeError(f"The run ended {status}: {message}")
        return cost, least(cost.told, self._operations())

    def _step(self, cost: Cost, step: str, number: int = 0) -> Any:
        world = self.world
        told = self._steps.take(world, "marketing_lists", step, f"manual__{self._runs}", number)
        cost.seconds[step] = cost.seconds.get(step, 0.0) + told["seconds"]
        cost.mib[step] = max(cost.mib.get(step, 0.0), told["mib"])
        calls = world.sandbox.calls(forget=True)
        for side, vendor in VENDOR.items():
            for endpoint, times in calls[vendor].items():
                if endpoint == "POST token":
                    cost.sign_ins += times
                    continue
                cost.calls[side] += times
                name = f"{step}: {endpoint}"
                cost.endpoints[name] = cost.endpoints.get(name, 0) + times
        cost.written += sum(calls["rows_written"].values())
        return told["gave"]

    def _operations(self) -> dict[tuple[str, str], int]:
        """Return how many people the last run wrote, by side and kind."""
        rows = self.world.query(
            "SELECT target, kind, count(DISTINCT coalesce(record_id, key)) AS people FROM jobs"
            " WHERE kind IS NOT NULL AND run_id = (SELECT max(run_id) FROM runs)"
            " GROUP BY target, kind"
        )
        return {(row["target"], row["kind"]): row["people"] for row in rows}


def least(
    told: dict[str, dict[str, int]], operations: dict[tuple[str, str], int]
) -> dict[str, int]:
    """Return the least number of calls by side; `LEAST` says why."""

    def calls(side: str, kind: str, size: int) -> int:
        return ceil(operations.get((side, kind), 0) / size)

    reads = {
        side: sum(max(1, ceil(rows / PAGE)) for rows in datasets.values()) + 1
        for side, datasets in told.items()
    }
    people = max(operations.get(("marketing", kind), 0) for kind in ("create", "join"))
    people += operations.get(("marketing", "update"), 0)
    bulk = sum(calls("crm", kind, BULK) for kind in ("create", "update", "join", "leave"))
    return {
        "crm": reads["crm"] + bulk + calls("crm", "create", PAGE),
        "marketing": reads["marketing"]
        + 2 * ceil(people / IMPORT)
        + 2 * calls("marketing", "leave", BULK),
    }


def show(name: str, people: int, cost: Cost, fewest: dict[str, int]) -> None:
    """Print one run."""
    for side, vendor in VENDOR.items():
        ratio = cost.calls[side] / fewest[side]
        sys.stdout.write(
            f"  {name:34}{vendor:11}{cost.calls[side]:6,} calls, least {fewest[side]:6,}"
            f"  ({ratio:.2f} times)\n"
        )
    total, minimum = sum(cost.calls.values()), sum(fewest.values())
    seconds = {step: round(spent, 1) for step, spent in cost.seconds.items()}
    sys.stdout.write(
        f"  {'':34}{'both':11}{total:6,} calls, least {minimum:6,}  ({total / minimum:.2f} times),"
        f" {cost.sign_ins} sign-ins, {cost.written:,} rows written\n"
        f"  {'':34}{'seconds':11}{' '.join(f'{step} {spent}' for step, spent in seconds.items())}\n"
    )
    if name == "first sync":
        peaks = " ".join(f"{step} {peak:.0f}" for step, peak in cost.mib.items())
        sys.stdout.write(f"  {'':34}{'peak MiB':11}{peaks}\n")
        plan = cost.seconds["plan"]
        sys.stdout.write(f"  {'':34}{'plan':11}{people / plan:,.0f} people/s with the store\n")


def judge(name: str, people: int, cost: Cost, fewest: dict[str, int]) -> None:
    """Return the aims that are missed."""
    total, minimum = sum(cost.calls.values()), sum(fewest.values())
    missed = []
    if name == "first sync" and total > AIM_FIRST * minimum:
        missed.append(f"{total} calls are {total / minimum:.2f} times the least, not {AIM_FIRST}")
    if name == "nothing to do" and (total > AIM_IDLE or cost.written):
        missed.append(f"{total} calls and {cost.written} rows written, not {AIM_IDLE} and none")
    missed += [
        f"{step} held {peak:.0f} MiB, not {AIM_MIB}"
        for step, peak in cost.mib.items()
        if peak > AIM_MIB
    ]
    for sentence in missed:
        sys.stdout.write(f"  aim missed: {name}, {people:,} people: {sentence}\n")


def measure(bench: Bench, *, details: bool) -> None:
    """Run one size's four syncs."""
    for name in (
        "first sync",
        "its own writes come back",
        "100 edits on each side",
        "nothing to do",
    ):
        if name.startswith("100"):
            edit(bench.world, bench.people, EDITS)
        cost, fewest = bench.run()
        show(name, bench.people, cost, fewest)
        judge(name, bench.people, cost, fewest)
        for endpoint, times in sorted(cost.endpoints.items()) if details else ():
            sys.stdout.write(f"      {times:6,} {endpoint}\n")
        sys.stdout.flush()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--details", action="store_true", help="print calls by step and endpoint")
    options = parser.parse_args()
    sys.stdout.write(LEAST)
    postgres = TestPostgres().start()
    try:
        for people in options.sizes:
            sys.stdout.write(f"\n{people:,} people\n")
            with (
                tempfile.TemporaryDirectory(prefix="bothways-bench-") as folder,
                SandboxServer() as sandbox,
                postgres.fresh_database() as store_url,
                Steps() as steps,
            ):
                sandbox.reset(people=0)
                world = World(sandbox, store_url, Path(folder))
                measure(Bench(world, steps, people), details=options.details)
                world.close()
    finally:
        postgres.stop()


if __name__ == "__main__":
    main()
