"""Who may see and do what: every route, by who asks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Mount

from bothways.console.auth import tokens
from tests.console.conftest import PREFIX, Client
from tests.console.filled import Filled

PAGES = {
    "GET /",
    "GET /audit",
    "GET /audit.csv",
    "GET /dags/{dag_id}",
    "GET /dags/{dag_id}/audit.csv",
    "GET /dags/{dag_id}/runs/{dag_run_id}",
    "GET /runs/{dag_id}/{run_id}",
    "GET /runs/{dag_id}/{run_id}/jobs.csv",
    "GET /runs/{dag_id}/{run_id}/progress",
    "GET /runs/{dag_id}/{run_id}/undo",
    "GET /person",
    "GET /person/{sealed}",
    "GET /accounts",
    "GET /accounts/{name}",
    "GET /api",
    "GET /api/openapi.json",
    "GET /api/runs",
    "GET /api/dags/{dag_id}/runs/{run_id}",
    "GET /api/dags/{dag_id}/runs/{run_id}/jobs",
    "GET /api/dags/{dag_id}/runs/{run_id}/undo",
}
SEARCHES = {"POST /person", "POST /api/person", "POST /runs/{dag_id}/{run_id}/search"}
ACTIONS = {
    "POST /dags/{dag_id}/sync",
    "POST /runs/{dag_id}/{run_id}/apply",
    "POST /runs/{dag_id}/{run_id}/undo",
    "POST /runs/{dag_id}/{run_id}/answer",
    "POST /api/dags/{dag_id}/sync",
    "POST /api/dags/{dag_id}/runs/{run_id}/apply",
    "POST /api/dags/{dag_id}/runs/{run_id}/undo",
    "POST /api/dags/{dag_id}/runs/{run_id}/approve",
    "POST /api/dags/{dag_id}/runs/{run_id}/reject",
}
ROUTES = sorted(PAGES | SEARCHES | ACTIONS)
OF_A_DAG = [route for route in ROUTES if "{dag_id}" in route]


def routes(console: FastAPI) -> Iterator[str]:
    for route in console.routes:
        if isinstance(route, Mount):
            assert route.path == "/static"
            continue
        assert isinstance(route, APIRoute), route
        for method in route.methods:
            yield f"{method} {route.path}"


def request_of(
    route: str, filled: Filled, dag_id: str = "north__marketing_lists"
) -> tuple[str, str]:
    method, path = route.split(" ")
    values = {
        "dag_id": dag_id,
        "run_id": filled.completed,
        "dag_run_id": "manual__completed",
        "sealed": tokens().seal("anna.berg@mail.example"),
        "name": "north",
    }
    return method, PREFIX + path.format(**values)


def test_no_route_is_forgotten_here(console: FastAPI) -> None:
    assert sorted(routes(console)) == ROUTES


@pytest.mark.parametrize("route", ROUTES)
def test_a_stranger_sees_nothing(route: str, client: Client, filled: Filled) -> None:
    answer = client(None).request(*request_of(route, filled))
    assert answer.status_code == 401
    assert "marketing_lists" not in answer.text.replace("next=", "").split("<a ")[0]
    if not route.split(" ")[1].startswith("/api"):
        assert "/api/v2/auth/login?next=" in answer.text


@pytest.mark.parametrize("route", ROUTES)
def test_a_forged_token_is_no_one(route: str, client: Client, filled: Filled) -> None:
    browser = client(None)
    browser.headers["Authorization"] = "Bearer e30.e30.e30"
    assert browser.request(*request_of(route, filled)).status_code in (401, 403)


@pytest.mark.parametrize("route", sorted(PAGES))
def test_a_viewer_reads_every_page(route: str, client: Client, filled: Filled) -> None:
    assert client("viewer").request(*request_of(route, filled)).status_code == 200


@pytest.mark.parametrize("route", sorted(ACTIONS))
def test_a_viewer_cannot_act(route: str, client: Client, filled: Filled) -> None:
    for browser in (client("viewer"), client("viewer", bearer=True)):
        method, path = request_of(route, filled)
        form = {"form_token": tokens().form_token("viewer"), "decision": "Approve"}
        answer = browser.request(method, path, data=form)
        assert answer.status_code == 403, answer.text


def test_a_viewer_is_offered_no_button(client: Client, filled: Filled) -> None:
    browser = client("viewer")
    runs = (filled.completed, filled.dry, filled.waiting)
    shown = [browser.get(f"{PREFIX}/").text]
    for run in runs:
        dag = "north__suppressions" if run == filled.waiting else "north__marketing_lists"
        shown.append(browser.get(f"{PREFIX}/runs/{dag}/{run}").text)
    assert not any(
        f'action="{PREFIX}/dags' in page or 'name="form_token"' in page for page in shown
    )


@pytest.mark.parametrize("route", OF_A_DAG)
def test_who_may_not_read_a_dag_sees_nothing_of_it(
    route: str, client: Client, filled: Filled
) -> None:
    form = {"form_token": tokens().form_token("north"), "decision": "Approve"}
    for user in ("nobody", "north"):
        dag_id = "south__marketing_lists"
        method, path = request_of(route, filled, dag_id)
        answer = client(user).request(method, path, data=form if method == "POST" else None)
        assert answer.status_code == 403


@pytest.mark.parametrize("route", [r for r in OF_A_DAG if "{run_id}" in r])
def test_a_run_is_found_below_its_own_dag_only(route: str, client: Client, filled: Filled) -> None:
    """North may do all with its DAGs; the number of a run of South does not open it."""
    method, path = request_of(route, filled)
    path = path.replace(f"/{filled.completed}", f"/{filled.south}")
    form = {"form_token": tokens().form_token("north"), "decision": "Approve"}
    browser = client("north", bearer=path.startswith(f"{PREFIX}/api"))
    body = {"json": {}} if path.startswith(f"{PREFIX}/api") else {"data": form}
    answer = browser.request(method, path, **(body if method == "POST" else {}))
    if route.endswith("/search"):
        answer = browser.get(answer.headers["location"])
    assert answer.status_code == 404


def test_lists_hold_what_may_be_read_and_no_more(client: Client, filled: Filled) -> None:
    browser = client("north")
    for path in ("/", "/audit", "/audit.csv", "/accounts", "/api/runs"):
        assert "south" not in browser.get(PREFIX + path).text
        assert "south" in client("viewer").get(PREFIX + path).text
    assert browser.get(f"{PREFIX}/accounts/south").status_code == 404
    found = browser.post(f"{PREFIX}/api/person", json={"address": "anna.berg@mail.example"}).json()
    assert [person["account"] for person in found] == ["north"]
    assert client("nobody").get(f"{PREFIX}/api/runs").json() == {"total": 0, "runs": []}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"data": {}}, "session expired"),
        ({"data": {"form_token": "made up"}}, "session expired"),
        ({"data": {"form_token": lambda: tokens().form_token("viewer")}}, "session expired"),
        ({"data": {"form_token": lambda: tokens().seal("admin")}}, "session expired"),
        ({"headers": {"Sec-Fetch-Site": "cross-site"}}, "another site"),
        ({"headers": {"Sec-Fetch-Site": "same-site"}}, "another site"),
        ({"headers": {"Origin": "https://elsewhere.example"}}, "another site"),
        ({"headers": {"Origin": "null"}}, "another site"),
    ],
)
def test_no_other_site_can_act(
    change: dict[str, dict[str, object]], why: str, client: Client, filled: Filled
) -> None:
    data = change.get("data", {"form_token": lambda: tokens().form_token("admin")})
    form = {name: value() if callable(value) else value for name, value in data.items()}
    for route in sorted(r for r in ACTIONS if "/api/" not in r):
        method, path = request_of(route, filled)
        given = {"decision": "Approve", **form}
        answer = client("admin").request(method, path, data=given, headers=change.get("headers"))
        assert answer.status_code == 403
        assert why in answer.text


def test_a_cookie_alone_does_not_open_the_api_for_actions(client: Client, filled: Filled) -> None:
    for route in sorted(r for r in ACTIONS if "/api/" in r):
        method, path = request_of(route, filled)
        assert client("admin").request(method, path, json={}).status_code == 403


def test_pages_are_not_kept_and_run_no_foreign_script(client: Client) -> None:
    answer = client("admin").get(f"{PREFIX}/")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'self'" in policy
