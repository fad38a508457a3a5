"""What it costs to fill an audience and to read it, beside bare scripts and the least calls.

    python -m benchmarks.audience [--people 100000]

The CRM's list is pushed to an empty audience of Mailchimp, which answers after 200 ms; the bare
script sends as many people to another one, 500 to a call over ten connections, and keeps nothing.
Then the run is repeated, both audiences are read whole, beside their bare pages, as the vendor
answers and as the sandbox does without the 200 ms, and people are pushed of whom the vendor refuses
each. Each step runs in a process of its own, as an Airflow task does, and as many applies side by
side as the pool of an account allows.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import product
from math import ceil
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.step import Steps
from benchmarks.vendors import CITIES, LIST, address, fill_crm
from bothways.config.account import SystemConfig
from tests.support.engine import World
from tests.support.platforms import Mailchimp
from tests.support.postgres import TestPostgres
from tests.support.sandbox import MAILCHIMP_KEY, SandboxServer

SYNC = "marketing_lists"
OTHER = "Product updates"
CONNECTIONS = 10
BULK = 500
PAGE = 1_000
LATENCY_MS = 200
REFUSED = 500
AIM_PUSH = 2.0
AIM_READ = 1.5
# What the engine reads of members, so that both ask for the same.
_READ = "contact_id,id,email_address,status,last_changed,merge_fields"


@dataclass
class Cost:
    """What a run took: seconds by step, calls to the platform by step and endpoint."""

    seconds: dict[str, float] = field(default_factory=dict)
    calls: dict[str, dict[str, int]] = field(default_factory=dict)
    written: int = 0
    status: str = ""

    @property
    def whole(self) -> float:
        """Seconds of all steps."""
        return sum(self.seconds.values())


class Bench:
    """A CRM, an audience and the runs between them."""

    def __init__(self, world: World, workers: Sequence[Steps]) -> None:
        self.world = world
        self._workers = workers
        self._runs = 0

    def run(self) -> Cost:
        """Execute a run from open to close."""
        self.world.sandbox.calls(forget=True)
        self._runs += 1
        cost = Cost()
        partitions = self._step(cost, "open")
        for step in ("extract_crm", "extract_marketing"):
            self._step(cost, step)
        for partition in range(partitions):
            self._step(cost, "plan", partition)
        chunks = self._step(cost, "review")["chunks"] or []
        for side in ("crm", "marketing"):
            self._side_by_side(cost, f"apply_{side}", chunks)
        cost.status, _ = self._step(cost, "close")
        return cost

    def _step(self, cost: Cost, step: str, number: int = 0) -> Any:
        with self._measured(cost, step):
            return self._take(self._workers[0], step, number)

    def _side_by_side(self, cost: Cost, step: str, chunks: Sequence[int]) -> None:
        free = list(self._workers)

        def take(chunk: int) -> None:
            worker = free.pop()
            try:
                self._take(worker, step, chunk)
            finally:
                free.append(worker)

        with self._measured(cost, step), ThreadPoolExecutor(len(free)) as pool:
            list(pool.map(take, chunks))

    def _take(self, worker: Steps, step: str, number: int) -> Any:
        return worker.take(self.world, SYNC, step, f"bench__{self._runs}", number)["gave"]

    @contextmanager
    def _measured(self, cost: Cost, step: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        cost.seconds[step] = cost.seconds.get(step, 0.0) + time.perf_counter() - began
        calls = self.world.sandbox.calls(forget=True)
        told = cost.calls.setdefault(step, {})
        for endpoint, times in calls["mailchimp"].items():
            told[endpoint] = told.get(endpoint, 0) + times
        cost.written += sum(calls["rows_written"].values())

    def refused(self) -> int:
        """Return how many people the last run could not create."""
        last = "SELECT max(run_id) FROM runs"
        (row,) = self.world.query(
            f"SELECT count(*) AS number FROM jobs WHERE run_id = ({last})"
            " AND kind = 'create' AND result = 'error'"
        )
        return int(row["number"])


# ── the bare scripts ──────────────────────────────────────────────────────────────────────────


def _bodies(people: int) -> list[dict[str, Any]]:
    members = [
        {"email_address": address(number), "status": "subscribed", "merge_fields": _fields(number)}
        for number in range(people)
    ]
    parts = (members[start : start + BULK] for start in range(0, people, BULK))
    return [{"members": part, "update_existing": False} for part in parts]


def _fields(number: int) -> dict[str, str]:
    """Return what the run writes for the same person."""
    return {
        "FNAME": "Anna",
        "LNAME": f"Muster {number}",
        "JOBTITLE": "Buyer",
        "PHONE": f"+44{7_000_000_000 + number}",
        "CITY": str(CITIES[number % 8]),
        "COUNTRY": "Germany",
    }


async def _push(url: str, audience: str, people: int) -> float:
    bodies = _bodies(people)
    began = time.perf_counter()
    async with _session(CONNECTIONS) as session:

        async def send(body: dict[str, Any]) -> None:
            async with session.post(f"{url}/3.0/lists/{audience}", json=body) as answer:
                told = await answer.json()
                if answer.status != 200 or told["error_count"]:
                    raise RuntimeError(f"The bare script was refused: {answer.status}")

        await asyncio.gather(*map(send, bodies))
    return time.perf_counter() - began


async def _read(url: str, audiences: Sequence[str], people: int) -> float:
    began = time.perf_counter()
    wanted = ",".join(f"members.{name}" for name in _READ.split(",")) + ",total_items"
    query = {"count": PAGE, "fields": wanted, "sort_field": "last_changed", "sort_dir": "ASC"}
    async with _session(1) as session:
        for audience, offset in product(audiences, range(0, people, PAGE)):
            place = f"{url}/3.0/lists/{audience}/members"
            async with session.get(place, params={**query, "offset": offset}) as answer:
                if len((await answer.json())["members"]) != min(PAGE, people - offset):
                    raise RuntimeError("A bare page has fewer members than were pushed.")
    return time.perf_counter() - began


def _session(connections: int) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections),
        headers={"Authorization": f"Bearer {MAILCHIMP_KEY}"},
    )


def _bare_push(url: str, audience: str, people: int) -> float:
    return asyncio.run(_push(url, audience, people))


def _bare_read(url: str, audiences: Sequence[str], people: int) -> float:
    return asyncio.run(_read(url, audiences, people))


def _alone(script: Any, *arguments: Any) -> float:
    """Run a script in a process of its own."""
    with get_context("spawn").Pool(1) as pool:
        return float(pool.apply(script, arguments))


# ── what is measured ──────────────────────────────────────────────────────────────────────────


def push(bench: Bench, platform: Mailchimp, people: int) -> None:
    """Push everybody to an empty audience, beside the bare script; then push nobody."""
    sandbox = bench.world.sandbox
    fill_crm(bench.world, people)
    sandbox.faults({"mailchimp": {"latency_ms": LATENCY_MS}})
    bare = _alone(_bare_push, sandbox.url, platform.list_id(OTHER), people)
    cost = bench.run()
    ratio = cost.seconds["apply_marketing"] / bare
    posts = cost.calls["apply_marketing"].get("POST /lists/{id}", 0)
    calls = sum(cost.calls["apply_marketing"].values())
    _say(f"push        bare script {bare:.1f} s; apply {ratio:.2f} times that")
    _say(f"            {cost.status}; the whole run {cost.whole:.1f} s: {_seconds(cost)}")
    _say(f"            {posts:,} calls of {BULK}, least {ceil(people / BULK):,}; {calls:,} in all")
    _aim(ratio <= AIM_PUSH, f"the push took {ratio:.2f} times the bare script, not {AIM_PUSH}")
    idle = bench.run()
    writes = sum(map(_writes, idle.calls.values()))
    _say(f"once more   {idle.written} rows written, {writes} writing calls")
    _aim(not idle.written, "a second run wrote what had not changed")
    sandbox.faults()


def refused(bench: Bench) -> None:
    """Push people of whom the vendor refuses each, in an answer that says 200."""
    bench.world.sandbox.faults({"mailchimp": {"rows_refused": 1.0}})
    fill_crm(bench.world, REFUSED, first=10_000_000)
    cost = bench.run()
    errors = bench.refused()
    _say(f"refused     {errors} errors of {REFUSED} people whose rows were refused; {cost.status}")
    _aim(errors == REFUSED, "refused rows were not told as errors")
    bench.world.sandbox.faults()


def read(bench: Bench, platform: Mailchimp, people: int, latency_ms: int) -> float:
    """Read both audiences whole, as a full resync does; return how many times their bare pages."""
    sandbox = bench.world.sandbox
    audiences = [platform.list_id(name) for name in (LIST, OTHER)]
    sandbox.faults({"mailchimp": {"latency_ms": latency_ms}})
    bare = _alone(_bare_read, sandbox.url, audiences, people)
    bench.world.execute("DELETE FROM watermarks WHERE side = 'marketing'")
    cost = bench.run()
    sandbox.faults()
    ratio = cost.seconds["extract_marketing"] / bare
    pages = cost.calls["extract_marketing"].get("GET /lists/{id}/members", 0)
    _say(f"read        bare pages {bare:.1f} s, each after {latency_ms} ms")
    _say(f"            extract {ratio:.2f} times that")
    _say(f"            {pages:,} pages, least {2 * ceil(people / PAGE):,}")
    return ratio


def _writes(calls: dict[str, int]) -> int:
    return sum(times for name, times in calls.items() if not name.startswith("GET "))


def _seconds(cost: Cost) -> str:
    return "  ".join(f"{step} {spent:.1f}" for step, spent in cost.seconds.items())


def _say(line: str) -> None:
    sys.stdout.write(f"  {line}\n")
    sys.stdout.flush()


def _aim(reached: bool, otherwise: str) -> None:
    if not reached:
        _say(f"aim missed: {otherwise}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, nargs="+", default=[100_000])
    options = parser.parse_args()
    at_a_time = SystemConfig(connector="mailchimp", connection="bench").at_once
    postgres = TestPostgres().start()
    try:
        for people in options.people:
            sys.stdout.write(f"\nAn audience of {people:,} people\n")
            with ExitStack() as stack:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bothways-bench-"))
                sandbox = stack.enter_context(SandboxServer())
                store_url = stack.enter_context(postgres.fresh_database())
                workers = [stack.enter_context(Steps()) for _ in range(at_a_time)]
                sandbox.reset(people=0)
                platform = Mailchimp(sandbox)
                world = World(sandbox, store_url, Path(folder), platform=platform)
                bench = Bench(world, workers)
                push(bench, platform, people)
                ratio = read(bench, platform, people, LATENCY_MS)
                _aim(
                    ratio <= AIM_READ,
                    f"reading took {ratio:.2f} times the bare pages, not {AIM_READ}",
                )
                read(bench, platform, people, 0)
                refused(bench)
                world.close()
    finally:
        postgres.stop()


if __name__ == "__main__":
    main()
