"""The model of intent that random histories are judged by."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.soak.intent import ON, Consent, Intent, Person

ANN = Person(("crm:1",), "pf:1")
ELSEWHERE = Person(("crm:1",), "pf:2")
IN_BOTH = replace(ANN, beside=("pf:2",))
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def agreed(value: str | None = "Oslo", policy: str = "crm") -> Intent:
    """Both sides have a city, and a run has noticed it."""
    intent = Intent({"city": policy})  # type: ignore[dict-item]
    intent.says("crm:1", "city", value)
    intent.writes("pf:1", "city", value)
    intent.agrees(ANN, "city", value, sure=True)
    return intent


def test_what_was_agreed_stays() -> None:
    assert agreed().expected(ANN, "city") == {"Oslo"}


def test_the_only_word_since_counts_on_either_side() -> None:
    for record in ("crm:1", "pf:1"):
        for value in ("Rome", None):
            intent = agreed(policy="marketing" if record == "crm:1" else "crm")
            intent.says(record, "city", value)
            assert intent.expected(ANN, "city") == {value}


def test_a_word_that_was_taken_back_is_no_change() -> None:
    intent = agreed()
    intent.says("crm:1", "city", "Rome")
    intent.says("crm:1", "city", "Oslo")
    intent.says("pf:1", "city", "Bonn")
    assert intent.expected(ANN, "city") == {"Bonn"}


def test_two_words_are_decided_by_the_policy() -> None:
    for policy, winner in (("crm", "Rome"), ("marketing", None)):
        intent = agreed(policy=policy)
        intent.says("crm:1", "city", "Rome")
        intent.says("pf:1", "city", None)
        assert intent.expected(ANN, "city") == {winner}


def test_two_words_in_the_same_moment_are_either_where_the_newest_wins() -> None:
    intent = agreed(policy="newest")
    intent.says("crm:1", "city", "Rome")
    intent.changes("crm:1", NOON)
    intent.says("pf:1", "city", "Bonn")
    intent.changes("pf:1", NOON + timedelta(seconds=1))
    assert intent.expected(ANN, "city") == {"Rome", "Bonn"}
    intent.changes("pf:1", NOON + timedelta(minutes=1))
    assert intent.expected(ANN, "city") == {"Bonn"}


def test_what_a_run_wrote_is_no_reason_for_what_it_decided() -> None:
    intent = agreed(policy="newest")
    for record, city, minutes in (("crm:1", "Rome", 0), ("pf:1", "Bonn", 1)):
        intent.says(record, "city", city)
        intent.changes(record, NOON + timedelta(minutes=minutes))
    intent.writes("pf:1", "city", "Rome", run="second")
    assert intent.expected(ANN, "city", run="second") == {"Bonn"}
    assert intent.expected(ANN, "city", run="third") == {"Rome", "Bonn"}


def test_a_change_while_a_run_is_about_to_write_may_come_too_late_to_be_the_newest() -> None:
    intent = agreed(policy="newest")
    for record, city, minutes in (("crm:1", "Rome", 0), ("pf:1", "Bonn", 1)):
        intent.says(record, "city", city)
        intent.changes(record, NOON + timedelta(minutes=minutes))
    intent.changes("crm:1", NOON + timedelta(minutes=2), hasty=True)
    assert intent.expected(ANN, "city") == {"Rome", "Bonn"}


def test_a_word_while_a_run_is_about_to_write_may_win_or_lose_a_conflict() -> None:
    intent = agreed()
    intent.says("crm:1", "city", "Rome")
    intent.says("pf:1", "city", "Bonn", hasty=True)
    assert intent.expected(ANN, "city") == {"Rome", "Bonn"}


def test_a_new_record_has_no_base_and_its_empty_values_clear_nothing() -> None:
    intent = agreed()
    again = Person(("crm:1",), "pf:2")
    assert intent.expected(again, "city") == {"Oslo"}
    intent.says("pf:2", "city", "Rome")
    intent.policies["city"] = "marketing"
    assert intent.expected(again, "city") == {"Rome"}


def test_another_field_is_a_first_sync() -> None:
    intent = agreed()
    intent.is_another("city")
    intent.says("crm:1", "city", "Oslo")
    assert intent.expected(ANN, "city") == {"Oslo"}
    assert not intent.cleared("pf:1", "city")


def test_an_agreement_that_nobody_may_have_noticed_leaves_both_open() -> None:
    intent = agreed(None)
    intent.says("crm:1", "city", "Rome")
    intent.says("pf:1", "city", "Rome")
    intent.agrees(ANN, "city", "Rome", sure=False)
    intent.says("pf:1", "city", None)
    assert intent.expected(ANN, "city") == {"Rome", None}


def test_what_is_in_doubt_may_count_or_not() -> None:
    intent = agreed()
    intent.doubts("pf:1", "city")
    intent.says("pf:1", "city", None)
    assert intent.expected(ANN, "city") == {"Oslo", None}


def test_of_several_records_any_may_speak() -> None:
    intent = agreed()
    both = Person(("crm:1", "crm:2"), "pf:1")
    intent.agrees(both, "city", "Oslo", sure=True)
    intent.says("crm:2", "city", "Rome")
    assert intent.expected(both, "city") == {"Oslo", "Rome"}


def agreed_in_both(policy: str = "crm") -> Intent:
    intent = agreed(policy=policy)
    intent.writes("pf:2", "city", "Oslo")
    intent.agrees(ELSEWHERE, "city", "Oslo", sure=True)
    return intent


def test_what_is_said_in_one_audience_is_to_reach_the_others() -> None:
    intent = agreed_in_both()
    intent.says("pf:2", "city", "Rome")
    for one in IN_BOTH.everywhere():
        assert intent.expected(one, "city") == {"Rome"}
    assert intent.expected(IN_BOTH, "city", run="the next") == {"Oslo", "Rome"}
    assert intent.expected(replace(IN_BOTH, open=True), "city") == {"Oslo", "Rome"}


def test_of_what_two_audiences_say_either_may_stay() -> None:
    intent = agreed_in_both("marketing")
    intent.says("pf:1", "city", "Bonn")
    intent.says("pf:2", "city", "Rome")
    assert intent.expected(IN_BOTH, "city") == {"Bonn", "Rome"}


def test_what_the_crm_has_from_one_audience_is_its_word_in_the_others() -> None:
    for policy, winner in (("crm", "Rome"), ("marketing", "Bonn")):
        intent = agreed_in_both(policy)
        intent.says("pf:2", "city", "Rome")
        intent.agrees(ELSEWHERE, "city", "Rome", sure=True)
        assert intent.expected(IN_BOTH, "city") == {"Rome"}
        intent.says("pf:1", "city", "Bonn")
        assert intent.expected(IN_BOTH, "city") == {winner}


def test_being_on_a_list_is_a_matter_like_others() -> None:
    intent = Intent()
    intent.says("crm:1", "list", ON)
    assert intent.expected(ANN, "list") == {ON}
    intent.agrees(ANN, "list", ON, sure=True)
    intent.says("pf:1", "list", None)
    assert intent.expected(ANN, "list") == {None}


def test_what_a_record_held_since_a_moment() -> None:
    intent = Intent()
    intent.says("crm:1", "city", "Oslo")
    since = intent.tick
    intent.says("crm:1", "city", "Rome")
    assert intent.held_since("crm:1", "city", since) == {"Oslo", "Rome"}
    assert intent.held_since("crm:1", "city", intent.tick) == {"Rome"}


def test_a_word_of_consent_stays_until_it_is_taken_back() -> None:
    consent = Consent()
    consent.silenced("ann")
    consent.heard(consent.said())
    consent.moved("ann", "bob", mailable=False)
    assert consent.silent == {"ann", "bob"}
    consent.came_back("ann")
    assert consent.silent == {"bob"}


def test_a_word_that_nobody_read_goes_with_its_contact() -> None:
    consent = Consent()
    consent.silenced("ann")
    consent.written_down("ann", "list")
    consent.forgotten("ann", lists=["list"])
    consent.heard(consent.said())
    assert (consent.silent, consent.left) == (set(), set())


def test_what_is_written_down_counts_once_it_was_read() -> None:
    consent = Consent()
    consent.written_down("ann")
    consent.written_down("bob", "list")
    assert not consent.silent | consent.left
    consent.heard(consent.said())
    assert (consent.silent, consent.left) == ({"ann"}, {("bob", "list")})
    consent.is_another("list")
    assert not consent.left


def test_a_word_is_taken_back_in_the_audience_that_heard_it() -> None:
    consent = Consent()
    for audience in ("news", "shop"):
        consent.silenced("ann", audience)
    assert consent.silent_in("news") == {"ann"}
    consent.came_back("ann", "news")
    assert consent.silent_in("news") == set(), "nobody has heard the other audience"
    consent.heard(consent.said())
    assert consent.silent_in("news") == {"ann"}
    assert (consent.silent, consent.given) == ({"ann"}, {("ann", "news")})
    consent.came_back("ann", "shop")
    assert consent.silent == set()


def test_a_contact_takes_along_what_was_said_to_its_own_audience() -> None:
    consent = Consent()
    consent.silenced("ann", "news")
    consent.written_down("ann", "list of news")
    consent.written_down("ann", "list of the shop")
    consent.moved("ann", "bob", "shop", ["list of the shop"], mailable=True)
    consent.heard(consent.said())
    assert consent.silent == {"ann"}
    assert consent.left == {("ann", "list of news"), ("bob", "list of the shop")}
