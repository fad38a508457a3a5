"""A plan that waited is applied as far as it still holds; the rest goes back to the next run."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import yaml

from bothways.engine import refresh
from bothways.engine.review import review
from bothways.engine.step import step
from bothways.errors import RunStopped
from bothways.vocabulary import SIDES
from tests.promises.conftest import every_platform
from tests.support.engine import Finished, World
from tests.support.erasing import Erasing
from tests.support.sandbox import SandboxServer
from tests.support.scenario import LISTS, Scenario

ANN, BOB = "ann@mail.example", "bob@mail.example"
NOTHING_UNASKED = {
    "free": 0,
    "creations": 0,
    "overwrites": 0,
    "removals": 0,
    "suppressions": 0,
}


class Waiting:
    """Runs that wait for approval, until `approve` is called."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.world = scenario.world
        self._names = itertools.count(1)
        self.configure()

    def configure(self, **changes: Any) -> None:
        settings = {"retry_minutes": 0, "on_guard": "ask"}
        self.world.configure(
            **{"lists": LISTS, "settings": settings, "guard": NOTHING_UNASKED, **changes}
        )

    def plan(self, sync_type: str = "marketing_lists") -> tuple[str, str]:
        """Take a run as far as its review, which asks a person."""
        ids = (sync_type, f"waiting__{next(self._names)}")
        self.world.open(*ids)
        run = self.world.found(*ids)
        for side in SIDES:
            self.world.extract(run, side)
        self.world.plan(run)
        with step(run, "review"):
            assert review(run).ask
        return ids

    def approve(self, ids: tuple[str, str]) -> Finished:
        run = self.world.found(*ids)
        for side, chunk in itertools.product(SIDES, self.world.answer(run, approved=True)):
            self.world.apply(run, side, chunk, last=True)
        self.world.close_run(*ids)
        return self.world.finished(*ids)

    def sync(self, *sync_types: str) -> Finished:
        """Run syncs that nobody has to approve."""
        self.configure(guard={"free": 1_000_000})
        run = self.scenario.sync(*sync_types)
        self.configure()
        return run


@pytest.fixture
def scenario(world: World, sandbox: SandboxServer) -> Scenario:
    return Scenario(world, sandbox)


@pytest.fixture
def waiting(scenario: Scenario) -> Waiting:
    return Waiting(scenario)


@pytest.fixture
def long_ago(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What was read is always too old."""
    monkeypatch.setattr(refresh, "FRESH_FOR", timedelta(0))
    return


@pytest.fixture
def in_step(waiting: Waiting) -> list[str]:
    """Ann and Bob, on the newsletter on both sides and read since."""
    scenario = waiting.scenario
    scenario.world.configure(lists=LISTS, settings={"retry_minutes": 0})
    people = scenario.on_both(ANN, BOB, firstname="X")
    scenario.sync()
    waiting.configure()
    return people


@pytest.mark.usefixtures("long_ago")
@pytest.mark.parametrize("how", ["flag", "record", "other record"])
def test_who_may_not_be_mailed_any_more_is_not_created(how: str, waiting: Waiting) -> None:
    scenario = waiting.scenario
    people = {email: scenario.crm.contact(email) for email in (ANN, BOB)}
    for record in people.values():
        scenario.crm.join("Newsletter", record)
    waiting.sync("suppressions")
    scenario.crm.leave("Newsletter", people[BOB])
    scenario.crm.join("Newsletter", people[BOB])
    ids = waiting.plan()
    if how == "flag":
        scenario.change(people[ANN], donotbulkemail=True)
    elif how == "record":
        scenario.crm.suppression(ANN)
    else:
        scenario.crm.contact(ANN.upper(), donotbulkemail=True)
    run = waiting.approve(ids)
    assert scenario.addresses() == [BOB]
    assert (run.status, run.counts["ignored"]) == ("Completed", {"do_not_mail": 2})
    assert "next run plans it again" in run.jobs_of(reason="do_not_mail")["error_message"].iloc[0]
    assert waiting.sync("suppressions", "marketing_lists").counts["errors"] == 0
    assert scenario.platform.mailable() == [BOB]


@every_platform
@pytest.mark.usefixtures("long_ago")
def test_who_unsubscribes_meanwhile_is_not_put_on_a_list_of_the_crm(waiting: Waiting) -> None:
    scenario = waiting.scenario
    for email in (ANN, BOB):
        scenario.platform.contact(email, "Newsletter")
    ids = waiting.plan()
    scenario.act("unsubscribe", ANN)
    run = waiting.approve(ids)
    assert scenario.crm.members("Newsletter") == [BOB]
    assert [row["emailaddress1"] for row in scenario.crm.table("contact")] == [BOB]
    assert run.counts["ignored"] == {"do_not_mail": 2}


@every_platform
@pytest.mark.usefixtures("long_ago")
def test_what_somebody_changed_meanwhile_is_not_overwritten(
    waiting: Waiting, in_step: list[str]
) -> None:
    scenario = waiting.scenario
    for record in in_step:
        scenario.change(record, firstname="Crm")
    ids = waiting.plan()
    scenario.edit(ANN, first_name="Platform")
    run = waiting.approve(ids)
    assert (run.counts["updated"], run.counts["ignored"]) == (1, {"changed_since_planned": 1})
    assert scenario.fields(ANN)["first_name"] == "Platform"
    assert scenario.fields(BOB)["first_name"] == "Crm"
    run = waiting.sync()
    assert run.jobs["reason"].eq("conflict: first_name").sum() == 1
    assert scenario.fields(ANN)["first_name"] == scenario.record(in_step[0])["firstname"]


@pytest.mark.usefixtures("long_ago")
def test_who_is_put_back_on_a_list_meanwhile_is_not_taken_off_the_other(
    waiting: Waiting, in_step: list[str]
) -> None:
    scenario = waiting.scenario
    for record in in_step:
        scenario.crm.leave("Newsletter", record)
    ids = waiting.plan()
    scenario.crm.join("Newsletter", in_step[0])
    run = waiting.approve(ids)
    assert run.counts["ignored"] == {"changed_since_planned": 1}
    assert scenario.on_lists() == ([ANN], [ANN])


def test_a_plan_that_did_not_wait_is_applied_without_a_further_read(
    waiting: Waiting, sandbox: SandboxServer
) -> None:
    waiting.scenario.crm.join("Newsletter", waiting.scenario.crm.contact(ANN))
    ids = waiting.plan()
    sandbox.calls(forget=True)
    run = waiting.approve(ids)
    assert run.counts["new"] == 2
    assert not [name for name in sandbox.calls()["dynamics"] if name.startswith("GET contacts")]


def test_what_a_newer_run_of_another_kind_has_heard_counts(waiting: Waiting) -> None:
    """Nothing is read again here: the store knows."""
    scenario = waiting.scenario
    scenario.platform.contact(ANN, "Newsletter")
    ids = waiting.plan()
    scenario.act("complain", ANN)
    waiting.sync("suppressions")
    run = waiting.approve(ids)
    assert run.counts["ignored"] == {"do_not_mail": 2}
    assert scenario.crm.table("contact") == []


def test_a_stuck_run_does_not_undo_what_a_newer_one_wrote(
    waiting: Waiting, in_step: list[str]
) -> None:
    scenario = waiting.scenario
    scenario.change(in_step[0], firstname="Old")
    ids = waiting.plan()
    scenario.change(in_step[0], firstname="New")
    waiting.sync()  # as if the waiting run had been given up, and its task cleared later
    assert scenario.fields(ANN)["first_name"] == "New"
    run = waiting.approve(ids)
    assert run.counts["ignored"] == {"changed_since_planned": 1}
    assert scenario.fields(ANN)["first_name"] == "New"
    waiting.sync()
    assert scenario.record(in_step[0])["firstname"] == scenario.fields(ANN)["first_name"] == "New"


@pytest.mark.usefixtures("long_ago")
def test_what_goes_back_to_the_next_run_is_looked_at_whatever_changed(
    waiting: Waiting, in_step: list[str]
) -> None:
    scenario = waiting.scenario
    scenario.change(in_step[0], firstname="Crm")
    ids = waiting.plan()
    scenario.edit(ANN, first_name="Platform")
    run = waiting.approve(ids)
    (due,) = scenario.world.query(
        "SELECT source_id, given_up, attempts, next_at <= now() AS now FROM retries"
    )
    assert due == {"source_id": in_step[0], "given_up": False, "attempts": 0, "now": True}
    assert scenario.world.query("SELECT 1 FROM baselines WHERE values::text LIKE '%Crm%'") == []
    assert run.status == "Completed"
    waiting.sync()
    assert scenario.world.query("SELECT * FROM retries") == []


# ── erased meanwhile ──────────────────────────────────────────────────────────────────────────


def erase(waiting: Waiting, email: str) -> Finished:
    erasing = Erasing(waiting.world)
    request = erasing.file(email)
    return erasing.run(request, request)


@pytest.mark.parametrize("start", ["crm", "marketing"])
def test_an_erased_person_is_not_written_back_by_a_run_that_waited(
    start: str, waiting: Waiting
) -> None:
    scenario = waiting.scenario
    for email in (ANN, BOB):
        if start == "crm":
            scenario.crm.join("Newsletter", scenario.crm.contact(email))
        else:
            scenario.platform.contact(email, "Newsletter")
    ids = waiting.plan()
    assert erase(waiting, ANN).status == "Completed"
    staged = scenario.world.folder / "staging"
    files = [path.read_bytes() for path in staged.rglob("*") if path.is_file()]
    assert not [data for data in files if b"ann@mail" in data]
    run = waiting.approve(ids)
    assert run.status == "Completed"
    assert run.counts["ignored"] == {"erased": 2}
    assert scenario.addresses() == scenario.crm.members("Newsletter") == [BOB]
    assert [row["emailaddress1"] for row in scenario.crm.table("contact")] == [BOB]
    for table in ("jobs", "links", "baselines", "list_states", "records", "retries"):
        named = f"SELECT 1 FROM {table} t WHERE t::text ILIKE '%ann@mail%'"
        assert scenario.world.query(named) == [], table


def test_who_is_barred_while_a_run_is_approved_is_not_written_either(waiting: Waiting) -> None:
    """The approval comes between the two steps of an erasure."""
    scenario = waiting.scenario
    for email in (ANN, BOB):
        scenario.platform.contact(email, "Newsletter")
    ids = waiting.plan()
    erasing = Erasing(waiting.world)
    request = erasing.file(ANN)
    erasing.open("race", request, request)
    run = waiting.approve(ids)
    assert run.counts["ignored"] == {"erased": 2}
    assert [row["emailaddress1"] for row in scenario.crm.table("contact")] == [BOB]


def test_who_asks_to_be_erased_is_barred_before_it_is_looked_who_is_at_work(
    waiting: Waiting,
) -> None:
    """So that a run which begins to write at that moment asks the ledger afterwards."""
    scenario = waiting.scenario
    scenario.platform.contact(ANN, "Newsletter")
    ids = waiting.plan()
    run = scenario.world.found(*ids)
    chunks = scenario.world.answer(run, approved=True)
    refused = erase(waiting, ANN).message
    assert "is in progress" in refused
    assert "from now on no sync writes this person" in refused
    for side, chunk in itertools.product(SIDES, chunks):
        scenario.world.apply(run, side, chunk)
    scenario.world.close_run(*ids)
    assert scenario.crm.table("contact") == []
    assert erase(waiting, ANN).status == "Completed"


# ── configured anew meanwhile ─────────────────────────────────────────────────────────────────


def test_a_plan_of_another_configuration_is_not_applied(
    waiting: Waiting, in_step: list[str], sandbox: SandboxServer
) -> None:
    scenario = waiting.scenario
    scenario.change(in_step[0], firstname="Crm")
    ids = waiting.plan()
    path = scenario.world.include / "mappings" / "dynamics_dotdigital" / "contact.yaml"
    mapping = yaml.safe_load(path.read_text())
    del mapping["fields"]["first_name"]
    path.write_text(yaml.safe_dump(mapping))
    sandbox.calls(forget=True)
    with pytest.raises(RunStopped, match="configuration"):
        waiting.approve(ids)
    scenario.world.close_run(*ids)
    run = scenario.world.finished(*ids)
    assert run.status == "Failed"
    assert run.message.startswith("The account's configuration has changed")
    assert set(sandbox.calls()["rows_written"].values()) <= {0}
    assert scenario.fields(ANN)["first_name"] == "X"


def test_a_schedule_a_title_or_a_limit_may_change_while_a_run_waits(
    waiting: Waiting, in_step: list[str]
) -> None:
    scenario = waiting.scenario
    scenario.change(in_step[0], firstname="Crm")
    ids = waiting.plan()
    waiting.configure(
        title="Acme", schedules={"verify": {"interval": "weekly"}}, guard={"removals": 7}
    )
    assert waiting.approve(ids).counts["updated"] == 1
