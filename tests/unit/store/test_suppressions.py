from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from bothways.store import lists, records
from bothways.store import suppressions as store
from bothways.tables.ledgers import ACCOUNT_WIDE
from tests.unit.store.rows import ACCOUNT, contacts, minute, open_run, suppressions

PLATFORM = {"account": ACCOUNT, "side": "marketing"}
ANN = {"id": "1", "email": "Ann@x.org", "suppressed_at": minute(1)}


def _tell(conn: sa.Connection, run_id: int, *rows: dict[str, Any], **more: Any) -> None:
    place = PLATFORM | {"run_id": run_id} | more
    store.absorb_suppressions(conn, **place, rows=suppressions(*rows))


def _known(conn: sa.Connection, **asked: Any) -> list[dict[str, Any]]:
    frame = store.load_suppressions(conn, account=ACCOUNT, **asked)
    return [dict(row) for row in frame.astype(object).where(frame.notna(), None).to_dict("records")]


def test_the_gravest_reason_and_the_first_time_are_kept_in_any_order(conn: sa.Connection) -> None:
    first, second = open_run(conn), open_run(conn, "second")
    bounced = ANN | {"reason": "bounced", "vendor_reason": "HardBounced"}
    complained = {**ANN, "reason": "complained", "suppressed_at": minute(9)}
    for run_id, row in ((second, complained), (first, bounced), (second, complained), (first, ANN)):
        _tell(conn, run_id, row)
    (row,) = _known(conn)
    assert (row["reason"], row["suppressed_at"]) == ("complained", minute(1))
    assert (row["email_key"], row["list_id"], row["record_id"]) == ("ann@x.org", "", "1")


def test_a_side_that_drops_its_record_does_not_free_the_address(conn: sa.Connection) -> None:
    first, second, third = (open_run(conn, str(n)) for n in range(3))
    _tell(conn, first, ANN, {"email": "Bob@x.org"})
    _tell(conn, second, {"id": "1", "deleted": True}, {"email": "bob@x.org", "deleted": True})
    _tell(conn, first, ANN)
    assert [row["deleted_at"] is not None for row in _known(conn)] == [True, True]
    _tell(conn, third, ANN | {"id": "2"})
    assert [row["deleted_at"] is not None for row in _known(conn)] == [False, True]


def _lift(conn: sa.Connection, run_id: int, **more: Any) -> int:
    words = store.load_suppressions(conn, account=ACCOUNT)
    place = PLATFORM | {"run_id": run_id, "reason": "came back", "frame": words} | more
    return store.lift(conn, **place)


def test_only_a_reason_lifts_and_an_old_word_does_not_come_back(conn: sa.Connection) -> None:
    first, second = open_run(conn), open_run(conn, "second")
    _tell(conn, first, ANN)
    with pytest.raises(ValueError, match="lifted for a reason only"):
        _lift(conn, second, reason=" ")
    assert _lift(conn, second) == 1
    _tell(conn, second, ANN)
    assert _known(conn) == []
    later = ANN | {"suppressed_at": minute(2), "reason": "bounced"}
    _tell(conn, second, later)
    (row,) = _known(conn)
    assert (row["reason"], row["suppressed_at"]) == ("bounced", minute(2))
    assert not row["personal"]


@pytest.mark.parametrize(
    ("another", "counts"),
    [
        ({}, False),
        ({"suppressed_at": minute(0)}, False),
        ({"suppressed_at": minute(2)}, True),
        ({"suppressed_at": None}, False),
        ({"suppressed_at": None, "id": "2"}, True),
        ({"suppressed_at": minute(0), "id": "2"}, True),
    ],
)
def test_after_a_lifting_another_word_counts_and_the_same_does_not(
    another: dict[str, Any], counts: bool, conn: sa.Connection
) -> None:
    """By the vendor's own times, however far they are from ours: all of these are long past."""
    first, second, third = (open_run(conn, str(n)) for n in range(3))
    _tell(conn, first, ANN)
    _lift(conn, second)
    _tell(conn, third, ANN | another)
    assert len(_known(conn)) == counts


def test_a_word_without_a_time_is_lifted_by_its_record(conn: sa.Connection) -> None:
    first, second, third = (open_run(conn, str(n)) for n in range(3))
    undated = ANN | {"suppressed_at": None}
    _tell(conn, first, undated, side="crm")
    assert _lift(conn, second, side="crm") == 1
    _tell(conn, third, undated, side="crm")
    assert _known(conn) == []
    _tell(conn, third, undated | {"id": "2"}, side="crm")
    assert len(_known(conn)) == 1


@pytest.mark.parametrize("meanwhile", [{"suppressed_at": minute(2)}, {"id": "2"}])
def test_a_word_that_was_told_meanwhile_is_not_lifted(
    meanwhile: dict[str, Any], conn: sa.Connection
) -> None:
    first, second, third = (open_run(conn, str(n)) for n in range(3))
    _tell(conn, first, ANN)
    heard = store.load_suppressions(conn, account=ACCOUNT)
    _tell(conn, third, ANN | meanwhile)
    assert _lift(conn, second, frame=heard) == 0
    assert len(_known(conn)) == 1


def test_the_earliest_and_the_latest_time_are_kept(conn: sa.Connection) -> None:
    run_id = open_run(conn)
    for at in (5, 9, None, 7):
        _tell(conn, run_id, ANN | {"suppressed_at": None if at is None else minute(at)})
    (row,) = _known(conn)
    assert (row["suppressed_at"], row["told_at"]) == (minute(5), minute(9))


def test_what_we_write_has_no_time_and_outranks_a_lifting(conn: sa.Connection) -> None:
    first, second, third = (open_run(conn, str(n)) for n in range(3))
    _tell(conn, first, ANN)
    _lift(conn, second)
    frame = pd.DataFrame({"email_key": ["ann@x.org"], "record_id": ["1"]})
    store.remember(conn, **PLATFORM, run_id=third, frame=frame)
    (row,) = _known(conn)
    assert (row["suppressed_at"], row["told_at"], row["record_id"]) == (None, None, "1")


def test_a_bounce_alone_is_not_the_person_s_word(conn: sa.Connection) -> None:
    run_id = open_run(conn)
    _tell(conn, run_id, ANN | {"reason": "bounced"})
    assert [row["personal"] for row in _known(conn)] == [False]
    _tell(conn, run_id, ANN)
    assert [(row["reason"], row["personal"]) for row in _known(conn)] == [("bounced", True)]


def test_the_record_that_was_read_last_is_kept_and_an_older_run_changes_nothing(
    conn: sa.Connection,
) -> None:
    first, second = open_run(conn), open_run(conn, "second")
    kept = []
    for run_id, record in ((second, "1"), (second, "2"), (first, "3")):
        _tell(conn, run_id, ANN | {"id": record, "vendor_reason": record})
        kept += [(row["record_id"], row["vendor_reason"]) for row in _known(conn)]
    assert kept == [("1", "1"), ("2", "2"), ("2", "2")]


@pytest.mark.parametrize("told_by", ["id", "address"])
def test_an_older_run_does_not_drop_what_a_newer_one_saw(told_by: str, conn: sa.Connection) -> None:
    first, second, third = (open_run(conn, str(n)) for n in range(3))
    gone = {"id": {"id": "1"}, "address": {"email": "ann@x.org"}}[told_by] | {"deleted": True}
    _tell(conn, second, ANN)
    for run_id, dropped in ((first, False), (second, True), (third, True)):
        _tell(conn, run_id, gone)
        assert [row["deleted_at"] is not None for row in _known(conn)] == [dropped]


def test_a_list_s_suppressions_stand_apart(conn: sa.Connection) -> None:
    run_id = open_run(conn)
    _tell(conn, run_id, ANN, ANN | {"list_id": "L1"}, ANN | {"list_id": "unmapped"})
    assert [row["list_id"] for row in _known(conn)] == ["", "L1", "unmapped"]
    assert len(_known(conn, list_ids={"marketing": "L1"})) == 1
    assert len(_known(conn, list_ids={"crm": "L1"})) == 0
    assert len(_known(conn, list_ids={})) == 0
    assert len(_known(conn, list_ids=ACCOUNT_WIDE)) == 1
    # In a CRM two people with one address each have a record of their own.
    for member in ("c1", "c2"):
        on_list = ANN | {"id": f"s{member}", "list_id": "L1", "member_id": member}
        _tell(conn, run_id, on_list, side="crm")
    assert [row["member_id"] for row in _known(conn, side="crm")] == ["c1", "c2"]


@pytest.mark.parametrize(
    ("theirs", "settled"),
    [
        ({}, False),
        ({"word": ""}, True),
        ({"word": "", "dropped": True}, False),
        ({"word": "crm-list"}, False),
        ({"statuses": ["unsubscribed"]}, True),
        ({"statuses": ["unsubscribed", "mailable"]}, False),
        ({"statuses": [None]}, False),
    ],
)
def test_what_the_other_side_has_is_settled(
    theirs: dict[str, Any], settled: bool, conn: sa.Connection
) -> None:
    run_id, later = open_run(conn), open_run(conn, "later")
    crm = {"account": ACCOUNT, "side": "crm"}
    _tell(conn, run_id, ANN, {"email": "bob@x.org"})
    if "word" in theirs:
        _tell(
            conn,
            run_id,
            {"email": "ann@x.org", "id": "s1", "list_id": theirs["word"] or None},
            **crm,
        )
    if "dropped" in theirs:
        _tell(conn, later, {"id": "s1", "deleted": True}, **crm)
    people = [
        {"id": f"c{number}", "email": "ann@x.org", "status": status}
        for number, status in enumerate(theirs.get("statuses", []))
    ]
    if people:
        records.absorb_contacts(conn, **crm, run_id=run_id, rows=contacts(*people))
    store.settle_suppressions(conn, account=ACCOUNT)
    assert store.settle_suppressions(conn, account=ACCOUNT) == 0
    known = _known(conn, side="marketing", settled=True)
    assert [row["email_key"] for row in known] == ["ann@x.org"] * settled


def test_what_the_other_side_has_no_more_is_not_settled(conn: sa.Connection) -> None:
    first, second = open_run(conn), open_run(conn, "second")
    crm = {"account": ACCOUNT, "side": "crm"}
    _tell(conn, first, ANN)
    _tell(conn, first, {"email": "ann@x.org", "id": "s1"}, **crm)
    assert store.settle_suppressions(conn, account=ACCOUNT) == 2
    _tell(conn, second, {"id": "s1", "deleted": True}, **crm)
    assert store.settle_suppressions(conn, account=ACCOUNT) == 1
    assert [row["side"] for row in _known(conn, settled=True)] == ["crm"]


def test_an_audience_and_a_list_that_is_mapped_into_it_settle_each_other(
    conn: sa.Connection,
) -> None:
    run_id = open_run(conn)
    told = {"account": ACCOUNT, "list_key": "news", "name": "News", "entity": None}
    lists.resolve(conn, side="crm", list_id="c-list", **told)
    lists.resolve(conn, side="marketing", list_id="a1:tag:7", scope="a1", **told)
    _tell(conn, run_id, ANN | {"scope": "a1"}, {"email": "bob@x.org", "scope": "a2"})
    words = [
        {"email": name, "id": name, "list_id": "c-list"} for name in ("ann@x.org", "bob@x.org")
    ]
    _tell(conn, run_id, *words, side="crm")
    assert store.settle_suppressions(conn, account=ACCOUNT) == 2
    known = _known(conn, settled=True)
    assert {(row["side"], row["email_key"]) for row in known} == {
        ("crm", "ann@x.org"),
        ("marketing", "ann@x.org"),
    }


def test_a_list_is_settled_by_the_list_that_it_is_mapped_to(conn: sa.Connection) -> None:
    run_id = open_run(conn)
    for side, list_id in (("crm", "c-list"), ("marketing", "m-list")):
        lists.resolve(
            conn, account=ACCOUNT, side=side, list_key="news", list_id=list_id, name="News",
            entity=None,
        )  # fmt: skip
    _tell(conn, run_id, ANN | {"list_id": "m-list"}, {"email": "bob@x.org", "list_id": "other"})
    words = [
        {"email": name, "id": name, "list_id": "c-list"} for name in ("ann@x.org", "bob@x.org")
    ]
    _tell(conn, run_id, *words, side="crm")
    assert store.settle_suppressions(conn, account=ACCOUNT) == 2
    known = _known(conn, settled=True)
    assert {(row["side"], row["email_key"]) for row in known} == {
        ("crm", "ann@x.org"),
        ("marketing", "ann@x.org"),
    }


def test_what_we_wrote_is_known_without_being_read(conn: sa.Connection) -> None:
    run_id = open_run(conn)
    frame = pd.DataFrame({"email_key": ["ann@x.org", None], "reason": [None, "bounced"]})
    for _ in range(2):
        store.remember(conn, account=ACCOUNT, side="crm", run_id=run_id, frame=frame)
    (row,) = _known(conn, side="crm", email_keys=pd.Series(["ann@x.org", "eve@x.org"]))
    assert row["reason"] == "suppressed"


def test_one_page_may_tell_an_address_twice(conn: sa.Connection) -> None:
    first, second = open_run(conn), open_run(conn, "second")
    undated = ANN | {"reason": "complained", "suppressed_at": None}
    page = (ANN, undated, ANN | {"suppressed_at": minute(10**7)})
    _tell(conn, first, *page)
    (row,) = _known(conn)
    assert (row["reason"], row["suppressed_at"]) == ("complained", minute(1))
    _lift(conn, second)
    _tell(conn, second, *page)
    assert _known(conn) == []
    _tell(conn, second, *page, ANN | {"suppressed_at": minute(10**8)})
    assert [row["told_at"] for row in _known(conn)] == [minute(10**8)]


OF_BETA = ANN | {"id": "s1", "key": "beta-m7", "origin": "Other platform (beta)"}
BY_HAND = ANN | {"id": "s2"}


@pytest.mark.parametrize(
    "pages", [[[OF_BETA, BY_HAND]], [[OF_BETA], [BY_HAND]], [[BY_HAND], [OF_BETA]]]
)
def test_of_several_records_of_an_address_the_one_that_a_person_added_counts(
    pages: list[list[dict[str, Any]]], conn: sa.Connection
) -> None:
    for number, page in enumerate(pages):
        _tell(conn, open_run(conn, str(number)), *page, side="crm")
    (row,) = _known(conn, side="crm")
    assert (row["key"], row["origin"]) == ("", None)


def test_a_record_that_replaces_one_that_was_deleted_tells_its_own_origin(
    conn: sa.Connection,
) -> None:
    _tell(conn, open_run(conn), BY_HAND, side="crm")
    later = open_run(conn, "later")
    _tell(conn, later, {"id": "s2", "email": None, "deleted": True}, side="crm")
    _tell(conn, open_run(conn, "last"), OF_BETA, side="crm")
    (row,) = _known(conn, side="crm")
    assert (row["key"], row["origin"]) == ("beta-m7", "Other platform (beta)")


def test_a_record_that_we_wrote_is_ours(conn: sa.Connection) -> None:
    values = json.dumps({"email": "ann@x.org", "origin": "Platform (acme)"})
    frame = pd.DataFrame({"email_key": ["ann@x.org"], "key": ["acme-m1"], "values": [values]})
    store.remember(conn, account=ACCOUNT, side="crm", run_id=open_run(conn), frame=frame)
    (row,) = _known(conn, side="crm")
    assert (row["key"], row["origin"]) == ("acme-m1", "Platform (acme)")
