"""Steps of a sync run, each in a process of its own as Airflow's tasks are; tells what they cost.

python -m benchmarks.step < [[URL, STORE, FOLDER, PLATFORM], SYNC, STEP, DAG_RUN, NUMBER], by line
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, Self

import httpcore  # noqa: F401 - what is only loaded once it is used, too

from bothways.discovery import connectors, sync_types
from bothways.engine.open_run import open_run
from bothways.engine.review import review
from bothways.spec import Options
from bothways.syncs.marketing_lists import sync  # noqa: F401 - before the process forks
from bothways.vocabulary import RoleName
from tests.support.engine import World
from tests.support.platforms import PLATFORMS
from tests.support.sandbox import ROOT, SandboxServer


def peak_mib() -> float:
    """Return the most memory that this process ever held."""
    status = Path("/proc/self/status")
    if status.exists():  # `ru_maxrss` would begin at what the parent held
        lines = status.read_text(encoding="ascii").splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024
    unit = 1024**2 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


class Steps:
    """Executes steps in processes of their own; `main` is at the other end."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "benchmarks.step"]
        self._parent = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_problem: object) -> None:
        self._parent.communicate(timeout=20)

    def take(self, world: World, sync_type: str, step: str, name: str, number: int) -> Any:
        """Execute one step of a run; return its result, seconds and peak memory."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        where = [world.sandbox.url, world.store_url, str(world.folder), world.platform.name]
        self._parent.stdin.write(json.dumps([where, sync_type, step, name, number]) + "\n")
        self._parent.stdin.flush()
        return json.loads(self._parent.stdout.readline())


def take(world: World, sync_type: str, step: str, name: str, number: int) -> Any:
    """Execute a step of a run; return what it gives."""
    if step == "open":
        return _open(world, sync_type, name)
    if step == "close":
        return world.close_run(sync_type, name)
    run = world.found(sync_type, name)
    match step:
        case "plan":
            return world.plan(run, number)
        case "review":
            return review(run)
        case "extract_crm" | "extract_marketing":
            return world.extract(run, _side(step))
        case _:
            return world.apply(run, _side(step), number, last=True)


def _side(step: str) -> RoleName:
    return "crm" if step.endswith("crm") else "marketing"


def _open(world: World, sync_type: str, name: str) -> int:
    """Open a run as Airflow's task does: both vendors are asked how many people there are."""
    return open_run(
        world.store,
        account="test",
        sync_type=sync_type,
        options=Options(),
        staging_for=world._staging,  # noqa: SLF001 - the world's own folder
        dag_id=f"test__{sync_type}",
        dag_run_id=name,
        submitted_by="benchmark",
        missing_connections=lambda _names: [],
        lists_offered=world.lists_offered,
    ).partitions


def _measured(
    where: list[str], sync_type: str, step: str, name: str, number: int
) -> dict[str, Any]:
    url, store_url, folder, platform = where
    sandbox = SandboxServer(data=Path(folder))
    sandbox.url = url
    world = World(
        sandbox, store_url, Path(folder), platform=PLATFORMS[platform](sandbox), prepare=False
    )
    start = time.perf_counter()
    gave = take(world, sync_type, step, name, number)
    seconds = time.perf_counter() - start
    world.close()
    told = asdict(gave) if is_dataclass(gave) else gave
    return {"gave": told, "seconds": seconds, "mib": peak_mib()}


def main() -> None:
    """Execute each step that stdin names, in a fork that has loaded everything and done nothing."""
    connectors()
    sync_types()
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
