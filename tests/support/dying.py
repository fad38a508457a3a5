"""Steps of a run in a process that ends without warning, as SIGKILL or a power cut ends it.

A moment is anything that others could see of a step: a request about to be sent, an answer that
came, a transaction before and after its commit. The n-th of them is the process's last.

    with Mortals(world) as mortals:
        assert mortals.dies("apply_crm", "address_books", "manual__1", moment=3)

The processes are forked from one that has loaded everything and does nothing else.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import requests

from bothways.store.db import Store
from bothways.syncs import (  # noqa: F401 - before the process forks
    address_books,
    marketing_lists,
    suppressions,
)
from tests.support.engine import World
from tests.support.sandbox import ROOT, SandboxServer

STEPS = ("extract_crm", "extract_marketing", "plan", "review", "apply_crm", "apply_marketing")


class Mortals:
    """Starts processes that die."""

    def __init__(self, world: World) -> None:
        self._world = (world.sandbox.url, world.store_url, str(world.folder))
        command = [sys.executable, "-m", "tests.support.dying"]
        self._parent = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_problem: object) -> None:
        self._parent.communicate(timeout=20)

    def dies(self, step: str, sync_type: str, name: str, *, moment: int) -> bool:
        """Execute a step in a process that dies at its n-th moment; tell whether it did.

        Raises:
            AssertionError: The step failed by itself.
        """
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(json.dumps([self._world, step, sync_type, name, moment]) + "\n")
        self._parent.stdin.flush()
        status = int(self._parent.stdout.readline())
        assert status in (0, -signal.SIGKILL), f"{step} ended with {status}"
        return status != 0


def _serve() -> None:
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            _act(*json.loads(line))
            os._exit(0)
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _act(where: tuple[str, str, str], step: str, sync_type: str, name: str, moment: int) -> None:
    url, store_url, folder = where
    sandbox = SandboxServer(data=Path(folder))
    sandbox.url = url
    world = World(sandbox, store_url, Path(folder), prepare=False)
    run = world.found(sync_type, name)
    acts: dict[str, Callable[[], Any]] = {
        "extract_crm": lambda: world.extract(run, "crm"),
        "extract_marketing": lambda: world.extract(run, "marketing"),
        "plan": lambda: world.plan(run),
        "review": lambda: world.review(run),
        "apply_crm": lambda: world.apply(run, "crm", 0),
        "apply_marketing": lambda: world.apply(run, "marketing", 0),
        "close": lambda: world.close_run(sync_type, name),
    }
    _arm(moment)
    acts[step]()


def _arm(moment: int) -> None:
    """Count the moments from here on; the process does not survive the n-th."""
    left = moment

    def tick() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    send, begin = requests.Session.send, Store.begin

    def sent(self: requests.Session, request: Any, **kwargs: Any) -> requests.Response:
        tick()
        answer = send(self, request, **kwargs)
        tick()
        return answer

    @contextmanager
    def begun(self: Store) -> Iterator[Any]:
        with begin(self) as conn:
            yield conn
            tick()
        tick()

    requests.Session.send = sent  # type: ignore[method-assign]
    Store.begin = begun  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    _serve()
