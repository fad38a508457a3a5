"""Steps of a sync run, each in a process of its own as Airflow's tasks are; tells what they cost.

python -m benchmarks.step < [[URL, STORE, FOLDER], STEP, DAG_RUN, NUMBER] as JSON, line by line
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from bothways.engine.open_run import open_run
from bothways.engine.review import review
from bothways.spec import Options
from bothways.syncs.marketing_lists import sync  # noqa: F401 - before the process forks
from bothways.vocabulary import Side
from tests.support.engine import World
from tests.support.sandbox import SandboxServer

SYNC = "marketing_lists"


def peak_mib() -> float:
    """Return the most memory that this process ever held."""
    status = Path("/proc/self/status")
    if status.exists():  # `ru_maxrss` would begin at what the parent held
        lines = status.read_text(encoding="ascii").splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024
    unit = 1024**2 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def take(world: World, step: str, name: str, number: int) -> Any:
    """Execute a step of a run; return what it gives."""
    if step in {"open", "close"}:
        return _open(world, name) if step == "open" else world.close_run(SYNC, name)
    run = world.found(SYNC, name)
    match step:
        case "plan":
            return world.plan(run, number)
        case "review":
            return review(run)
        case "extract_crm" | "extract_marketing":
            return world.extract(run, _side(step))
        case _:
            return world.apply(run, _side(step), number, last=True)


def _side(step: str) -> Side:
    return "crm" if step.endswith("crm") else "marketing"


def _open(world: World, name: str) -> int:
    """Open a run as Airflow's task does: both vendors are asked how many people there are."""
    return open_run(
        world.store,
        account="test",
        sync_type=SYNC,
        options=Options(),
        staging_for=world._staging,  # noqa: SLF001 - the world's own folder
        dag_id=f"test__{SYNC}",
        dag_run_id=name,
        submitted_by="benchmark",
        missing_connections=lambda _names: [],
        lists_offered=world.lists_offered,
    ).partitions


def _measured(where: list[str], step: str, name: str, number: int) -> dict[str, Any]:
    url, store_url, folder = where
    sandbox = SandboxServer(data=Path(folder))
    sandbox.url = url
    world = World(sandbox, store_url, Path(folder), prepare=False)
    start = time.perf_counter()
    gave = take(world, step, name, number)
    seconds = time.perf_counter() - start
    world.close()
    told = asdict(gave) if is_dataclass(gave) else gave
    return {"gave": told, "seconds": seconds, "mib": peak_mib()}


def main() -> None:
    """Execute each step that stdin names, in a fork that has loaded everything and done nothing."""
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            sys.stdout.write(json.dumps(_measured(*json.loads(line))) + "\n")
            sys.stdout.flush()
            os._exit(0)
        _, status = os.waitpid(process, 0)
        if status:
            sys.exit("A step failed; its error stands above.")


if __name__ == "__main__":
    main()
