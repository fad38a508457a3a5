"""Starts processes that outlive this one, and ends them so that nothing is left behind.

Each service runs in a session of its own and is recorded in a file with its process id and its
start time, so that an id that the system has given to somebody else is never signalled. Every
process carries a marker in its environment; children whose parent was killed are found by it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from demo.postgres import Identity
from demo.reach import within_reach

MARKER = "BOTHWAYS_STACK"
GONE = (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess, OSError)


@dataclass(frozen=True)
class Service:
    """Something to run in the background.

    Attributes:
        name: of its record and its log.
        command: program and arguments.
        env: its whole environment; the marker is added.
        identity: who runs it, if not oneself.
        stop_signal: what asks it to end in good order.
        last: it is stopped after all others (the database).
    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    identity: Identity = field(default_factory=Identity)
    stop_signal: signal.Signals = signal.SIGTERM
    last: bool = False


class ProcessError(Exception):
    """A service ended although it should run."""


class Processes:
    """The services of one home folder.

    Args:
        home: where their records (`run/`) and logs (`logs/`) lie; it tells apart the services of
            two checkouts on one machine.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.records = home / "run"
        self.logs = home / "logs"
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, service: Service) -> psutil.Process:
        """Runs it in the background and records it."""
        self.records.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        # SPT_NOENV: Airflow renames its processes, which would overwrite the marker otherwise.
        env = {**service.env, MARKER: str(self.home), "SPT_NOENV": "1"}
        with self.log(service.name).open("ab") as log:
            process = subprocess.Popen(
                service.command,
                env=env,
                cwd=self.home if not service.identity else "/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **service.identity,
            )
        self._started.append(process)
        started = psutil.Process(process.pid)
        self.record(service.name, started, service.stop_signal, last=service.last)
        return started

    def record(
        self, name: str, process: psutil.Process, stop_signal: signal.Signals, *, last: bool = False
    ) -> None:
        """Notes a process, so that `stop` finds it."""
        self.records.mkdir(parents=True, exist_ok=True)
        note = {
            "pid": process.pid,
            "started": process.create_time(),
            "signal": int(stop_signal),
            "last": last,
        }
        (self.records / f"{name}.json").write_text(json.dumps(note))

    def log(self, name: str) -> Path:
        """Where a service's output goes."""
        return self.logs / f"{name}.log"

    def running(self) -> list[str]:
        """The names of the recorded services that are alive."""
        return [name for name, _, process in self._recorded() if process]

    def check(self) -> None:
        """Says which recorded service has ended.

        Raises:
            ProcessError: one has; its message names its log.
        """
        for name, _, process in self._recorded():
            if process is None:
                raise ProcessError(f"{name} has ended: read {self.log(name)} and start again.")

    def stop(self, patience: float = 15) -> None:
        """Ends all of them, and every process that they left behind.

        Args:
            patience: seconds that each group gets to end in good order before it is killed.
        """
        for last in (False, True):
            ours = [
                (note, process)
                for _, note, process in self._recorded()
                if process and process.pid != os.getpid() and bool(note["last"]) is last
            ]
            family = {p for _, root in ours for p in [root, *_children(root)]}
            for note, root in ours:
                with suppress(*GONE):
                    root.send_signal(int(note["signal"]))
            _, stubborn = psutil.wait_procs([root for _, root in ours], timeout=patience)
            self._kill({*stubborn, *(p for p in family if p.is_running())})
            if not last:
                self._kill_strays()
        self._kill_strays()
        for process in self._started:  # psutil has waited for them; Popen must hear of it
            process.poll()
        for record in self.records.glob("*.json"):
            record.unlink(missing_ok=True)

    def strays(self) -> Iterator[psutil.Process]:
        """Every living process that a service of this home started, recorded or not."""
        spared = {os.getpid(), *(p.pid for p in psutil.Process().parents())}
        data = str(within_reach(self.home / "postgres"))
        for process in psutil.process_iter():
            if process.pid in spared:
                continue
            with suppress(*GONE):
                if process.status() == psutil.STATUS_ZOMBIE:
                    continue
                # PostgreSQL writes over its environment, but names its folder in its arguments.
                if process.environ().get(MARKER) == str(self.home) or data in process.cmdline():
                    yield process

    def _recorded(self) -> list[tuple[str, dict[str, float], psutil.Process | None]]:
        found = []
        for path in sorted(self.records.glob("*.json")):
            try:
                note = json.loads(path.read_text())
            except ValueError:  # cut off while it was written; the marker finds the process
                continue
            found.append((path.stem, note, _alive(note["pid"], note["started"])))
        return found

    def _kill_strays(self) -> None:
        keep = {p.pid for _, note, p in self._recorded() if p and note["last"]}
        keep |= {c.pid for pid in keep for c in _children(psutil.Process(pid))}
        for _ in range(20):  # a parent may start another child between two looks
            strays = {p for p in self.strays() if p.pid not in keep}
            if not strays:
                return
            self._kill(strays)
            time.sleep(0.05)

    @staticmethod
    def _kill(processes: set[psutil.Process]) -> None:
        for process in processes:
            with suppress(*GONE):
                process.kill()
        psutil.wait_procs(list(processes), timeout=10)


def _alive(pid: int, started: float) -> psutil.Process | None:
    """The process, if it is still the one that was recorded."""
    try:
        process = psutil.Process(pid)
        # Two clocks of one kernel: equal to its tick.
        same = abs(process.create_time() - started) < 0.05
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.Error:
        return []
