"""What `bothways forecast` says beforehand, and that it says no more than is known."""

from __future__ import annotations

import json
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
from typer.testing import CliRunner

from bothways.cli.app import app
from bothways.config.load import load_account
from bothways.engine.forecast import Forecast, forecast
from tests.promises.conftest import MakeWorld, every_platform
from tests.support.engine import World
from tests.support.platforms import Platform
from tests.support.sandbox import SandboxServer

SCHEDULES = {
    "suppressions": {"interval": "1h"},
    "marketing_lists": {"after": "suppressions"},
    "campaigns": {"interval": "4h", "window": {"from": "18:00", "to": "19:30"}},
}


@pytest.fixture
def world(make_world: MakeWorld, sandbox: SandboxServer) -> World:
    world = make_world(30, schedules=SCHEDULES)
    if world.platform.name == "dotdigital":
        sandbox.settings({"dotdigital": {"lowCallRate": 100}})
    return world


def told(world: World) -> Forecast:
    with world.store.begin() as conn:
        return forecast(conn, load_account("test"))


def test_before_the_first_run_only_the_least_is_told(world: World) -> None:
    found = {one.sync.name: one for one in told(world).syncs}
    suppressions = found["suppressions"]
    assert (suppressions.usual, suppressions.fits) == (None, None)
    assert suppressions.whole.runs == 0
    assert suppressions.whole.minutes is None, "no vendor has told a limit"
    assert suppressions.whole.calls["marketing"] >= 1
    assert told(world).unmeasured == ["Suppressions", "Campaigns", "Marketing lists"]
    # An hour by the clock; after a sync, its clock; and no more than the window is open.
    every = {name: found[name].every for name in (*SCHEDULES, "address_books")}
    assert every == {
        "suppressions": 60, "marketing_lists": 60, "campaigns": 90, "address_books": None,
    }  # fmt: skip


@every_platform
def test_after_runs_the_measured_calls_are_told_and_whether_they_fit(
    world: World, platform: Platform
) -> None:
    world.run("suppressions")  # reads everything, as the first
    world.run("suppressions", dry_run=True)
    first = told(world)
    one = next(one for one in first.syncs if one.sync.name == "suppressions")
    assert (one.usual, one.whole.runs) == (None, 1)
    world.run("suppressions")
    calls = world.query("SELECT calls FROM runs WHERE NOT dry_run ORDER BY run_id")
    by_hand = [row["calls"]["marketing"]["calls"] for row in calls]
    found = told(world)
    one = next(one for one in found.syncs if one.sync.name == "suppressions")
    assert one.usual is not None
    assert (one.usual.calls["marketing"], one.usual.runs) == (by_hand[1], 1)
    assert (one.whole.calls["marketing"], one.whole.runs) == (by_hand[0], 1)
    assert (one.fits, found.fits) == (True, True)
    if platform.name == "mailchimp":
        assert found.budgets == [], "Mailchimp counts calls in flight, and none a minute"
        return
    [low] = [budget for budget in found.budgets if budget.budget == "lowCallRate"]
    assert (low.role, low.a_minute) == ("marketing", 100)
    assert low.an_hour == calls[1]["calls"]["marketing"]["budgets"]["lowCallRate"]["calls"]
    # What others have not measured yet is reckoned with the limit that is known by now.
    lists = next(one for one in found.syncs if one.sync.name == "address_books")
    assert lists.whole.minutes is not None


@every_platform
def test_the_least_is_never_more_than_a_full_read_takes(
    make_world: MakeWorld, platform: Platform
) -> None:
    world = make_world(10, syncs={"campaigns": {"level": "detailed"}})
    for campaign in ("Spring", "Summer", "Autumn"):
        platform.send(campaign)
    names = ("marketing_lists", "campaigns")
    for name in names:
        world.run(name)
    measured = {one.sync.name: one.whole for one in told(world).syncs}
    world.execute(
        "UPDATE runs SET started_at = :long_ago", long_ago=datetime(2020, 1, 1, tzinfo=UTC)
    )
    least = {one.sync.name: one.whole for one in told(world).syncs}
    for name in names:
        assert (measured[name].runs, least[name].runs) == (1, 0)
        for role, calls in least[name].calls.items():
            assert 1 <= calls <= measured[name].calls[role], (name, role)


def test_what_does_not_fit_is_told_by_the_exit_code_too(world: World) -> None:
    world.run("suppressions")
    world.run("suppressions")
    slow = datetime.now(UTC) - timedelta(hours=2)
    world.execute("UPDATE runs SET started_at = :slow", slow=slow)
    with (
        patch("bothways.cli.forecast.open_store", lambda: nullcontext(world.store)),
        patch("bothways.cli.forecast.join_airflow"),
    ):
        table = CliRunner().invoke(app, ["forecast", "test"])
        as_json = CliRunner().invoke(app, ["forecast", "test", "--json"])
    assert (table.exit_code, as_json.exit_code) == (1, 1)
    assert "as no run has measured them: Campaigns, Marketing lists." in " ".join(
        table.output.split()
    )
    [account] = json.loads(as_json.output)
    assert account["fits"] is False
    first = account["sync_types"][0]
    assert (first["sync_type"], first["fits"], first["minutes_between_runs"]) == (
        "suppressions", False, 60,
    )  # fmt: skip
    assert first["usual"]["minutes"] > 100
    assert first["usual"]["measured_runs"] == 1
