"""Events of the vendors: who is let in, what is kept of them, and what it starts."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from bothways.config.load import load_account
from bothways.console import arriving
from bothways.errors import StoreError
from bothways.orchestration.builder import build_dag
from bothways.orchestration.waking import AirflowRuns, Standing, start_due
from bothways.store.db import Store
from tests.console.conftest import PREFIX, Client, include_folder

KEY = "a-key-of-the-webhook"
OWN = "00000000-0000-0000-0000-00000000aaaa"
CONTACT = "11111111-1111-1111-1111-111111111111"
PLACE = f"{PREFIX}/events/north/crm"
DAG = "north__marketing_lists"
WOKEN = "events: {sync_types: [suppressions, marketing_lists]}\n"


class RecordedWaker:
    """Stands for the thread that starts runs."""

    def __init__(self) -> None:
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1


@pytest.fixture
def waker(console: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordedWaker]:
    """An endpoint that takes the events of account north, and starts nothing by itself."""
    file = include_folder() / "accounts" / "north.yaml"
    file.write_text(file.read_text(encoding="utf-8") + WOKEN, encoding="utf-8")
    extra = {"event_secrets": ["an-older-key", KEY], "event_user": OWN}
    connection = json.dumps({"conn_type": "dynamics", "extra": extra})
    monkeypatch.setenv("AIRFLOW_CONN_CRM_CONNECTION", connection)
    recorded = RecordedWaker()
    console.state.waker = recorded
    yield recorded
    console.state.waker = None


@pytest.fixture
def store(console: FastAPI) -> Iterator[Store]:
    found = Store(console.state.store_url())
    yield found
    with found.begin() as conn:
        conn.execute(sa.text("DELETE FROM notifications"))
        conn.execute(sa.text("DELETE FROM selections"))
    found.dispose()


def update(row: str = CONTACT, by: str = "bbbb", table: str = "contact") -> dict[str, Any]:
    return {
        "MessageName": "Update",
        "PrimaryEntityName": table,
        "PrimaryEntityId": row,
        "InitiatingUserId": by,
    }


def kept(store: Store) -> list[tuple[Any, ...]]:
    query = "SELECT account, sync_type, side, record FROM notifications ORDER BY 1, 2"
    with store.begin() as conn:
        return [tuple(row) for row in conn.execute(sa.text(query))]


def test_an_event_is_answered_kept_once_and_its_run_is_seen_to(
    client: Client, waker: RecordedWaker, store: Store
) -> None:
    stranger = client(None)
    for _ in range(2):
        answer = stranger.post(PLACE, params={"code": KEY}, json=update())
        assert (answer.status_code, answer.content) == (200, b"")
        assert not answer.cookies
    assert kept(store) == [("north", "marketing_lists", "crm", CONTACT)]
    assert waker.woken == 2


@pytest.mark.parametrize("told", [update(by=OWN), update(table="account"), {}])
def test_what_a_sync_wrote_and_what_concerns_no_sync_starts_nothing(
    told: dict[str, Any], client: Client, waker: RecordedWaker, store: Store
) -> None:
    assert client(None).post(PLACE, params={"code": KEY}, json=told).status_code == 200
    assert (kept(store), waker.woken) == ([], 0)


@pytest.mark.parametrize(
    ("place", "query"),
    [
        ("north/crm", {"code": "wrong"}),
        ("north/crm", {}),
        ("north/marketing", {"code": KEY}),  # nothing understands its events
        ("north/source", {"code": KEY}),
        ("south/crm", {"code": KEY}),  # its account has no events
        ("nowhere/crm", {"code": KEY}),
        (".%2E%5Cnorth/crm", {"code": KEY}),
    ],
)
def test_nobody_is_told_why_they_are_refused(
    *,
    place: str,
    query: dict[str, str],
    client: Client,
    waker: RecordedWaker,
    store: Store,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG, logger="bothways"):
        answer = client(None).post(f"{PREFIX}/events/{place}", params=query, json=update())
    assert (answer.status_code, answer.content) == (403, b"")
    assert (kept(store), waker.woken) == ([], 0)
    assert CONTACT not in caplog.text
    # Whoever looks for lost events is told by the log, if anybody expects them.
    assert ("`event_secrets` of connection crm_connection" in caplog.text) == (place == "north/crm")


def test_a_signed_in_person_is_no_vendor(client: Client, waker: RecordedWaker) -> None:
    assert client("admin").post(PLACE, json=update()).status_code == 403
    assert client("admin", bearer=True).post(PLACE, json=update()).status_code == 403


def test_whoever_looks_whether_somebody_is_there_learns_nothing(client: Client) -> None:
    answers = [client(None).get(f"{PREFIX}/events/{name}/crm") for name in ("north", "nowhere")]
    assert {(answer.status_code, answer.content) for answer in answers} == {(200, b"")}


def test_a_body_that_no_vendor_sends_is_not_read(client: Client, waker: RecordedWaker) -> None:
    long = b"x" * (arriving.LONGEST_BODY + 1)
    assert client(None).post(PLACE, params={"code": KEY}, content=long).status_code == 413


def test_without_the_store_the_vendor_is_asked_to_send_it_again(
    client: Client, waker: RecordedWaker, console: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: Any, **__: Any) -> None:
        raise StoreError("The store cannot be reached")

    monkeypatch.setattr(arriving, "keep", down)
    assert client(None).post(PLACE, params={"code": KEY}, json=update()).status_code == 503
    assert waker.woken == 0


def test_a_key_in_the_url_is_in_no_log(
    client: Client, waker: RecordedWaker, caplog: pytest.LogCaptureFixture, capsys: Any
) -> None:
    from airflow.api_fastapi.common.http_access_log import HttpAccessLogMiddleware

    outer = client(None)
    outer.app = HttpAccessLogMiddleware(outer.app)
    with caplog.at_level(logging.DEBUG):
        outer.post(PLACE, params={"code": KEY}, json=update())
    told = caplog.text + "".join(capsys.readouterr())
    assert KEY not in told


def test_airflow_runs_the_sync_for_an_event_and_names_it(
    client: Client, waker: RecordedWaker, store: Store
) -> None:
    """All of the way but the scheduler: Airflow's own tables, a DAG as it is built."""
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session

    with dag_in_airflow():
        client(None).post(PLACE, params={"code": KEY}, json=update())
        runs = AirflowRuns()
        assert runs.standing("north__nothing") is Standing.RESTING
        assert runs.standing(DAG) is Standing.READY
        start_due(store, runs, datetime.now(UTC) + timedelta(minutes=2))
        assert runs.standing(DAG) is Standing.QUEUED
        with create_session() as session:
            (run,) = session.scalars(sa.select(DagRun).where(DagRun.dag_id == DAG))
            assert run.triggering_user_name == "an event in Dynamics 365"
            assert list(run.conf) == ["records"]
            assert CONTACT not in json.dumps(run.conf)
            dag_model = session.get(DagModel, DAG)
            assert dag_model is not None
            dag_model.is_paused = True
        assert runs.standing(DAG) is Standing.RESTING


@contextmanager
def dag_in_airflow() -> Iterator[None]:
    """The DAG as Airflow keeps what it has read of a file, for as long as the block lasts."""
    from airflow.models.dag import DagModel
    from airflow.models.dag_version import DagVersion
    from airflow.models.dagrun import DagRun
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.serialization.serialized_objects import LazyDeserializedDAG
    from airflow.utils.db import synchronize_log_template
    from airflow.utils.session import create_session

    dag = build_dag(load_account("north"), "marketing_lists", doc="")
    synchronize_log_template()
    with create_session() as session:
        SerializedDagModel.write_dag(
            LazyDeserializedDAG.from_dag(dag), bundle_name="tests", session=session
        )
    try:
        yield
    finally:
        with create_session() as session:
            for model in (DagRun, SerializedDagModel, DagVersion):
                session.execute(sa.delete(model).where(model.dag_id == DAG))
            session.execute(
                sa.update(DagModel).where(DagModel.dag_id == DAG).values(is_paused=False)
            )
