from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from demo.processes import ProcessError, Processes, Service
from demo.waiting import wait_for

PARENT = """
import subprocess, sys, time
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
child = subprocess.Popen(sleep, start_new_session=True)
print(child.pid, flush=True)
time.sleep(600)
"""
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(1, flush=True)
time.sleep(600)
"""


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    ours = Processes(tmp_path)
    yield ours
    ours.stop(patience=1)


def service(code: str, name: str = "probe") -> Service:
    return Service(name, [sys.executable, "-c", code], {"PATH": os.environ["PATH"]})


def what_it_says(processes: Processes) -> str:
    """The first words in the log of the probe."""
    return wait_for(
        "the probe to say something",
        lambda: processes.log("probe").read_text().strip(),
        seconds=20,
        every=0.05,
    )


def test_stop_ends_the_children_of_a_killed_parent(processes: Processes) -> None:
    parent = processes.start(service(PARENT))
    child = psutil.Process(int(what_it_says(processes)))
    parent.kill()
    parent.wait()
    assert child.is_running()

    processes.stop()

    assert not child.is_running()
    assert list(processes.strays()) == []


def test_stop_from_another_process_finds_what_was_started(processes: Processes) -> None:
    parent = processes.start(service(PARENT))
    child = int(what_it_says(processes))

    Processes(processes.home).stop()

    assert not parent.is_running() or parent.status() == psutil.STATUS_ZOMBIE
    assert not psutil.pid_exists(child)


def test_a_service_that_does_not_listen_is_killed(processes: Processes) -> None:
    deaf = processes.start(service(DEAF))
    what_it_says(processes)

    processes.stop(patience=0.2)

    assert not deaf.is_running()


def test_a_recycled_process_id_is_not_signalled(processes: Processes) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        processes.record("probe", psutil.Process(stranger.pid), signal.SIGTERM)
        record = processes.records / "probe.json"
        note = json.loads(record.read_text())
        record.write_text(json.dumps({**note, "started": note["started"] - 60}))

        processes.stop()

        assert stranger.poll() is None
        assert processes.running() == []
    finally:
        stranger.kill()
        stranger.wait()


def test_two_homes_do_not_disturb_each_other(processes: Processes, tmp_path: Path) -> None:
    ours = processes.start(service(DEAF))
    Processes(tmp_path / "other").stop()
    assert ours.is_running()


def test_a_service_that_ends_is_reported_with_its_log(processes: Processes) -> None:
    processes.start(service("raise SystemExit(3)")).wait()
    with pytest.raises(ProcessError, match=r"probe has ended: read .*probe\.log"):
        processes.check()


def test_a_record_cut_off_in_the_middle_stops_nobody(processes: Processes) -> None:
    ours = processes.start(service(DEAF))
    (processes.records / "probe.json").write_text('{"pid": ')

    processes.stop(patience=0.2)

    assert not ours.is_running()
