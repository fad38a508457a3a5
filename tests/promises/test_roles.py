"""An import from a source into a platform: an account without a CRM, in roles of another package.

The package in `tests/third_party` brings connector and sync type; no file of Bothways knows them.
"""

from __future__ import annotations

import csv
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from bothways import discovery
from bothways.cli.erase import erase
from bothways.config.known import roles_to_search, system_titles
from bothways.config.load import all_problems, load_account
from bothways.config.systems import systems_of
from bothways.connectors.base import ConnectionSettings, Connector
from bothways.console.people import find_person
from bothways.engine.erase import told_by_hand
from bothways.engine.whereabouts import whereabouts
from bothways.errors import ConfigurationError
from bothways.labels import reason
from bothways.orchestration.builder import accounts_for, build_dag
from bothways.orchestration.erase import accounts_to_erase_in, build_erase
from bothways.orchestration.pools import pools
from bothways.store.db import Store
from bothways.vocabulary import Reason
from tests.support.engine import World
from tests.support.installation import THIRD_PARTY
from tests.support.packages import SitePackages
from tests.support.sandbox import ROOT
from tests.support.stores import Stores

SOURCE = """\
id,email,lists,title
s1,ada@csv.example.com,,Analyst
s2,Grace@csv.example.com,,Admiral
s3,,,Nobody
s4,alan@csv.example.com,,Reader
"""
PLATFORM = """\
id,email,lists,title
1,grace@csv.example.com,,Captain
2,alan@csv.example.com,,Reader
"""
SYSTEMS = {
    "source": {"connector": "csv_folder", "connection": "people"},
    "marketing": {"connector": "csv_folder", "connection": "platform", "parallel": 2},
}
PLATFORM_SYSTEM = {"connector": "dotdigital", "connection": "mail"}


class Folders(World):
    """An account between two folders of CSV files, each named after its role."""

    def __init__(self, url: str, store: Store, folder: Path) -> None:
        super().__init__(cast(Any, None), url, folder, prepare=False, store=store)
        shutil.copytree(ROOT / "include" / "mappings", self.include / "mappings")
        self.configure()
        for role, people in (("source", SOURCE), ("marketing", PLATFORM)):
            (folder / role).mkdir()
            (folder / role / "people.csv").write_text(people)
            (folder / role / "lists.csv").write_text("id,name\n")

    def configure(self, **changes: Any) -> None:
        """Write the account's file anew; it has systems and nothing else."""
        path = self.include / "accounts" / "test.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump({"systems": SYSTEMS, **changes}, sort_keys=False))

    def connector(self, side: str) -> Connector:
        from bothways_csv.connector import CsvConnector

        return cast(Connector, CsvConnector(ConnectionSettings(str(self.folder / side))))

    def titles(self) -> dict[str, str]:
        """Return the titles of the platform's people, by address."""
        with (self.folder / "marketing" / "people.csv").open(newline="") as file:
            return {row["email"]: row["title"] for row in csv.DictReader(file)}


@pytest.fixture
def folders(stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folders]:
    monkeypatch.syspath_prepend(THIRD_PARTY / "src")
    monkeypatch.setenv("BOTHWAYS_INCLUDE", "")
    project = tomllib.loads((THIRD_PARTY / "pyproject.toml").read_text())["project"]
    (site := tmp_path / "site").mkdir()
    SitePackages(site, monkeypatch).install("third_party", project["entry-points"])
    url, store = stores.borrow()
    yield Folders(url, store, tmp_path)
    stores.give_back(url, store)
    monkeypatch.undo()
    discovery.forget()


def test_people_come_from_a_source_into_a_platform(folders: Folders) -> None:
    run = folders.run("import_people")
    assert (run.status, run.message) == (
        "Completed",
        "1 person created, 1 updated, 1 record ignored",
    )
    assert {name: run.counts[name] for name in ("new", "updated", "unchanged", "ignored")} == {
        "new": 1, "updated": 1, "unchanged": 1, "ignored": {"empty": 1},
    }  # fmt: skip
    everybody = {
        "grace@csv.example.com": "Admiral",
        "alan@csv.example.com": "Reader",
        "ada@csv.example.com": "Analyst",
    }
    assert folders.titles() == everybody
    again = folders.run("import_people")
    assert (again.status, again.message) == ("Completed", "No new objects to sync")
    assert folders.titles() == everybody
    # Only a CRM's records are linked with a platform's; these two belong to another pair.
    assert folders.query("SELECT * FROM links") == folders.query("SELECT * FROM baselines") == []


def test_the_guard_counts_what_an_import_would_overwrite(folders: Folders) -> None:
    folders.run("import_people")
    folders.configure(guard={"free": 0, "overwrites": 0})
    people = folders.folder / "source" / "people.csv"
    people.write_text(SOURCE.replace("Admiral", "Commodore"))
    run = folders.run("import_people")
    assert run.status == "Failed"
    assert "1 overwrites planned in CSV folder, of 3 known people (0 allowed)" in run.message
    assert folders.titles()["grace@csv.example.com"] == "Admiral"


def test_a_person_is_found_in_systems_of_any_role(folders: Folders) -> None:
    folders.run("import_people")
    folders.run("import_people")
    grace = "grace@csv.example.com"
    roles = tuple(systems_of("test"))
    with folders.store.begin() as conn:
        known = find_person(conn, account="test", email_key=grace, roles=roles, dag_ids=[])
    assert {row.side for row in known.records} == {"source", "marketing"}
    _, found = whereabouts(
        folders.store, load_account("test"), grace, lambda _account, role: folders._opened(role)
    )
    assert set(zip(found["side"], found["id"], strict=True)) == {
        ("source", "s2"),
        ("marketing", "1"),
    }


def test_the_account_has_the_dags_of_its_roles_and_no_other(folders: Folders) -> None:
    account = load_account("test")
    assert system_titles(account) == {"source": "CSV folder", "marketing": "CSV folder"}
    assert accounts_for("suppressions") == accounts_for("job_titles") == []
    assert [one.name for one in accounts_for("import_people")] == ["test"]
    assert accounts_to_erase_in() == []  # nothing deletes in a folder
    dag = build_dag(account, "import_people", doc="### Import people")
    assert {task.task_id: task.pool for task in dag.tasks} == {
        "open": "default_pool",
        "extract_source": "bothways_people",
        "extract_marketing": "bothways_platform",
        "plan": "default_pool",
        "review": "default_pool",
        "apply_marketing": "bothways_platform",
        "close": "default_pool",
    }
    assert pools([account])["bothways_platform"]["slots"] == 2
    assert "CRM" in reason(Reason.NOT_IN_CRM, system_titles(account))


def test_an_erasure_deletes_where_it_can_and_names_where_it_cannot(folders: Folders) -> None:
    crm = {"connector": "dynamics", "connection": "crm"}
    folders.configure(systems={"source": SYSTEMS["source"]}, crm=crm, marketing=PLATFORM_SYSTEM)
    (account,) = accounts_to_erase_in()
    assert [task.task_id for task in build_erase(account, "").topological_sort()] == [
        "open", "find_crm", "find_marketing", "review", "erase_crm", "erase_marketing", "close",
    ]  # fmt: skip
    assert told_by_hand(account) == (
        "Bothways cannot delete in CSV folder: delete the person there by hand."
    )
    assert roles_to_search(account) == ("crm", "marketing", "source")
    folders.configure(systems={}, crm=crm, marketing=PLATFORM_SYSTEM)
    assert told_by_hand(load_account("test")) == ""
    folders.configure()
    with pytest.raises(ConfigurationError, match="No system of account test can delete people"):
        erase("test", "ada@csv.example.com", "ada@csv.example.com")


def test_a_sync_type_without_its_systems_is_named(folders: Folders) -> None:
    folders.configure(schedules={"suppressions": {"interval": "1h"}})
    (problem,) = (item for item in all_problems() if item.file == "accounts/test.yaml")
    assert (problem.key, problem.message, problem.remedy) == (
        "schedules.suppressions",
        "needs `crm`, which the account does not have",
        "add `crm:` with its connector and connection, or remove this key",
    )
    folders.configure(systems={"source": SYSTEMS["source"]})
    (problem,) = (item for item in all_problems() if item.file == "accounts/test.yaml")
    assert problem.message == "has `source` only, with which no sync type can run"
    assert problem.remedy == "add `marketing:` with its connector and connection"
    both = {**SYSTEMS, "marketing": {**SYSTEMS["marketing"], "connection": "people"}}
    folders.configure(systems=both)
    (problem,) = (item for item in all_problems() if item.file == "accounts/test.yaml")
    assert problem.key == "systems.marketing.connection"
    assert problem.message == "`people` is also the connection of `source`"


def test_a_run_whose_role_has_lost_its_system_stops_with_that_reason(folders: Folders) -> None:
    folders.configure(
        systems={},
        crm={"connector": "dynamics", "connection": "crm"},
        marketing={"connector": "dotdigital", "connection": "platform"},
    )
    run = folders.run("import_people")
    assert run.status == "Failed"
    assert run.message == (
        "Import people needs a system in the role `source`, which account test does not have; "
        "add `source:` below `systems:` with its connector and connection."
    )
