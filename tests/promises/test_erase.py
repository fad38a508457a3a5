"""A person who asks for it is gone from both sides and from the store, and stays away."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from bothways.cli.app import app
from bothways.errors import BothwaysError
from bothways.tables import SIDES
from tests.support.edits import Marketer
from tests.support.engine import World
from tests.support.erasing import Erasing
from tests.support.people import Crm
from tests.support.sandbox import SandboxServer

ANN = "ann@mail.example"
NEWS = "Newsletter"
SYNCS = ("suppressions", "marketing_lists", "address_books")


@pytest.fixture
def marketer(world: World, sandbox: SandboxServer) -> Marketer:
    return Marketer(sandbox)


@pytest.fixture
def erasing(world: World, crm: Crm, marketer: Marketer, sandbox: SandboxServer) -> Erasing:
    """Ann has left traces everywhere; Joann, whose address holds hers, has too."""
    for name in ("ann", "joann"):
        record = crm.contact(f"{name}@mail.example", firstname=name)
        crm.join(NEWS, record)
        marketer.contact(f"{name}@mail.example", NEWS, FIRSTNAME=name)
    crm.lead("ANN@mail.example")
    for sync_type in SYNCS:
        world.run(sync_type)
    sandbox.act("dotdigital", "unsubscribe", email=ANN)
    world.run("suppressions")
    assert ANN in crm.suppressions()
    return Erasing(world)


def traces(world: World) -> dict[str, int]:
    """How many rows of each table of the store name Ann."""
    tables = world.query(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'secrets'"
    )
    found = {}
    for row in tables:
        name = row["tablename"]
        told = rf"SELECT count(*) AS n FROM {name} t WHERE t::text ~* '(^|[^o])ann@mail'"
        found[name] = world.query(told)[0]["n"]
    return {name: number for name, number in found.items() if number}


def vendors(crm: Crm, marketer: Marketer) -> list[str]:
    people = [*crm.table("contact"), *crm.table("lead")]
    found = [str(row["emailaddress1"]) for row in people]
    found += [str(row["bw_email"]) for row in crm.table("bw_suppression")]
    return sorted(address.lower() for address in [*found, *marketer.statuses()])


def test_a_person_is_gone_from_both_sides_and_from_the_store(
    world: World, crm: Crm, marketer: Marketer, erasing: Erasing
) -> None:
    assert {"records", "jobs", "links", "suppressions"} <= traces(world).keys()
    request = erasing.file(ANN.title())
    run = erasing.run(request, request)
    assert run.status == "Completed", run.message
    assert vendors(crm, marketer) == ["joann@mail.example"] * 2
    assert traces(world) == {}
    assert run.counts["deleted"] == run.counts["total"] == len(run.jobs) == 4
    assert set(run.jobs["entity"]) == {"contact", "lead", "suppression"}
    assert not run.jobs[["record_id", "source_id", "email", "key"]].notna().any(axis=None)
    assert "keyed hash" in run.message
    assert "ann" not in f"{run.message}{run.notes}".lower().replace("and", "")
    (row,) = world.query("SELECT * FROM erasures")
    assert (row["person"], row["run_id"]) == (None, run.run_id)
    assert not list((world.folder / "staging").rglob("*.parquet"))
    joann = world.query("SELECT count(*) AS n FROM jobs WHERE email = 'joann@mail.example'")
    assert joann[0]["n"] > 0


def test_somebody_whose_address_differs_by_an_accent_is_left_alone(
    world: World, crm: Crm, marketer: Marketer, erasing: Erasing
) -> None:
    other = "ánn@mail.example"
    crm.contact(other, firstname="Ánn")
    crm.suppression(other)
    request = erasing.file(ANN)
    assert erasing.run(request, request).status == "Completed"
    assert vendors(crm, marketer) == ["joann@mail.example"] * 2 + [other] * 2
    assert list(crm.suppressions()) == [other]


def test_later_syncs_ignore_the_address(
    world: World, crm: Crm, marketer: Marketer, erasing: Erasing, sandbox: SandboxServer
) -> None:
    request = erasing.file(ANN.title())
    erasing.run(request, request)
    crm.join(NEWS, crm.contact(ANN, firstname="Ann"))
    for sync_type in SYNCS:
        world.run(sync_type)
    assert ANN not in marketer.statuses()
    marketer.contact(ANN, NEWS)
    crm.leave(NEWS, crm.person(ANN)["contactid"])
    runs = [world.run(sync_type) for sync_type in SYNCS]
    assert crm.members(NEWS) == ["joann@mail.example"]
    assert {run.counts["ignored"].get("erased", 0) for run in runs[1:]} == {1}
    sandbox.act("dotdigital", "unsubscribe", email=ANN)
    run = world.run("suppressions")
    assert run.counts["ignored"].get("erased", 0) >= 1
    assert ANN not in crm.suppressions()


def test_whom_the_platform_has_again_is_suppressed_where_the_crm_says_so(
    world: World, crm: Crm, marketer: Marketer, erasing: Erasing
) -> None:
    request = erasing.file(ANN)
    erasing.run(request, request)
    marketer.contact(ANN, NEWS)
    world.run("marketing_lists")
    crm.suppression(ANN)
    assert world.run("suppressions").counts["new"] == 1
    assert marketer.statuses()[ANN].lower() == "suppressed"


def test_without_the_number_twice_nothing_happens(
    world: World, crm: Crm, marketer: Marketer, erasing: Erasing
) -> None:
    request = erasing.file(ANN.title())
    everybody = vendors(crm, marketer)
    for chosen, confirmed, why in (
        (None, None, "Nothing was chosen"),
        (request, None, "was not confirmed"),
        (request, request + 1, "was not confirmed"),
        (request + 1, request + 1, f"has no request {request + 1}"),
    ):
        run = erasing.run(chosen, confirmed)
        assert run.status == "Failed"
        assert why in run.message
    assert vendors(crm, marketer) == everybody
    erasing.run(request, request)
    again = erasing.run(request, request)
    assert "was carried out by run" in again.message


def test_a_bad_line_and_a_second_try_end_in_the_same(
    world: World, crm: Crm, marketer: Marketer, erasing: Erasing, sandbox: SandboxServer
) -> None:
    request = erasing.file(ANN.title())
    name = "unlucky"
    erasing.open(name, request, request)
    sandbox.faults({"*": {"share": {"500": 1.0}}})
    with pytest.raises(BothwaysError):
        erasing.side(name, "crm")
    erasing.close(name)
    failed = world.finished("erase", name)
    assert failed.status == "Failed"
    assert "The request is kept" in failed.message
    assert erasing.world.query("SELECT person FROM erasures")[0]["person"]
    sandbox.faults({"*": {"share": {"429": 0.2, "cut": 0.1}, "after_write": 0.2}})
    for side in SIDES:
        erasing.side(name, side)
    sandbox.faults()
    erasing.close(name)
    assert world.finished("erase", name).status == "Completed"
    assert vendors(crm, marketer) == ["joann@mail.example"] * 2
    assert traces(world) == {}


def test_a_sync_in_progress_comes_first(world: World, erasing: Erasing) -> None:
    request = erasing.file(ANN.title())
    world.open("suppressions", "busy")
    run = erasing.run(request, request)
    assert run.status == "Failed"
    assert "is in progress; try again once it has ended" in run.message
    world.close_run("suppressions", "busy")
    assert erasing.run(request, request).status == "Completed"


def test_a_record_of_either_side_names_the_person(
    world: World, crm: Crm, marketer: Marketer, erasing: Erasing
) -> None:
    request = erasing.file(str(marketer.person(ANN)["id"]))
    assert erasing.run(request, request).status == "Completed"
    assert vendors(crm, marketer) == ["joann@mail.example"] * 2
    unknown = erasing.file("no-such-record")
    assert "is known; file a request with the address" in erasing.run(unknown, unknown).message


def test_the_command_files_a_request_and_says_how_to_carry_it_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bothways.cli import erase

    monkeypatch.setattr(erase, "join_airflow", lambda: None)
    monkeypatch.setenv("AIRFLOW_CONN_BOTHWAYS_STORE", world.store_url)
    runner = CliRunner()
    refused = runner.invoke(app, ["erase", "test"], input=f"{ANN}\nann@mail.examples\n")
    assert refused.exit_code == 1
    assert world.query("SELECT * FROM erasures") == []
    filed = runner.invoke(app, ["erase", "test"], input=f"{ANN}\n{ANN}\n")
    assert filed.exit_code == 0, filed.output
    (row,) = world.query("SELECT * FROM erasures")
    number = row["request"]
    assert row["person"] == ANN
    conf = f'{{"request": {number}, "confirm": {number}}}'
    assert f"airflow dags trigger test__erase --conf '{conf}'" in filed.output
