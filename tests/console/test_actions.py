"""What a button asks of Airflow, and that Airflow itself answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from bothways.console import actions
from bothways.console.auth import tokens
from bothways.orchestration import review
from tests.console.conftest import PREFIX, Client, include_folder
from tests.console.filled import Filled

DAG = "north__marketing_lists"


class RecordedAirflow:
    """Stands for Airflow's public API: keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.cookies: list[dict[str, str]] = []
        self.answer: Response | None = None
        self.app = FastAPI()
        self.app.add_api_route("/{path:path}", self._take, methods=["POST", "PATCH"])

    async def _take(self, request: Request) -> Response:
        self.asked.append((request.method, request.url.path, await request.json()))
        self.cookies.append(request.cookies)
        return self.answer or JSONResponse({"dag_run_id": "manual__2026-01-01T00:00:00+00:00"})


@pytest.fixture
def airflow(console: FastAPI) -> Iterator[RecordedAirflow]:
    recorded = RecordedAirflow()
    own = console.state.airflow
    console.state.airflow = lambda: recorded.app
    yield recorded
    console.state.airflow = own


def form(**fields: str) -> dict[str, str]:
    return {"form_token": tokens().form_token("user"), **fields}


@pytest.mark.parametrize(
    ("path", "fields", "conf"),
    [
        (f"/dags/{DAG}/sync", {}, {"dry_run": False}),
        (f"/dags/{DAG}/sync", {"dry_run": "true"}, {"dry_run": True}),
        (
            f"/dags/{DAG}/sync",
            {"program": " Welcome ", "records": "c-1"},
            {"dry_run": False, "program": "Welcome", "records": ["c-1"]},
        ),
        (
            f"/dags/{DAG}/sync",
            {"only_list": "newsletter"},
            {"dry_run": False, "lists": ["newsletter"]},
        ),
        (f"/dags/{DAG}/sync", {"campaign": "71"}, {"dry_run": False, "campaigns": ["71"]}),
        (
            f"/runs/{DAG}/{{dry}}/apply",
            {},
            {"lists": ["newsletter"], "records": [], "dry_run": False},
        ),
        (f"/runs/{DAG}/{{completed}}/undo", {}, {"undo_run": "completed", "dry_run": False}),
        (
            f"/runs/{DAG}/{{completed}}/undo",
            {"dry_run": "true"},
            {"undo_run": "completed", "dry_run": True},
        ),
    ],
)
def test_a_button_starts_a_run_as_the_person(
    *,
    path: str,
    fields: dict[str, str],
    conf: dict[str, Any],
    client: Client,
    filled: Filled,
    airflow: RecordedAirflow,
) -> None:
    path = path.format(dry=filled.dry, completed=filled.completed)
    browser = client("user")
    answer = browser.post(PREFIX + path, data=form(**fields))
    assert answer.status_code == 303
    assert answer.headers["location"] == (
        f"{PREFIX}/dags/{DAG}/runs/manual__2026-01-01T00:00:00+00:00"
    )
    if "undo_run" in conf:
        conf = conf | {"undo_run": filled.completed}
    body = {"conf": conf, "logical_date": None}
    assert airflow.asked == [("POST", f"/api/v2/dags/{DAG}/dagRuns", body)]
    assert airflow.cookies == [{"_token": browser.cookies["_token"]}]


@pytest.mark.parametrize("decision", ["Approve", "Reject"])
def test_an_answer_goes_to_the_review_with_its_note(
    decision: str, client: Client, filled: Filled, airflow: RecordedAirflow
) -> None:
    path = f"{PREFIX}/runs/north__suppressions/{filled.waiting}"
    answer = client("user").post(f"{path}/answer", data=form(decision=decision, note="I checked"))
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    ((method, url, body),) = airflow.asked
    assert method == "PATCH"
    assert url == (
        "/api/v2/dags/north__suppressions/dagRuns/manual__waiting/taskInstances/review/-1/"
        "hitlDetails"
    )
    assert body == {"chosen_options": [decision], "params_input": {"note": "I checked"}}


@pytest.mark.parametrize(
    ("user", "approvers", "allowed"),
    [
        ("user", "[user, grace]", True),
        ("user", "[grace]", False),
        ("user", "[ada]", False),  # who started the run
    ],
)
def test_only_an_approver_is_let_approve_and_others_can_still_reject(
    *,
    user: str,
    approvers: str,
    allowed: bool,
    client: Client,
    filled: Filled,
    airflow: RecordedAirflow,
) -> None:
    file = include_folder() / "accounts" / "north.yaml"
    file.write_text(f"{file.read_text()}approvers: {approvers}\n", encoding="utf-8")
    path = f"{PREFIX}/runs/north__suppressions/{filled.waiting}"
    browser, script = client(user), client(user, bearer=True)
    shown = browser.get(path).text
    assert ('value="Approve"' in shown) is allowed
    assert 'value="Reject"' in shown
    api = f"{PREFIX}/api/dags/north__suppressions/runs/{filled.waiting}"
    approved = [
        browser.post(f"{path}/answer", data=form(decision="Approve")),
        script.post(f"{api}/approve", json={}),
    ]
    assert [answer.status_code for answer in approved] == ([303, 200] if allowed else [403, 403])
    assert len(airflow.asked) == (2 if allowed else 0)
    assert all("You may not approve this run" in answer.text for answer in approved) is not allowed
    assert browser.post(f"{path}/answer", data=form(decision="Reject")).status_code == 303


def test_the_words_of_the_answer_are_those_of_the_review() -> None:
    assert set(actions.Answer.__args__) == {review.APPROVE, review.REJECT}
    assert set(review.FORM) == {"note"}
    assert review.FORM["note"].schema["maxLength"] == actions.LONGEST_NOTE


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (f"/runs/{DAG}/{{completed}}/apply", {}),
        (f"/runs/{DAG}/{{dry}}/undo", {}),
        (f"/runs/{DAG}/{{failed}}/undo", {}),
        (f"/runs/{DAG}/{{working}}/undo", {}),
        (f"/runs/{DAG}/{{completed}}/answer", {"decision": "Approve"}),
    ],
)
def test_what_a_run_is_not_ready_for_is_refused(
    path: str, fields: dict[str, str], client: Client, filled: Filled, airflow: RecordedAirflow
) -> None:
    where = PREFIX + path.format(**vars(filled))
    answer = client("user").post(where, data=form(**fields))
    assert answer.status_code == 409
    assert airflow.asked == []


def test_an_answer_is_one_of_two_words(
    client: Client, filled: Filled, airflow: RecordedAirflow
) -> None:
    path = f"{PREFIX}/runs/north__suppressions/{filled.waiting}/answer"
    assert client("user").post(path, data=form(decision="Perhaps")).status_code == 422
    assert airflow.asked == []


@pytest.mark.parametrize(
    ("theirs", "ours", "words"),
    [
        (JSONResponse({"detail": "already been updated"}, 409), 409, "already been updated"),
        (JSONResponse({"detail": {"reason": "gone"}}, 404), 404, "gone"),
        (
            JSONResponse({"detail": "Traceback: secret"}, 500),
            502,
            "Airflow failed; see its API server",
        ),
        (Response("<html>", 400), 400, "status 400"),
    ],
)
def test_what_airflow_refuses_is_said(
    *,
    theirs: Response,
    ours: int,
    words: str,
    client: Client,
    filled: Filled,
    airflow: RecordedAirflow,
) -> None:
    airflow.answer = theirs
    answer = client("user").post(f"{PREFIX}/dags/{DAG}/sync", data=form())
    assert answer.status_code == ours
    assert words in answer.text
    assert "secret" not in answer.text


def test_airflow_itself_answers_and_names_the_person(client: Client) -> None:
    """Its own public API in the same process: it knows no serialized DAG here, and says so."""
    from airflow.models.log import Log
    from airflow.utils.session import create_session
    from sqlalchemy import select

    answer = client("user").post(f"{PREFIX}/dags/{DAG}/sync", data=form())
    assert answer.status_code == 404
    assert "Airflow rejected the request" in answer.text
    with create_session() as session:
        newest = session.scalars(select(Log).order_by(Log.id.desc()).limit(1)).one()
        assert (newest.event, newest.owner, newest.dag_id) == ("trigger_dag_run", "user", DAG)


def test_a_script_acts_with_its_token(
    client: Client, filled: Filled, airflow: RecordedAirflow
) -> None:
    script = client("user", bearer=True)
    body = {"lists": ["newsletter"], "full_resync": True}
    answer = script.post(f"{PREFIX}/api/dags/{DAG}/sync", json=body)
    assert answer.status_code == 202
    assert answer.json()["dag_id"] == DAG
    assert airflow.asked[0][2] == {"conf": body, "logical_date": None}
    run = f"{PREFIX}/api/dags/{DAG}/runs/{filled.completed}"
    assert script.post(f"{run}/undo", json={}).status_code == 202
    assert airflow.asked[1][2]["conf"] == {"undo_run": filled.completed, "dry_run": False}
    waiting = f"{PREFIX}/api/dags/north__suppressions/runs/{filled.waiting}"
    assert script.post(f"{waiting}/approve", json={"note": "fine"}).json() == {
        "run_id": filled.waiting,
        "decision": "Approve",
    }
    assert script.post(f"{run}/approve", json={}).status_code == 409
