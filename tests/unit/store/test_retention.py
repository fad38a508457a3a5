from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
import sqlalchemy as sa

from bothways.ledgers import registry
from bothways.store import baselines, links, list_states, records, retention, runs, watermarks
from bothways.store import jobs as store_jobs
from bothways.store.db import Store
from bothways.store.schema import jobs as jobs_table
from bothways.store.schema import members
from bothways.store.schema import runs as runs_table
from tests.unit.store.rows import ACCOUNT, contacts, jobs, memberships, open_run

NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=90)
PLACE = {"account": ACCOUNT, "side": "crm"}


def _run(conn: sa.Connection, name: str, started: datetime, **more: object) -> int:
    run_id = open_run(conn, name, **more)
    rows = jobs(*({"result": "unchanged"} for _ in range(7)))
    store_jobs.write_jobs(conn, run_id=run_id, account=str(more.get("account", ACCOUNT)), rows=rows)
    runs.set_list(conn, run_id=run_id, list_key="news", name="News", status="Completed")
    conn.execute(
        runs_table.update().where(runs_table.c.run_id == run_id).values(started_at=started)
    )
    return run_id


def _prune(conn: sa.Connection) -> int:
    """Prune all, and return in how many batches."""
    before = NOW - timedelta(days=30)
    for batches in range(1, 100):
        if not any(registry.prune(conn, account=ACCOUNT, before=before, batch=5).values()):
            return batches
    raise AssertionError("pruning does not end")


def test_what_is_old_goes_in_batches_and_the_newer_stays(conn: sa.Connection) -> None:
    old = [_run(conn, f"old {n}", LONG_AGO) for n in range(3)]
    new = _run(conn, "new", NOW)
    last = _run(conn, "last", LONG_AGO, sync_type="campaigns")
    other = _run(conn, "other", LONG_AGO, account="other")
    assert _prune(conn) > 3
    left = [row.run_id for row in runs.find_runs(conn, order="run_id", descending=False)]
    assert left == [new, last, other]
    kept = conn.execute(sa.select(jobs_table.c.run_id, sa.func.count()).group_by("run_id")).all()
    assert {tuple(row) for row in kept} == {(run_id, 7) for run_id in left}
    assert runs.get_lists(conn, run_id=old[0]) == []


def _weeks(conn: sa.Connection) -> set[str]:
    query = "SELECT DISTINCT tableoid::regclass::text FROM jobs"
    return set(conn.scalars(sa.text(query)))


def _run_of(conn: sa.Connection, name: str, started: datetime, **more: object) -> int:
    """A run with jobs in the partition of its day."""
    run_id = open_run(conn, name, **more)
    moved = {"started_at": started, "started_on": started.date(), "finished_at": started}
    conn.execute(runs_table.update().where(runs_table.c.run_id == run_id).values(moved))
    account = str(more.get("account", ACCOUNT))
    store_jobs.write_jobs(conn, run_id=run_id, account=account, rows=jobs({"result": "unchanged"}))
    return run_id


def test_a_week_goes_whole_once_it_is_old_for_every_account(conn: sa.Connection) -> None:
    before = {ACCOUNT: NOW - timedelta(days=30), "other": NOW - timedelta(days=60)}
    ended = [_run_of(conn, "old", LONG_AGO), _run_of(conn, "x", LONG_AGO, account="other")]
    kept = [
        _run_of(conn, "of one", NOW - timedelta(days=45)),
        _run_of(conn, "of the other", NOW - timedelta(days=45), account="other"),
        _run_of(conn, "new", NOW),
        _run_of(conn, "new of the other", NOW, account="other"),
    ]
    assert len(_weeks(conn)) == 3
    assert retention.drop_partitions(conn, before={ACCOUNT: before[ACCOUNT]}) == 0
    assert retention.drop_partitions(conn, before=before) == 1
    assert len(_weeks(conn)) == 2
    left = conn.scalars(sa.select(jobs_table.c.run_id).distinct().order_by("run_id")).all()
    assert left == kept
    # A task of a run whose week is gone finds its partition made again.
    rows = jobs({"result": "unchanged"})
    store_jobs.write_jobs(conn, run_id=ended[0], account=ACCOUNT, rows=rows)
    assert retention.drop_partitions(conn, before=before) == 1


def test_a_run_at_work_keeps_its_jobs_however_old_it_is(conn: sa.Connection) -> None:
    run_id = _run_of(conn, "old", LONG_AGO)
    at_work = runs_table.update().where(runs_table.c.run_id == run_id)
    conn.execute(at_work.values(finished_at=None))
    assert retention.drop_partitions(conn, before={ACCOUNT: NOW}) == 0


def test_a_week_that_somebody_reads_stays_until_the_next_time(
    store: Store, conn: sa.Connection
) -> None:
    _run_of(conn, "old", LONG_AGO)
    conn.commit()
    with store.begin() as reader:
        assert reader.execute(sa.select(jobs_table)).all()
        with store.begin() as other:
            assert retention.drop_partitions(other, before={ACCOUNT: NOW}) == 0
    with store.begin() as other:
        assert retention.drop_partitions(other, before={ACCOUNT: NOW}) == 1


def test_old_tombstones_go_and_the_living_stay(conn: sa.Connection) -> None:
    first, second = open_run(conn), open_run(conn, "second")
    people = contacts({"id": "1"}, {"id": "2"}, {"id": "3"})
    records.absorb_contacts(conn, **PLACE, run_id=first, rows=people)
    gone = contacts({"id": "1", "deleted": True}, {"id": "2", "deleted": True})
    records.absorb_contacts(conn, **PLACE, run_id=second, rows=gone)
    there = memberships({"member_id": "3", "membership_id": "a"})
    records.absorb_members(conn, **PLACE, run_id=first, rows=there)
    ended = memberships({"membership_id": "a", "deleted": True})
    records.absorb_members(conn, **PLACE, run_id=second, rows=ended)
    table = records.load_records(conn, **PLACE).set_index("id")
    assert table["deleted"].tolist() == [True, True, False]
    conn.execute(sa.text("UPDATE records SET deleted_at = :at WHERE id = '1'"), {"at": LONG_AGO})
    for name in ("members", "member_tombstones"):
        conn.execute(sa.text(f"UPDATE {name} SET deleted_at = :at"), {"at": LONG_AGO})
    _prune(conn)
    assert records.load_records(conn, **PLACE)["id"].tolist() == ["2", "3"]
    assert conn.execute(sa.select(sa.func.count()).select_from(members)).scalar_one() == 0


def test_a_word_against_mailing_outlives_the_record_that_said_it(conn: sa.Connection) -> None:
    first, second = open_run(conn), open_run(conn, "second")
    words = {"1": "unsubscribed", "2": "mailable", "3": "bounced", "4": "pending"}
    people = [{"id": id_, "email": f"{id_}@x.example", "status": w} for id_, w in words.items()]
    records.absorb_contacts(conn, **PLACE, run_id=first, rows=contacts(*people))
    gone = contacts(*({"id": id_, "deleted": True} for id_ in words))
    records.absorb_contacts(conn, **PLACE, run_id=second, rows=gone)
    conn.execute(sa.text("UPDATE records SET deleted_at = :at"), {"at": LONG_AGO})
    _prune(conn)
    assert records.load_records(conn, **PLACE)["id"].tolist() == ["1", "3"]


@pytest.mark.parametrize("lives_on", [None, "crm", "marketing"])
def test_what_is_known_of_a_pair_goes_once_both_records_have_been_gone(
    lives_on: str | None, conn: sa.Connection
) -> None:
    run_id = open_run(conn)
    ids = {"crm": "c-1", "marketing": "m-1"}
    for side, record in ids.items():
        place = {"account": ACCOUNT, "side": side, "run_id": run_id}
        records.absorb_contacts(conn, **place, rows=contacts({"id": record, "email": "a@x.org"}))
    pair = pd.DataFrame(
        {
            "entity": ["contact"],
            "crm_id": ["c-1"],
            "marketing_id": ["m-1"],
            "email_key": ["a@x.org"],
            "values": ['{"name": "Ann"}'],
            "crm_list_id": ["L1"],
            "marketing_list_id": ["L2"],
            "state": ["joined"],
        }
    )
    mine = {"account": ACCOUNT, "run_id": run_id, "frame": pair}
    links.upsert_links(conn, **mine)
    baselines.upsert_baselines(conn, **mine)
    list_states.upsert_states(conn, **mine)
    times = {"links": "linked_at", "baselines": "agreed_at", "list_states": "changed_at"}
    for table, time in times.items():
        conn.execute(sa.text(f"UPDATE {table} SET {time} = :at"), {"at": LONG_AGO})
    gone = sa.text("UPDATE records SET deleted_at = :at WHERE side <> :lives")
    conn.execute(gone, {"at": LONG_AGO, "lives": lives_on or ""})
    _prune(conn)
    left = {table: conn.execute(sa.text(f"SELECT 1 FROM {table}")).rowcount for table in times}
    assert set(left.values()) == {0 if lives_on is None else 1}


def test_a_contact_goes_that_full_reads_of_lists_no_longer_find(conn: sa.Connection) -> None:
    run_id = open_run(conn)
    place = {"account": ACCOUNT, "side": "marketing", "run_id": run_id}
    people = [{"id": name, "email": f"{name}@x.org", "status": "mailable"} for name in ("a", "b")]
    people.append({"id": "c", "email": "c@x.org", "status": "unsubscribed"})
    records.absorb_contacts(conn, **place, rows=contacts(*people))
    conn.execute(sa.text("UPDATE records SET seen_at = :at WHERE id <> 'b'"), {"at": LONG_AGO})
    _prune(conn)
    assert records.load_records(conn, account=ACCOUNT, side="marketing")["id"].tolist() == list(
        "abc"
    )
    for sync_type, whole in (("address_books", True), ("verify", False)):
        watermarks.move(
            conn,
            account=ACCOUNT,
            side="marketing",
            sync_type=sync_type,
            dataset="contacts",
            fingerprint="f",
            value="v",
            run_id=run_id,
            whole=whole,
        )
    _prune(conn)
    left = records.load_records(conn, account=ACCOUNT, side="marketing")
    assert left["id"].tolist() == ["b", "c"]
