"""Sends are read in slices: no page twice when a worker dies, and each event is kept once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import requests

from bothways.engine import extract, slices
from bothways.engine.slices import extract_slices, plan_slices
from bothways.streams.definitions import Campaigns
from bothways.streams.events import CampaignEvents
from bothways.syncs.base import Dataset
from bothways.vocabulary import EventSet
from tests.promises.conftest import MakeWorld
from tests.support.engine import World
from tests.support.sandbox import SandboxServer

PAGE_ROWS = 20


class Killed(BaseException):
    """The worker dies."""


def datasets(_request: object) -> list[Dataset]:
    sends = CampaignEvents(
        sliced_by="campaigns", event_set=EventSet.SEND_SUMMARIES, failure="Not read ({name})"
    )
    return [Dataset("campaigns", Campaigns()), Dataset("sends", sends)]


@pytest.fixture
def world(make_world: MakeWorld, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> World:
    """Two campaigns that were sent to everybody, read with nothing else."""
    monkeypatch.setattr("bothways.connectors.dotdigital.client.V2_PAGE", PAGE_ROWS)
    for module in (extract, slices):
        monkeypatch.setattr(module, "implementation", lambda _s: SimpleNamespace(datasets=datasets))
    monkeypatch.setattr(slices, "GROUPS", 1)
    world = make_world(people=150)
    for name in ("Spring", "Summer"):
        sandbox.act("dotdigital", "campaign", name=name)
        sandbox.act("dotdigital", "send", campaign=name, hours_ago=48)
    return world


def dies_after(answers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the worker die when so many pages of sends have come."""
    send, left = requests.Session.send, [answers]

    def sent(self: requests.Session, request: Any, **kwargs: Any) -> requests.Response:
        if "/activities" in request.url:
            if left[0] == 0:
                raise Killed
            left[0] -= 1
        return send(self, request, **kwargs)

    monkeypatch.setattr(requests.Session, "send", sent)


def test_a_listing_of_sends_goes_on_at_its_page_and_each_send_is_kept_once(
    world: World, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.open("suppressions", "sends")
    run = world.found("suppressions", "sends")
    sandbox.calls(forget=True)
    world.extract(run, "marketing")
    pages, sends = calls(sandbox), kept(world)
    assert pages > 8
    assert sends["Spring"] == sends["Summer"] > 60
    world.execute("DELETE FROM events")

    with world._opened("marketing") as connector:
        assert plan_slices(run, "marketing", connector) == [0]
        with monkeypatch.context() as patched:
            dies_after(pages - 4, patched)
            with pytest.raises(Killed):
                extract_slices(run, "marketing", connector, 0)
        extract_slices(run, "marketing", connector, 0)
    assert calls(sandbox) <= pages + 1
    assert kept(world) == sends


def calls(sandbox: SandboxServer) -> int:
    """Return how many pages of sends have been asked for since."""
    told = sandbox.calls(forget=True)["dotdigital"]
    return sum(number for endpoint, number in told.items() if "activities" in endpoint)


def kept(world: World) -> dict[str, int]:
    """Return how many sends of each campaign the store has."""
    rows = world.query(
        "SELECT name, count(*) AS number FROM events JOIN definitions ON id = scope_id"
        " GROUP BY name"
    )
    return {row["name"]: row["number"] for row in rows}
