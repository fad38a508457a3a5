"""A person who asks for it is gone from both sides and from the store, and stays away."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from bothways.cli.app import app
from bothways.engine.review import may_approve
from bothways.errors import BothwaysError, RunStopped, StoreError
from bothways.store.db import Store
from bothways.store.erasure_keys import Key
from bothways.vocabulary import SIDES
from tests.promises.conftest import every_platform
from tests.support.engine import World
from tests.support.erasing import Erasing
from tests.support.people import Crm
from tests.support.platforms import Platform
from tests.support.sandbox import SandboxServer
from tests.support.stores import ERASURE_KEYS

ANN = "ann@mail.example"
NEWS = "Newsletter"
SYNCS = ("suppressions", "marketing_lists", "address_books")


@pytest.fixture
def erasing(world: World, crm: Crm, platform: Platform, sandbox: SandboxServer) -> Erasing:
    """Ann has left traces everywhere; Joann, whose address holds hers, has too."""
    for name in ("ann", "joann"):
        record = crm.contact(f"{name}@mail.example", firstname=name)
        crm.join(NEWS, record)
        platform.contact(f"{name}@mail.example", NEWS, first_name=name)
    crm.lead("ANN@mail.example")
    for sync_type in SYNCS:
        world.run(sync_type)
    platform.says_no(ANN)
    world.run("suppressions")
    assert ANN in crm.suppressions()
    return Erasing(world)


def traces(world: World) -> dict[str, int]:
    """How many rows of each table of the store name Ann."""
    tables = world.query(
        "SELECT relname AS tablename FROM pg_class WHERE relnamespace = 'public'::regnamespace "
        "AND relkind IN ('r', 'p') AND NOT relispartition"
    )
    found = {}
    for row in tables:
        name = row["tablename"]
        told = rf"SELECT count(*) AS n FROM {name} t WHERE t::text ~* '(^|[^o])ann@mail'"
        found[name] = world.query(told)[0]["n"]
    return {name: number for name, number in found.items() if number}


def at_vendors(crm: Crm, platform: Platform) -> list[str]:
    people = [*crm.table("contact"), *crm.table("lead")]
    found = [str(row["emailaddress1"]) for row in people]
    found += [str(row["bw_email"]) for row in crm.table("bw_suppression")]
    return sorted(address.lower() for address in [*found, *platform.addresses()])


@every_platform
def test_a_person_is_gone_from_both_sides_and_from_the_store(
    world: World, crm: Crm, platform: Platform, erasing: Erasing
) -> None:
    assert {"records", "jobs", "links", "suppressions"} <= traces(world).keys()
    request = erasing.file(ANN.title())
    erasing.file(ANN.upper())
    run = erasing.run(request, request)
    assert run.status == "Completed", run.message
    assert at_vendors(crm, platform) == ["joann@mail.example"] * 2
    assert traces(world) == {}
    assert run.counts["deleted"] == run.counts["total"] == len(run.jobs) == 4
    assert set(run.jobs["entity"]) == {"contact", "lead", "suppression"}
    assert not run.jobs[["before", "after"]].notna().any(axis=None)
    assert not run.jobs[["record_id", "source_id", "email", "key"]].notna().any(axis=None)
    assert "keyed hash" in run.message
    assert "ann" not in f"{run.message}{run.notes}".lower().replace("and", "")
    (row,) = world.query("SELECT * FROM erasures")
    assert (row["person"], row["run_id"]) == (None, run.run_id)
    assert not list((world.folder / "staging").rglob("*.parquet"))
    joann = world.query("SELECT count(*) AS n FROM jobs WHERE email = 'joann@mail.example'")
    assert joann[0]["n"] > 0


def test_somebody_whose_address_differs_by_an_accent_is_left_alone(
    world: World, crm: Crm, platform: Platform, erasing: Erasing
) -> None:
    other = "ánn@mail.example"
    crm.contact(other, firstname="Ánn")
    crm.suppression(other)
    request = erasing.file(ANN)
    assert erasing.run(request, request).status == "Completed"
    assert at_vendors(crm, platform) == ["joann@mail.example"] * 2 + [other] * 2
    assert list(crm.suppressions()) == [other]


@every_platform
def test_later_syncs_ignore_the_address(
    world: World, crm: Crm, platform: Platform, erasing: Erasing, sandbox: SandboxServer
) -> None:
    request = erasing.file(ANN.title())
    erasing.run(request, request)
    crm.join(NEWS, crm.contact(ANN, firstname="Ann"))
    for sync_type in SYNCS:
        world.run(sync_type)
    assert ANN not in platform.addresses()
    platform.signs_up(ANN, NEWS)
    crm.leave(NEWS, crm.person(ANN)["contactid"])
    runs = [world.run(sync_type) for sync_type in SYNCS]
    assert crm.members(NEWS) == ["joann@mail.example"]
    assert {run.counts["ignored"].get("erased", 0) for run in runs[1:]} == {1}
    platform.act("unsubscribe", ANN)
    run = world.run("suppressions")
    assert run.counts["ignored"].get("erased", 0) >= 1
    assert ANN not in crm.suppressions()


def test_whom_the_platform_has_again_is_suppressed_where_the_crm_says_so(
    world: World, crm: Crm, platform: Platform, erasing: Erasing
) -> None:
    request = erasing.file(ANN)
    erasing.run(request, request)
    platform.contact(ANN, NEWS)
    world.run("marketing_lists")
    crm.suppression(ANN)
    assert world.run("suppressions").counts["new"] == 1
    assert (ANN in platform.addresses(), ANN in platform.mailable()) == (True, False)


def test_without_the_id_twice_nothing_happens(
    world: World, crm: Crm, platform: Platform, erasing: Erasing
) -> None:
    request = erasing.file(ANN.title())
    everybody = at_vendors(crm, platform)
    for chosen, confirmed, why in (
        (None, None, "Nothing was chosen"),
        (request, None, "was not confirmed"),
        (request, "0" * 32, "was not confirmed"),
        ("0" * 32, "0" * 32, "has no such request"),
        ("1", "1", "has no such request"),
    ):
        run = erasing.run(chosen, confirmed)
        assert run.status == "Failed"
        assert why in run.message
    assert at_vendors(crm, platform) == everybody
    erasing.run(request, request)
    again = erasing.run(request, request)
    assert "was carried out by run" in again.message


@every_platform
def test_a_bad_line_and_a_second_try_end_in_the_same(
    world: World, crm: Crm, platform: Platform, erasing: Erasing, sandbox: SandboxServer
) -> None:
    request = erasing.file(ANN.title())
    name = "unlucky"
    erasing.open(name, request, request)
    for side in SIDES:
        erasing.find(name, side)
    assert erasing.review(name) == [0]
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
    assert at_vendors(crm, platform) == ["joann@mail.example"] * 2
    assert traces(world) == {}


def test_a_sync_in_progress_comes_first(world: World, erasing: Erasing) -> None:
    request = erasing.file(ANN.title())
    world.open("suppressions", "busy")
    with pytest.raises(StoreError, match="is in progress; try again once it has ended"):
        erasing.open("waiting", request, request)
    waiting = world.finished("erase", "waiting")
    assert (waiting.status, waiting.message) == ("In Progress", None)
    assert "is in progress" in waiting.notes[-1]
    erasing.close("waiting")  # after the last try
    given_up = world.finished("erase", "waiting")
    assert given_up.status == "Failed"
    assert "is in progress; try again once it has ended" in given_up.message
    world.close_run("suppressions", "busy")
    assert erasing.run(request, request).status == "Completed"


def test_a_record_of_either_side_names_the_person(
    world: World, crm: Crm, platform: Platform, erasing: Erasing
) -> None:
    request = erasing.file(platform.contact_id(ANN))
    assert erasing.run(request, request).status == "Completed"
    assert at_vendors(crm, platform) == ["joann@mail.example"] * 2
    unknown = erasing.file("no-such-record")
    assert "is known; file a request with the address" in erasing.run(unknown, unknown).message


@pytest.fixture
def command(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command as in a shell: its arguments, and what is typed at its prompts."""
    from bothways.cli import erase, erasure_key, export, vendors

    sides = {"dynamics": "crm", world.platform.name: "marketing"}
    for module in (erase, erasure_key, export):
        monkeypatch.setattr(module, "join_airflow", lambda: None)
    monkeypatch.setattr(vendors, "open_connector", lambda name, _: world.connector(sides[name]))
    monkeypatch.setattr(vendors, "missing_connections", lambda _: [])
    monkeypatch.setenv("AIRFLOW_CONN_BOTHWAYS_STORE", world.store_url)
    password = ERASURE_KEYS[0].secret.hex()
    key = json.dumps({"conn_type": "generic", "password": password})
    monkeypatch.setenv("AIRFLOW_CONN_BOTHWAYS_ERASURE", key)

    def invoke(*arguments: str, typed: tuple[str, ...] = ()) -> Result:
        return CliRunner().invoke(app, [*arguments], input="\n".join(typed) + "\n")

    return invoke


def test_the_command_files_a_request_and_says_how_to_carry_it_out(
    world: World, command: Callable[..., Result]
) -> None:
    refused = command("erase", "test", typed=(ANN, "ann@mail.examples"))
    assert refused.exit_code == 1
    assert world.query("SELECT * FROM erasures") == []
    filed = command("erase", "test", typed=(ANN, ANN))
    assert filed.exit_code == 0, filed.output
    (row,) = world.query("SELECT * FROM erasures")
    assert row["person"] == ANN
    conf = json.dumps({"request": row["request"], "confirm": row["request"]})
    assert f"airflow dags trigger test__erase --conf '{conf}'" in filed.output


# ── what is known of a person ─────────────────────────────────────────────────────────────────


def test_an_export_has_everything_that_an_erasure_would_remove(
    world: World, erasing: Erasing, command: Callable[..., Result], tmp_path: Path
) -> None:
    erasing.file(ANN)
    out = tmp_path / "ann.json"
    written = command("export", "test", "--out", str(out), typed=(ANN.title(),))
    assert written.exit_code == 0, written.output
    assert out.stat().st_mode & 0o777 == 0o600
    known = json.loads(out.read_text())
    in_systems = {
        name: [(row["entity"], row["email"]) for row in rows]
        for name, rows in known["systems"].items()
    }
    assert set(in_systems["Dynamics 365"]) == {
        ("contact", ANN), ("lead", "ANN@mail.example"), ("suppression", None),
    }  # fmt: skip
    assert in_systems[world.platform.title] == [("contact", ANN)]
    assert traces(world).keys() <= {name for name, rows in known["store"].items() if rows}
    assert "joann" not in out.read_text()
    assert command("export", "test", "--out", str(out), ANN).exit_code == 1
    assert "ann@mail" not in command("export", "test", "no-such-record").output


# ── what would be deleted, and how much may be ────────────────────────────────────────────────


def test_the_command_shows_what_would_be_deleted(
    world: World, crm: Crm, erasing: Erasing, command: Callable[..., Result]
) -> None:
    crm.contact("ann.doe@work.example", firstname="Annie", emailaddress2=ANN)
    shown = command("erase", "test", typed=(ANN, ANN)).output
    assert "Dynamics 365: 4 would be deleted" in shown
    assert f"{world.platform.title}: 1 would be deleted" in shown
    assert "ann.doe@work.example  firstname: Annie" in shown
    assert "joann" not in shown
    listed = command("erase", "test", "--pending").output
    (row,) = world.query("SELECT request FROM erasures")
    assert row["request"] in listed
    assert "expires" in listed
    assert "ann" not in listed


def test_a_dry_run_names_what_would_be_deleted_and_deletes_nothing(
    world: World, crm: Crm, platform: Platform, erasing: Erasing
) -> None:
    everybody, request = at_vendors(crm, platform), erasing.file(ANN)
    run = erasing.run(request, dry_run=True)
    assert (run.status, run.counts["deleted"], run.counts["total"]) == ("Dry Run", 4, 4)
    assert sorted(run.jobs["target"]) == ["crm", "crm", "crm", "marketing"]
    assert [row["firstname"] for row in run.jobs["before"] if row and row.get("firstname")] == [
        "ann"
    ]
    assert at_vendors(crm, platform) == everybody
    assert world.query("SELECT * FROM erased") == []
    assert erasing.run(request, request).status == "Completed"
    assert traces(world) == {}


@pytest.fixture
def light(world: World, crm: Crm) -> Erasing:
    """Joann alone is known, and to the CRM only."""
    crm.contact("joann@mail.example")
    return Erasing(world)


def shared(crm: Crm, number: int) -> None:
    """Give many people one address."""
    for index in range(number):
        crm.contact("office@work.example", firstname=f"Clerk {index}")


def test_more_records_than_a_request_may_delete_stop_it(
    world: World, crm: Crm, light: Erasing
) -> None:
    shared(crm, 11)
    request = light.file("office@work.example")
    run = light.run(request, request)
    assert run.status == "Failed"
    assert "Stopped by the safety limits, nobody was erased: 11 records would be" in run.message
    assert "Clerk 3" in {row["firstname"] for row in run.jobs["before"]}
    assert len(crm.table("contact")) == 12
    # Nobody is barred for a request that was not carried out.
    assert world.query("SELECT * FROM erased") == []
    world.configure(guard={"free": 1_000_000, "erasures": 11})
    assert light.run(request, request).status == "Completed"
    assert len(crm.table("contact")) == 1


def test_what_a_person_did_is_erased_with_them_and_counts_as_nobody(
    world: World, crm: Crm, light: Erasing, command: Callable[..., Result]
) -> None:
    world.configure(guard={"free": 1_000_000, "erasures": 2})
    world.prepare_for("campaigns", "forms", "web_behaviour")
    ann, lead = crm.contact(ANN), crm.lead(ANN)
    contacts, leads = "bw_contactid@odata.bind", "bw_leadid@odata.bind"
    for _ in range(3):
        crm.event(**{contacts: f"/contacts({ann})", "bw_email": "earlier@mail.example"})
    crm.event(**{leads: f"/leads({lead})"})
    crm.event(bw_email=ANN.upper())
    crm.record("bw_formresponses", bw_name="Response", bw_email=ANN)
    crm.record("bw_visits", bw_name="Visit", **{leads: f"/leads({lead})"})
    (joann,) = (row["contactid"] for row in crm.table("contact") if row["contactid"] != ann)
    crm.event(**{contacts: f"/contacts({joann})", "bw_email": "joann@mail.example"})
    assert "  Email campaign events: 5" in command("erase", "test", typed=(ANN, ANN)).output
    request = light.file(ANN)
    run = light.run(request, request)
    assert run.status == "Completed", run.message
    assert run.jobs["entity"].value_counts().to_dict() == {
        "campaign_event": 5,
        "contact": 1,
        "form_response": 1,
        "lead": 1,
        "visit": 1,
    }
    assert [row["bw_email"] for row in crm.table("bw_campaignevent")] == ["joann@mail.example"]


@pytest.mark.parametrize("approve", [False, True])
def test_a_large_erasure_waits_for_a_person_where_the_account_asks(
    approve: bool, world: World, crm: Crm, light: Erasing
) -> None:
    world.configure(settings={"on_guard": "ask"})
    shared(crm, 11)
    request = light.file("office@work.example")
    run = light.run(request, request, approve=approve)
    assert run.status == ("Completed" if approve else "Failed")
    assert len(crm.table("contact")) == (1 if approve else 12)
    assert bool(world.query("SELECT * FROM erased")) is approve
    if not approve:
        assert "Rejected by tester, nobody was erased" in run.message


def test_where_the_account_has_approvers_every_erasure_waits_for_one(
    world: World, crm: Crm, light: Erasing
) -> None:
    world.configure(approvers=["boss"])
    crm.contact(ANN)
    request = light.file(ANN)
    light.open("asks", request, request)
    for side in SIDES:
        light.find("asks", side)
    assert light.review("asks") == []
    run = light.found("asks")
    assert world.query("SELECT status FROM runs")[0]["status"] == "Awaiting Approval"
    assert not may_approve(run, "tester")
    assert may_approve(run, "boss")
    assert world.answer(run, approved=True) == [0]
    for side in SIDES:
        light.side("asks", side)
    light.close("asks")
    assert world.finished("erase", "asks").status == "Completed"


def test_what_turns_up_after_the_review_is_not_deleted_unseen(
    world: World, crm: Crm, light: Erasing
) -> None:
    crm.contact(ANN)
    request = light.file(ANN)
    light.open("late", request, request)
    for side in SIDES:
        light.find("late", side)
    light.review("late")
    crm.lead(ANN, firstname="New")
    with pytest.raises(RunStopped, match="1 more records of the person have turned up"):
        light.side("late", "crm")
    light.close("late")
    assert len(crm.table("lead")) == 1
    assert light.run(request, request).status == "Completed"
    assert crm.table("lead") == []


def test_nothing_is_deleted_that_was_not_reviewed(light: Erasing, crm: Crm) -> None:
    crm.contact(ANN)
    request = light.file(ANN)
    light.open("hasty", request, request)
    for side in SIDES:
        light.find("hasty", side)
    with pytest.raises(RunStopped, match="has not let this run pass"):
        light.side("hasty", "crm")
    assert crm.person(ANN)


def test_a_request_that_nobody_carries_out_expires(world: World, light: Erasing) -> None:
    old, new = light.file(ANN), light.file(ANN)
    world.execute(
        "UPDATE erasures SET requested_at = now() - interval '31 days' WHERE request = :old",
        old=old,
    )
    refused = light.run(old, old)
    assert "The request expired 30 days after it was filed" in refused.message
    people = {row["request"]: row["person"] for row in world.query("SELECT * FROM erasures")}
    assert people == {old: None, new: ANN}


@pytest.mark.parametrize("column", ["emailaddress2", "emailaddress3"])
def test_a_further_address_of_a_record_names_the_person_too(
    column: str, world: World, crm: Crm, light: Erasing
) -> None:
    crm.contact("ann.doe@work.example", firstname="Annie", **{column: ANN.upper()})
    request = light.file(ANN)
    assert light.run(request, request).status == "Completed"
    assert [row["emailaddress1"] for row in crm.table("contact")] == ["joann@mail.example"]
    assert world.query("SELECT * FROM jobs j WHERE j::text ILIKE '%ann.doe@work%'") == []
    assert len(world.query("SELECT * FROM erased")) == 2


def test_a_foreign_folder_in_staging_does_no_harm(world: World, light: Erasing) -> None:
    (world.folder / "staging" / "test" / "lost+found").mkdir(parents=True)
    request = light.file(ANN)
    assert light.run(request, request).status == "Completed"


# ── the key of the hashes ─────────────────────────────────────────────────────────────────────


def with_keys(world: World, *keys: Key) -> World:
    """The same store, opened where the connection holds other keys."""
    world.store = Store(world.store_url, lambda: keys)
    return world


OLD, NEW = Key(b"o" * 32), Key(b"n" * 32)


def test_who_was_erased_stays_away_under_a_new_key_and_none_may_be_lost(
    world: World, crm: Crm
) -> None:
    own = world.store
    for address, keys in ((ANN, (OLD,)), ("bob@mail.example", (NEW, OLD))):
        erasing = Erasing(with_keys(world, *keys))
        request = erasing.file(address)
        assert erasing.run(request, request).status == "Completed"
        world.store.dispose()
    for address in (ANN, "bob@mail.example", "cy@mail.example"):
        crm.join(NEWS, crm.contact(address))
    for keys in ((), (OLD,), (NEW,)):
        run = with_keys(world, *keys).run("marketing_lists")
        world.store.dispose()
        assert run.status == "Failed"
        assert "lacks the key" in run.message
    run = with_keys(world, NEW, OLD).run("marketing_lists")
    assert run.counts["ignored"] == {"erased": 2}
    world.store.dispose()
    world.store = own


def test_without_a_key_nobody_is_erased(world: World, crm: Crm) -> None:
    own = world.store
    crm.contact(ANN)
    erasing = Erasing(with_keys(world))
    request = erasing.file(ANN)
    run = erasing.run(request, request)
    assert run.status == "Failed"
    assert "so nobody can be erased; `bothways erasure-key` says what to do" in run.message
    assert crm.person(ANN)
    world.store.dispose()
    world.store = own


def test_the_command_makes_a_key_but_not_in_place_of_a_lost_one(
    world: World, command: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    own, variable = ERASURE_KEYS[0], "AIRFLOW_CONN_BOTHWAYS_ERASURE"
    assert f"New hashes are made under key {own.id}." in command("erasure-key").output
    assert own.secret.hex() not in command("erasure-key", "--new").output
    monkeypatch.delenv(variable)
    told = command("erasure-key").output
    (made,) = set(re.findall("[0-9a-f]{64}", told))
    assert f"--conn-type generic --conn-password {made}" in told
    monkeypatch.setenv(variable, json.dumps({"conn_type": "generic", "password": f"{made},x"}))
    wrong = command("erasure-key")
    assert wrong.exit_code == 1
    assert made not in wrong.output
    world.execute("INSERT INTO erased VALUES ('test', 'hash', now(), null, :key)", key=own.id)
    monkeypatch.setenv(variable, json.dumps({"conn_type": "generic", "password": made}))
    refused = command("erasure-key", "--new")
    assert refused.exit_code == 1
    assert f"Key {own.id} (MISSING): 1 hashes" in refused.output
    assert not re.search("[0-9a-f]{64}", refused.output)


# ── after a restore of the store ──────────────────────────────────────────────────────────────


def test_who_was_erased_after_the_backup_is_found_and_erased_again(
    world: World, crm: Crm, light: Erasing, command: Callable[..., Result], tmp_path: Path
) -> None:
    backup = ("records", "links", "baselines", "list_states", "jobs", "erased")
    crm.join(NEWS, crm.contact(ANN))
    world.run("marketing_lists")
    world.execute("CREATE SCHEMA backup")
    for table in backup:
        world.execute(f"CREATE TABLE backup.{table} AS SELECT * FROM {table}")
    request = light.file(ANN)
    assert light.run(request, request).status == "Completed"
    saved = tmp_path / "hashes.json"
    assert command("erase", "test", "--save", str(saved)).exit_code == 0
    for table in backup:
        world.execute(f"DELETE FROM {table}")
        world.execute(f"INSERT INTO {table} SELECT * FROM backup.{table}")
    world.execute("DROP SCHEMA backup CASCADE")
    assert {"records", "jobs"} <= traces(world).keys()

    told = command("erase", "test", "--replay", str(saved)).output
    assert "1 hashes are in force; the store knows 1 of these people" in told
    again = sorted(set(re.findall("[0-9a-f]{32}", told)))
    assert len(again) == 1
    assert light.run(again[0], again[0]).status == "Completed"
    assert traces(world) == {}
    assert "the store knows 0 of" in command("erase", "test", "--replay", str(saved)).output
    saved.write_text(saved.read_text().replace('"test"', '"other"'))
    assert command("erase", "test", "--replay", str(saved)).exit_code == 1
