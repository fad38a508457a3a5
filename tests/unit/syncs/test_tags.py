"""What becomes of a tag of the platform, and of a row of the CRM, case by case."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from bothways.spec import Options
from bothways.syncs.base import Plan
from bothways.syncs.tags.sync import SYNC
from bothways.tables.ledgers import ListPair
from bothways.testing.planning import STARTED_AT, Planning

NEWS: Final = "news"
EMPTY: Final = dict.fromkeys(
    ("key", "parent_row", "list_id", "marketing_lists", "rating", "gone", "modified_at")
)


def desk(*audiences: str, **settings: Any) -> Planning:
    """Return an account whose audiences have their rows."""
    place = Planning(syncs={"tags": settings})
    for name in audiences or (NEWS,):
        tag(place, name, name, kind="audience", parent=None, base=name)
        row(place, f"row-{name}", name, key=name, kind="audience", parent_row=None, list_id=name)
    return place


def tag(
    place: Planning,
    key: str,
    name: str,
    *,
    base: str | None = None,
    kind: str = "tag",
    parent: str | None = NEWS,
    gone: bool = False,
) -> None:
    """Have the platform tell a tag; ``base`` is what both sides last called it."""
    place.store.add_definition(
        "marketing",
        kind,
        key,
        name,
        details={"parent_id": parent, "list_id": None if kind == "interest_category" else key},
        written=None if base is None else json.dumps({"name": base}),
        deleted_at=STARTED_AT if gone else None,
    )


def row(place: Planning, row_id: str, name: str | None, *, kind: str = "tag", **more: Any) -> None:
    """Have the CRM tell a row of the audience, with the tag's key where it has one."""
    made = more.pop("made", None)
    usual = {"parent_row": f"row-{NEWS}", "list_id": more.get("key")}
    place.store.add_definition(
        "crm", kind, row_id, name, details=EMPTY | usual | more, written=made
    )


def told(plan: Plan) -> dict[str, tuple[Any, ...]]:
    """Return what becomes of each tag and row: target, kind, record and result or reason."""
    rows = plan.jobs.astype(object).where(plan.jobs.notna(), None).to_dict("records")
    return {
        row["source_id"]: (
            *(row[name] for name in ("target", "kind", "record_id")),
            row["reason"] or row["result"],
        )
        for row in rows
        if row["source_entity"] != "audience"
    }


def values(plan: Plan, source_id: str) -> dict[str, Any]:
    found = plan.jobs.set_index("source_id").loc[source_id, "values"]
    read: dict[str, Any] = json.loads(str(found))
    return read


def planned(place: Planning, **options: Any) -> Plan:
    return place.plan(SYNC.plan, options=Options(**options))


@pytest.mark.parametrize(
    ("platform", "crm", "agreed", "expected"),
    [
        ("VIP", "VIP", "VIP", {"t": (None, None, None, "unchanged")}),
        ("Gold", "VIP", "VIP", {"t": ("crm", "upsert", None, "updated")}),
        ("VIP", "Gold", "VIP", {"r": ("marketing", "update", "t", "updated")}),
        ("VIP", "vip", "VIP", {"r": ("marketing", "update", "t", "updated")}),
        ("Gold", "Silver", "VIP", {"t": ("crm", "upsert", None, "conflict: name")}),
        ("Gold", "Gold", "VIP", {"t": (None, None, None, "unchanged")}),
        ("VIP", None, "VIP", {"t": ("crm", "upsert", None, "updated")}),
        ("VIP", "Other", None, {"t": ("crm", "upsert", None, "updated")}),
        ("A long name", "A lon…", "A long name", {"t": (None, None, None, "unchanged")}),
        ("VIP", "Taken", "VIP", {"r": (None, None, None, "duplicate_name")}),
    ],
)
def test_a_name_that_one_side_has_changed_goes_to_the_other(
    platform: str, crm: str | None, agreed: str | None, expected: dict[str, tuple[Any, ...]]
) -> None:
    place = desk()
    tag(place, "t", platform, base=agreed)
    row(place, "r", crm, key="t")
    tag(place, "other", "taken", base="taken")
    row(place, "r2", "taken", key="other")
    assert told(planned(place)) == expected | {"other": (None, None, None, "unchanged")}


def test_both_sides_that_have_come_to_a_name_are_remembered_to_agree() -> None:
    place = desk()
    tag(place, "t", "Gold", base="VIP")
    row(place, "r", "Gold", key="t")
    kept = planned(place).keep["told_definitions"].to_dict("records")
    assert kept == [{"side": "marketing", "kind": "tag", "id": "t", "written": '{"name":"Gold"}'}]


def test_a_tag_gets_a_row_and_a_row_a_tag() -> None:
    place = desk()
    tag(place, "t", "VIP")
    row(place, "r", " Guests ")
    plan = planned(place)
    assert told(plan) == {
        "t": ("crm", "upsert", None, "new"),
        "r": ("marketing", "create", None, "new"),
    }
    assert values(plan, "t") == {
        "name": "VIP",
        "audience_id": NEWS,
        "list_id": "t",
        "marketing_lists": None,
        "gone": False,
    }
    assert values(plan, "r") == {"name": "Guests", "parent_id": NEWS}


def test_a_row_says_which_marketing_lists_are_mapped_to_its_tag() -> None:
    place = desk()
    for key in ("vip", "other"):
        tag(place, key, key, base=key)
        row(place, f"row-{key}", key, key=key)
    assert {job[3] for job in told(planned(place)).values()} == {"unchanged"}
    place.store.add_list_of_run(1, "news", crm="crm-news", marketing="vip")
    plan = planned(place)
    assert told(plan) == {
        "vip": ("crm", "upsert", None, "updated"),
        "other": (None, None, None, "unchanged"),
    }
    assert values(plan, "vip")["marketing_lists"] == "news"
    row(place, "row-vip", "vip", key="vip", marketing_lists="news")
    assert {job[3] for job in told(planned(place)).values()} == {"unchanged"}


def test_an_audience_has_its_rating_and_is_written_when_that_changes() -> None:
    place = desk()
    for rating, result in ((3, "updated"), (3, "unchanged"), (4, "updated"), (None, "updated")):
        details = {"parent_id": None, "list_id": NEWS, "rating": rating}
        place.store.add_definition(
            "marketing", "audience", NEWS, NEWS, details=details, written=json.dumps({"name": NEWS})
        )
        plan = planned(place)
        (job,) = plan.jobs.to_dict("records")
        assert (job["entity"], job["result"]) == ("audience", result)
        if result == "updated":
            assert values(plan, NEWS)["rating"] == rating
        row(
            place,
            f"row-{NEWS}",
            NEWS,
            key=NEWS,
            kind="audience",
            parent_row=None,
            list_id=NEWS,
            rating=rating,
        )


@pytest.mark.parametrize("made", ["t", None], ids=["told", "by its name, as the answer was lost"])
def test_a_row_whose_tag_was_made_gets_its_key_and_no_second_tag(made: str | None) -> None:
    place = desk()
    tag(place, "t", "VIP", base="VIP" if made else None)
    row(place, "r", "vip" if made is None else "VIP", made=made)
    plan = planned(place)
    assert told(plan) == {"t": ("crm", "upsert", "r", "updated")}
    assert plan.jobs.set_index("source_id").loc["t", "key"] == "t"


def test_a_row_that_is_renamed_before_it_has_its_key_renames_its_tag() -> None:
    place = desk()
    tag(place, "t", "VIP", base="VIP")
    row(place, "r", "Gold", made="t")
    assert told(planned(place)) == {"r": ("marketing", "update", "t", "updated")}


def test_of_rows_with_one_name_the_first_gets_the_tag() -> None:
    place = desk()
    row(place, "r1", "vip", modified_at="2026-01-02T10:00:00.000Z")
    row(place, "r2", "VIP", modified_at="2026-01-01T10:00:00.000Z")
    assert told(planned(place)) == {
        "r2": ("marketing", "create", None, "new"),
        "r1": (None, None, None, "duplicate_name"),
    }


def test_two_audiences_may_have_tags_of_the_same_name() -> None:
    place = desk(NEWS, "shop")
    tag(place, "t", "VIP", base="VIP")
    row(place, "r", "VIP", key="t")
    row(place, "mine", "vip", parent_row="row-shop")
    row(place, "nowhere", "vip", parent_row=None)
    plan = planned(place)
    assert told(plan) == {
        "t": (None, None, None, "unchanged"),
        "mine": ("marketing", "create", None, "new"),
        "nowhere": (None, None, None, "no_parent"),
    }
    assert values(plan, "mine")["parent_id"] == "shop"


def test_the_only_audience_needs_no_name() -> None:
    place = desk()
    row(place, "r", "VIP", parent_row=None)
    assert values(planned(place), "r")["parent_id"] == NEWS


def test_a_row_that_is_moved_to_another_audience_is_moved_back() -> None:
    place = desk(NEWS, "shop")
    tag(place, "t", "VIP", base="VIP")
    row(place, "r", "VIP", key="t", parent_row="row-shop")
    plan = planned(place)
    assert told(plan) == {"t": ("crm", "upsert", None, "updated")}
    assert values(plan, "t")["audience_id"] == NEWS


def test_what_was_deleted_on_one_side_stays_on_the_other_and_says_so() -> None:
    place = desk()
    tag(place, "unrowed", "VIP", base="VIP")
    tag(place, "ended", "Guests", base="Guests", gone=True)
    row(place, "r", "Guests", key="ended")
    tag(place, "marked", "Old", base="Old", gone=True)
    row(place, "m", "Old", key="marked", gone=True)
    plan = planned(place)
    assert told(plan) == {
        "unrowed": (None, None, None, "deleted_in_crm"),
        "ended": ("crm", "upsert", "r", "deleted_in_marketing"),
        "marked": (None, None, None, "deleted_in_marketing"),
    }
    assert values(plan, "ended") == {"audience_id": NEWS, "gone": True}
    again = told(planned(place, full_resync=True))
    assert again["unrowed"] == ("crm", "upsert", None, "new"), "the row, and no tag is made"
    assert again["marked"] == (None, None, None, "deleted_in_marketing")


def test_deletions_follow_where_the_account_says_so() -> None:
    place = desk(deletions="follow")
    tag(place, "unrowed", "VIP", base="VIP")
    tag(place, "ended", "Guests", base="Guests", gone=True)
    row(place, "r", "Guests", key="ended")
    row(place, "made", "Old", made="lost")
    tag(place, "lost", "Old", base="Old", gone=True)
    assert told(planned(place)) == {
        "unrowed": ("marketing", "delete", "unrowed", "deleted"),
        "ended": ("crm", "delete", "r", "deleted"),
        "lost": ("crm", "delete", "made", "deleted"),
    }


def test_a_row_stays_as_long_as_people_have_its_tag() -> None:
    place = desk(deletions="follow")
    tag(place, "ended", "Guests", base="Guests", gone=True)
    row(place, "r", "Guests", key="ended")
    place.store.add_list_state(ListPair("ended", "ended"), "joined", crm_id="c", marketing_id="m")
    assert told(planned(place)) == {"ended": ("crm", "upsert", "r", "deleted_in_marketing")}


def test_a_table_without_any_row_was_made_anew_and_deletes_nothing() -> None:
    place = desk(deletions="follow")
    for name in ("VIP", "Guests"):
        tag(place, name, name, base=name)
    assert set(told(planned(place)).values()) == {("crm", "upsert", None, "new")}


def test_rows_of_another_account_are_left_alone() -> None:
    place = desk(deletions="follow")
    row(place, "theirs", "VIP", key="their.tag", parent_row="row-of-theirs")
    row(place, "new", "Guests", parent_row="row-of-theirs")
    assert told(planned(place)) == {}


def test_a_row_that_another_account_has_taken_deletes_no_tag() -> None:
    place = desk(deletions="follow")
    tag(place, "t", "VIP", base="VIP")
    row(place, "r", "VIP", key="their.tag", made="t")
    tag(place, "other", "Guests", base="Guests")
    row(place, "r2", "Guests", key="other")
    assert told(planned(place))["t"] == ("crm", "upsert", None, "new")


def test_an_interest_waits_for_its_category_and_follows_in_the_next_run() -> None:
    place = desk()
    row(place, "c", "Topics", kind="interest_category")
    row(place, "i", "Offers", kind="interest", parent_row="c")
    assert told(planned(place)) == {
        "c": ("marketing", "create", None, "new"),
        "i": (None, None, None, "no_parent"),
    }
    tag(place, "cat", "Topics", kind="interest_category", base="Topics")
    row(place, "c", "Topics", kind="interest_category", made="cat")
    plan = planned(place)
    assert told(plan) == {
        "cat": ("crm", "upsert", "c", "updated"),
        "i": ("marketing", "create", None, "new"),
    }
    assert values(plan, "i") == {"name": "Offers", "parent_id": "cat"}
    assert values(plan, "cat") == {"name": "Topics", "audience_id": NEWS, "gone": False}


def test_what_failed_waits_for_its_turn_and_what_is_gone_is_settled() -> None:
    place = desk()
    row(place, "r1", "VIP")
    row(place, "r2", "Guests")
    for name in ("r1", "r2", "r3"):
        place.store.add_retry("tags", "crm", name)
    for name in ("r2", "r3"):
        place.try_again("crm", "tag", name)
    assert told(planned(place)) == {
        "r2": ("marketing", "create", None, "new"),
        "r3": (None, None, None, "gone"),
    }


def test_only_what_is_named_is_looked_at() -> None:
    place = desk()
    tag(place, "t", "VIP")
    row(place, "r", "Guests")
    assert set(told(planned(place, records=("guests",)))) == {"r"}
