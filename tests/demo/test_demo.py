"""`make demo`, `make stop` and `make clean` in a checkout of their own, for real.

The tests are one story, in the order in which they stand here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from bothways.config.load import load_account
from bothways.discovery import sync_types
from demo.airflow_api import AirflowApi
from demo.environment import PROJECT, free_port
from demo.processes import Processes
from demo.waiting import wait_for
from tests.support.able import sync_types_of

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.timeout(3_000)]

# The environment is there already, and its modules are compiled.
READY = ["-o", "runtime", f"RUN={sys.executable}"]
COMPILED = f"PYTHONPYCACHEPREFIX={PROJECT / '.bothways' / 'cache' / 'python'}"
WIDTH = 100
# The last that is said before Airflow runs anything.
READY_SOON = "The accounts `demo` and `demo_mailchimp`"
# What the demo runs: all that the first account can, and what the second one's file names.
SYNCS = [("demo", sync) for sync in sync_types_of().values()]
_SECOND = load_account("demo_mailchimp")
SYNCS += [
    ("demo_mailchimp", sync_types()[name])
    for name in dict.fromkeys(("provision", *_SECOND.schedules, *_SECOND.syncs))
]


class Checkout:
    """A copy of the project, in which `make` is run."""

    def __init__(self, folder: Path) -> None:
        shutil.copytree(
            PROJECT, folder, ignore=shutil.ignore_patterns(".bothways", ".git", "__pycache__")
        )
        self.folder = folder
        self.processes = Processes(folder / ".bothways")
        self.said = folder.with_name("said")
        self.port, sandbox_port = free_port(), free_port()
        ports = [f"BOTHWAYS_PORT={self.port}", f"BOTHWAYS_SANDBOX_PORT={sandbox_port}"]
        self._options = ["--no-print-directory", *READY, COMPILED, *ports]

    def start(self, target: str) -> subprocess.Popen[str]:
        """Begins `make <target>`; its output, errors among it, goes to the file `said`."""
        with self.said.open("w") as said:
            return subprocess.Popen(
                ["make", *self._options, target],
                cwd=self.folder,
                env={k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "COLUMNS"))},
                stdout=said,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def make(self, target: str) -> str:
        """What `make <target>` prints.

        Raises:
            AssertionError: it failed.
        """
        process = self.start(target)
        wait_for(
            f"the end of `make {target}`",
            lambda: process.poll() is not None,
            seconds=1_500,
            instead=self.said.read_text,
        )
        assert process.returncode == 0, self.said.read_text()
        return self.said.read_text()

    def files(self) -> set[str]:
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*")}


@pytest.fixture(scope="module")
def checkout() -> Iterator[Checkout]:
    # not below pytest's folder, where root's stand-in for PostgreSQL may not enter
    home = Path(tempfile.mkdtemp(prefix="bothways-demo-"))
    home.chmod(0o711)
    made = Checkout(home / "checkout")
    yield made
    made.processes.stop()
    shutil.rmtree(home)


@pytest.fixture(scope="module")
def pristine(checkout: Checkout) -> set[str]:
    """The files of the checkout before anything was made."""
    return checkout.files()


@pytest.fixture(scope="module")
def printed(checkout: Checkout, pristine: set[str]) -> str:
    """What the first `make demo` printed."""
    return checkout.make("demo")


def test_the_demo_runs_each_sync_and_prints_the_audit(checkout: Checkout, printed: str) -> None:
    story, _, rest = printed.partition("\nRun  ")
    audit, _, end = rest.partition("\nAirflow ")
    for account, sync in SYNCS:
        (line,) = (line for line in story.splitlines() if f" {account}__{sync.name} " in line)
        extracts = [f"extract_{role}" for role in sync.read_roles]
        for task in ("open", *extracts, "plan", "review", "close"):
            assert task in line
        assert "→ success after" in line
        assert re.search(rf"^\d+ +{account} +{sync.name} ", audit, flags=re.MULTILINE)
    assert audit.count("Completed ") >= len(SYNCS)
    assert max(map(len, audit.splitlines())) <= WIDTH, "nothing is cut, nothing is folded"
    assert "…" not in audit
    assert f"http://127.0.0.1:{checkout.port}   log in as admin / admin" in end
    assert "`make stop` ends it" in end


def test_each_run_of_the_demo_has_work_and_its_counts_add_up(printed: str) -> None:
    audit = printed.partition("\nRun  ")[2].partition("\n\n")[0]
    runs = re.split(r"^\d+ +demo\w* +", audit, flags=re.MULTILINE)[1:]
    assert len(runs) >= len(SYNCS)
    for run in runs:
        total, told = re.findall(r"(\d+) jobs?: (.*)", " ".join(run.split()))[0]
        by_result = re.sub(r"\(.*?\)", "", told)  # why ignored, which adds up to the ignored
        numbers = [int(number) for number in re.findall(r"\d+", by_result)]
        assert int(total) == sum(numbers) > 0, run


def test_the_demo_leaves_its_dags_to_their_schedules(checkout: Checkout, printed: str) -> None:
    airflow = AirflowApi(f"http://127.0.0.1:{checkout.port}")
    try:
        dags = airflow.call("GET", "dags", params={"tags": "demo", "limit": 100})["dags"]
    finally:
        airflow.close()
    paused = {dag["dag_id"] for dag in dags if dag["is_paused"]}
    assert paused == {"demo__erase"}, "which only a person starts"


def test_the_command_that_the_demo_names_prints_the_jobs(checkout: Checkout, printed: str) -> None:
    command = [str(checkout.folder / ".bothways" / "bothways"), "audit", "1", "--limit", "3"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "demo, provision" in said
    assert "3 of " in said


def test_a_second_demo_takes_over_and_whatever_was_killed_is_stopped(
    checkout: Checkout, printed: str
) -> None:
    first = {process.pid for process in checkout.processes.strays()}
    assert len(first) > 6
    second = checkout.start("demo")
    wait_for(
        "the second demo to have an Airflow, or to end",
        lambda: READY_SOON in checkout.said.read_text() or second.poll() is not None,
        seconds=900,
        instead=checkout.said.read_text,
    )
    said = checkout.said.read_text()
    assert said.startswith("Stopping the demo that runs already.\n")
    assert READY_SOON in said
    assert first.isdisjoint(process.pid for process in checkout.processes.strays())
    kill(second)  # as by a closed terminal, and worse: nobody tells the others
    kill_one(checkout.processes, "scheduler")

    assert checkout.make("stop").startswith("Stopped api-server, ")

    assert list(checkout.processes.strays()) == []
    assert checkout.make("stop") == "Nothing is running.\n"


def test_clean_leaves_no_file(checkout: Checkout, pristine: set[str], printed: str) -> None:
    assert checkout.files() > pristine
    checkout.make("clean")
    assert checkout.files() == pristine


def kill(process: subprocess.Popen[str]) -> None:
    """SIGKILL for a command and the commands that it runs in the foreground."""
    family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    for child in family:
        with suppress(psutil.NoSuchProcess):
            if "demo" in child.cmdline():
                child.kill()
    process.wait(20)


def kill_one(processes: Processes, service: str) -> None:
    """SIGKILL for the first process of a service; its children live on."""
    found = wait_for(
        f"a process of the {service}",
        lambda: [p for p in processes.strays() if service in " ".join(p.cmdline())],
        seconds=60,
    )
    min(found, key=lambda process: process.create_time()).kill()
