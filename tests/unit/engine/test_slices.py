"""Slices are shared out among tasks, fail alone, and go on where a worker died."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from upath import UPath

from bothways.connectors.base import Page
from bothways.engine import slices
from bothways.engine.close import _move_watermarks
from bothways.engine.progress import marks_of, progress_of
from bothways.engine.slices import extract_slices, failures_of, plan_slices
from bothways.engine.staging import Staging
from bothways.errors import Rejected, WatermarkExpired
from bothways.spec import Options
from bothways.store.db import Store
from bothways.streams.events import CampaignEvents
from bothways.syncs.base import Dataset
from bothways.tables.campaigns import CAMPAIGNS, EVENTS
from bothways.vocabulary import EventSet
from tests.unit.store.rows import ACCOUNT, open_run

NOW = datetime.now(UTC)


class Killed(BaseException):
    """The worker dies."""


class Platform:
    """Two pages of clicks for each campaign, with a cursor; campaign 2 is refused."""

    entities = ("contact",)
    event_sets = (EventSet.CLICKS,)
    declaration = SimpleNamespace(title="Platform")

    def __init__(self) -> None:
        self.calls: list[tuple[str, str | None, str | None]] = []
        self.dies_after = -1
        self.forgets = False

    def read_events(
        self, event_set: str, campaign: str, *, since: str | None, cursor: str | None
    ) -> Iterator[Page]:
        if cursor and self.forgets:
            raise WatermarkExpired("begin anew", vendor="Platform")
        if campaign == "2":
            raise Rejected("no such listing", vendor="Platform")
        for page in range(int(cursor or 0), 3):
            if len(self.calls) == self.dies_after:
                raise Killed
            self.calls.append((campaign, since, str(page)))
            row = {
                "key": f"{campaign}-{page}", "scope_id": campaign, "member_id": "ann",
                "email": "ann@mail.example", "kind": event_set, "occurred_at": NOW,
                "details": json.dumps({}),
            }  # fmt: skip
            last = page == 2
            rows = pa.Table.from_pylist([row], EVENTS)
            yield Page(
                rows, watermark="w" if last else None, cursor=None if last else f"{page + 1}"
            )


@pytest.fixture
def run(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    clicks = CampaignEvents(
        sliced_by="campaigns", event_set=EventSet.CLICKS, failure="Clicks failed ({name})"
    )
    opens = replace(clicks, event_set=EventSet.OPENS)  # a set that the platform has not got
    asked = [Dataset("clicks", clicks), Dataset("opens", opens)]
    sync = SimpleNamespace(datasets=lambda _request: asked)
    monkeypatch.setattr(slices, "implementation", lambda _spec: sync)
    with store.begin() as conn:
        run_id = open_run(conn)
    staging = Staging(UPath(tmp_path))
    rows = [{"id": str(number), "name": f"C{number}"} for number in (1, 2, 3)]
    staging.write_page("marketing", "campaigns", 1, pa.Table.from_pylist(rows, CAMPAIGNS))
    return SimpleNamespace(
        run_id=run_id,
        store=store,
        staging=staging,
        account=SimpleNamespace(name=ACCOUNT),
        sync=SimpleNamespace(name="campaigns", read_roles=("marketing",)),
        options=Options(),
        place=lambda side: {"account": ACCOUNT, "side": side},
    )


def test_a_slice_that_is_refused_is_named_and_the_others_arrive(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "GROUPS", 2)
    platform: Any = Platform()
    assert plan_slices(run, "marketing", platform) == [0, 1]
    counts = [extract_slices(run, "marketing", platform, group) for group in (0, 1)]
    assert counts == [{"clicks": 6}, {}]
    assert failures_of(run.staging, "marketing") == [
        {
            "dataset": "campaigns",
            "scope_id": "2",
            "sentence": "Clicks failed (C2): Platform: no such listing",
        }
    ]
    marks = marks_of(run.staging, "marketing")
    assert {name: mark["value"] for name, mark in marks.items()} == {
        "clicks/1": "w", "clicks/3": "w",
    }  # fmt: skip


def test_another_try_goes_on_at_the_page_where_the_worker_died(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "GROUPS", 1)
    platform: Any = Platform()
    plan_slices(run, "marketing", platform)
    platform.dies_after = 5
    with pytest.raises(Killed):
        extract_slices(run, "marketing", platform, 0)
    platform.dies_after = -1
    assert extract_slices(run, "marketing", platform, 0) == {"clicks": 6}
    pages = [(campaign, page) for campaign, _since, page in platform.calls]
    assert pages == [(campaign, page) for campaign in "13" for page in "012"]
    assert marks_of(run.staging, "marketing").keys() == {"clicks/1", "clicks/3"}


def test_a_cursor_that_the_vendor_has_forgotten_costs_a_read_from_the_beginning(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "GROUPS", 1)
    platform: Any = Platform()
    plan_slices(run, "marketing", platform)
    platform.dies_after = 5
    with pytest.raises(Killed):
        extract_slices(run, "marketing", platform, 0)
    platform.dies_after, platform.forgets = -1, True
    assert extract_slices(run, "marketing", platform, 0) == {"clicks": 6}
    assert [page for campaign, _since, page in platform.calls if campaign == "3"] == list("01012")
    with run.store.begin() as conn:
        assert conn.scalar(sa.text("SELECT count(*) FROM events")) == 6


def test_what_a_refused_slice_is_a_slice_of_is_read_again_by_the_next_run(run: Any) -> None:
    platform: Any = Platform()
    mark = {"value": "w", "fingerprint": "f", "lists": [], "whole": True}
    progress_of(run.staging, "marketing", "whole").end({"campaigns": mark, "tags": mark})
    for group in plan_slices(run, "marketing", platform):
        extract_slices(run, "marketing", platform, group)
    with run.store.begin() as conn:
        _move_watermarks(conn, run, set())
        moved = conn.scalars(sa.text("SELECT dataset FROM watermarks ORDER BY dataset")).all()
    assert moved == ["clicks/1", "clicks/3", "tags"]
