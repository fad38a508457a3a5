"""Pages that are read again, late or out of order leave the store as if they had come once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bothways.store import records, suppressions
from bothways.store.db import Store
from bothways.store.schema import member_tombstones, members
from bothways.store.schema import records as people
from bothways.store.schema import suppressions as ledger
from bothways.vocabulary import FieldType
from tests.support.postgres import TestPostgres
from tests.unit.store.rows import contacts, memberships, minute, open_run
from tests.unit.store.rows import suppressions as suppression_rows

PLACE: dict[str, Any] = {"account": "acme", "side": "crm"}
RUNS = (1, 2, 3)
Sighting = tuple[int, dict[str, Any]]
Absorb = Callable[[sa.Connection, int, list[dict[str, Any]]], None]


@pytest.fixture(scope="module")
def store(postgres: TestPostgres) -> Iterator[Store]:
    with postgres.fresh_database() as url:
        found = Store(url)
        found.migrate()
        yield found
        found.dispose()


# A vendor gives one state of a record at one time; a later run sees no earlier one for the first
# time. What a sighting holds therefore follows from who, when and (of one moment) which run.
def _person(run: int, who: int, at: int | None) -> dict[str, Any]:
    if at is None:
        return {"id": str(who), "deleted": True}
    word = f"{who}-{at}-{run}"
    return {
        "id": str(who),
        "email": f"{word}@x.org",
        "modified_at": minute(at),
        "field:score": at * 10 + run,
    }


def _member(run: int, who: int, at: int | None) -> dict[str, Any]:
    # A membership ends for good; the next one of the same person has another id.
    if at is None:
        return {"membership_id": f"{who}-{run}", "deleted": True}
    return {"member_id": str(who), "membership_id": f"{who}-{at}", "changed_at": minute(at)}


def _suppression(run: int, who: int, at: int | None) -> dict[str, Any]:
    if at is None:
        return {"id": f"s{who}", "email": f"{who}@x.org", "reason": "complained"}
    reasons = ("unsubscribed", "bounced", "unsubscribed")
    return {
        "id": f"s{who}",
        "email": f"{who}@x.org",
        "reason": reasons[at],
        "vendor_reason": reasons[at].title(),
        "suppressed_at": minute(at),
    }


def _absorb_people(conn: sa.Connection, run: int, rows: list[dict[str, Any]]) -> None:
    page = contacts(*rows, score=pa.int64())
    records.absorb_contacts(conn, **PLACE, run_id=run, rows=page)


def _absorb_members(conn: sa.Connection, run: int, rows: list[dict[str, Any]]) -> None:
    records.absorb_members(conn, **PLACE, run_id=run, rows=memberships(*rows))


def _absorb_suppressions(conn: sa.Connection, run: int, rows: list[dict[str, Any]]) -> None:
    suppressions.absorb_suppressions(conn, **PLACE, run_id=run, rows=suppression_rows(*rows))


CASES = {
    "people": (people, _person, _absorb_people),
    "members": (members, _member, _absorb_members),
    "suppressions": (ledger, _suppression, _absorb_suppressions),
}


def _outcome(
    store: Store, table: sa.Table, absorb: Absorb, pages: list[list[Sighting]]
) -> list[Any]:
    """Absorb pages of one run each into an empty store; return what is known of each row."""
    with store.begin() as conn:
        for known in (people, members, member_tombstones, ledger):
            conn.execute(known.delete())
        for page in pages:
            for run in sorted({run for run, _ in page}):
                absorb(conn, run, [row for at, row in page if at == run])
        clock = ("seen_at", "deleted_at")
        columns = [column for column in table.c if column.name not in clock]
        gone = table.c.deleted_at.is_not(None)
        return list(conn.execute(sa.select(*columns, gone).order_by(*table.primary_key.columns)))


@pytest.mark.parametrize("case", CASES)
@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_replayed_and_reordered_pages_give_the_same_state(
    store: Store, case: str, data: st.DataObject
) -> None:
    table, row_of, absorb = CASES[case]
    facts = st.tuples(
        st.sampled_from(RUNS), st.integers(1, 2), st.one_of(st.none(), st.integers(0, 2))
    )
    chosen = data.draw(st.lists(facts, min_size=5, max_size=8, unique=True))
    rows = [(run, row_of(run, who, at)) for run, who, at in chosen]
    once = _outcome(store, table, absorb, [[row] for row in rows])
    assert _outcome(store, table, absorb, [[row] for row in reversed(rows)]) == once
    again = data.draw(
        st.permutations(rows + data.draw(st.lists(st.sampled_from(rows), max_size=6)))
    )
    cut = data.draw(st.integers(0, len(again)))
    assert _outcome(store, table, absorb, [again[:cut], again[cut:]]) == once


def test_a_typed_field_survives_a_replay(store: Store) -> None:
    with store.begin() as conn:
        run_id = open_run(conn)
        for at in (2, 1, 2):
            _absorb_people(conn, run_id, [_person(run_id, 9, at)])
        frame = records.load_records(conn, **PLACE, fields={"score": FieldType.INTEGER})
    assert frame.set_index("id").loc["9", "field:score"] == 20 + run_id
