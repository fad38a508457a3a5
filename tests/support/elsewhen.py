"""Tests at another day and hour, in another zone: what they say must not hang on either.

    python -m tests.support.elsewhen                        # those of WHERE: `make test-dates`
    python -m tests.support.elsewhen tests/unit/store -x    # these, and options for pytest

Python, PostgreSQL and the sandbox get the same clock, from libfaketime: `apt-get install faketime`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from demo.environment import PROJECT

# What is there to remember a time, to compare two or to tell one, but in a real Airflow.
WHERE = (
    "tests/unit",
    "tests/dags",
    "tests/console",
    "tests/properties/test_ticks.py",
    "tests/sandbox",
    "tests/conformance",
    "tests/promises",
)
# With libfaketime's clock PostgreSQL's lock_timeout never ends.
WAITS_FOR_A_LOCK = (
    "tests/unit/store/test_retention.py::test_a_week_that_somebody_reads_stays_until_the_next_time"
)
ALONE = "not slow and not airflow and not browser and not distributed and not soak"
MOMENTS = {
    "a Sunday, half an hour before the clocks go forward": ("Europe/Berlin", "2027-03-28 01:30"),
    "a Sunday, before an hour that comes twice": ("Europe/Berlin", "2027-10-31 01:30"),
    "the last half hour of a year": ("Pacific/Auckland", "2027-12-31 23:30"),
    "a leap day, when it is March in UTC": ("America/St_Johns", "2028-02-29 22:30"),
    "the first of a month, before it begins in UTC": ("Asia/Kolkata", "2027-06-01 03:00"),
}


def pytest_at(
    moment: str, arguments: Sequence[str], *, capture: bool = True
) -> subprocess.CompletedProcess[str]:
    """Runs pytest in a process to which it is one of the MOMENTS.

    Raises:
        FileNotFoundError: there is no `faketime` on this machine.
    """
    zone, clock = MOMENTS[moment]
    ahead = datetime.fromisoformat(clock).replace(tzinfo=ZoneInfo(zone)).timestamp() - time.time()
    # pytest tells its children which worker of it they belong to; this one is nobody's.
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [
            *("faketime", "-m", "-f", f"{ahead:+.0f}", sys.executable, "-m", "pytest"),
            *("--deselect", WAITS_FOR_A_LOCK, *arguments),
        ],
        cwd=PROJECT,
        env=env | {"TZ": zone, "PGTZ": zone},  # as an installed PostgreSQL takes the machine's
        capture_output=capture,
        text=True,
        check=False,
    )


def main(arguments: Sequence[str]) -> int:
    """Runs them at each moment; 0 when all passed."""
    if shutil.which("faketime") is None:
        print("`faketime` is missing: apt-get install faketime", file=sys.stderr)
        return 1
    chosen = arguments or [*WHERE, "-m", ALONE]
    failed = []
    for moment, (zone, clock) in MOMENTS.items():
        print(f"\n{moment}: {clock} in {zone}", flush=True)
        if pytest_at(moment, ["-q", *chosen], capture=False).returncode:
            failed.append(moment)
    print(f"\nFailed: {'; '.join(failed)}." if failed else "\nAll passed at all of them.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
