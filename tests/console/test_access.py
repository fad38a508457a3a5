"""Who may see and do what: every route, by who asks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Mount

from bothways.console import auth
from bothways.console.auth import tokens
from bothways.engine.maintenance import prune_access_log
from bothways.store import access_log
from bothways.store.db import Store
from tests.console.conftest import PREFIX, Client
from tests.console.filled import ANNA, Filled

PAGES = {
    "GET /",
    "GET /audit",
    "GET /audit.csv",
    "GET /errors",
    "GET /dags/{dag_id}",
    "GET /dags/{dag_id}/audit.csv",
    "GET /dags/{dag_id}/runs/{dag_run_id}",
    "GET /runs/{dag_id}/{run_id}",
    "GET /runs/{dag_id}/{run_id}/progress",
    "GET /runs/{dag_id}/{run_id}/undo",
    "GET /accounts",
    "GET /accounts/{name}",
    "GET /api/accounts/{name}/lists",
    "GET /api",
    "GET /api/openapi.json",
    "GET /api/runs",
    "GET /api/errors",
    "GET /api/dags/{dag_id}/runs/{run_id}",
    "GET /api/dags/{dag_id}/runs/{run_id}/jobs",
    "GET /api/dags/{dag_id}/runs/{run_id}/undo",
}
PEOPLE = {
    "GET /person",
    "GET /person/{sealed}",
    "GET /runs/{dag_id}/{run_id}/jobs.csv",
    "GET /accounts/{name}/lists/{key}/members.csv",
    "GET /access",
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
# Whoever may read the DAG of campaigns, which the tests' Airflow has not: test_pages.py.
CAMPAIGNS = {
    "GET /accounts/{name}/campaigns",
    "GET /accounts/{name}/campaigns/{campaign_id}",
    "GET /api/accounts/{name}/campaigns",
}
# A vendor shows that it is itself in its own way: test_events.py.
OF_VENDORS = {"GET /events/{account}/{role}", "POST /events/{account}/{role}"}
ROUTES = sorted(PAGES | PEOPLE | SEARCHES | ACTIONS | CAMPAIGNS)
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
        "key": "newsletter",
        "campaign_id": "71",
    }
    return method, PREFIX + path.format(**values)


def test_no_route_is_forgotten_here(console: FastAPI) -> None:
    assert sorted(routes(console)) == sorted({*ROUTES, *OF_VENDORS})


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


@pytest.mark.parametrize("route", sorted(PEOPLE | SEARCHES))
def test_people_are_seen_with_the_right_to_see_them_alone(
    route: str, client: Client, filled: Filled
) -> None:
    method, path = request_of(route, filled)
    more = {"json": {"address": ANNA}} if "/api/" in route else {"data": {"address": ANNA}}
    for user in ("viewer", "user"):
        answer = client(user, bearer=True).request(
            method, path, **(more if method == "POST" else {})
        )
        assert answer.status_code == 403
        assert "does not let you see" in answer.text
    answer = client("operator", bearer=True).request(
        method, path, **(more if method == "POST" else {})
    )
    assert answer.status_code in (200, 303)


def test_without_the_right_pages_show_what_happened_and_to_nobody(
    client: Client, filled: Filled
) -> None:
    personal = ("berg@", "bo@mail", "carl@", "Bonn", "Köln", "gnail", "@firm")
    place = f"north__marketing_lists/{filled.completed}"
    api = f"{PREFIX}/api/dags/north__marketing_lists/runs/{filled.completed}"
    paths = [f"{PREFIX}/runs/{place}", f"{PREFIX}/runs/{place}/undo", f"{api}/jobs", f"{api}/undo"]
    for path in paths:
        seen, shown = client("operator").get(path).text, client("viewer").get(path).text
        assert [word for word in personal if word in seen] != [], path
        assert [word for word in personal if word in shown] == [], path
        assert "c-1" in shown, "ids tell jobs apart"
        assert "a…@…" in shown
        assert "city" in shown
    assert "/bothways/person" not in client("viewer").get(paths[0]).text
    sealed = tokens().seal(ANNA)
    assert client("viewer").get(f"{paths[0]}?address={sealed}").status_code == 403


def test_the_right_is_one_of_its_own_where_the_auth_manager_knows_rights_by_name(
    client: Client, filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Named:
        """As the FAB auth manager: what nobody was given, nobody has."""

        @staticmethod
        def is_authorized_custom_view(*, method: str, resource_name: str, user: Any) -> bool:
            return (method, resource_name, user.get_id()) == ("GET", "Bothways People", "viewer")

    monkeypatch.setattr(auth, "get_auth_manager", Named)
    user, admin = SimpleNamespace(get_id=lambda: "viewer"), SimpleNamespace(get_id=lambda: "admin")
    assert (auth.may_see_people(user), auth.may_see_access_log(user)) == (True, False)
    assert (auth.may_see_people(admin), auth.may_see_access_log(admin)) == (False, False)


def test_who_looks_at_people_leaves_a_trace(
    client: Client, filled: Filled, filled_store: tuple[str, Filled]
) -> None:
    store = Store(filled_store[0])
    with store.begin() as conn:
        conn.exec_driver_sql("DELETE FROM access_log")
    place = f"north__marketing_lists/{filled.completed}"
    operator, api = client("operator"), f"{PREFIX}/api/dags/north__marketing_lists"
    operator.get(f"{PREFIX}/person/{tokens().seal(ANNA)}")
    operator.get(f"{PREFIX}/person/{tokens().seal('nobody@mail.example')}")
    operator.post(f"{PREFIX}/api/person", json={"address": ANNA})
    operator.get(f"{PREFIX}/runs/{place}")
    operator.get(f"{api}/runs/{filled.completed}/jobs")
    operator.get(f"{PREFIX}/runs/{place}/jobs.csv")
    client("viewer").get(f"{PREFIX}/audit.csv")
    client("viewer").get(f"{PREFIX}/runs/{place}")  # sees nobody
    with store.begin() as conn:
        found = access_log.find(conn, limit=100)
        of_anna = access_log.find(conn, limit=100, record_id="m-1")
    run = ("operator", "jobs", "north", filled.completed, [])
    anna = ("operator", "person", "north", None, ["c-1", "m-1", "s-1"])
    south = ("operator", "person", "south", None, [])  # known by jobs alone
    assert [tuple(row)[2:] for row in reversed(found)] == [
        anna, south, ("operator", "person", "", None, []), anna, south, run, run,
        ("operator", "jobs.csv", "north", filled.completed, []),
        ("viewer", "audit.csv", "", None, []),
    ]  # fmt: skip
    assert len(of_anna) == 2
    assert "mail.example" not in repr(found)
    page = client("admin").get(f"{PREFIX}/access?record=m-1").text
    assert page.count("Looked at a person") == 2
    assert "c-1, m-1, s-1" in page
    with store.begin() as conn:
        assert access_log.forget(conn, account="north", record_ids={"m-1"}) == 2
        assert access_log.find(conn, limit=100, record_id="c-1") == []
        later = datetime.now(UTC) + timedelta(days=366)
    assert prune_access_log(store, now=later - timedelta(days=10)) == 0
    assert prune_access_log(store, now=later) == len(found)
    store.dispose()


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
