"""The DAG that brings an account up: its order, and what each task does before it starts a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowSkipException,
    DagRunTriggerException,
    TaskDeferred,
)

from bothways import discovery
from bothways.config import first as order
from bothways.config.load import load_account
from bothways.orchestration import initial
from bothways.spec import Phase, SyncSpec
from tests.support.configuration import SMALLEST, IncludeFolder

Context = dict[str, Any]
MadeContext = Callable[..., Context]


@pytest.fixture(autouse=True)
def include(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> IncludeFolder:
    folder = IncludeFolder(tmp_path / "include", monkeypatch)
    folder.account("shop", SMALLEST)
    return folder


@pytest.fixture
def context(monkeypatch: pytest.MonkeyPatch) -> MadeContext:
    """Make the context of a task: what ran before, the states of other tasks, and the form."""

    def make(
        completed: dict[str, int] | None = None,
        *,
        active: int = 0,
        chosen: tuple[str, ...] = (),
        dry_run: bool = True,
        paused: tuple[str, ...] = (),
        own: object = None,
        **states: str,
    ) -> Context:
        monkeypatch.setattr(initial, "_completed", lambda _account: completed or {})
        monkeypatch.setattr(initial, "_run_of", lambda _dag_id, _run_id: own)
        found = {"begin": "success", **states}
        ti = SimpleNamespace(
            dag_id="shop__initial_sync",
            get_task_states=lambda **_asked: {"manual__1": found},
            get_dr_count=lambda **_asked: active,
            get_dag=lambda dag_id: SimpleNamespace(is_paused=dag_id in paused),
        )
        params = {"dry_run": dry_run, "sync_types": list(chosen)}
        made = {"ti": ti, "run_id": "manual__1", "params": params}
        monkeypatch.setattr(initial, "get_current_context", lambda: made)
        return made

    return make


def child(name: str) -> Any:
    return initial.build_initial_sync(load_account("shop"), doc="### Initial").get_task(name)


def test_the_order_is_that_of_the_phases_and_of_what_each_runs_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = replace(discovery.sync_type("contact_scoring"), after=())

    def of(name: str, phase: Phase, *after: str) -> SyncSpec:
        return replace(plain, name=name, phase=phase, after=after)

    specs = [
        of("scores", Phase.ACTIVITY),
        of("lists", Phase.PEOPLE, "consent", "fields"),
        of("more_lists", Phase.PEOPLE, "lists"),
        of("consent", Phase.CONSENT),
        of("fields", Phase.FIELDS),
        of("tables", Phase.STRUCTURE),
    ]
    monkeypatch.setattr(order, "sync_types", lambda: {spec.name: spec for spec in specs})
    found = order.first_syncs(load_account("shop"))
    assert [(one.sync.name, one.follows, one.needs) for one in found] == [
        ("tables", (), ()),
        ("fields", ("tables",), ("tables",)),
        ("consent", ("fields",), ("tables",)),
        ("lists", ("consent",), ("tables", "fields", "consent")),
        ("more_lists", ("consent", "lists"), ("tables", "consent", "lists")),
        ("scores", ("lists", "more_lists"), ("tables",)),
    ]


def test_who_may_not_be_mailed_is_known_before_anybody_is_written() -> None:
    needs = {one.sync.name: one.needs for one in order.first_syncs(load_account("shop"))}
    dag = initial.build_initial_sync(load_account("shop"), doc="### Initial")
    for name in ("marketing_lists", "address_books"):
        assert "suppressions" in needs[name]
        assert "suppressions" in dag.get_task(name).upstream_task_ids
    assert all("verify" not in needs[name] for name in needs)
    # What the CRM needs is made before anything is written to it.
    assert list(needs)[:4] == ["provision", "crm_metadata", "data_labels", "suppressions"]
    assert all("provision" in needs[name] for name in needs if name != "provision")


def test_what_the_file_names_is_run_and_what_has_no_tables_in_the_crm_is_left_out(
    include: IncludeFolder,
) -> None:
    every = {one.sync.name for one in order.first_syncs(load_account("shop"))}
    include.account("shop", SMALLEST + "syncs: {data_labels: {labels: rows}}\n")
    found = {one.sync.name: one.needs for one in order.first_syncs(load_account("shop"))}
    assert every - set(found) == {"campaigns", "forms", "programs", "web_behaviour"}
    assert "data_labels" in found["marketing_lists"], "they run first where the account has them"
    assert "data_labels" not in found["address_books"]


def test_a_child_is_a_dry_run_of_the_sync_types_dag_unless_told_otherwise(
    context: MadeContext,
) -> None:
    for dry_run in (True, False):
        with pytest.raises(DagRunTriggerException) as started:
            child("suppressions").execute(context(dry_run=dry_run))
        asked = started.value
        assert (asked.trigger_dag_id, asked.dag_run_id) == (
            "shop__suppressions",
            "initial__manual__1",
        )
        assert asked.conf == {"dry_run": dry_run}
        assert asked.deferrable
        assert asked.wait_for_completion


def test_a_child_that_an_earlier_try_started_is_waited_for(context: MadeContext) -> None:
    with pytest.raises(TaskDeferred) as waiting:
        child("suppressions").execute(context(active=1))
    assert waiting.value.trigger.run_ids == ["initial__manual__1"]


def test_what_has_completed_or_was_not_chosen_is_left_out(context: MadeContext) -> None:
    with pytest.raises(AirflowSkipException, match="completed before, in run 7"):
        child("suppressions").execute(context({"suppressions": 7}))
    with pytest.raises(AirflowSkipException, match="not chosen"):
        child("suppressions").execute(context(chosen=("campaigns",)))


@pytest.mark.parametrize("state", ["failed", "upstream_failed"])
def test_a_failed_child_stops_those_that_need_it_and_no_others(
    state: str, context: MadeContext
) -> None:
    told = "^Marketing lists didn't start as Suppressions failed; "
    with pytest.raises(AirflowFailException, match=told):
        child("marketing_lists").execute(context(suppressions=state))
    with pytest.raises(DagRunTriggerException):
        child("campaigns").execute(context(suppressions=state, marketing_lists="failed"))


def test_a_child_goes_on_after_what_completed_earlier_but_not_without_it(
    context: MadeContext,
) -> None:
    with pytest.raises(DagRunTriggerException):
        child("marketing_lists").execute(context({"suppressions": 7}, suppressions="skipped"))
    with pytest.raises(AirflowFailException, match="Suppressions, which it needs, has never run"):
        child("marketing_lists").execute(
            context(chosen=("marketing_lists",), suppressions="skipped")
        )


def ended(status: str) -> SimpleNamespace:
    return SimpleNamespace(run_id=7, status=status, message="So it is.")


@pytest.mark.parametrize("status", ["Completed", "Completed With Errors", "Dry Run"])
def test_a_child_is_judged_by_its_audit(status: str, context: MadeContext) -> None:
    """Airflow's state is another where `close` failed for the alert of overdue opt-outs."""
    told = child("suppressions").execute_complete(
        context(own=ended(status)), event=("trigger", {"initial__manual__1": "failed"})
    )
    assert told == f"run 7: {status}. So it is."


def test_a_child_that_failed_or_was_never_opened_fails_with_its_message(
    context: MadeContext,
) -> None:
    with pytest.raises(
        AirflowFailException, match=r"^Suppressions failed, run 7: Failed\. So it is"
    ):
        child("suppressions").execute_complete(context(own=ended("Failed")), event=None)
    with pytest.raises(AirflowFailException, match="was never opened; see its log"):
        child("suppressions").execute_complete(context(), event=None)


def test_a_try_that_was_lost_finds_that_its_run_has_completed(context: MadeContext) -> None:
    told = child("suppressions").execute(context({"suppressions": 7}, own=ended("Completed")))
    assert told == "run 7: Completed. So it is."


def test_nothing_starts_where_a_dag_is_paused(context: MadeContext) -> None:
    begin: Any = initial.begin.function
    context({"suppressions": 7}, paused=("shop__suppressions",))
    begin("shop")  # has run already
    context(paused=("shop__campaigns", "shop__opt_in"))
    with pytest.raises(AirflowFailException, match="unpause shop__campaigns, shop__opt_in, and"):
        begin("shop")
    with pytest.raises(AirflowFailException, match="see the task `begin`"):
        child("suppressions").execute(context(begin="failed"))


def test_the_summary_fails_where_a_sync_type_did(context: MadeContext) -> None:
    summary: Any = initial.summary.function
    context(suppressions="success", marketing_lists="success", campaigns="skipped")
    number = len(order.first_syncs(load_account("shop")))
    assert summary("shop") == f"2 of {number} sync types ran, 1 left out."
    context(suppressions="success", marketing_lists="failed")
    with pytest.raises(AirflowFailException, match="failed or did not start: Marketing lists"):
        summary("shop")
