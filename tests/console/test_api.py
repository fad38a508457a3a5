"""The JSON API says what its OpenAPI page says, and never fails, whatever a client sends."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from tests.console.conftest import PREFIX, Client, campaigns_of_north
from tests.console.filled import ANNA, BUSY, Filled
from tests.console.reading import main_text, soup

DAG = "north__marketing_lists"
THOROUGH = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def test_runs_and_jobs_are_read_page_by_page(client: Client, filled: Filled) -> None:
    script = client("viewer", bearer=True)
    page = script.get(f"{PREFIX}/api/runs", params={"account": "north", "limit": 3}).json()
    assert len(page["runs"]) == 3
    rest = script.get(f"{PREFIX}/api/runs", params={"account": "north", "offset": 3}).json()
    assert len(rest["runs"]) + 3 == page["total"] == 8
    failed = script.get(f"{PREFIX}/api/runs", params={"status": "Failed"}).json()
    assert [run["run_id"] for run in failed["runs"]] == [filled.failed]
    run = script.get(f"{PREFIX}/api/dags/{DAG}/runs/{filled.completed}").json()
    assert run["counts"]["total"] == 11
    assert run["lists"][0]["list_key"] == "newsletter"
    assert [(row["kind"], row["key"]) for row in run["details"]] == [
        ("campaign", "71"), ("form", "7"), ("list", "newsletter"),
    ]  # fmt: skip
    jobs = f"{PREFIX}/api/dags/{DAG}/runs/{filled.completed}/jobs"
    first = script.get(jobs, params={"limit": 6}).json()
    second = script.get(jobs, params={"limit": 6, "after": first["next"]}).json()
    assert [job["seq"] for job in first["jobs"] + second["jobs"]] == list(range(11))
    assert second["next"] is None
    ignored = script.get(jobs, params={"result": ["ignored", "error"]}).json()
    assert [job["result"] for job in ignored["jobs"]] == ["ignored", "ignored", "error"]


def test_campaigns_are_told_with_their_rates(client: Client, filled: Filled) -> None:
    place = f"{PREFIX}/api/accounts/north/campaigns"
    script = client("viewer", bearer=True)
    assert script.get(place).status_code == 404, "the DAG may not be read"
    with campaigns_of_north():
        rows = script.get(place, params={"limit": 1}).json()
    assert [(row["id"], row["details"]["open_rate"]) for row in rows] == [("71", 41.2)]


def test_undo_is_previewed(client: Client, filled: Filled) -> None:
    script = client("viewer", bearer=True)
    preview = script.get(f"{PREFIX}/api/dags/{DAG}/runs/{filled.completed}/undo").json()
    assert [job["verdict"] for job in preview["jobs"]] == [
        "back", "back", "consent", "back", "consent", "created",
    ]  # fmt: skip


def test_a_person_is_found(client: Client, filled: Filled) -> None:
    script = client("operator", bearer=True)
    found = script.post(f"{PREFIX}/api/person", json={"address": f" {ANNA.upper()}"}).json()
    north = next(person for person in found if person["account"] == "north")
    assert [record["id"] for record in north["records"]] == ["c-1", "m-1"]
    assert "skipped this person" in north["why_ignored"]
    assert "unsubscribed" in north["why_not_mailed"]
    assert filled.completed in {job["run_id"] for job in north["jobs"]}
    assert script.post(f"{PREFIX}/api/person", json={"address": "no@one.example"}).json() == []


def test_older_jobs_of_a_person_follow(client: Client, filled: Filled) -> None:
    script = client("operator", bearer=True)
    asked: dict[str, Any] = {"address": BUSY, "account": "south"}
    (first,) = script.post(f"{PREFIX}/api/person", json=asked).json()
    (second,) = script.post(f"{PREFIX}/api/person", json=asked | {"after": first["next"]}).json()
    assert (len(first["jobs"]), len(second["jobs"]), second["next"]) == (100, 30, None)
    assert {job["run_id"] for job in second["jobs"]} == {filled.busy[0]}
    assert script.post(f"{PREFIX}/api/person", json=asked | {"account": "north"}).json() == []


def test_the_page_for_people_tells_all_that_the_description_holds(client: Client) -> None:
    browser = client("viewer")
    schema = browser.get(f"{PREFIX}/api/openapi.json").json()
    page = soup(browser.get(f"{PREFIX}/api"))
    cards = {card.h2.get_text(" ", strip=True): card for card in page.select(".card") if card.h2}
    told = {
        f"{method.upper()} {path}": item
        for path, methods in schema["paths"].items()
        for method, item in methods.items()
    }
    assert set(cards) == set(told)
    for name, item in told.items():
        text = main_text(cards[name])
        assert item["summary"] in text
        for given_one in item.get("parameters", []):
            assert given_one["name"] in text or given_one["in"] == "header"
    assert "status query optional several times: one of In Progress, Awaiting" in main_text(page)
    assert "address body text" in main_text(page)
    assert "after body optional object with run_id, seq or null" in main_text(page)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/runs?limit=0", 422),
        ("/api/runs?limit=1001", 422),
        ("/api/runs?started_from=2026-01-01T00:00:00", 422),
        ("/api/runs?status=Done", 422),
        ("/api/dags/nowhere/runs/1", 404),
        (f"/api/dags/{DAG}/runs/999999", 404),
        ("/api/nothing", 404),
    ],
)
def test_bad_input_is_json_with_a_sentence(path: str, status: int, client: Client) -> None:
    answer = client("viewer", bearer=True).get(PREFIX + path)
    assert answer.status_code == status
    assert isinstance(answer.json()["detail"], str)


@pytest.mark.parametrize("text", ["\\ud800", "a\\u0000b"])
def test_text_that_no_database_holds_is_refused(text: str, client: Client, filled: Filled) -> None:
    """JSON can say it; Python can hold it."""
    script = client("operator", bearer=True)
    script.headers["Content-Type"] = "application/json"
    for path, body in (
        ("person", f'{{"address": "{text}"}}'),
        ("person", f'{{"address": "x", "account": "{text}"}}'),
        (f"dags/{DAG}/sync", f'{{"records": ["{text}"]}}'),
        (f"dags/north__suppressions/runs/{filled.waiting}/reject", f'{{"note": "{text}"}}'),
    ):
        answer = script.post(f"{PREFIX}/api/{path}", content=body)
        assert answer.status_code == 422, (path, answer.text)


@pytest.fixture
def schema(console: FastAPI, client: Client) -> Any:
    """The API as its own OpenAPI page describes it."""
    described = client("admin", bearer=True).get(f"{PREFIX}/api/openapi.json").json()
    return schemathesis.openapi.from_dict(described)


def test_no_request_makes_it_fail(schema: Any, client: Client, filled: Filled) -> None:
    """Requests that follow the description, with the ids of real runs among them."""
    script = client("admin", bearer=True)

    def answers(case: Any) -> None:
        path = case.path_parameters
        if len(path.get("dag_id", "")) % 2:
            path["dag_id"] = DAG
            path.update({"run_id": filled.completed} if "run_id" in path else {})
        sent = case.as_transport_kwargs(base_url=f"http://testserver{PREFIX}")
        headers = {**dict(sent.get("headers") or {}), **script.headers}
        answer = script.request(
            sent["method"],
            sent["url"],
            params=sent.get("params"),
            json=sent.get("json"),
            headers=headers,
        )
        assert answer.status_code < 500, (case.method, case.path, answer.text)

    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            cases = result.ok().as_strategy(generation_mode=mode)
            THOROUGH(given(case=cases)(answers))()
