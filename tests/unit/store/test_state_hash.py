"""What a plan depends on: every change of it is seen, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from bothways.store import records
from bothways.store import suppressions as ledger
from bothways.store.state_hash import COLUMN, state_hashes
from bothways.vocabulary import RoleName
from tests.unit.store.rows import (
    ACCOUNT,
    DAY,
    contacts,
    jobs,
    memberships,
    minute,
    open_run,
    suppressions,
)

LISTS = {"crm": {"news": "C1"}, "marketing": {"news": "M1"}}
ANN = {"record_id": "c1", "source_id": "m1", "email_key": "ann@x.org", "list_key": "news"}
BOB = {"record_id": "c2", "source_id": "m2", "email_key": "bob@x.org", "list_key": "news"}
Change = Callable[["Store"], None]


class Store:
    """Two people whom both sides know, on both lists, and what is learned of them later."""

    def __init__(self, conn: sa.Connection) -> None:
        self.conn = conn
        self.run_id = open_run(conn)
        self._minute = 0
        for number, name in enumerate(("ann", "bob"), 1):
            self.told("crm", id=f"c{number}", email=f"{name}@x.org", status="mailable")
            self.told("marketing", id=f"m{number}", email=f"{name}@x.org", status="mailable")
            self.member("crm", list_id="C1", member_id=f"c{number}")
            self.member("marketing", list_id="M1", member_id=f"m{number}", status="mailable")

    def told(self, side: RoleName, **row: Any) -> None:
        self._minute += 1
        page = contacts({"modified_at": minute(self._minute), "active": True} | row)
        records.absorb_contacts(self.conn, **self._place(side), rows=page)

    def member(self, side: RoleName, **row: Any) -> None:
        records.absorb_members(self.conn, **self._place(side), rows=memberships(row))

    def word(self, side: RoleName, **row: Any) -> None:
        page = suppressions({"suppressed_at": DAY} | row)
        ledger.absorb_suppressions(self.conn, **self._place(side), rows=page)

    def state(self, **operation: Any) -> tuple[int, bool]:
        """Return the hash for an operation about Ann, and whether somebody may not be mailed."""
        asked = jobs(ANN | {"kind": "join"} | operation)
        found = state_hashes(self.conn, account=ACCOUNT, operations=asked, lists=LISTS)  # type: ignore[arg-type]
        return int(found[COLUMN].iloc[0]), bool(found["unmailable"].iloc[0])

    def _place(self, side: RoleName) -> dict[str, Any]:
        return {"account": ACCOUNT, "side": side, "run_id": self.run_id}


@pytest.fixture
def known(conn: sa.Connection) -> Store:
    return Store(conn)


def word_about_account(store: Store) -> None:
    store.word("marketing", id="m1", email="ann@x.org")


def word_about_list(store: Store) -> None:
    store.word("marketing", id="m1", email="ann@x.org", list_id="M1")


def word_about_another_list(store: Store) -> None:
    store.word("marketing", id="m1", email="ann@x.org", list_id="M9")


def flag(store: Store) -> None:
    store.told("crm", id="c1", email="ann@x.org", status="unsubscribed")


def another_record_flagged(store: Store) -> None:
    store.told("crm", id="c9", email="Ann@x.org", status="unsubscribed")


def other_address(store: Store) -> None:
    store.told("marketing", id="m1", email="ann@new.org", status="mailable")


def deleted(store: Store) -> None:
    store.told("marketing", id="m1", deleted=True)


def left_the_list(store: Store) -> None:
    store.member("marketing", list_id="M1", member_id="m1", deleted=True)


def joined_another_list(store: Store) -> None:
    store.member("marketing", list_id="M9", member_id="m1", status="mailable")


def bob_changes(store: Store) -> None:
    store.told("crm", id="c2", email="bob@x.org", status="unsubscribed")
    store.word("marketing", id="m2", email="bob@x.org")
    store.member("marketing", list_id="M1", member_id="m2", deleted=True)


def seen_again(store: Store) -> None:
    store.told("crm", id="c1", email="ann@x.org", status="mailable")


SILENCING = [word_about_account, word_about_list, flag, another_record_flagged]


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        (word_about_account, {"create", "update", "join"}),
        (word_about_list, {"create", "update", "join"}),
        (word_about_another_list, set()),
        (flag, {"create", "update", "join"}),
        (another_record_flagged, {"create", "update", "join"}),
        (other_address, {"create", "update", "join"}),
        (deleted, {"create", "update", "join"}),
        (left_the_list, {"join", "leave"}),
        (joined_another_list, set()),
        (bob_changes, set()),
        (seen_again, set()),
    ],
)
def test_an_operation_depends_on_what_it_is_about_and_on_nothing_else(
    change: Change, kinds: set[str], known: Store
) -> None:
    every = ("create", "update", "join", "leave", "suppress")
    before = {kind: known.state(kind=kind)[0] for kind in every}
    change(known)
    after = {kind: known.state(kind=kind)[0] for kind in every}
    assert {kind for kind in every if before[kind] != after[kind]} == kinds


@pytest.mark.parametrize("change", [*SILENCING, word_about_another_list, other_address])
def test_who_may_not_be_mailed_any_more_is_told(change: Change, known: Store) -> None:
    assert not known.state()[1]
    change(known)
    assert known.state()[1] == (change in SILENCING)


def test_a_create_depends_on_the_address_alone_until_somebody_has_it(known: Store) -> None:
    cleo = {"kind": "create", "record_id": None, "source_id": "m7", "email_key": "cleo@x.org"}
    before = known.state(**cleo)
    known.told("crm", id="c7", email="cleo@x.org", status="mailable")
    assert known.state(**cleo)[0] != before[0]


def test_each_operation_of_many_has_its_own_state(known: Store) -> None:
    rows = [ANN | {"kind": "join"}, BOB | {"kind": "join"}, BOB | {"kind": "suppress"}]

    def found() -> pd.DataFrame:
        asked = jobs(*rows).set_index(pd.Index([7, 8, 9]))
        return state_hashes(known.conn, account=ACCOUNT, operations=asked, lists=LISTS)  # type: ignore[arg-type]

    before = found()
    bob_changes(known)
    after = found()
    assert (before[COLUMN] != after[COLUMN]).to_dict() == {7: False, 8: True, 9: False}
    assert after["unmailable"].to_dict() == {7: False, 8: True, 9: False}


def test_a_member_of_another_audience_changes_nothing(known: Store) -> None:
    """The operations of both audiences' members stand in one run, and the one is not the other."""
    before = known.state(scope="")
    other = {"id": "m9", "email": "ann@x.org", "scope": "B"}
    known.told("marketing", **other, status="unsubscribed")
    assert known.state(scope="") == before
    assert known.state(scope="B")[1]
