"""What a campaign with many recipients costs: seconds, memory, calls and CRM writes.

    python -m benchmarks.campaigns [--sends 100000 1000000] [--contacts 20000]

One campaign is sent to as many people as asked, of whom the CRM has some; what they did is read for
the first time, and again on the next day, after some more clicks. Each step runs in a process of
its own, as an Airflow task does. Beside what was called and written stands the least: what page and
batch sizes allow, and one row for each event of somebody whom the CRM has.
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
from benchmarks.vendors import LIST, fill
from tests.support.engine import World
from tests.support.postgres import TestPostgres
from tests.support.sandbox import SandboxServer

SYNC = "campaigns"
VENDOR = {"crm": "dynamics", "marketing": "dotdigital"}
PAGE = 1_000
BATCH = 1_000
LATE_CLICKS = 200
AIM_MIB = 1024


@dataclass
class Cost:
    """What a run took."""

    seconds: dict[str, float] = field(default_factory=dict)
    mib: dict[str, float] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=lambda: dict.fromkeys(VENDOR, 0))
    written: int = 0


class Bench:
    """A campaign, a CRM that knows some of its recipients, and the runs over them."""

    def __init__(self, world: World, steps: Steps) -> None:
        self.world = world
        self._steps = steps
        self._runs = 0

    def fill(self, contacts: int, sends: int) -> None:
        """Make people at both vendors, and send the campaign to these and to others."""
        fill(self.world, contacts)
        self.world.sandbox.act("dotdigital", "send_in_bulk", name="Sale", sends=sends)

    def click(self) -> None:
        """Let some recipients click, the next morning; the store takes no event from tomorrow."""
        sandbox = self.world.sandbox
        sandbox.advance(12 * 3_600)
        known = [row["email"] for row in sandbox.table("dotdigital", "contacts")[:LATE_CLICKS]]
        for email in known:
            sandbox.act("dotdigital", "click", campaign="Sale", email=email)

    def run(self) -> Cost:
        """Execute a run from open to close."""
        self.world.sandbox.advance(3_600)
        self.world.sandbox.calls(forget=True)
        self._runs += 1
        cost = Cost()
        partitions = self._step(cost, "open")
        for step in ("extract_crm", "extract_marketing"):
            self._step(cost, step)
        for partition in range(partitions):
            self._step(cost, "plan", partition)
        for chunk in self._step(cost, "review")["chunks"] or []:
            self._step(cost, "apply_crm", chunk)
        status, message = self._step(cost, "close")
        if status != "Completed":
            raise RuntimeError(f"The run ended {status}: {message}")
        return cost

    def _step(self, cost: Cost, step: str, number: int = 0) -> Any:
        told = self._steps.take(self.world, SYNC, step, f"bench__{self._runs}", number)
        cost.seconds[step] = cost.seconds.get(step, 0.0) + told["seconds"]
        cost.mib[step] = max(cost.mib.get(step, 0.0), told["mib"])
        calls = self.world.sandbox.calls(forget=True)
        for side, vendor in VENDOR.items():
            cost.calls[side] += sum(n for name, n in calls[vendor].items() if name != "POST token")
        cost.written += sum(calls["rows_written"].values())
        return told["gave"]

    def events(self) -> tuple[dict[str, int], int]:
        """Return how many events the last run read, by kind, and how many of the CRM's people."""
        last = "run_id = (SELECT max(run_id) FROM runs)"
        rows = self.world.query(
            f"SELECT kind, count(*) AS number FROM events WHERE {last} GROUP BY kind"
        )
        known = "r.account = e.account AND r.email_key = e.email_key AND r.side = 'crm'"
        ours = self.world.query(
            f"SELECT count(*) AS number FROM events e WHERE e.{last}"
            f" AND EXISTS (SELECT FROM records r WHERE {known})"
        )
        return {row["kind"]: row["number"] for row in rows}, ours[0]["number"]


def show(name: str, bench: Bench, cost: Cost) -> None:
    """Print one run beside the least that it could have taken."""
    events, ours = bench.events()
    reads = 2 + sum(max(1, ceil(number / PAGE)) for number in events.values())
    least = {"marketing": reads, "crm": ceil((ours + 1) / BATCH)}
    calls = ", ".join(
        f"{vendor} {cost.calls[side]:,} calls, least {least[side]:,}"
        for side, vendor in VENDOR.items()
    )
    read = "  ".join(f"{kind} {number:,}" for kind, number in sorted(events.items()))
    seconds = "  ".join(f"{step} {spent:.1f}" for step, spent in cost.seconds.items())
    peaks = "  ".join(f"{step} {peak:.0f}" for step, peak in cost.mib.items())
    sys.stdout.write(
        f"  {name:11} {sum(cost.seconds.values()):.1f} s; {read}\n"
        f"              {calls}\n"
        f"              {cost.written:,} rows written to the CRM, least {ours + 1:,}\n"
        f"              seconds   {seconds}\n"
        f"              peak MiB  {peaks}\n"
    )
    if max(cost.mib.values()) > AIM_MIB:
        sys.stdout.write(f"  aim missed: {name}: a task held more than {AIM_MIB} MiB\n")
    sys.stdout.flush()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sends", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--contacts", type=int, default=20_000)
    options = parser.parse_args()
    postgres = TestPostgres().start()
    try:
        for sends in options.sends:
            sys.stdout.write(f"\n{sends:,} sends, {options.contacts:,} people on both sides\n")
            with (
                tempfile.TemporaryDirectory(prefix="bothways-bench-") as folder,
                SandboxServer() as sandbox,
                postgres.fresh_database() as store_url,
                Steps() as steps,
            ):
                sandbox.reset(people=0)
                lists = {"newsletter": {"crm": LIST, "marketing": LIST}}
                syncs = {SYNC: {"level": "detailed"}}
                world = World(sandbox, store_url, Path(folder), lists=lists, syncs=syncs)
                bench = Bench(world, steps)
                bench.fill(options.contacts, sends)
                show("first read", bench, bench.run())
                bench.click()
                show("next day", bench, bench.run())
                world.close()
    finally:
        postgres.stop()


if __name__ == "__main__":
    main()
