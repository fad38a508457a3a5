"""What a migration makes of the rows that were there."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from alembic import command

from bothways.store import erase, retention
from bothways.store.counts import count_jobs
from bothways.store.db import Store, alembic_config
from bothways.store.erasure_keys import Key
from bothways.store.jobs import JobFilter, find_jobs
from tests.support.postgres import TestPostgres

Row = dict[str, Any]
# What the rows of each table have in common.
LANDED = {
    "suppressions": {"account": "acme", "side": "marketing", "reason": "unsubscribed"},
    "list_ids": {"account": "acme", "name": "News", "resolved_at": "2026-01-01"},
    "list_states": {
        "account": "acme",
        "entity": "contact",
        "state": "joined",
        "changed_at": "2026-01-01",
    },
    "retries": {
        "account": "acme",
        "sync_type": "suppressions",
        "source": "marketing",
        "attempts": 5,
        "next_at": "2026-01-01",
        "given_up": True,
        "last_run": 1,
    },
    "jobs": {
        "account": "acme",
        "run_id": 1,
        "result": "error",
        "submitted_at": "2026-01-01",
        "source": "marketing",
        "source_entity": "contact",
    },
    "watermarks": {
        "account": "acme",
        "sync_type": "suppressions",
        "side": "marketing",
        "value": "x",
        "fingerprint": "f",
        "read_at": "2026-01-01",
    },
}


@pytest.fixture
def old(postgres: TestPostgres) -> Iterator[Store]:
    """A store without tables."""
    with postgres.fresh_database() as url:
        store = Store(url)
        yield store
        store.dispose()


def _move(store: Store, revision: str, *, back: bool = False) -> None:
    with store.begin() as conn:
        (command.downgrade if back else command.upgrade)(alembic_config(conn), revision)


def _execute(store: Store, statement: str) -> None:
    with store.begin() as conn:
        conn.execute(sa.text(statement))


def _fill(store: Store, table: str, *rows: Row) -> None:
    with store.begin() as conn:
        for row in rows:
            values = LANDED[table] | row
            names = ", ".join(values)
            marks = ", ".join(f":{name}" for name in values)
            conn.execute(sa.text(f"INSERT INTO {table} ({names}) VALUES ({marks})"), values)


def _ask(store: Store, query: str) -> list[tuple[Any, ...]]:
    with store.begin() as conn:
        return [tuple(row) for row in conn.execute(sa.text(query))]


def test_a_baseline_goes_to_the_pair_that_agreed_on_it_and_to_no_other(old: Store) -> None:
    _move(old, "0004")
    _execute(
        old,
        "INSERT INTO links (account, entity, crm_id, marketing_id, linked_at) VALUES"
        " ('a', 'contact', 'held', 'm1', '2026-01-01'),"
        " ('a', 'lead', 'held', 'other', '2026-01-01'),"
        " ('a', 'contact', 'moved', 'm2', '2026-03-01')",
    )
    _execute(
        old,
        'INSERT INTO baselines (account, entity, crm_id, "values", agreed_at) VALUES'
        " ('a', 'contact', 'held', '{}', '2026-02-01'),"
        " ('a', 'contact', 'moved', '{}', '2026-02-01'),"
        " ('a', 'contact', 'alone', '{}', '2026-02-01')",
    )
    _move(old, "0005")
    with old.begin() as conn:
        rows = conn.execute(sa.text("SELECT crm_id, marketing_id FROM baselines")).all()
    assert [tuple(row) for row in rows] == [("held", "m1")]
    _move(old, "0004", back=True)
    _move(old, "head")


def test_words_about_a_list_move_to_its_id_and_none_is_lost(old: Store) -> None:
    _move(old, "0005")
    _fill(
        old,
        "list_ids",
        {"list_key": "news", "side": "marketing", "list_id": "M1"},
        {"list_key": "old", "side": "marketing", "list_id": "M1"},
        {"list_key": "news", "side": "crm", "list_id": "C1"},
    )
    _fill(
        old,
        "suppressions",
        {"email_key": "ann", "list_key": ""},
        {"email_key": "ann", "list_key": "news"},
        {"email_key": "ann", "list_key": "old", "lifted_at": "2026-01-01"},
        {"email_key": "bob", "list_key": "old"},
        {"email_key": "bob", "list_key": "M1", "reason": "complained"},
        {"email_key": "cy", "list_key": "gone"},
        {"email_key": "dee", "list_key": "news", "side": "crm", "member_id": "d"},
    )
    _move(old, "0006")
    query = "SELECT email_key, list_id, reason, lifted_at FROM suppressions ORDER BY 1, 2"
    assert _ask(old, query) == [
        ("ann", "", "unsubscribed", None),
        ("ann", "M1", "unsubscribed", None),
        ("bob", "M1", "complained", None),
        ("cy", "gone", "unsubscribed", None),
        ("dee", "C1", "unsubscribed", None),
    ]
    _move(old, "0005", back=True)
    query = "SELECT email_key, list_key FROM suppressions ORDER BY 1, 2"
    assert _ask(old, query) == [
        ("ann", ""),
        ("ann", "news"),
        ("bob", "news"),
        ("cy", "gone"),
        ("dee", "news"),
    ]


def test_a_lifted_word_keeps_its_time_and_everything_is_told_again(old: Store) -> None:
    _move(old, "0005")
    at = "2026-01-01T00:00:00+00"
    _fill(
        old,
        "suppressions",
        {"email_key": "ann", "suppressed_at": at, "lifted_at": "2026-02-01"},
        {"email_key": "bob", "suppressed_at": at, "reason": "bounced"},
    )
    _fill(
        old,
        "watermarks",
        {"dataset": "suppressions"},
        {"dataset": "list_suppressions_news"},
        {"dataset": "contacts"},
        {"dataset": "suppressions", "sync_type": "other"},
    )
    _move(old, "0006")
    query = "SELECT told_at = suppressed_at, personal FROM suppressions ORDER BY email_key"
    assert _ask(old, query) == [(True, True), (None, False)]
    assert _ask(old, "SELECT dataset, sync_type FROM watermarks ORDER BY 1") == [
        ("contacts", "suppressions"),
        ("suppressions", "other"),
    ]


def test_a_run_knows_its_lists_where_they_are_those_of_today(old: Store) -> None:
    _move(old, "0010")
    _execute(
        old,
        "INSERT INTO runs (account, sync_type, dag_id, dag_run_id, status, submitted_by,"
        " started_at, dry_run) SELECT 'acme', 'marketing_lists', 'dag', n, 'Completed', 'x',"
        " '2026-01-01', false FROM generate_series(1, 3) n",
    )
    _execute(
        old,
        "INSERT INTO run_lists (run_id, list_key, name, status)"
        " SELECT n, key, 'News', 'Completed'"
        " FROM generate_series(1, 3) n, unnest(ARRAY['news', 'other']) key",
    )
    for key, crm, marketing in (("news", "C1", "M1"), ("other", "C2", "M2")):
        _fill(
            old,
            "list_ids",
            {"list_key": key, "side": "crm", "list_id": crm},
            {"list_key": key, "side": "marketing", "list_id": marketing},
        )
    _fill(
        old,
        "list_states",
        {"crm_list_id": "C1", "marketing_list_id": "M1", "crm_id": "c1", "run_id": 1},
        {"crm_list_id": "C1", "marketing_list_id": "M0", "crm_id": "c1", "run_id": 2},
    )
    _move(old, "0011")
    query = "SELECT run_id, list_key, crm_list_id, marketing_list_id FROM run_lists"
    assert _ask(old, query + " WHERE coalesce(crm_list_id, marketing_list_id) IS NOT NULL") == [
        (1, "news", "C1", "M1")
    ]
    _move(old, "0010", back=True)
    _move(old, "head")


def test_consent_that_was_given_up_is_due_again(old: Store) -> None:
    _move(old, "0005")
    lists = {"sync_type": "marketing_lists", "entity": "contact"}
    _fill(
        old,
        "retries",
        {"entity": "suppression", "source_id": "1", "next_at": "2099-01-01"},
        *({**lists, "source_id": str(number)} for number in (2, 3, 4)),
    )
    _fill(
        old,
        "jobs",
        {"seq": 2, "source_id": "2", "kind": "leave", "reason": "given_up"},
        {"seq": 3, "source_id": "3", "kind": "update", "reason": "given_up"},
        {"seq": 4, "source_id": "4", "kind": "leave", "reason": "left_crm"},
    )
    _move(old, "0006")
    query = "SELECT source_id, consent, given_up, next_at <= now() FROM retries ORDER BY 1"
    assert _ask(old, query) == [
        ("1", True, False, True),
        ("2", True, False, True),
        ("3", False, True, True),
        ("4", False, True, True),
    ]


def test_list_states_go_over_to_the_lists_that_their_keys_stand_for(old: Store) -> None:
    _move(old, "0006")
    known = {"news": ("L1", "7"), "same": ("L1", "7"), "half": ("L2", "")}
    for key, (crm, marketing) in known.items():
        _fill(
            old,
            "list_ids",
            {"list_key": key, "side": "crm", "list_id": crm},
            {"list_key": key, "side": "marketing", "list_id": marketing},
        )
    ann = {"crm_id": "c1", "marketing_id": "m1"}
    later = {"state": "left_crm", "changed_at": "2026-01-02"}
    _fill(
        old,
        "list_states",
        {"list_key": "news", **ann},
        {"list_key": "same", **ann, **later},
        {"list_key": "news", "crm_id": "c2", "state": "unsubscribed"},
        {"list_key": "half", **ann},
        {"list_key": "lost", **ann},
        {"list_key": "news", **ann, "account": "other"},
    )
    _move(old, "0007")
    query = "SELECT crm_list_id, marketing_list_id, crm_id, state FROM list_states ORDER BY 3"
    kept = [("L1", "7", "c1", "left_crm"), ("L1", "7", "c2", "unsubscribed")]
    assert _ask(old, query) == kept
    _move(old, "0006", back=True)
    query = "SELECT crm_id, state FROM list_states WHERE list_key IN ('news', 'same') ORDER BY 1"
    assert _ask(old, query) == [row[2:] for row in kept]
    _move(old, "head")


def test_open_requests_get_ids_that_nobody_can_guess(old: Store) -> None:
    _move(old, "0012")
    _execute(
        old,
        "INSERT INTO erasures (account, person, requested_at)"
        " SELECT 'acme', p, now() FROM unnest(ARRAY['ann@x.example', 'bob@x.example']) p",
    )
    _move(old, "0013")
    rows = _ask(old, "SELECT request, person FROM erasures ORDER BY person")
    assert [person for _, person in rows] == ["ann@x.example", "bob@x.example"]
    assert all(re.fullmatch("[0-9a-f]{32}", request) for request, _ in rows)
    _move(old, "0012", back=True)
    assert _ask(old, "SELECT request FROM erasures ORDER BY 1") == [(1,), (2,)]
    _move(old, "head")


def test_the_key_leaves_the_store_when_the_connection_has_it_and_nobody_is_forgotten(
    old: Store,
) -> None:
    """The earlier versions' key was made by them, and lay beside its hashes."""
    url, secret = str(old.engine.url.render_as_string(hide_password=False)), b"s" * 32
    _move(old, "0011")
    with old.begin() as conn:
        made = sa.text("INSERT INTO secrets VALUES ('erasure', :secret)")
        conn.execute(made, {"secret": secret})
    word = hmac.new(secret, b"ann@x.example", hashlib.sha256).hexdigest()
    _execute(old, f"INSERT INTO erased VALUES ('acme', '{word}', now())")

    def knows(store: Store) -> list[bool]:
        asked = pd.Series(["ann@x.example", "bob@x.example"])
        with store.begin() as conn:
            return erase.erased_keys(conn, account="acme", email_keys=asked).tolist()

    url = url.replace("+psycopg", "")
    for keys, left in (((), 1), ((Key(b"n" * 32),), 1), ((Key(b"n" * 32), Key(secret)), 0)):
        store = Store(url, lambda keys=keys: keys)  # type: ignore[misc]
        store.migrate()
        assert knows(store) == [True, False]
        assert len(_ask(store, "SELECT 1 FROM secrets")) == left
        store.dispose()


def test_a_key_without_hashes_is_not_kept(old: Store) -> None:
    _move(old, "0011")
    _execute(old, "INSERT INTO secrets VALUES ('erasure', 'x')")
    old.migrate()
    assert _ask(old, "SELECT 1 FROM secrets") == []


def test_what_is_there_becomes_the_whole_account_s_and_no_opt_out_is_lost_on_the_way_back(
    old: Store,
) -> None:
    _move(old, "0019")
    _execute(
        old,
        "INSERT INTO links (account, entity, crm_id, marketing_id, email_key, linked_at, speaks)"
        " VALUES ('acme', 'contact', 'c1', 'm1', 'ann', '2026-01-01', true),"
        " ('acme', 'lead', 'c2', 'm1', 'ann', '2026-01-01', false)",
    )
    _execute(
        old,
        "INSERT INTO baselines (account, entity, crm_id, marketing_id, values, agreed_at, apart)"
        """ VALUES ('acme', 'contact', 'c1', 'm1', '{"a": 1}', '2026-02-01', '{"a": 2}')""",
    )
    _execute(
        old,
        "INSERT INTO records (account, side, entity, id, email_key, status)"
        " VALUES ('acme', 'marketing', 'contact', 'm1', 'ann', 'unsubscribed')",
    )
    _fill(old, "suppressions", {"email_key": "ann"}, {"email_key": "bob", "list_id": "L"})
    _fill(old, "list_ids", {"list_key": "news", "side": "marketing", "list_id": "L"})
    _move(old, "head")
    links = "SELECT entity, crm_id, marketing_id, email_key, {}, linked_at::date::text FROM links"
    held = [
        ("contact", "c1", "m1", "ann", True, "2026-01-01"),
        ("lead", "c2", "m1", "ann", False, "2026-01-01"),
    ]
    assert _ask(old, links.format("is_primary") + " WHERE scope = '' ORDER BY 2") == held
    agreed = "SELECT crm_id, marketing_id, values, apart FROM baselines"
    kept = [("c1", "m1", {"a": 1}, {"a": 2})]
    assert _ask(old, agreed + " WHERE scope = ''") == kept
    words = "SELECT email_key, list_id, reason, lifted_at FROM suppressions ORDER BY 1, 2"
    told = [("ann", "", "unsubscribed", None), ("bob", "L", "unsubscribed", None)]
    assert _ask(old, words) == told
    for table in ("records", "suppressions", "list_ids"):
        assert {row[0] for row in _ask(old, f"SELECT scope FROM {table}")} == {""}
    _execute(
        old,
        "INSERT INTO links (account, entity, crm_id, scope, marketing_id, linked_at)"
        " VALUES ('acme', 'contact', 'c1', 'A', 'm2', '2026-03-01')",
    )
    _fill(
        old,
        "suppressions",
        {"email_key": "ann", "scope": "A", "reason": "complained"},
        {"email_key": "cid", "scope": "A"},
        {"email_key": "dan", "lifted_at": "2026-01-01"},
        {"email_key": "dan", "scope": "A"},
        {"email_key": "dan", "scope": "B", "lifted_at": "2026-01-01"},
    )
    _move(old, "0019", back=True)
    assert _ask(old, links.format("speaks") + " ORDER BY 2") == held
    assert _ask(old, agreed) == kept
    widened = [("cid", "", "unsubscribed", None), ("dan", "", "unsubscribed", None)]
    assert _ask(old, words) == sorted([*told, *widened])
    _move(old, "head")


def test_jobs_go_to_the_weeks_of_their_runs_and_come_back(old: Store) -> None:
    _move(old, "0015")
    _execute(
        old,
        "INSERT INTO runs (account, sync_type, dag_id, dag_run_id, status, submitted_by,"
        " started_at, dry_run) SELECT 'acme', 'marketing_lists', 'dag', day, 'Completed', 'x',"
        " day::timestamptz, false FROM unnest(ARRAY['2026-01-04T23:59Z', '2026-01-05T00:00Z']) day",
    )
    written = {"kind": "update", "planned_result": "updated", "before": '{"a": 1}'}
    _fill(
        old,
        "jobs",
        {"seq": 1, "result": "updated", **written},
        {"seq": 2, "result": "error", **written, "error_code": "x"},
        {"seq": 3, "result": "planned", **written},
        {"seq": 4, "result": "unchanged"},
        {"seq": 5, "result": "ignored", "reason": "later", "transient": True, "run_id": 2},
        {"seq": 6, "result": "error", "run_id": 3, "submitted_at": "2026-02-01"},
    )
    everything = "SELECT to_jsonb(jobs) - 'transient' FROM jobs ORDER BY seq"
    before = _ask(old, everything)
    _move(old, "head")
    query = "SELECT seq, planned_result, transient, tableoid::regclass::text FROM jobs ORDER BY 1"
    assert _ask(old, query) == [
        (1, "updated", None, "jobs_20251229"),
        (2, "updated", False, "jobs_20251229"),
        (3, "updated", None, "jobs_20251229"),
        (4, "unchanged", None, "jobs_20251229"),
        (5, "ignored", True, "jobs_20260105"),
        (6, "error", False, "jobs_20260126"),
    ]
    with old.begin() as conn:
        assert count_jobs(conn, run_id=1).as_json()["total"] == 4
        errors = find_jobs(conn, run_id=1, only=JobFilter(results=["error"]))
        assert [(row.seq, row.before) for row in errors] == [(2, {"a": 1})]
    _move(old, "0015", back=True)
    assert _ask(old, everything) == before
    _move(old, "head")
    with old.begin() as conn:
        retention.drop_partitions(conn, before={"acme": datetime(2026, 1, 12, tzinfo=UTC)})
    assert [row[0] for row in _ask(old, query)] == [5, 6]  # the newest run has not ended
