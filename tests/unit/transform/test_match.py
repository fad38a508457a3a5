"""The cases that docs and operators name; each one a decided outcome."""

from __future__ import annotations

from typing import Any

import pandas as pd

from bothways.transform.match import Matches, match
from tests.unit.transform.rows import contacts, links, person, records

LATER = pd.Timestamp("2025-06-01", tz="UTC")
ANNA = ("contact", "anna", "1", "anna@x", True)


def pairs(found: Matches) -> list[tuple[Any, ...]]:
    """Return what people look at: who, with whom, who is primary, and the case."""
    return records(found.pairs, "crm_id", "marketing_id", "is_primary", "case")


def test_people_without_a_link_are_matched_by_address() -> None:
    found = match(
        contacts(person("anna", "anna@x"), person("bob", "bob@x"), person("nobody", None)),
        contacts(person("1", "anna@x"), person("2", "carol@x")),
        links(),
    )
    assert pairs(found) == [("anna", "1", True, None)]
    assert records(found.pairs, "email_key", "new_link") == [("anna@x", True)]
    assert records(found.crm_only, "crm_id", "case") == [("bob", None), ("nobody", None)]
    assert records(found.marketing_only, "marketing_id", "case") == [("2", None)]


def test_a_link_holds_when_the_address_changes_in_the_crm() -> None:
    found = match(contacts(person("anna", "new@x")), contacts(), links(ANNA))
    assert pairs(found) == [("anna", "1", True, "moved_in_crm")]
    assert found.pairs["new_link"].tolist() == [False]


def test_a_link_holds_when_the_address_changes_on_the_platform() -> None:
    found = match(contacts(person("anna", "anna@x")), contacts(person("1", "new@x")), links(ANNA))
    assert pairs(found) == [("anna", "1", True, "moved_in_marketing")]


def test_a_link_holds_when_the_address_changes_on_both_sides() -> None:
    found = match(contacts(person("anna", "b@x")), contacts(person("1", "c@x")), links(ANNA))
    assert pairs(found) == [("anna", "1", True, "moved_in_both")]


def test_an_address_taken_over_on_the_platform_is_another_person() -> None:
    found = match(
        contacts(person("anna", "anna@x")),
        contacts(person("1", "new@x"), person("2", "anna@x")),
        links(ANNA),
    )
    assert pairs(found) == [("anna", "1", True, "moved_in_marketing")]
    assert records(found.marketing_only, "marketing_id", "case") == [("2", "address_taken_over")]


def test_an_address_taken_over_in_the_crm_is_another_person() -> None:
    found = match(
        contacts(person("anna", "new@x"), person("eve", "anna@x")),
        contacts(person("1", "anna@x")),
        links(ANNA),
    )
    assert pairs(found) == [("anna", "1", True, "moved_in_crm")]
    assert records(found.crm_only, "crm_id", "case") == [("eve", "address_taken_over")]


def test_a_new_record_with_a_linked_address_follows_the_same_contact() -> None:
    """The platform contact did not change, so only its link tells its address."""
    found = match(contacts(person("lead", "anna@x", entity="lead")), contacts(), links(ANNA))
    assert pairs(found) == [("anna", "1", True, None), ("lead", "1", False, None)]


def test_one_of_several_records_speaks_in_a_stated_order() -> None:
    def speaker(*people: dict[str, Any], known: pd.DataFrame | None = None) -> str:
        held = links() if known is None else known
        found = match(contacts(*people), contacts(person("1", "a@x")), held).pairs
        assert found["is_primary"].sum() == 1
        return str(found.loc[found["is_primary"].astype(bool), "crm_id"].item())

    old = person("b", "a@x")
    assert speaker(old, person("a", "a@x", active=False, modified_at=LATER)) == "b"
    assert speaker(old, person("a", "a@x", entity="lead", modified_at=LATER)) == "b"
    assert speaker(old, person("c", "a@x", modified_at=LATER)) == "c"
    assert speaker(old, person("a", "a@x")) == "a"
    speaks_already = links(("lead", "z", "1", "a@x", True), ("contact", "b", "1", "a@x", False))
    assert (
        speaker(old, person("z", "a@x", entity="lead", active=False), known=speaks_already) == "z"
    )


def test_another_record_speaks_once_the_speaker_is_deleted() -> None:
    found = match(
        contacts(person("anna", None, deleted=True)),
        contacts(),
        links(ANNA, ("lead", "lead", "1", "anna@x", False)),
    )
    assert pairs(found) == [("anna", "1", False, "deleted_in_crm"), ("lead", "1", True, None)]


def test_a_follower_with_an_address_of_its_own_leaves() -> None:
    found = match(
        contacts(person("twin", "twin@x")),
        contacts(person("2", "twin@x")),
        links(ANNA, ("contact", "twin", "1", "anna@x", False)),
    )
    assert pairs(found) == [("twin", "2", True, None)]
    assert records(found.dropped, "crm_id", "marketing_id", "case") == [("twin", "1", "left")]


def test_a_follower_that_gets_the_speakers_address_stays() -> None:
    """Found by the histories: it left, and was linked to the same contact again."""
    found = match(
        contacts(person("twin", "anna@x")),
        contacts(),
        links(ANNA, ("contact", "twin", "1", "old@x", False)),
    )
    assert found.dropped.empty
    assert not found.pairs["new_link"].any()


def test_a_merged_record_hands_its_link_to_the_one_that_survived() -> None:
    found = match(
        contacts(
            person("anna", "anna@x", active=False, merged_into="middle"),
            person("middle", "m@x", active=False, merged_into="final"),
            person("final", "anna@x"),
        ),
        contacts(),
        links(ANNA),
    )
    assert pairs(found) == [("final", "1", True, "merged")]
    assert records(found.dropped, "crm_id", "case") == [("anna", "merged")]
    assert found.crm_only.empty


def test_a_merge_is_told_when_nothing_else_of_the_person_changed() -> None:
    """Found by the histories: the survivor was read by an earlier run, and lost its new link."""
    merged = contacts(person("anna", "anna@x", active=False, merged_into="final"))
    assert pairs(match(merged, contacts(), links(ANNA))) == [("final", "1", True, "merged")]


def test_a_merge_of_two_linked_records_keeps_the_survivors_link() -> None:
    found = match(
        contacts(person("anna", "anna@x", active=False, merged_into="bob")),
        contacts(person("1", "anna@x")),
        links(ANNA, ("contact", "bob", "2", "bob@x", True)),
    )
    assert pairs(found) == [("anna", "1", False, "merged_away")]
    assert found.marketing_only.empty
    assert found.dropped.empty


def test_of_two_contacts_that_merged_records_bring_the_speakers_is_handed_over() -> None:
    gone = [person(one, f"{one}@x", active=False, merged_into="final") for one in ("a", "b", "c")]
    found = match(
        contacts(*gone, person("final", "final@x")),
        contacts(),
        links(
            ("contact", "a", "1", "a@x", False),
            ("contact", "b", "3", "b@x", True),
            ("contact", "c", "2", "c@x", True),
        ),
    )
    assert pairs(found) == [
        ("a", "1", False, "merged_away"),
        ("b", "3", False, "merged_away"),
        ("final", "2", True, "merged"),
    ]
    assert records(found.dropped, "crm_id", "marketing_id", "case") == [("c", "2", "merged")]


def test_merged_records_that_followed_one_contact_have_one_link_in_the_end() -> None:
    gone = [person(one, "x@x", active=False, merged_into="final") for one in ("a", "b")]
    held = [("contact", one, "1", "x@x", one == "a") for one in ("a", "b")]
    for own in ([], [("contact", "final", "1", "x@x", False)]):
        found = match(contacts(*gone, person("final", "x@x")), contacts(), links(*held, *own))
        assert records(found.pairs, "crm_id", "marketing_id", "is_primary") == [
            ("final", "1", True)
        ]
        assert records(found.dropped, "crm_id", "case") == [("a", "merged"), ("b", "merged")]


def test_of_merged_records_that_share_a_contact_the_lowest_id_is_left_alone() -> None:
    gone = [person(one, "x@x", active=False, merged_into="final") for one in ("a", "b")]
    everybody = contacts(*gone, person("final", "final@x"))
    own = ("contact", "final", "2", "final@x", True)
    held = [("contact", one, "1", f"{one}@x", False) for one in ("a", "b")]
    for shared in (held, held[::-1]):
        found = match(everybody, contacts(), links(own, *shared))
        assert records(found.dropped, "crm_id", "marketing_id") == [("b", "1")]


def test_records_merged_in_a_circle_keep_their_links() -> None:
    """Found by the histories: a record merged into itself had its link twice."""
    found = match(
        contacts(
            person("a", "a@x", merged_into="b"),
            person("b", "b@x", merged_into="b"),
            person("c", "c@x", merged_into="d"),
            person("d", "d@x", merged_into="c"),
        ),
        contacts(),
        links(*(("contact", one, place, "a@x", True) for one, place in ("a1", "b2", "c3", "d4"))),
    )
    assert records(found.pairs, "crm_id", "marketing_id") == [
        *(("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"))
    ]


def test_deletions_are_told_by_side() -> None:
    found = match(
        contacts(person("anna", None, deleted=True), person("carol", None, deleted=True)),
        contacts(person("2", None, deleted=True), person("3", None, deleted=True)),
        links(ANNA, ("contact", "bob", "2", "b@x", True), ("contact", "carol", "3", "c@x", True)),
    )
    assert pairs(found) == [
        ("anna", "1", True, "deleted_in_crm"),
        ("bob", "2", True, "deleted_in_marketing"),
        ("carol", "3", True, "deleted_in_both"),
    ]
    assert found.crm_only.empty
    assert found.marketing_only.empty


def test_a_contact_that_is_back_under_a_new_id_is_linked_again() -> None:
    found = match(
        contacts(person("anna", "new@x")),
        contacts(person("1", None, deleted=True), person("2", "new@x")),
        links(ANNA),
    )
    assert pairs(found) == [("anna", "2", True, "re_added")]
    assert records(found.pairs, "email_key", "new_link") == [("new@x", True)]
    assert records(found.dropped, "marketing_id", "case") == [("1", "re_added")]


def test_two_people_who_come_back_as_one_have_one_speaker() -> None:
    """Found by the histories: both went on speaking."""
    gone = contacts(*(person(one, None, deleted=True) for one in "12"), person("3", "anna@x"))
    found = match(contacts(), gone, links(ANNA, ("contact", "bob", "2", "anna@x", True)))
    assert pairs(found) == [("anna", "3", True, "re_added"), ("bob", "3", False, "re_added")]


def test_a_record_that_takes_the_place_of_a_deleted_one_is_linked() -> None:
    found = match(
        contacts(person("anna", None, deleted=True), person("anna2", "anna@x")),
        contacts(),
        links(ANNA),
    )
    assert pairs(found) == [("anna", "1", False, "deleted_in_crm"), ("anna2", "1", True, None)]


def test_a_follower_that_nobody_speaks_beside_keeps_its_contact() -> None:
    """The record that spoke is gone for good: nobody else would hold the contact."""
    found = match(
        contacts(person("twin", "twin@x")),
        contacts(person("1", "anna@x")),
        links(("contact", "twin", "1", "anna@x", False)),
    )
    assert records(found.pairs, "crm_id", "marketing_id") == [("twin", "1")]
    assert found.dropped.empty


def test_of_two_contacts_with_one_address_the_one_that_nobody_left_is_meant() -> None:
    found = match(
        contacts(person("anna", "new@x"), person("eve", "anna@x")),
        contacts(person("1", "anna@x"), person("2", "anna@x")),
        links(ANNA),
    )
    assert pairs(found) == [("anna", "1", True, "moved_in_crm"), ("eve", "2", True, None)]


def test_an_address_that_both_sides_moved_to_is_still_the_persons_own() -> None:
    found = match(
        contacts(person("anna", "anna@x"), person("lead", "anna@x", entity="lead")),
        contacts(person("1", "anna@x")),
        links(("contact", "anna", "1", "old@x", True)),
    )
    assert pairs(found) == [("anna", "1", True, "moved_in_both"), ("lead", "1", False, None)]


def test_who_is_gone_on_both_sides_is_not_brought_back_by_a_new_contact() -> None:
    found = match(
        contacts(person("anna", None, deleted=True)),
        contacts(person("1", None, deleted=True), person("2", "anna@x")),
        links(ANNA),
    )
    assert pairs(found) == [("anna", "1", True, "deleted_in_both")]
    assert records(found.marketing_only, "marketing_id") == [("2",)]


def test_nothing_in_gives_nothing_out() -> None:
    found = match(contacts(), contacts(), links(ANNA))
    assert found.pairs.empty
    assert found.dropped.empty


def test_of_two_records_that_were_made_from_one_contact_the_lead_may_leave() -> None:
    found = match(
        contacts(person("lead", "ben@x", entity="lead")),
        contacts(),
        links(("contact", "anna", "1", "anna@x", True), ("lead", "lead", "1", "anna@x", True)),
    )
    assert records(found.dropped, "crm_id", "case") == [("lead", "left")]
    assert records(found.crm_only, "crm_id", "case") == [("lead", None)]


def test_who_speaks_from_now_on_is_told() -> None:
    found = match(
        contacts(person("anna", "anna@x", deleted=True), person("lead", "anna@x", entity="lead")),
        contacts(),
        links(("contact", "anna", "1", "anna@x", True), ("lead", "lead", "1", "anna@x", False)),
    )
    assert pairs(found) == [("anna", "1", False, "deleted_in_crm"), ("lead", "1", True, None)]
    assert found.pairs["new_link"].tolist() == [True, True]
