"""Airflow's own parser finds exactly the DAGs that the accounts ask for, each telling the story."""

from __future__ import annotations

import ast
import dataclasses
import itertools
import re
from pathlib import Path

import pytest

from bothways.config.account import Account
from bothways.config.known import can_run, prerequisites
from bothways.config.load import load_accounts
from bothways.discovery import sync_types
from bothways.orchestration.pools import pools
from bothways.spec import Scope, SyncSpec
from bothways.vocabulary import SIDES
from tests.support.configuration import DEMO, SMALLEST, IncludeFolder
from tests.support.parsing import DAGS, Parsed, parse

OTHERS = ("account_problems", "maintenance", "erase", "initial_sync")
OTHER_FILES = {DAGS / f"{name}.py" for name in OTHERS}
SYNC_FILES = sorted(set(DAGS.glob("*.py")) - OTHER_FILES)
MAINTENANCE = "bothways_maintenance"
ERASING = ("acme__erase", "demo__erase")
INITIAL = ("acme__initial_sync", "demo__initial_sync")


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Parsed:
    with pytest.MonkeyPatch.context() as patch:
        include = IncludeFolder(tmp_path_factory.mktemp("dags") / "include", patch)
        include.account("acme", SMALLEST)
        include.account("demo", DEMO)
        return parse(include.path)


@pytest.fixture(scope="module")
def parsed(everything: Parsed) -> Parsed:
    """The DAGs that sync."""
    others = (MAINTENANCE, *ERASING, *INITIAL)
    dags = {name: dag for name, dag in everything.dags.items() if name not in others}
    return dataclasses.replace(everything, dags=dags)


@pytest.fixture
def accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Account]:
    include = IncludeFolder(tmp_path / "include", monkeypatch)
    include.account("acme", SMALLEST)
    include.account("demo", DEMO)
    return {account.name: account for account in load_accounts().accounts}


def test_there_is_one_dag_for_each_account_and_sync_type(
    parsed: Parsed, accounts: dict[str, Account]
) -> None:
    expected = {
        f"{name}__{sync.name}"
        for name, account in accounts.items()
        for sync in sync_types().values()
        if can_run(account, sync)
    }
    assert len(expected) >= 4
    assert parsed.errors == {}
    assert set(parsed.dags) == expected


def test_each_dag_lies_in_the_file_of_its_sync_type(parsed: Parsed) -> None:
    for dag_id, dag in parsed.dags.items():
        assert Path(dag["file"]).stem == dag_id.partition("__")[2]


def test_every_dag_tells_the_same_story(parsed: Parsed, accounts: dict[str, Account]) -> None:
    for dag_id, dag in parsed.dags.items():
        sync = sync_types()[dag_id.partition("__")[2]]
        graph = {name: set(task["downstream"]) for name, task in dag["tasks"].items()}
        first = prerequisites(accounts[dag_id.partition("__")[0]], sync)
        assert graph == _story(sync, first)
        # at most six tasks, plus what is mapped: the chunks of both sides, and slices
        single = [name for name, task in dag["tasks"].items() if not task["mapped"]]
        assert len([*single, "plan"]) <= 6 + len(sync.sliced_roles) + 2 * len(first)
        mapped = {name for name, task in dag["tasks"].items() if task["mapped"]}
        applies = {f"apply_{role}" for role in sync.written_roles}
        slices = {f"extract_slices_{role}" for role in sync.sliced_roles}
        assert mapped == {"plan", *applies, *slices}


def _story(sync: SyncSpec, first: list[str]) -> dict[str, set[str]]:
    """Return which tasks follow which: only systems that are read or written have tasks."""
    before = {
        name: following
        for other in first
        for name, following in (
            (f"start_{other}", {f"await_{other}"}),
            (f"await_{other}", {"open"}),
        )
    }
    extracts = [f"extract_{role}" for role in sync.read_roles]
    applies = [f"apply_{role}" for role in sync.written_roles]
    one_after_the_other = zip(applies, [*applies[1:], "close"][: len(applies)], strict=True)
    sliced = {
        name: following
        for role in sync.sliced_roles
        for name, following in (
            (f"extract_{role}", {"plan", f"plan_slices_{role}"}),
            (f"plan_slices_{role}", {f"extract_slices_{role}"}),
            (f"extract_slices_{role}", {"plan"}),
        )
    }
    return {
        **before,
        "open": {*extracts, "plan"},
        **{name: {"plan"} for name in extracts},
        **sliced,
        "plan": {"review"},
        "review": set(applies or ["close"]),
        **{name: {following} for name, following in one_after_the_other},
        "close": set(),
    }


def test_calls_to_a_vendor_run_in_the_pool_of_the_connection(
    parsed: Parsed, accounts: dict[str, Account]
) -> None:
    offered = set(pools(accounts.values()))
    for dag_id, dag in parsed.dags.items():
        account = accounts[dag_id.partition("__")[0]]
        for name, task in dag["tasks"].items():
            step, _, side = name.rpartition("_")
            calls = side in SIDES and step != "plan_slices"
            own = account.pool(side) if calls else "default_pool"  # type: ignore[arg-type]
            assert task["pool"] == own
            assert own in offered | {"default_pool"}


def test_no_task_may_run_for_ever(everything: Parsed, accounts: dict[str, Account]) -> None:
    for dag_id, dag in everything.dags.items():
        account = accounts.get(dag_id.partition("__")[0])
        hours = account.settings.task_hours if account else 12
        seconds = {name: task["seconds"] for name, task in dag["tasks"].items()}
        assert seconds == dict.fromkeys(dag["tasks"], hours * 3600), dag_id
        # An approval may take as long as it takes.
        assert {task["answer_seconds"] for task in dag["tasks"].values()} == {None}


def test_close_runs_whatever_happened(parsed: Parsed) -> None:
    for dag in parsed.dags.values():
        assert dag["tasks"]["close"]["trigger_rule"].lower().endswith("all_done")


def test_one_run_at_a_time_and_none_to_catch_up(parsed: Parsed) -> None:
    assert {dag["max_active_runs"] for dag in parsed.dags.values()} == {1}
    assert {dag["catchup"] for dag in parsed.dags.values()} == {False}


def test_the_trigger_form_explains_every_parameter(parsed: Parsed) -> None:
    for dag_id, dag in parsed.dags.items():
        sync = sync_types()[dag_id.partition("__")[2]]
        own = "repair" if sync.verifies else "full_resync"
        lists = {"lists"} if sync.scope is Scope.LISTS else set()
        lists |= {"lists", "program"} if sync.scope is Scope.PROGRAMS else set()
        lists |= {"campaigns"} if sync.scope is Scope.CAMPAIGNS else set()
        undo = {"undo_run"} if sync.reverts else set()
        assert set(dag["params"]) == {"dry_run", own, "records"} | undo | lists
        assert (dag["params"]["dry_run"], dag["params"][own]) == (False, False)
        assert dag["params"].get("undo_run") is None
        for name, schema in dag["schemas"].items():
            assert schema["type"], (dag_id, name)
            assert schema["title"], (dag_id, name)
            assert dag["descriptions"][name].endswith("."), (dag_id, name)
        pattern = dag["schemas"]["records"]["items"]["pattern"]
        told = ("c-1", "{0d3f1c2e-4e8a-4a55-8f0f-1b2c3d4e5f60}", "42", "selection-a_B-9")
        assert all(re.search(pattern, item) for item in told)
        refused = ("ann@mail.example", "ann\uff20mail.example", "ann%40mail.example", "", "a b")
        assert not any(re.search(pattern, item) for item in refused)
        assert "An email address is refused" in dag["descriptions"]["records"]
    keys = parsed.dags["demo__address_books"]["schemas"]["lists"]["items"]["enum"]
    assert keys == ["newsletter", "product_updates", "webinar_guests"]


def test_each_dag_has_its_page_tags_and_title(parsed: Parsed) -> None:
    for dag_id, dag in parsed.dags.items():
        account, _, sync = dag_id.partition("__")
        connectors = {"crm": "dynamics", "marketing": "dotdigital"}
        systems = {connectors[role.name] for role in sync_types()[sync].roles}
        assert set(dag["tags"]) == {account, sync, *systems}
        assert dag["doc_md"].lstrip().startswith("### ")
        own = "**Repair**" if sync == "verify" else "**Full"
        undo = ("**Undo this run**",) if sync_types()[sync].reverts else ()
        for named in ("**Dry run**", own, "**Only these records**", *undo):
            assert named in dag["doc_md"], dag_id
    assert parsed.dags["demo__suppressions"]["title"] == "Demo: Suppressions"
    assert parsed.dags["acme__suppressions"]["title"] == "acme: Suppressions"


def test_schedules_are_those_of_the_account(parsed: Parsed) -> None:
    night = "every 4 hours, Monday to Friday 18:00–08:00 (Europe/London)"
    assert parsed.dags["demo__address_books"]["schedule"] == night
    assert parsed.dags["demo__suppressions"]["schedule"] == "every hour (Europe/London)"
    assert parsed.dags["acme__suppressions"]["schedule"] == ""


def test_one_dag_looks_after_all_accounts(everything: Parsed) -> None:
    dag = everything.dags[MAINTENANCE]
    assert list(dag["tasks"]) == ["end_dead_runs", "prune_audit", "remove_staging"]
    assert dag["tasks"]["remove_staging"]["trigger_rule"].lower().endswith("all_done")
    assert dag["doc_md"].lstrip().startswith("### ")
    assert (dag["catchup"], dag["max_active_runs"]) == (False, 1)


@pytest.mark.parametrize("dag_id", ERASING)
def test_erasing_has_a_story_of_its_own_and_no_schedule(everything: Parsed, dag_id: str) -> None:
    dag = everything.dags[dag_id]
    account = dag_id.partition("__")[0]
    graph = {name: task["downstream"] for name, task in dag["tasks"].items()}
    assert graph == {
        "open": ["find_crm"],
        "find_crm": ["find_marketing"],
        "find_marketing": ["review"],
        "review": ["erase_crm", "erase_marketing"],
        "erase_crm": ["erase_marketing"],
        "erase_marketing": ["close"],
        "close": [],
    }
    assert dag["tasks"]["close"]["trigger_rule"].lower().endswith("all_done")
    for task, side in itertools.product(("find", "erase"), SIDES):
        assert dag["tasks"][f"{task}_{side}"]["pool"] != "default_pool"
    assert dag["params"] == {"request": None, "confirm": None, "dry_run": False}
    for name, schema in dag["schemas"].items():
        if name != "dry_run":
            assert schema["pattern"] == "^[0-9a-f]{32}$"  # never an address
        assert schema["title"]
        assert dag["descriptions"][name].endswith(".")
    assert (dag["schedule"], dag["catchup"], dag["max_active_runs"]) == ("", False, 1)
    assert set(dag["tags"]) == {account, "dynamics", "dotdigital", "erase"}
    assert dag["doc_md"].lstrip().startswith("### ")
    assert "**This cannot be undone.**" in dag["doc_md"]


@pytest.mark.parametrize("dag_id", INITIAL)
def test_an_initial_sync_runs_each_sync_type_once_and_is_a_dry_run_unless_told_otherwise(
    everything: Parsed, accounts: dict[str, Account], dag_id: str
) -> None:
    dag = everything.dags[dag_id]
    account = accounts[dag_id.partition("__")[0]]
    expected = {name for name, sync in sync_types().items() if can_run(account, sync)} - {"verify"}
    assert set(dag["tasks"]) == {"begin", "summary", *expected}
    rules = {name: task["trigger_rule"].lower() for name, task in dag["tasks"].items()}
    assert all(rules[name].endswith("all_done") for name in {"summary", *expected})
    assert dag["tasks"]["summary"]["downstream"] == []
    assert all("summary" in dag["tasks"][name]["downstream"] for name in expected)
    assert dag["params"] == {"dry_run": True, "sync_types": []}
    assert set(dag["schemas"]["sync_types"]["items"]["enum"]) == expected
    for name, schema in dag["schemas"].items():
        assert schema["title"]
        assert dag["descriptions"][name].endswith(".")
    assert (dag["schedule"], dag["catchup"], dag["max_active_runs"]) == ("", False, 1)
    assert set(dag["tags"]) == {account.name, "dynamics", "dotdigital", "initial_sync"}
    assert dag["doc_md"].lstrip().startswith("### ")


def test_every_sync_type_has_its_file() -> None:
    assert {path.stem for path in SYNC_FILES} == set(sync_types())


@pytest.mark.parametrize("path", sorted(DAGS.glob("*.py")), ids=lambda path: path.stem)
def test_a_dag_file_is_a_docstring_and_a_screenful(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    module = ast.parse(text)
    docstring = module.body[0]
    assert ast.get_docstring(module)
    assert len(text.splitlines()) - (docstring.end_lineno or 0) <= 30
    assert b"airflow" in text.lower().encode()
    assert b"dag" in text.lower().encode()


@pytest.mark.parametrize("path", sorted(DAGS.glob("*.py")), ids=lambda path: path.stem)
def test_a_dag_file_imports_airflow_and_the_library_only(path: Path) -> None:
    module = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    assert found <= {"__future__", "airflow", "bothways"}
