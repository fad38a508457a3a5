"""Ledgers: each table with people belongs to one, and whatever is done with people reaches all."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from bothways.ledgers import registry
from bothways.ledgers.base import Ledger, Old, RunContext
from bothways.store import consents, erase, records, retention, suppressions
from bothways.store.erase import Person
from bothways.store.schema import IMPERSONAL, metadata
from bothways.vocabulary import (
    BY_REQUEST,
    CAMPAIGN,
    CONSENT_RECORD,
    EXECUTION_ORDER,
    SUPPRESSION_RECORD,
    OperationKind,
)
from tests.unit.store.rows import ACCOUNT, contacts, memberships, open_run

NOW = datetime.now(UTC)
LAST_YEAR = NOW - timedelta(days=365)

visits = sa.Table(
    "visits",
    sa.MetaData(),
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("email_key", sa.Text, primary_key=True),
    sa.Column("page", sa.Text, primary_key=True),
    sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
)


class Visits(Ledger):
    """A ledger of somebody else's: which pages people have visited."""

    name = "visits"
    tables = (visits,)

    def whose(self, person: Person) -> dict[sa.Table, sa.ColumnElement[bool]]:
        return {visits: visits.c.email_key.in_(person.keys)}

    def prune(self, conn: sa.Connection, old: Old) -> dict[str, int]:
        gone = visits.c.seen_at < old.before
        return {"visits": retention.remove(conn, visits, old.batch, old.of(visits), gone)}


@pytest.fixture
def visited(conn: sa.Connection, monkeypatch: pytest.MonkeyPatch) -> sa.Connection:
    monkeypatch.setattr(registry, "LEDGERS", [*registry.LEDGERS, Visits()])
    visits.create(conn)
    rows = [
        {"account": account, "email_key": key, "page": f"/{key}", "seen_at": LAST_YEAR}
        for account, key in ((ACCOUNT, "ann@x.org"), (ACCOUNT, "bob@x.org"), ("b", "ann@x.org"))
    ]
    conn.execute(visits.insert().values(rows))
    return conn


def _ann(conn: sa.Connection) -> Person:
    return erase.find_person(conn, account=ACCOUNT, email_key="ann@x.org")


def test_every_table_belongs_to_one_ledger_or_says_what_it_holds_instead_of_people() -> None:
    owned = Counter(table.name for ledger in registry.LEDGERS for table in ledger.tables)
    impersonal = {name for name, table in metadata.tables.items() if table.info.get(IMPERSONAL)}
    assert set(owned) | impersonal == set(metadata.tables)
    assert not set(owned) & impersonal
    assert set(owned.values()) == {1}


def test_every_table_of_a_ledger_is_erased_and_exported(conn: sa.Connection) -> None:
    tables = {table.name for ledger in registry.LEDGERS for table in ledger.tables}
    hashes, of_runs = (
        {"erased"},
        {"run_lists", "run_details"},
    )  # nobody reads a hash; the run is told
    assert set(registry.erase_person(conn, _ann(conn))) >= tables - hashes
    assert set(registry.rows_about(conn, _ann(conn))) >= tables - hashes - of_runs


def test_another_ledger_is_shown_exported_and_erased_without_further_ado(
    visited: sa.Connection,
) -> None:
    (shown,) = registry.show_person(visited, _ann(visited))["visits"]
    seen = {"email_key": "ann@x.org", "page": "/ann@x.org", "seen_at": LAST_YEAR}
    assert shown._asdict() == seen
    told = registry.rows_about(visited, _ann(visited))["visits"]
    assert told == [{"account": ACCOUNT} | seen]
    assert registry.erase_person(visited, _ann(visited))["visits"] == 1
    left = visited.execute(sa.select(visits.c.account, visits.c.email_key)).all()
    assert {tuple(row) for row in left} == {(ACCOUNT, "bob@x.org"), ("b", "ann@x.org")}


def test_another_ledger_takes_part_in_retention(visited: sa.Connection) -> None:
    removed = [
        registry.prune(visited, account=ACCOUNT, before=before, batch=1)["visits"]
        for before in (LAST_YEAR, NOW, NOW, NOW)
    ]
    assert removed == [0, 1, 1, 0]
    assert visited.execute(sa.select(visits.c.account)).scalars().all() == ["b"]


def test_what_each_kind_of_operation_writes_is_kept_by_a_ledger() -> None:
    kept = {kind for ledger in registry.LEDGERS for kind in ledger.written}
    # The platform knows who is enrolled, and the CRM what was made there.
    assert kept == set(EXECUTION_ORDER) - {*BY_REQUEST, OperationKind.PROVISION}


def _context(conn: sa.Connection) -> RunContext:
    return RunContext(
        conn=conn,
        account=ACCOUNT,
        run_id=open_run(conn),
        systems={"crm": "Dynamics 365", "marketing": "Dotdigital"},
        undoes=False,
        outdated=dict,
        list_pairs=dict,
    )


def test_a_suppression_record_is_remembered_with_its_list_and_a_flag_is_not(
    conn: sa.Connection,
) -> None:
    written = pd.DataFrame(
        {
            "entity": [SUPPRESSION_RECORD],
            "record_id": ["s-1"],
            "email": ["Ann@x.org"],
            "email_key": ["ann@x.org"],
            "reason": ["unsubscribed"],
            "scope": [""],
            "key": ["acme-L-ann-crm"],
            "values": ['{"list_id": "L", "member_id": "ann-crm"}'],
        }
    )
    context = _context(conn)
    consent = next(ledger for ledger in registry.LEDGERS if ledger.name == "consent")
    consent.written["create"](context, "crm", written)
    flags = written.assign(entity="contact", email_key="bob@x.org")
    consent.written["suppress"](context, "crm", flags)
    consent.written["create"](context, "crm", flags)
    (kept,) = suppressions.load_suppressions(conn, account=ACCOUNT).to_dict("records")
    told = {"email_key": "ann@x.org", "list_id": "L", "member_id": "ann-crm", "record_id": "s-1"}
    assert kept == kept | told


def test_a_written_consent_is_known_until_its_contact_is_gone(conn: sa.Connection) -> None:
    context = _context(conn)
    place: dict[str, Any] = {"account": ACCOUNT, "side": "marketing"}
    there = contacts({"id": "ann-m", "email": "ann@x.org"})
    records.absorb_contacts(conn, **place, run_id=context.run_id, rows=there)
    written = pd.DataFrame(
        {
            "entity": [CONSENT_RECORD, CONSENT_RECORD, CAMPAIGN],
            "key": ["k1", "k2", "71"],
            "source_id": ["ann-m", "bob-m", "71"],
            "email_key": ["ann@x.org", "bob@x.org", None],
        }
    )
    consent = next(ledger for ledger in registry.LEDGERS if ledger.name == "consent")
    for _ in range(2):
        consent.written["upsert"](context, "crm", written)
    keys = written["key"].astype("string[pyarrow]")

    def known() -> list[str]:
        return list(consents.load_written(conn, account=ACCOUNT, keys=keys))

    assert known() == ["k1", "k2"]
    (shown,) = registry.show_person(conn, _ann(conn))["written_consents"]
    assert shown.key == "k1"
    assert registry.rows_about(conn, _ann(conn))["written_consents"][0]["member_id"] == "ann-m"
    later = NOW + timedelta(days=1)
    assert registry.prune(conn, account=ACCOUNT, before=NOW)["written_consents"] == 0
    assert registry.prune(conn, account=ACCOUNT, before=later)["written_consents"] == 1
    assert known() == ["k1"]
    assert registry.erase_person(conn, _ann(conn))["written_consents"] == 1
    assert known() == []


def test_a_record_that_the_vendor_no_longer_has_is_deleted_with_its_memberships(
    conn: sa.Connection,
) -> None:
    context = _context(conn)
    place: dict[str, Any] = {"account": ACCOUNT, "side": "crm"}
    both = [{"id": name, "email": f"{name}@x.org"} for name in ("ann", "bob")]
    records.absorb_contacts(conn, **place, run_id=context.run_id, rows=contacts(*both))
    there = memberships({"member_id": "ann"}, {"member_id": "bob"})
    records.absorb_members(conn, **place, run_id=context.run_id, rows=there)
    gone = pd.DataFrame({"entity": ["contact"], "record_id": ["ann"]})
    for ledger in registry.LEDGERS:
        ledger.keep_gone(context, "crm", gone)
    known = records.load_records(conn, **place).set_index("id")["deleted"]
    assert known.to_dict() == {"ann": True, "bob": False}
    left = records.load_members(conn, **place, with_deleted=False)
    assert left["member_id"].tolist() == ["bob"]
