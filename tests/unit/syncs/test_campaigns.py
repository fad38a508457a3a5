"""The sync of campaigns: what is written of a campaign, and to whom an event is related."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import pytest

from bothways.errors import RunStopped
from bothways.spec import Options
from bothways.syncs import events
from bothways.syncs.base import Request
from bothways.syncs.campaigns.sync import SYNC
from bothways.tables.campaigns import CAMPAIGNS
from bothways.testing.planning import Planning
from bothways.vocabulary import EventSet

ANN, BOB = "ann@mail.example", "bob@mail.example"
CLICKS = EventSet.CLICKS.value


class Desk(Planning):
    """An account that syncs campaigns in detail; `spring` was written before."""

    def __init__(
        self,
        level: str = "detailed",
        lists: Sequence[str] = (),
        more: Mapping[str, Any] | None = None,
        **account: Any,
    ) -> None:
        settings = {"level": level, **(more or {})}
        super().__init__(lists=lists, syncs={"campaigns": settings}, **account)
        self.store.add_definition("marketing", "campaign", "spring", "Spring", written="{}")

    def read(self, *ids: str) -> None:
        rows = [{"id": item, "name": item} for item in ids]
        self._stage("marketing", "campaigns", rows, CAMPAIGNS)

    def click(self, email: str | None, campaign: str = "spring", **more: Any) -> None:
        self.store.add_event("marketing", CLICKS, campaign, email, **more)

    def jobs(self, **inputs: Any) -> pd.DataFrame:
        return self.plan(SYNC.plan, **inputs).jobs

    def bulk(self, **inputs: Any) -> pd.DataFrame:
        return pd.concat(list(self.plan(SYNC.plan, **inputs).bulk))


def related(jobs: pd.DataFrame) -> list[tuple[str | None, str | None]]:
    """Return each event's record in the CRM, or why it has none."""
    values = [json.loads(text) if isinstance(text, str) else {} for text in jobs["values"]]
    reasons = jobs["reason"].astype(object).where(jobs["reason"].notna(), None)
    return [(one.get("person_id"), why) for one, why in zip(values, reasons, strict=True)]


def test_a_campaign_is_written_once_and_again_when_its_figures_change() -> None:
    desk = Desk("basic")
    desk.store.add_definition("marketing", "campaign", "spring", "Spring", details={"opens": 3})
    desk.read("spring")
    (job,) = desk.jobs().to_dict("records")
    assert json.loads(job["values"]) == {"name": "Spring", "opens": 3}
    assert (job["key"], job["kind"], job["result"]) == ("spring", "upsert", "new")
    for opens, result, kind in ((3, "unchanged", None), (4, "updated", "upsert")):
        desk.store.add_definition(
            "marketing", "campaign", "spring", "Spring",
            details={"opens": opens}, written=job["values"],
        )  # fmt: skip
        (again,) = desk.jobs().to_dict("records")
        assert again["result"] == result
        assert (None if pd.isna(again["kind"]) else again["kind"]) == kind
    assert desk.plan(SYNC.plan).bulk == ()


def test_a_campaign_belongs_to_the_lists_of_the_account_that_it_was_sent_to() -> None:
    desk = Desk("basic", lists=("news", "vip", "whole"))
    for key in ("news", "vip"):
        desk.store.add_list_of_run(1, key, crm=f"crm-{key}", marketing=f"marketing-{key}")
    desk.store.add_list_of_run(1, "whole", crm="crm-whole", marketing="audience")
    desk.store.add_list_of_run(1, "unmapped", crm="crm-old", marketing="marketing-old")
    sent_to = {
        "both": {"list_ids": ["marketing-vip", "marketing-news"]},
        "part": {"list_ids": ["a segment that no list is mapped to"], "scope": "audience"},
        "none": {"list_ids": ["marketing-old"]},
        "unknown": {"list_ids": None},
    }
    for name, details in sent_to.items():
        desk.store.add_definition("marketing", "campaign", name, name, details=details)
    desk.read(*sent_to)
    found = {job["key"]: json.loads(job["values"]) for job in desk.jobs().to_dict("records")}
    told = {
        name: (values.get("marketing_lists"), values.get("marketing_list_ids"))
        for name, values in found.items()
    }
    assert told == {
        "both": ("vip, news", "crm-vip, crm-news"),
        "part": ("whole", "crm-whole"),
        "none": (None, None),
        "unknown": (None, None),
    }


def test_a_full_resync_writes_every_campaign() -> None:
    desk = Desk("basic")
    desk.read("spring")
    value = desk.jobs()["values"].item()
    desk.store.add_definition("marketing", "campaign", "spring", "Spring", written=value)
    assert desk.jobs()["result"].tolist() == ["unchanged"]
    assert desk.jobs(options=Options(full_resync=True))["kind"].tolist() == ["upsert"]


def test_a_campaign_in_error_is_tried_again_though_nothing_has_happened_since() -> None:
    desk = Desk()
    desk.store.add_definition("marketing", "campaign", "autumn", "Autumn")
    desk.click(ANN, "autumn")
    assert desk.jobs().empty
    assert not list(desk.plan(SYNC.plan).bulk)
    desk.try_again("marketing", "campaign", "autumn")
    assert desk.jobs()["key"].tolist() == ["autumn"]
    assert len(desk.bulk()) == 1


def test_an_event_is_written_with_its_details_and_its_person() -> None:
    desk = Desk()
    desk.store.add_person("crm", "c1", ANN)
    desk.click("Ann@Mail.example", details={"url": "https://x.org"})
    jobs = desk.bulk()
    assert json.loads(jobs["values"].item()) == {
        "kind": "Click",
        "campaign_id": "spring",
        "occurred_at": "2026-01-01T00:00:00Z",
        "person_entity": "contact",
        "person_id": "c1",
        "email": ANN,
        "url": "https://x.org",
    }
    assert (jobs["target"].item(), jobs["entity"].item()) == ("crm", "campaign_event")


@pytest.mark.parametrize(
    ("records", "links", "expected"),
    [
        ([], [], (None, "no_crm_record")),
        ([("c1", "lead", True), ("c2", "contact", True)], [], ("c2", None)),
        ([("c1", "contact", False), ("c2", "lead", True)], [], ("c2", None)),
        ([("c1", "contact", False)], [], (None, "inactive")),
        ([("c1", "contact", True), ("c2", "lead", True)], [("c2", True)], ("c2", None)),
        ([("c1", "contact", True), ("c2", "contact", True)],
         [("c1", False), ("c2", True)], ("c2", None)),
        ([("c1", "contact", True), ("c2", "contact", False)], [("c2", True)], ("c1", None)),
    ],
)  # fmt: skip
def test_the_record_that_an_event_is_related_to(
    records: list[tuple[str, str, bool]],
    links: list[tuple[str, bool]],
    expected: tuple[str | None, str | None],
) -> None:
    desk = Desk()
    entities = {record: entity for record, entity, _ in records}
    for record, entity, active in records:
        desk.store.add_person("crm", record, ANN, entity=entity, active=active)
    for record, is_primary in links:
        desk.store.add_link(record, "m1", ANN, entity=entities[record], is_primary=is_primary)
    desk.click(ANN, record_id="m1")
    assert related(desk.bulk()) == [expected]


def test_inactive_people_get_their_events_if_the_account_says_so() -> None:
    desk = Desk(settings={"only_open_leads_and_active_contacts": False})
    desk.store.add_person("crm", "c1", ANN, active=False)
    desk.click(ANN)
    assert related(desk.bulk()) == [("c1", None)]


def test_somebody_who_was_erased_gets_none() -> None:
    desk = Desk()
    desk.store.add_person("crm", "c1", ANN)
    desk.store.add_erased(ANN)
    desk.click(ANN)
    assert related(desk.bulk()) == [(None, "erased")]


def test_ignored_events_are_looked_at_again_when_the_record_comes() -> None:
    desk = Desk()
    desk.click(ANN, crm_state="ignored")
    desk.click(BOB, crm_state="ignored")
    assert not list(desk.plan(SYNC.plan).bulk)
    desk.store.add_person("crm", "c1", ANN)
    desk.read_people("crm", "contacts", "c1")
    assert related(desk.bulk()) == [("c1", None)]


def test_events_come_in_batches_each_of_them_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "BATCH", 3)
    desk = Desk()
    desk.store.add_person("crm", "c1", ANN)
    for _ in range(7):
        desk.click(ANN)
    batches = list(desk.plan(SYNC.plan).bulk)
    assert [len(batch) for batch in batches] == [3, 3, 1]
    assert pd.concat(batches)["key"].nunique() == 7


def test_a_run_for_chosen_people_writes_their_events_and_no_campaign() -> None:
    desk = Desk()
    desk.read("spring")
    for record, email in (("c1", ANN), ("c2", BOB)):
        desk.store.add_person("crm", record, email)
        desk.click(email)
    chosen = {"options": Options(records=("c2",))}
    assert desk.jobs(**chosen).empty
    assert related(desk.bulk(**chosen)) == [("c2", None)]


def test_a_run_for_chosen_campaigns_writes_these_and_their_events_only() -> None:
    desk = Desk()
    desk.store.add_definition("marketing", "campaign", "autumn", "Autumn")
    desk.store.add_definition("marketing", "campaign", "winter", "Winter")
    desk.store.add_person("crm", "c1", ANN)
    for campaign in ("spring", "autumn"):
        desk.click(ANN, campaign)
    desk.try_again("marketing", "campaign", "winter")
    desk.read("autumn")
    chosen = {"options": Options(campaigns=("AUTUMN",))}
    assert desk.jobs(**chosen)["key"].tolist() == ["autumn"]
    assert desk.bulk(**chosen)["scope_id"].tolist() == ["autumn"]


def test_a_chosen_campaign_that_was_never_sent_stops_the_run() -> None:
    for read in ((), ("autumn",)):
        desk = Desk()
        desk.read(*read)
        with pytest.raises(RunStopped, match="No campaign `Sprang` was sent from the platform"):
            desk.jobs(options=Options(campaigns=("Sprang",)))


def test_chosen_campaigns_are_read_again_whatever_their_age() -> None:
    more = {"activity_days": 5, "activity_days_of": {"Spring": 9}}
    account = Desk(more=more).account
    for campaigns, days, of, again in (
        ((), 5, {"Spring": 9}, False),
        (("Spring",), None, {}, True),
    ):
        request = Request(account, "marketing", ("contact",), {}, Options(campaigns=campaigns))
        first, *_, last = SYNC.datasets(request)
        assert (first.stream.only, last.stream.days) == (campaigns, days)
        assert last.stream.days_of == of
        assert ("again" in last.stream.query()) is again


def test_a_limit_for_a_campaign_that_was_never_sent_is_noted() -> None:
    desk = Desk(more={"activity_days_of": {"SPRING": 9, "spring": 8, "Sprang": 7}})
    (note,) = desk.plan(SYNC.plan).notes
    assert "`activity_days_of` names `Sprang`" in note
    assert "sent from the platform" in note
    desk.read("spring")
    chosen = Options(campaigns=("spring",))
    assert desk.plan(SYNC.plan, options=chosen).notes == ()


def test_at_the_basic_level_only_campaigns_are_read() -> None:
    for level, crm, marketing in (("basic", 0, 1), ("detailed", 2, 10)):
        account = Desk(level).account
        found = [
            SYNC.datasets(Request(account, side, ("contact", "lead"), {}))
            for side in ("crm", "marketing")
        ]
        assert [len(part) for part in found] == [crm, marketing]
