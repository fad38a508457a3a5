"""Runs steps of a sync in processes that are killed without warning, as by SIGKILL or a power cut.

`tests/support/kill_points.py` defines the kill points; a process is killed at the n-th of them.

    with KillableWorker(world) as worker:
        assert worker.killed("apply_crm", "address_books", "manual__1", kill_point=3)

The processes are forked from one that has loaded everything and does nothing else.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import email_validator  # noqa: F401 - before the process forks, as the others
import httpcore  # noqa: F401
import pyarrow.dataset  # noqa: F401
import rapidfuzz  # noqa: F401
import upath.implementations.local  # noqa: F401

from bothways.discovery import connectors, sync_types
from bothways.engine.run import Run
from bothways.syncs import (  # noqa: F401 - before the process forks
    address_books,
    campaigns,
    marketing_lists,
    suppressions,
)
from demo.waiting import at_most
from tests.support.engine import World
from tests.support.kill_points import kill_at
from tests.support.pipes import next_line
from tests.support.platforms import PLATFORMS
from tests.support.sandbox import ROOT, SandboxServer

Where = tuple[str, str, str, str, Mapping[str, int]]
"""Address of the sandbox, of the store, the world's folder, the platform, constants to be set."""

STEPS = ("extract_crm", "extract_marketing", "plan", "review", "apply_crm", "apply_marketing")


class KillableWorker:
    """Executes steps in processes that can be killed at a chosen point.

    Args:
        world: Whose steps.
        constants: What constants of modules are in these processes, by full name; small ones make
            a few people many calls.
    """

    def __init__(self, world: World, *, constants: Mapping[str, int] | None = None) -> None:
        place = (world.sandbox.url, world.store_url, str(world.folder))
        self._world: Where = (*place, world.platform.name, constants or {})
        command = [sys.executable, "-m", "tests.support.killable_worker"]
        self._parent = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_problem: object) -> None:
        self._parent.communicate(timeout=20)

    def killed(self, step: str, sync_type: str, name: str, *, kill_point: int) -> bool:
        """Execute a step in a process that is killed at its n-th kill point; return whether it was.

        Raises:
            AssertionError: The step failed by itself.
        """
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(
            json.dumps([self._world, step, sync_type, name, kill_point]) + "\n"
        )
        self._parent.stdin.flush()
        status = int(next_line(self._parent.stdout, f"the end of {step}", seconds=300))
        assert status in (0, -signal.SIGKILL), f"{step} ended with {status}"
        return status != 0

    def killed_all_along(self, step: str, sync_type: str, name: str, *, stride: int = 0) -> int:
        """Kill a step ever later, until it comes to its end; return how often it was killed.

        Each time it goes so many kill points further than the last: by default one while it writes,
        eleven while it reads, which takes many calls, and three otherwise.
        """
        kind, _, _ = step.partition("_")
        stride = stride or {"apply": 1, "extract": 11}.get(kind, 3)
        for turn in at_most(1_000, f"the end of {step}, which is killed ever later"):
            if not self.killed(step, sync_type, name, kill_point=1 + (turn - 1) * stride):
                break
        return turn - 1


def _serve() -> None:
    connectors(), sync_types()  # each process would look for them anew
    gc.freeze()  # what they share is garbage in none of them
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            _act(*json.loads(line))
            os._exit(0)
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _set(constants: Mapping[str, int]) -> None:
    for constant, value in constants.items():
        module, _, name = constant.rpartition(".")
        setattr(importlib.import_module(module), name, value)


def _act(where: Where, step: str, sync_type: str, name: str, kill_point: int) -> None:
    url, store_url, folder, platform_name, constants = where
    _set(constants)
    sandbox = SandboxServer(data=Path(folder))
    sandbox.url = url
    platform = PLATFORMS[platform_name](sandbox)
    world = World(sandbox, store_url, Path(folder), platform=platform, prepare=False)
    run = world.found(sync_type, name)
    acts: dict[str, Callable[[], Any]] = {
        "extract_crm": lambda: world.extract(run, "crm"),
        "extract_marketing": lambda: world.extract(run, "marketing"),
        "plan": lambda: world.plan(run),
        "review": lambda: world.review(run),
        "apply_crm": lambda: _apply(world, run, "crm"),
        "apply_marketing": lambda: _apply(world, run, "marketing"),
        "close": lambda: world.close_run(sync_type, name),
    }
    kill_at(kill_point)
    acts[step]()


def _apply(world: World, run: Run, role: str) -> None:
    """Apply all chunks; those in bulk first, as the task of any chunk may be the first."""
    chunks = len(run.staging.chunks(role)) + run.staging.count_bulk(role)
    for chunk in reversed(range(chunks)):
        world.apply(run, role, chunk)


if __name__ == "__main__":
    _serve()
