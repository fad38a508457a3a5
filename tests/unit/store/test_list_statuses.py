"""How lists and their members stand, by what runs have kept."""

from __future__ import annotations

from typing import Any

import pandas as pd
import sqlalchemy as sa

from bothways.store import links, lists, runs
from bothways.store.list_statuses import last_runs, select_members
from bothways.store.members import absorb_members
from bothways.store.records import absorb_contacts
from bothways.store.schema import retries
from bothways.vocabulary import RunStatus
from tests.unit.store.rows import ACCOUNT, contacts, memberships, open_run

SYNC = "marketing_lists"
KEYS = {"news": "news", "news:tag": "news", "offers": "offers"}


def begun(conn: sa.Connection, name: str, **params: Any) -> int:
    dry_run, undo_of = bool(params.get("dry_run")), params.get("undo_run")
    given = {"lists": [], "records": [], **params}
    return open_run(conn, name, params=given, dry_run=dry_run, undo_of=undo_of)


def ended(conn: sa.Connection, name: str, lists_of: dict[str, str], **params: Any) -> int:
    run_id = begun(conn, name, **params)
    for key, status in lists_of.items():
        runs.set_list(
            conn, run_id=run_id, list_key=key, name=key, status=status, message=f"{key} {status}"
        )
    status = RunStatus.DRY_RUN if params.get("dry_run") else RunStatus.COMPLETED
    runs.finish_run(conn, run_id=run_id, status=status, counts={})
    return run_id


def found(conn: sa.Connection) -> dict[str, tuple[int, str | None]]:
    told = last_runs(conn, account=ACCOUNT, sync_type=SYNC, keys=KEYS)
    return {key: (one.run.run_id, one.status) for key, one in told.items()}


def test_a_list_stands_as_the_newest_run_that_looked_at_it_says(conn: sa.Connection) -> None:
    assert found(conn) == {}
    good = dict.fromkeys(KEYS, "Completed")
    first = ended(conn, "first", good)
    assert found(conn) == dict.fromkeys(KEYS, (first, "Completed"))
    later = ended(conn, "later", {"news": "Completed With Errors"}, lists=["news"])
    ended(conn, "dry", good, dry_run=True)
    ended(conn, "somebody", good, records=["c1"])
    ended(conn, "undo", good, undo_run=first)
    assert found(conn) == {
        "news": (later, "Completed With Errors"),
        "news:tag": (later, None),
        "offers": (first, "Completed"),
    }
    last = begun(conn, "last")
    assert found(conn) == dict.fromkeys(KEYS, (last, None))


def test_a_run_that_died_is_ended_by_the_next_one_of_its_dag(conn: sa.Connection) -> None:
    died = begun(conn, "died")
    waits = begun(conn, "waits")
    runs.set_status(conn, run_id=waits, status=RunStatus.AWAITING_APPROVAL)
    new = begun(conn, "new")
    assert runs.end_lost(conn, run_id=new, message="It died.") == [died]
    row = runs.get_run(conn, run_id=died)
    assert row is not None
    assert (row.status, row.message) == ("Failed", "It died.")
    assert row.finished_at is not None
    # Whoever clears it opens it again.
    assert begun(conn, "died") == died


def member(conn: sa.Connection, side: str, *ids: str, status: str = "mailable") -> None:
    rows = [{"list_id": f"{side}-news", "member_id": one, "status": status} for one in ids]
    absorb_members(conn, account=ACCOUNT, side=side, run_id=1, rows=memberships(*rows))


def test_a_member_is_in_step_in_error_or_waits(conn: sa.Connection) -> None:
    for side in ("crm", "marketing"):
        lists.resolve(
            conn, account=ACCOUNT, side=side, list_key="news", list_id=f"{side}-news",
            name="News", entity=None,
        )  # fmt: skip
    begun(conn, "first")
    member(conn, "crm", "c1", "c2", "c3")
    member(conn, "marketing", "m1", "m2", "m4")
    member(conn, "marketing", "m5", status="unsubscribed")
    people = contacts({"id": "m1", "email": "ann@mail.example"})
    absorb_contacts(conn, account=ACCOUNT, side="marketing", run_id=1, rows=people)
    pairs = pd.DataFrame({"crm_id": ["c1", "c2"], "marketing_id": ["m1", "m2"]})
    links.upsert_links(
        conn, account=ACCOUNT, run_id=1,
        frame=pairs.assign(entity="contact", email_key=None, is_primary=True, scope=""),
    )  # fmt: skip
    failed = {
        "account": ACCOUNT, "sync_type": SYNC, "source": "crm", "entity": "contact",
        "attempts": 2, "next_at": sa.func.now(), "given_up": False,
    }  # fmt: skip
    for who, key, message in (("c2", "", "Too long"), ("c3", "news", "No mail")):
        one = failed | {"source_id": who, "list_key": key, "error_message": message}
        conn.execute(retries.insert().values(one))
    held_back = failed | {"source_id": "c1", "list_key": "news", "attempts": 0}
    conn.execute(retries.insert().values(held_back))
    rows = conn.execute(select_members(account=ACCOUNT, sync_types=[SYNC])).all()
    told = [(row.crm_id, row.marketing_id, row.status, row.message) for row in rows]
    assert told == [
        ("c1", "m1", "Synced", None),
        ("c2", "m2", "Error", "Too long"),
        ("c3", None, "Error", "No mail"),
        (None, "m4", "None", None),
    ]
    assert [row.email for row in rows] == ["ann@mail.example", None, None, None]
    one = select_members(account=ACCOUNT, sync_types=[SYNC], crm_ids=["c2"], marketing_ids=["m4"])
    assert [row.status for row in conn.execute(one)] == ["Error", "None"]
