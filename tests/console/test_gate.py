"""No address reaches Airflow's event log, which keeps what it is asked before it is checked."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from airflow.models.log import Log
from airflow.utils.session import create_session
from sqlalchemy import func, select

from bothways.console.gate import REFUSED
from bothways.store.db import Store
from bothways.vocabulary import RECORD_PATTERN
from tests.console.conftest import PREFIX, Client
from tests.console.filled import Filled
from tests.console.test_actions import RecordedAirflow, airflow, form

__all__ = ["airflow"]

ANNA = "anna.secret@mail.example"
DAG = "north__marketing_lists"
RUNS = f"/api/v2/dags/{DAG}/dagRuns"
TRIGGER: dict[str, Any] = {"logical_date": None}


def logged() -> tuple[int, str]:
    """How many entries the event log has, and all that they hold."""
    with create_session() as session:
        rows = session.execute(select(Log.extra, Log.run_id, Log.dag_id)).all()
        return session.scalar(select(func.count()).select_from(Log)) or 0, repr(rows).lower()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", RUNS, TRIGGER | {"conf": {"records": [ANNA]}}),
        ("POST", RUNS, TRIGGER | {"conf": {"records": [ANNA.replace("@", "\uff20")]}}),
        ("POST", RUNS, TRIGGER | {"conf": {"lists": [ANNA]}}),
        ("POST", RUNS, TRIGGER | {"conf": {"deep": [{"er": {ANNA: 1}}]}}),
        ("POST", RUNS, TRIGGER | {"conf": {}, "note": f"for {ANNA}"}),
        ("POST", RUNS, TRIGGER | {"conf": {}, "dag_run_id": ANNA}),
        ("POST", f"{RUNS}?for={ANNA.replace('@', '%40')}", TRIGGER | {"conf": {}}),
        ("POST", "/api/v2/dags/north__erase/dagRuns", TRIGGER | {"conf": {"request": ANNA}}),
        ("PATCH", f"{RUNS}/manual__1", {"note": ANNA}),
        (
            "PATCH",
            f"{RUNS}/manual__1/taskInstances/review/-1/hitlDetails",
            {"chosen_options": ["Approve"], "params_input": {"note": ANNA}},
        ),
        (
            "POST",
            "/api/v2/backfills",
            {
                "dag_id": DAG,
                "from_date": "2026-01-01T00:00:00Z",
                "to_date": "2026-01-02T00:00:00Z",
                "dag_run_conf": {"records": [ANNA]},
            },
        ),
    ],
)
def test_what_names_an_address_is_refused_before_airflow_logs_it(
    method: str, path: str, body: dict[str, Any], client: Client
) -> None:
    before, _ = logged()
    answer = client("admin", bearer=True).request(method, path, json=body)
    after, text = logged()
    assert (answer.status_code, answer.json()) == (422, {"detail": REFUSED})
    assert after == before
    assert "anna.secret" not in text


@pytest.mark.parametrize(
    ("path", "conf"),
    [
        (RUNS, {"records": ["selection-abc", "c-1"], "dry_run": True}),
        ("/api/v2/dags/somebody_elses/dagRuns", {"to": "team@firm.example"}),
    ],
)
def test_anything_else_reaches_airflow_whole(
    path: str, conf: dict[str, Any], client: Client
) -> None:
    before, _ = logged()
    answer = client("admin", bearer=True).post(path, json=TRIGGER | {"conf": conf})
    assert answer.status_code == 404, "Airflow knows no such DAG here"
    assert logged()[0] == before + 1
    with create_session() as session:
        newest = session.scalars(select(Log).order_by(Log.id.desc()).limit(1)).one()
        assert json.loads(newest.extra or "")["conf"] == conf


def test_an_address_that_a_person_types_is_filed_and_airflow_gets_a_token(
    client: Client,
    filled: Filled,
    airflow: RecordedAirflow,
    filled_store: tuple[str, Filled],
) -> None:
    typed = form(records=f" c-7, {ANNA.upper()}\nc-7 {ANNA}", dry_run="true")
    started = client("user").post(f"{PREFIX}/dags/{DAG}/sync", data=typed)
    script = client("user", bearer=True)
    body = {"records": [ANNA]}
    answered = script.post(f"{PREFIX}/api/dags/{DAG}/sync", json=body)
    assert (started.status_code, answered.status_code) == (303, 202)
    confs = [asked[2]["conf"] for asked in airflow.asked]
    assert confs[0]["records"][0] == "c-7"
    tokens = [conf["records"][-1] for conf in confs]
    assert [len(conf["records"]) for conf in confs] == [2, 1]
    assert "mail.example" not in repr(confs).lower()
    assert all(re.match(RECORD_PATTERN, token) for token in tokens)
    store = Store(filled_store[0])
    with store.begin() as conn:
        query = "SELECT selection, account, record, email_key, filed_by FROM selections"
        kept = {tuple(row) for row in conn.exec_driver_sql(query) if row[0] in tokens}
    store.dispose()
    assert kept == {
        (tokens[0], "north", ANNA.upper(), ANNA, "user"),
        (tokens[0], "north", ANNA, ANNA, "user"),
        (tokens[1], "north", ANNA, ANNA, "user"),
    }


def test_too_many_people_are_refused_with_a_sentence(
    client: Client,
    airflow: RecordedAirflow,
) -> None:
    many = form(records="\n".join(f"p{n}@mail.example" for n in range(1_001)))
    answer = client("user").post(f"{PREFIX}/dags/{DAG}/sync", data=many)
    assert answer.status_code == 422
    assert "1000 records at most" in answer.text
    assert airflow.asked == []
