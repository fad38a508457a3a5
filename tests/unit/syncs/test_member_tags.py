"""Who is given which tag, and who loses it, on which side, case by case."""

from __future__ import annotations

import json
from typing import Any, Final

import pyarrow as pa
import pytest

from bothways.spec import Options
from bothways.streams.attributes import ATTRIBUTE, MEMBER_TAGS
from bothways.syncs.base import Plan
from bothways.syncs.member_tags import PERSON_TAG
from bothways.syncs.member_tags.sync import SYNC
from bothways.tables.ledgers import ListPair
from bothways.tables.records import records_schema
from bothways.testing.planning import STARTED_AT, Planning

ANN: Final = "ann@mail.example"
TOLD: Final = pa.schema([(name, pa.string()) for name in ("member_id", "email")])


def desk(
    *tags: str, linked: bool = True, ended: bool = False, syncs: Any = None, **person: Any
) -> Planning:
    """Return an account with a tag, and a member who has these tags."""
    place = Planning(lists=(), syncs=syncs or {})
    for audience in ("news", "shop"):
        place.store.add_definition("marketing", "audience", audience, audience, details={})
        place.store.add_definition(
            "marketing",
            "tag",
            f"{audience}.1",
            "VIP",
            details={"parent_id": audience, "list_id": f"{audience}:tag:1"},
            written="{}",
            deleted_at=STARTED_AT if ended else None,
        )
    fields = {f"{ATTRIBUTE}{MEMBER_TAGS}": " ".join(tags)}
    place.store.add_person("marketing", "news:m", ANN, scope="news", fields=fields, **person)
    if linked:
        place.store.add_person("crm", "c", ANN)
        place.store.add_link("c", "news:m", ANN, scope="news")
    place.read_rows("marketing", "member_tags", TOLD, {"member_id": "news:m", "email": ANN})
    return place


def rows(place: Planning, *found: dict[str, Any], dataset: str = PERSON_TAG.name) -> None:
    """Have the CRM tell rows; by default Ann's, of the tag of the first audience."""
    usual = {"tag_id": "news.1", "person_entity": "contact", "person_id": "c"}
    schema = records_schema(PERSON_TAG)
    place.read_rows("crm", dataset, schema, *(usual | row for row in found))


def agreed(place: Planning, member: str = "news:m", crm: str = "c") -> None:
    pair = ListPair("news.1", "news.1")
    place.store.add_list_state(pair, "joined", crm_id=crm, marketing_id=member)


def told(plan: Plan) -> list[tuple[Any, ...]]:
    """Return what is done: target, kind, record, and result or reason."""
    found = plan.jobs.astype(object).where(plan.jobs.notna(), None).to_dict("records")
    return sorted(
        (
            *(row[name] for name in ("target", "kind", "record_id")),
            row["reason"] or row["result"],
        )
        for row in found
    )


def kept(plan: Plan) -> set[tuple[str, str]]:
    states = plan.keep["states"]
    return set(zip(states["marketing_id"], states["state"], strict=True))


@pytest.mark.parametrize(
    ("platform", "crm", "before", "expected", "state"),
    [
        (True, False, False, ("crm", "upsert", None, "new"), "joined"),
        (False, True, False, ("marketing", "create", "news:m", "new"), "joined"),
        (True, False, True, ("marketing", "delete", "news:m", "deleted"), "left_crm"),
        (False, True, True, ("crm", "delete", "r", "deleted"), "left_marketing"),
        (True, True, False, (None, None, None, "unchanged"), "joined"),
        (True, True, True, (None, None, None, "unchanged"), None),
        (False, False, True, None, "left_marketing"),
    ],
)
def test_whoever_has_changed_it_wins(
    platform: bool, crm: bool, before: bool, expected: tuple[Any, ...] | None, state: str | None
) -> None:
    place = desk(*(["news.1"] if platform else []))
    if crm:
        rows(place, {"id": "r"})
    if before:
        agreed(place)
    plan = place.plan(SYNC.plan)
    assert told(plan) == ([expected] if expected else [])
    assert kept(plan) == ({("news:m", state)} if state else set())


def test_what_is_written_names_the_person_the_tag_and_what_the_member_has_then() -> None:
    place = desk("news.1")
    (values,) = place.plan(SYNC.plan).jobs["values"]
    assert json.loads(values) == {
        "tag_id": "news.1",
        "name": "VIP",
        "email": ANN,
        "person_entity": "contact",
        "person_id": "c",
    }
    place = desk("news.9")
    rows(place, {"id": "r"})
    plan = place.plan(SYNC.plan)
    assert json.loads(plan.jobs["values"][0]) == {"list_id": "news:tag:1"}
    (has,) = plan.keep["attributes"].to_dict("records")
    assert has["marketing_id"] == "news:m"
    assert json.loads(has["values"]) == {f"{ATTRIBUTE}{MEMBER_TAGS}": "news.1 news.9"}


def test_a_person_may_have_the_tag_of_one_audience_only() -> None:
    place = desk()
    rows(place, {"id": "r", "tag_id": "shop.1"})
    rows(place, {"id": "r", "tag_id": "shop.1"}, dataset="changed_person_tag")
    assert told(place.plan(SYNC.plan)) == [(None, None, None, "no_member")]


def test_a_row_may_name_its_person_by_the_address_alone() -> None:
    place = desk(linked=False)
    rows(place, {"id": "r", "person_entity": None, "person_id": None, "email": "ANN@mail.example"})
    assert told(place.plan(SYNC.plan)) == [("marketing", "create", "news:m", "new")]


def test_a_person_who_gets_another_address_keeps_the_tag_of_the_member() -> None:
    place = desk("news.1", linked=False)
    place.store.add_person("crm", "c", "ann@new.example")
    agreed(place)
    rows(place, {"id": "r"})
    assert told(place.plan(SYNC.plan)) == [(None, None, None, "unchanged")]


def test_the_record_of_another_member_gets_no_row() -> None:
    place = desk("news.1", linked=False)
    place.store.add_person("marketing", "news:n", "ann@new.example", scope="news")
    place.store.add_person("crm", "c", ANN)
    place.store.add_link("c", "news:n", "ann@new.example", scope="news")
    assert told(place.plan(SYNC.plan)) == [(None, None, None, "no_crm_record")]


@pytest.mark.parametrize(
    ("deletions", "expected"), [("keep", []), ("follow", [("crm", "delete", "r", "deleted")])]
)
def test_rows_of_a_tag_that_was_deleted_go_where_deletions_follow(
    deletions: str, expected: list[tuple[Any, ...]]
) -> None:
    place = desk("news.1", syncs={"tags": {"deletions": deletions}}, ended=True)
    agreed(place)
    rows(place, {"id": "r"})
    assert told(place.plan(SYNC.plan)) == expected


def test_all_rows_of_a_tag_that_was_taken_away_are_deleted() -> None:
    place = desk()
    agreed(place)
    rows(place, {"id": "r1"}, {"id": "r2"})
    assert told(place.plan(SYNC.plan)) == [
        ("crm", "delete", "r1", "deleted"),
        ("crm", "delete", "r2", "deleted"),
    ]


def test_somebody_without_a_record_is_ignored() -> None:
    assert told(desk("news.1", linked=False).plan(SYNC.plan)) == [
        (None, None, None, "no_crm_record")
    ]


def test_whoever_may_not_be_mailed_keeps_and_gets_tags() -> None:
    place = desk(status="unsubscribed")
    rows(place, {"id": "r"})
    assert told(place.plan(SYNC.plan)) == [("marketing", "create", "news:m", "new")]


def test_a_table_that_was_made_anew_takes_nothing_away() -> None:
    place = desk("news.1")
    fields = {f"{ATTRIBUTE}{MEMBER_TAGS}": "news.1"}
    place.store.add_person("marketing", "news:n", "bob@mail.example", scope="news", fields=fields)
    place.store.add_person("crm", "d", "bob@mail.example")
    agreed(place)
    agreed(place, "news:n", "d")
    assert told(place.plan(SYNC.plan)) == [("crm", "upsert", None, "new")] * 2


def test_a_tag_that_is_not_in_the_crm_yet_waits() -> None:
    place = desk("news.2")
    details = {"parent_id": "news", "list_id": "news:tag:2"}
    place.store.add_definition("marketing", "tag", "news.2", "New", details=details)
    assert told(place.plan(SYNC.plan)) == []


def test_what_failed_waits_for_its_turn() -> None:
    place = desk("news.1")
    place.store.add_retry("member_tags", "marketing", "news:m")
    assert told(place.plan(SYNC.plan)) == []
    place.try_again("marketing", "contact", "news:m")
    assert told(place.plan(SYNC.plan)) == [("crm", "upsert", None, "new")]


def test_only_who_is_named_is_looked_at() -> None:
    place = desk("news.1")
    assert told(place.plan(SYNC.plan, options=Options(records=("other",)))) == []
    assert len(told(place.plan(SYNC.plan, options=Options(records=("news:m",))))) == 1
