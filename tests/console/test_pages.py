"""What each page says, read as a person or a screen reader would."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from bs4 import Tag
from fastapi import FastAPI

from bothways.config.load import all_problems
from bothways.console import queries, undo
from bothways.ledgers import registry
from bothways.ledgers.base import Ledger, Old
from bothways.store import erasures
from bothways.store.db import Store
from bothways.store.erase import Person
from bothways.store.schema import jobs, runs
from bothways.store.showing import Rows
from bothways.vocabulary import RunStatus
from demo.waiting import at_most
from tests.console.conftest import PREFIX, Client, campaigns_of_north, include_folder
from tests.console.filled import ANNA, BUSY, DORA, HOSTILE, OTTO, Filled, ended, job
from tests.console.reading import main_text, rows_of, soup, table
from tests.support.configuration import SHIPPED

RUNS = f"{PREFIX}/runs/north__marketing_lists"


def test_the_overview_has_a_card_per_account_and_a_line_per_sync_type(
    client: Client, filled: Filled
) -> None:
    page = soup(client().get(f"{PREFIX}/"))
    assert [head.get_text(strip=True) for head in page.select(".card h2")] == ["North", "South"]
    lines = {row["Sync type"]: row for row in table(page, "Sync types of north")}
    assert set(lines) == {"Suppressions", "Address books", "Marketing lists"}
    assert lines["Address books"]["Status"] == "Completed"
    assert re.search(r" (now|\d+ min ago)$", lines["Address books"]["Last sync"])
    assert lines["Suppressions"]["Interval and window"].startswith("every hour")
    assert "Monday to Friday 18:00–08:00" in lines["Address books"]["Interval and window"]
    assert lines["Marketing lists"]["Interval and window"] == "Manual only"
    south = {row["Sync type"]: row for row in table(page, "Sync types of south")}
    assert south["Suppressions"]["Status"] == "None"
    assert south["Suppressions"]["Last sync"] == "never"
    assert (
        lines["Suppressions"]["Start"]
        == "Sync now Dry run Only some people Addresses or ids, one a line"
    )


def test_a_run_at_work_stands_beside_the_last_outcome(client: Client, filled: Filled) -> None:
    page = soup(client().get(f"{PREFIX}/"))
    line = next(row for row in table(page, "Sync types of north") if row["Status"] != "Completed")
    assert line["Sync type"] == "Suppressions"
    assert line["Status"] == "Awaiting Approval"
    assert re.search(r" (now|ago), Completed$", line["Last sync"])
    link = page.find("a", href=f"{PREFIX}/runs/north__suppressions/{filled.waiting}")
    assert isinstance(link, Tag)
    assert link.get_text(strip=True) == "Awaiting Approval"


def test_people_can_be_enrolled_into_the_active_programs_of_an_account(
    client: Client, filled: Filled
) -> None:
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session

    dag_id = "north__programs"
    with create_session() as session:
        dag = DagModel(dag_id=dag_id, bundle_name="tests", is_stale=False, is_paused=False)
        session.add(dag)
    try:
        page = soup(client().get(f"{PREFIX}/"))
    finally:
        with create_session() as session:
            session.delete(session.get(DagModel, dag_id))
    offered = page.select("input[name=program]")
    assert [one["id"] for one in offered] == [f"program-{dag_id}"]
    assert [one["value"] for one in page.select(f"#{offered[0]['list']} option")] == ["Welcome"]


def test_the_overview_knows_what_airflow_has_in_hand(client: Client) -> None:
    """A DAG run that has not opened its audit row yet, a schedule, and a switch."""
    later = datetime.now(UTC) + timedelta(hours=3)
    with dag_in_airflow("south__suppressions", next_at=later, run_state="queued"):
        queued = soup(client().get(f"{PREFIX}/"))
    with dag_in_airflow("south__suppressions", run_state="running"):
        running = soup(client().get(f"{PREFIX}/"))
    with dag_in_airflow("south__suppressions", next_at=later, paused=True):
        paused = soup(client().get(f"{PREFIX}/"))
    lines = [
        next(
            row for row in table(page, "Sync types of south") if row["Sync type"] == "Suppressions"
        )
        for page in (queued, running, paused)
    ]
    assert [line["Status"] for line in lines] == ["Queued", "In Progress", "None"]
    assert lines[0]["Next sync"] == f"{later:%Y-%m-%d %H:%M:%S} in 3 h"
    assert [line["Next sync"] for line in lines[1:]] == ["not scheduled", "paused in Airflow"]


def test_a_sync_type_that_follows_another_has_no_time(client: Client) -> None:
    path = include_folder() / "accounts" / "south.yaml"
    path.write_text(path.read_text() + "  marketing_lists: {after: suppressions}\n")
    page = soup(client().get(f"{PREFIX}/"))
    [line] = [
        row
        for row in table(page, "Sync types of south")
        if row["Interval and window"] == "after suppressions"
    ]
    assert line["Next sync"] == "after suppressions"
    assert "after suppressions" in main_text(soup(client().get(f"{PREFIX}/accounts/south")))


def test_an_account_shows_how_far_its_initial_sync_is(client: Client, filled: Filled) -> None:
    """Also as the tab on the DAG's page in Airflow."""
    browser = client()
    page = soup(browser.get(f"{PREFIX}/dags/north__initial_sync", follow_redirects=True))
    lines = {row["Sync type"]: row for row in table(page, "Initial sync")}
    assert next(iter(lines)) == "Suppressions"
    assert lines["Address books"]["Completed"].startswith("run ")
    assert "Suppressions" in lines["Marketing lists"]["Needs"]
    assert re.search(r"\d of \d sync types have completed\.", main_text(page))
    tab = f"{PREFIX}/dags/south__initial_sync/runs/manual__1"
    south = soup(browser.get(tab, follow_redirects=True))
    first = next(row for row in table(south, "Initial sync") if row["Sync type"] == "Suppressions")
    assert (first["Completed"], first["Last run"]) == ("not yet", "none")


def planned(number: int) -> dict[str, Any]:
    return {"target": "crm", "kind": "update", "entity": "contact", "number": number}


@contextmanager
def dag_in_airflow(
    dag_id: str,
    *,
    next_at: datetime | None = None,
    paused: bool = False,
    run_state: str | None = None,
) -> Iterator[None]:
    """The DAG as the scheduler would leave it, for as long as the block lasts."""
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from airflow.utils.types import DagRunType

    with create_session() as session:
        dag = session.get(DagModel, dag_id)
        dag.next_dagrun_create_after, dag.is_paused = next_at, paused
        if run_state:
            session.add(
                DagRun(
                    dag_id=dag_id,
                    run_id="manual__in_hand",
                    run_type=DagRunType.MANUAL,
                    run_after=datetime.now(UTC),
                    state=run_state,
                )
            )
    try:
        yield
    finally:
        with create_session() as session:
            session.query(DagRun).where(DagRun.run_id == "manual__in_hand").delete()
            dag = session.get(DagModel, dag_id)
            dag.next_dagrun_create_after, dag.is_paused = None, False


def test_the_pictures_count_runs_and_records(client: Client, filled: Filled) -> None:
    page = soup(client().get(f"{PREFIX}/"))
    outcomes, records = page.select(".card")[0].select("svg.chart")
    told = [title.get_text() for title in outcomes.find_all("title") if "nothing" not in title.text]
    assert len(told) == 1  # all of it happened today
    assert "Completed With Errors 2" in told[0]
    assert "Failed 1" in told[0]
    assert "Dry Run 1" in told[0]
    (told_records,) = [t.text for t in records.find_all("title") if "nothing" not in t.text]
    assert "Created 1," in told_records
    assert "Removed from a list 1," in told_records
    assert len(outcomes.find_all("g")) == len(records.find_all("g")) == 30
    assert outcomes["aria-label"] == (
        "Outcomes of the last 30 days, account north: Completed 2, Completed With Errors 2, "
        "Failed 1, Dry Run 1, Awaiting Approval 1, In Progress 1"
    )
    link = page.find("a", string="Failed")
    assert isinstance(link, Tag)
    failed = table(soup(client().get(str(link["href"]))), "Runs")
    assert [(row["Account"], row["Status"]) for row in failed] == [("north", "Failed")]


def test_the_audit_lists_runs_newest_first(client: Client, filled: Filled) -> None:
    page = soup(client().get(f"{PREFIX}/audit"))
    rows = table(page, "Runs")
    numbers = [int(row["Run"]) for row in rows]
    assert numbers == sorted(numbers, reverse=True)
    run = next(row for row in rows if row["Run"] == str(filled.completed))
    assert run["Sync type"] == "Marketing lists"
    assert run["Account"] == "north"
    assert run["Status"] == "Completed With Errors"
    assert run["Submitted by"] == "ada"
    assert run["Result"] == (
        "1 person created 1 updated 1 added to a list "
        "1 removed from a list 1 suppressed 1 unchanged 1 duplicate 2 ignored 1 error"
    )


@pytest.mark.parametrize(
    ("query", "statuses"),
    [
        ("status=Failed", {"Failed"}),
        ("status=Failed&status=Dry+Run", {"Failed", "Dry Run"}),
        ("account=south", {"Completed", "Dry Run", "In Progress"}),
        ("sync_type=suppressions", {"Completed", "Awaiting Approval"}),
        ("from=2020-01-01&to=2020-02-01", set()),
        ("from=2999-01-01", set()),
        ("account=south&status=Failed", set()),
        ("account=&status=&from=&to=", None),
    ],
)
def test_the_audit_is_searched_by_its_url(
    query: str, statuses: set[str] | None, client: Client
) -> None:
    page = soup(client().get(f"{PREFIX}/audit?{query}"))
    if statuses is None:
        assert len(table(page, "Runs")) == 16
    elif statuses:
        assert {row["Status"] for row in table(page, "Runs")} == statuses
    else:
        assert "No run matches" in main_text(page)


def test_the_audit_is_searched_to_the_minute(client: Client, filled: Filled) -> None:
    browser = client()
    page = soup(browser.get(f"{PREFIX}/audit"))
    run = next(row for row in table(page, "Runs") if row["Run"] == str(filled.south))
    day, minute = run["Started"][:10], run["Started"][11:16]
    here = f"from={day}&from_time={minute}&to={day}&to_time={minute}"
    page = soup(browser.get(f"{PREFIX}/audit?{here}"))
    assert run in table(page, "Runs")
    assert [page.find("input", id=name)["value"] for name in ("from", "from_time")] == [day, minute]  # type: ignore[index]
    earlier = (datetime.fromisoformat(f"{day}T{minute}") - timedelta(minutes=5)).isoformat()
    before = f"to={earlier[:10]}&to_time={earlier[11:16]}"
    assert "No run matches" in main_text(soup(browser.get(f"{PREFIX}/audit?{before}")))


def test_a_view_of_several_statuses_shows_all_of_them_as_chosen(client: Client) -> None:
    page = soup(client().get(f"{PREFIX}/audit?status=Failed&status=Dry+Run"))
    field = page.find("select", id="status")
    assert isinstance(field, Tag)
    assert field.has_attr("multiple")
    assert [option["value"] for option in field.select("option[selected]")] == ["Failed", "Dry Run"]


def test_the_audit_is_sorted_by_a_click_and_says_so(client: Client) -> None:
    browser = client()
    page = soup(browser.get(f"{PREFIX}/audit"))
    column = page.select_one("thead a[href*='order=account']")
    for direction in ("ascending", "descending"):
        assert column is not None
        page = soup(browser.get(f"{PREFIX}/audit{column['href']}"))
        accounts = [row["Account"] for row in table(page, "Runs")]
        assert accounts == sorted(accounts, reverse=direction == "descending")
        head = page.find("th", attrs={"aria-sort": direction})
        assert isinstance(head, Tag)
        column = head.a


def test_the_audit_downloads_as_the_view_that_is_shown(client: Client, filled: Filled) -> None:
    browser = client()
    page = soup(browser.get(f"{PREFIX}/audit?account=north&status=Completed+With+Errors"))
    link = page.find("a", string="Download as CSV")
    assert isinstance(link, Tag)
    answer = browser.get(str(link["href"]))
    assert answer.headers["content-type"].startswith("text/csv")
    rows = rows_of(answer.text)
    assert {row["status"] for row in rows} == {"Completed With Errors"}
    run = next(row for row in rows if row["run_id"] == str(filled.completed))
    assert (run["total"], run["new"], run["ignored"], run["errors"]) == ("11", "2", "2", "1")


def test_a_run_shows_what_it_did_job_by_job(client: Client, filled: Filled) -> None:
    page = soup(client().get(f"{RUNS}/{filled.completed}"))
    jobs = table(page, "Jobs")
    assert len(jobs) == 11
    verdicts = [job["Sync status"].split()[0] for job in jobs]
    assert verdicts == ["Success"] * 6 + ["Ignored"] * 3 + ["Success", "Error"]
    first = jobs[0]
    assert first["Entity type"] == "Contact"
    assert first["Sync status"] == "Success Updated"
    assert first["Source system"] == "Dotdigital m-1"
    assert first["Person and key"] == f"{ANNA} c-1"
    assert first["What changed"] == (
        "Update in Dynamics 365 list newsletter city Bonn becomes Köln note =1+1 becomes empty"
    )
    assert first["Reason or error"] == (
        "Changed in both systems; resolved by your conflict rule: city"
    )
    assert first["Submitted"].endswith("by ada")
    assert first["Processed"]
    assert jobs[5]["Person and key"] == f"{ANNA} c-5 key north-7"
    assert "Shared mailbox" in jobs[6]["Reason or error"]
    assert jobs[10]["Reason or error"] == f"=HYPERLINK(0) {HOSTILE} E1 Try again"
    bar = page.select_one("svg.shares")
    assert bar is not None
    assert {title.text for title in bar.find_all("title")} == {
        "New: 2", "Updated: 2", "Removed: 2", "Unchanged: 1", "Duplicate: 1", "Ignored: 2",
        "Errors: 1",
    }  # fmt: skip
    assert bar["aria-label"] == (
        "All jobs: New 2, Updated 2, Removed 2, Unchanged 1, Duplicate 1, Ignored 2, Errors 1"
    )
    assert "Passed" in main_text(page)
    assert "the list's own word" in table(page, "Lists")[0]["Message"]
    assert "the form's own word" in table(page, "Forms")[0]["Message"]
    airflow = page.find("a", string="DAG run and logs")
    assert isinstance(airflow, Tag)
    run = "/dags/north__marketing_lists/runs/manual__completed"
    assert airflow["href"] == run
    logs = {step: page.find("a", string=step)["href"] for step in ("open", "plan", "close")}  # type: ignore[index]
    assert logs == {
        "open": f"{run}/tasks/open",
        "plan": f"{run}/tasks/plan/mapped",
        "close": f"{run}/tasks/close",
    }


def test_the_steps_whose_logs_are_linked_are_those_of_the_dags(client: Client) -> None:
    from bothways.config.load import load_account
    from bothways.console import dags
    from bothways.orchestration.builder import build_dag
    from bothways.orchestration.erase import build_erase

    client()  # with the accounts of the test
    account = load_account("north")
    for dag in (build_dag(account, "suppressions", ""), build_erase(account, "")):
        linked = dags.log_paths(dag.dag_id, "x")
        assert {name: path.endswith("/mapped") for name, path in linked} == {
            task.task_id: task.is_mapped for task in dag.tasks
        }


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("result=ignored", 2),
        ("result=ignored&reason=role", 1),
        ("result=error", 1),
        ("entity=contact", 11),
        ("entity=lead", 0),
        ("list=newsletter", 11),
        ("list=another", 0),
        ("reason=bounced", 1),
    ],
)
def test_jobs_are_filtered_by_the_url_and_in_the_download(
    query: str, number: int, client: Client, filled: Filled
) -> None:
    browser = client()
    page = soup(browser.get(f"{RUNS}/{filled.completed}?{query}"))
    if number:
        assert len(table(page, "Jobs")) == number
    else:
        assert "No job matches" in main_text(page)
    answer = browser.get(f"{RUNS}/{filled.completed}/jobs.csv?{query}")
    rows = rows_of(answer.text)
    assert len(rows) == number
    for row in rows:
        assert row["submitted_by"]
        told = {"error": "Error", "ignored": "Ignored", "duplicate": "Ignored"}
        assert row["status"] == told.get(row["result"], "Success")


def test_jobs_are_searched_by_address_which_no_url_shows(client: Client, filled: Filled) -> None:
    browser = client()
    answer = browser.post(f"{RUNS}/{filled.completed}/search", data={"address": " ANNA.b"})
    assert answer.status_code == 303
    assert "anna" not in answer.headers["location"].lower()
    page = soup(browser.get(answer.headers["location"]))
    assert {job["Person and key"].split()[0] for job in table(page, "Jobs")} == {
        ANNA, "anna.berg@gnail.example",
    }  # fmt: skip
    field = page.find("input", id="address")
    assert isinstance(field, Tag)
    assert field["value"] == "ANNA.b"


def test_a_search_of_jobs_stays_at_the_jobs(client: Client, filled: Filled) -> None:
    answer = client().post(f"{RUNS}/{filled.completed}/search", data={"address": "anna"})
    assert answer.headers["location"].endswith("#jobs")


@pytest.mark.parametrize(
    ("run", "guard", "told"),
    [
        ("begun", None, "In Progress: reading both systems"),
        ("working", None, "In Progress: planning, 2 records so far"),
        (
            "working",
            {"passed": True, "message": "", "planned": [planned(5)]},
            "In Progress: 4 of 5 changes written",
        ),
    ],
)
def test_progress_says_what_a_run_is_at(
    *,
    run: str,
    guard: Any,
    told: str,
    client: Client,
    filled: Filled,
    console: FastAPI,
    alive: None,
) -> None:
    number = getattr(filled, run)
    dag = "south__address_books" if run == "begun" else "north__marketing_lists"
    browser = client()
    with guard_of(console, number, guard):
        for path in ("", "/progress"):
            page = soup(browser.get(f"{PREFIX}/runs/{dag}/{number}{path}"))
            assert page.find("label", attrs={"for": "progress"}).get_text(strip=True) == told  # type: ignore[union-attr]


@contextmanager
def guard_of(console: FastAPI, run_id: int, guard: Any) -> Iterator[None]:
    """Give a run a verdict of the guard, for as long as the block lasts."""
    store = Store(console.state.store_url())
    change = sa.update(runs).where(runs.c.run_id == run_id)
    with store.begin() as conn:
        conn.execute(change.values(guard=guard or sa.null()))
    yield
    with store.begin() as conn:
        conn.execute(change.values(guard=sa.null()))
    store.dispose()


@pytest.mark.parametrize(
    ("cookie", "zone"),
    [
        ("America%2FNew_York", "America/New_York"),
        ("Asia/Kathmandu", "Asia/Kathmandu"),
        ("", "UTC"),
        ("Mars%2FBase", "UTC"),
        ("..%2F..%2Fetc%2Fpasswd", "UTC"),
    ],
)
def test_times_are_in_the_zone_of_the_browser_and_say_so(
    cookie: str, zone: str, client: Client, filled: Filled
) -> None:
    browser = client()
    if cookie:
        browser.cookies.set("bothways_zone", cookie)
    page = soup(browser.get(f"{PREFIX}/audit"))
    assert f"Times are in {zone}." in page.get_text()
    moment = page.select("time")[0]
    at = datetime.fromisoformat(str(moment["datetime"])).astimezone(ZoneInfo(zone))
    assert " ".join(moment.get_text(" ", strip=True).split()) == f"{at:%Y-%m-%d %H:%M:%S}"
    assert moment["title"] == zone
    here = f"from={at:%Y-%m-%d}&from_time={at:%H:%M}&to={at:%Y-%m-%d}&to_time={at:%H:%M}"
    found = soup(browser.get(f"{PREFIX}/audit?{here}&zone={zone}"))
    assert f"{at:%Y-%m-%d} {at:%H:%M:%S}" in {row["Started"] for row in table(found, "Runs")}
    page = soup(browser.get(f"{PREFIX}/"))
    days = page.select(".days")[0].get_text(" ", strip=True)
    today = datetime.now(ZoneInfo(zone))
    assert days.endswith(f"{today.day} {today:%b}")


def test_a_url_with_times_means_the_same_in_every_zone(client: Client, filled: Filled) -> None:
    browser = client()
    browser.cookies.set("bothways_zone", "Asia/Tokyo")
    page = soup(browser.get(f"{PREFIX}/audit?from=2026-01-01&zone=America/New_York"))
    assert "Started from (America/New_York)" in main_text(page)
    field = page.find("input", attrs={"name": "zone"})
    assert isinstance(field, Tag)
    assert field["value"] == "America/New_York"


def test_the_address_without_its_last_slash_leads_to_the_console(client: Client) -> None:
    answer = client().get(f"{PREFIX}?a=b")
    assert (answer.status_code, answer.headers["location"]) == (307, f"{PREFIX}/?a=b")


def test_a_bad_date_keeps_the_form(client: Client) -> None:
    query = "from=2026-02-02&to=2026-02-31&account=south&status=Failed"
    page = soup(client().get(f"{PREFIX}/audit?{query}"), 400)
    assert page.find("input", id="from")["value"] == "2026-02-02"  # type: ignore[index]
    chosen = {option["value"] for option in page.select("option[selected]")}
    assert chosen == {"south", "Failed"}
    assert page.find(attrs={"role": "alert"})


def test_an_unknown_account_is_said_and_stays_chosen(client: Client) -> None:
    page = soup(client().get(f"{PREFIX}/audit?account=nope"))
    assert "The audit has no run of account “nope”." in main_text(page)
    assert [option["value"] for option in page.select("option[selected]")] == ["nope"]


def test_the_audit_marks_undone_runs_undos_and_parts(client: Client, filled: Filled) -> None:
    rows = table(soup(client().get(f"{PREFIX}/audit?account=south")), "Runs")
    marks = {int(row["Run"]): row["Sync type"] for row in rows}
    assert marks[filled.taken_back] == f"Marketing lists Undone by run {filled.undo}"
    undo = f"Marketing lists Undo of run {filled.taken_back} Only list newsletter"
    assert marks[filled.undo] == undo
    assert marks[filled.south] == "Marketing lists"


def test_what_was_undone_is_not_offered_again(client: Client, filled: Filled) -> None:
    browser = client()
    here = f"{PREFIX}/runs/south__marketing_lists/{filled.taken_back}"
    run = soup(browser.get(here))
    assert not run.find("a", string="Undo …")
    page = soup(browser.get(f"{here}/undo"))
    text = main_text(page)
    assert f"Run {filled.undo} undid this run (Completed)." in text
    assert "Nothing is left to undo." in text
    assert not page.select("form")
    writes = [row["Undo would do"] for row in table(page, "Operations")]
    assert writes == ["Already undone.", "Not undone: people are never deleted."]
    assert "Would be undone" not in text


@pytest.mark.parametrize(("changes", "offered"), [({"new": 1}, True), ({}, False)])
def test_a_run_that_wrote_nothing_offers_neither_undo_nor_apply(
    changes: dict[str, int], *, offered: bool
) -> None:
    """A dry run without changes and a verify that repaired nothing are such runs."""
    run: Any = SimpleNamespace(
        sync_type="verify",
        status="Completed",
        dry_run=False,
        guard={"passed": True},
        counts={"unchanged": 5, "ignored": {"role": 2}, **changes},
    )
    assert undo.has_writes(run) is offered
    assert undo.can_undo(run) is offered


def test_a_dry_run_that_was_applied_cannot_be_applied_again(client: Client, filled: Filled) -> None:
    page = soup(client().get(f"{PREFIX}/runs/south__marketing_lists/{filled.applied}"))
    assert not page.find("button", string="Apply")
    told = f"Run {filled.applied + 1} has since been started with the same choices (Completed)."
    assert told in main_text(page)
    assert page.find("a", href=f"{PREFIX}/runs/south__marketing_lists/{filled.applied + 1}")


def test_what_is_no_beginning_of_an_address_is_refused(client: Client, filled: Filled) -> None:
    """All jobs would look like what was found."""
    browser = client()
    answer = browser.post(f"{RUNS}/{filled.completed}/search", data={"address": "<>"})
    page = soup(browser.get(answer.headers["location"]), 400)
    assert "No address begins with “<>”" in main_text(page)


def test_all_jobs_are_reached_page_by_page_and_back(client: Client, filled: Filled) -> None:
    browser = client()
    url = f"{PREFIX}/runs/north__address_books/{filled.many}"
    seen: list[str] = []
    pages = 0
    for _ in at_most(100, "the last page of jobs"):
        page = soup(browser.get(url))
        pages += 1
        seen += [job["Person and key"].split()[0] for job in table(page, "Jobs")]
        following = page.find("a", rel="next")
        if not isinstance(following, Tag):
            break
        url = str(following["href"]).split("#")[0]
    assert pages == 3
    assert seen == [f"p{number}@many.example" for number in range(130)]
    back = page.find("a", rel="prev")
    assert isinstance(back, Tag)
    page = soup(browser.get(str(back["href"])))
    assert [job["Person and key"].split()[0] for job in table(page, "Jobs")] == seen[50:100]


def test_the_tab_of_a_dag_run_is_its_run(client: Client, filled: Filled) -> None:
    browser = client()
    tab = soup(browser.get(f"{PREFIX}/dags/north__marketing_lists/runs/manual__completed"))
    assert f"run {filled.completed} of north" in main_text(tab)
    rows = table(soup(browser.get(f"{PREFIX}/dags/north__address_books")), "Runs")
    assert [row["Run"] for row in rows] == [str(filled.many)]
    whole = browser.get(f"{PREFIX}/dags/north__address_books/audit.csv")
    assert [row["run_id"] for row in rows_of(whole.text)] == [str(filled.many)]


@pytest.mark.parametrize("place", ["", "/runs/manual__1", "/audit.csv"])
def test_the_tab_of_a_dag_that_syncs_nothing_says_so(place: str, client: Client) -> None:
    """Airflow shows the tab on every DAG, that of maintenance too."""
    page = soup(client().get(f"{PREFIX}/dags/bothways_maintenance{place}"), 404)
    assert "This DAG is not a sync" in main_text(page)


def test_a_run_that_died_is_not_in_progress(client: Client, filled: Filled) -> None:
    browser = client()
    page = soup(browser.get(f"{RUNS}/{filled.working}"))
    assert "The run died before its last step" in main_text(page)
    assert page.find("progress") is None
    overview = soup(browser.get(f"{PREFIX}/"))
    (line,) = (
        row
        for row in table(overview, "Sync types of north")
        if row["Sync type"] == "Marketing lists"
    )
    assert line["Status"].startswith("Failed")


def test_a_run_at_work_says_how_far_it_is(client: Client, filled: Filled, alive: None) -> None:
    browser = client()
    page = soup(browser.get(f"{RUNS}/{filled.working}"))
    assert "In Progress: planning, 2 records so far" in main_text(page)
    bar = page.select_one(".progress")
    assert bar is not None
    part = browser.get(str(bar["data-refresh"]))
    assert 'data-state="In Progress"' in part.text
    assert "<html" not in part.text
    assert "Unchanged 1 Planned 1 Total 2" in main_text(page)


def test_who_decides_sees_what_would_be_written(client: Client, filled: Filled) -> None:
    page = soup(client().get(f"{PREFIX}/runs/north__suppressions/{filled.waiting}"))
    text = main_text(page)
    assert "The plan is over the safety limits: 9 removals planned." in text
    assert "Remove from list 9 × contact in Dynamics 365" in text
    assert "Awaiting Approval: 1 change waits for a decision" in text
    (job,) = table(page, "Jobs")
    assert job["Sync status"] == "Planned Removed"
    assert job["What changed"] == "Remove from list in Dynamics 365 list newsletter"


@pytest.mark.parametrize(
    ("which", "dag", "button"),
    [
        ("waiting", "north__suppressions", "Approve"),
        ("waiting", "north__suppressions", "Reject"),
        ("dry", "north__marketing_lists", "Apply"),
        ("completed", "north__marketing_lists", "Undo …"),
    ],
)
def test_a_run_offers_what_can_be_done_with_it(
    which: str, dag: str, button: str, client: Client, filled: Filled
) -> None:
    page = soup(client("user").get(f"{PREFIX}/runs/{dag}/{getattr(filled, which)}"))
    assert page.find(["button", "a"], string=button)
    others = {"Approve", "Reject", "Apply", "Undo …"} - {"Approve", "Reject"}
    for other in others - {button}:
        assert not page.find(["button", "a"], string=other)


def test_undo_shows_what_it_would_write_and_what_stays(client: Client, filled: Filled) -> None:
    page = soup(client().get(f"{RUNS}/{filled.completed}/undo"))
    rows = table(page, "Operations")
    writes = [row["Undo would do"] for row in rows]
    assert writes[0] == "city Köln becomes Bonn note empty becomes =1+1"
    assert writes[1] == "Remove from list newsletter"
    assert writes[2] == writes[4] == "Not undone: opt-outs are never reversed."
    assert writes[3] == "Add to list newsletter"
    assert writes[5] == "Not undone: people are never deleted."
    assert len(rows) == 6
    assert page.find("button", string=f"Undo run {filled.completed}")
    page = soup(client().get(f"{RUNS}/{filled.completed}/undo?only=back"))
    written = [row["Undo would do"] for row in table(page, "Operations")]
    assert written == [writes[0], writes[1], writes[3]]


def test_undo_promises_what_the_undo_run_does() -> None:
    pass


def test_a_person_is_found_however_the_address_is_typed(client: Client) -> None:
    browser = client()
    for typed in (ANNA, " Anna.BERG@mail.example ", f"mailto:{ANNA}", f"<{ANNA}>"):
        answer = browser.post(f"{PREFIX}/person", data={"address": typed})
        assert "anna" not in answer.headers["location"].lower()
        page = soup(browser.get(answer.headers["location"]))
        assert "in account north" in main_text(page)


def test_the_page_of_a_person_names_the_audience_that_a_contact_is_of(
    client: Client, console: FastAPI
) -> None:
    store = Store(console.state.store_url())
    change = "UPDATE {} SET scope = :scope WHERE account = 'north' AND {} = 'm-1'"
    try:
        for scope, told in (("list-marketing", "Newsletter"), ("elsewhere", "elsewhere")):
            with store.begin() as conn:
                conn.execute(sa.text(change.format("records", "id")), {"scope": scope})
                conn.execute(sa.text(change.format("links", "marketing_id")), {"scope": scope})
            found = client().post(f"{PREFIX}/person", data={"address": ANNA}).headers["location"]
            page = soup(client().get(found))
            systems = [row["System"] for row in table(page, "Records")]
            assert systems == ["Dynamics 365", f"Dotdigital, audience {told}"]
            assert f"is contact m-1 in Dotdigital, audience {told}, since" in main_text(page)
    finally:
        with store.begin() as conn:
            conn.execute(sa.text(change.format("records", "id")), {"scope": ""})
            conn.execute(sa.text(change.format("links", "marketing_id")), {"scope": ""})
        store.dispose()


def test_a_person_is_everything_that_is_known_of_them(client: Client, filled: Filled) -> None:
    browser = client()
    found = browser.post(f"{PREFIX}/person", data={"address": ANNA}).headers["location"]
    page = soup(browser.get(found))
    text = main_text(page)
    assert [row["Record"] for row in table(page, "Records")] == ["c-1", "m-1"]
    assert "Contact c-1 in Dynamics 365 is contact m-1 in Dotdigital" in text
    assert "Newsletter in Dynamics 365" in text
    assert "Last in sync: on list newsletter" in text
    assert "No: unsubscribed (Dotdigital, 3 May 2026: “Unsubscribed”)." in text
    assert f"Marketing lists run {filled.completed} of" in text
    assert (
        "skipped this person on list newsletter: duplicate address; another record is used "
        "instead. Later runs did not." in text
    )
    assert "Waiting to be tried again" in text
    assert "the vendor's own words" in text
    jobs = table(page, "Jobs")
    numbers = [int(job["Run"].split()[0]) for job in jobs]
    assert numbers == sorted(numbers, reverse=True)
    assert filled.completed in numbers


class _Visits(Ledger):
    """A ledger that the page has no place for."""

    def whose(self, person: Person) -> dict[sa.Table, sa.ColumnElement[bool]]:
        return {}

    def prune(self, conn: sa.Connection, old: Old) -> dict[str, int]:
        return {}

    def show(self, conn: sa.Connection, person: Person) -> dict[str, Rows]:
        seen = sa.literal(datetime(2026, 5, 3, tzinfo=UTC)).label("seen_at")
        who = sa.literal(" ".join(sorted(person.crm))).label("record")
        return {"page_visits": conn.execute(sa.select(who, seen)).all()}


def test_what_another_ledger_keeps_of_a_person_is_a_table_of_its_own(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "LEDGERS", [*registry.LEDGERS, _Visits()])
    browser = client()
    found = browser.post(f"{PREFIX}/person", data={"address": ANNA}).headers["location"]
    (row,) = table(soup(browser.get(found)), "Page visits")
    assert row["Record"] == "c-1"
    assert row["Seen at"].startswith("2026-05-03")
    asked = {"address": ANNA, "account": "north"}
    (told,) = browser.post(f"{PREFIX}/api/person", json=asked).json()
    assert told["more"]["page_visits"][0]["record"] == "c-1"


def test_a_suppression_says_who_told_it_and_whether_both_systems_have_it(client: Client) -> None:
    browser = client()
    states, said = {}, {}
    for address in (ANNA, DORA, OTTO):
        found = browser.post(f"{PREFIX}/person", data={"address": address}).headers["location"]
        rows = table(soup(browser.get(found)), "Suppressions")
        states[address] = [row["State"] for row in rows]
        said[address] = " ".join(f"{row['For']} {row['Reason']}" for row in rows)
    assert len(states[ANNA]) == 2
    assert all(state.startswith("in force; both systems have it") for state in states[ANNA])
    assert states[DORA] == ["in force; not in the other system yet"]
    assert states[OTTO] == [
        "in force; recorded by another account, and not shared with this one yet"
    ]
    assert "from Dotdigital (North)" in said[ANNA]
    assert "audience Newsletter" in said[DORA]


def test_every_job_of_a_person_is_reached_newest_first(client: Client, filled: Filled) -> None:
    browser = client()
    url = browser.post(f"{PREFIX}/person", data={"address": BUSY}).headers["location"]
    seen: list[str] = []
    pages = 0
    for _ in at_most(100, "the last page of jobs"):
        page = soup(browser.get(url))
        pages += 1
        seen += [job["Run"].split()[0] for job in table(page, "Jobs")]
        older = page.find("a", string="Older jobs")
        if not isinstance(older, Tag):
            break
        url = url.split("?")[0] + str(older["href"])
    assert pages == 2
    first, second = filled.busy
    assert seen == [str(second)] * 70 + [str(first)] * 60
    assert page.find("a", string="Newest")
    beyond = soup(browser.get(url.split("?")[0] + "?account=south&run=1&seq=1"), 404)
    assert "This person has no older jobs." in main_text(beyond)


def test_an_account_shows_what_is_in_force_and_its_file(client: Client) -> None:
    page = soup(client().get(f"{PREFIX}/accounts/north"))
    text = main_text(page)
    assert "From accounts/north.yaml" in text
    assert "removals_percent 10" in text
    assert "parallel 5" in text  # a default, which the file does not name
    assert "every 4 hours, Monday to Friday 18:00–08:00 (Europe/London)" in text
    lists = {row["Key"]: row for row in table(page, "Lists")}
    assert lists["webinar_guests"]["New people"].endswith("a missing list is created")
    assert "mappings/dynamics_dotdigital/contact.yaml" in text
    assert table(page, "Fields of contact")


def test_mapped_users_lead_to_their_pages_from_the_account_and_their_runs(
    client: Client, filled: Filled
) -> None:
    page, address = "https://crm.example/users/ada", "ada@contoso.example"
    file = include_folder() / "accounts" / "north.yaml"
    user = f"{{user: {address}, page: '{page}'}}"
    users = f"default: true\nusers: {{ada: {{crm: {user}, marketing: ada}}}}\n"
    file.write_text(f"{file.read_text()}{users}", encoding="utf-8")
    browser = client()
    (row,) = table(soup(browser.get(f"{PREFIX}/accounts/north")), "Users")
    assert row == {"Airflow": "ada", "Dynamics 365": address, "Dotdigital": "ada"}
    assert "North default" in main_text(soup(browser.get(f"{PREFIX}/accounts")))
    shown = soup(browser.get(f"{RUNS}/{filled.completed}"))
    (link,) = [item for item in shown.select("a") if item.get_text(strip=True) == address]
    assert link["href"] == page
    assert f"by ada, {address} in Dynamics 365 , ada in Dotdigital" in main_text(shown)


def test_an_account_shows_the_data_labels_and_programs_that_runs_have_found(
    client: Client, filled: Filled
) -> None:
    page = soup(client().get(f"{PREFIX}/accounts/north"))
    (program,) = table(page, "Programs of Dotdigital")
    assert program == {"Name": "Welcome", "Id": "5", "Details": "status active"}
    (field,) = table(page, "Data fields of Dotdigital")
    assert field["Details"] == "type string visibility private"
    assert "Dotdigital: programs (1)" in main_text(page)


def test_campaigns_are_listed_with_their_rates_the_newest_first(
    client: Client, filled: Filled
) -> None:
    place = f"{PREFIX}/accounts/north/campaigns"
    assert client().get(place).status_code == 404, "its DAG may not be read"
    with campaigns_of_north():
        browser = client()
        assert f'href="{place}"' in browser.get(f"{PREFIX}/accounts/north").text
        rows = table(soup(browser.get(place)), "Campaigns")
        assert browser.get(f"{place}/99").status_code == 404
        page = soup(browser.get(place))
    assert [row["Name"] for row in rows] == [f"Spring {HOSTILE}", "Winter"]
    assert "Sent 1 200 Delivered 1 000 Opened 412" in main_text(page)
    assert "Open rate 41.20 % Click rate 3.10 %" in main_text(page)
    (spring,) = (title for title in page.select("svg.chart title"))
    assert spring.text == f"Spring {HOSTILE}: Open rate 41.20 %, Click rate 3.10 %"
    spring, winter = rows
    assert (spring["Sent on"], spring["Sent to"]) == ("2026-03-02 09:30:00", "Newsletter")
    assert (spring["Delivered"], spring["Open rate"], spring["Click rate"]) == (
        "1 000",
        "41.20 %",
        "3.10 %",
    )
    assert (winter["Delivered"], winter["Open rate"]) == ("", "")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", spring["Last synced"])


def test_a_campaign_shows_its_figures_as_a_chart_and_can_be_synced_alone(
    client: Client, filled: Filled
) -> None:
    with campaigns_of_north():
        page = soup(client().get(f"{PREFIX}/accounts/north/campaigns/71"))
    chart = page.find("svg", class_="bars")
    assert isinstance(chart, Tag)
    told = "sent 1200, delivered 1000, opened 412, clicked 31, bounced 200, unsubscribed 4"
    assert chart["aria-label"] == f"Campaign Spring {HOSTILE}: {told}"
    widths = [float(str(bar["width"])) for bar in chart.find_all("rect")]
    assert widths == [1000, 833.33, 343.33, 25.83, 166.67, 3.33]
    text = main_text(page)
    assert "Open rate 41.20 % 40.00 % by Dotdigital Click rate 3.10 %" in text
    (run,) = table(page, "Runs")
    assert (run["Run"], run["Message"]) == (f"Run {filled.completed}", "2 clicks")
    assert page.select_one("input[name=campaign]")["value"] == "71"


def test_a_broken_account_says_what_is_wrong_and_where(client: Client) -> None:
    (include_folder() / "accounts" / "south.yaml").write_text("crm: {conector: dynamics}\n")
    browser = client()
    for path in ("/accounts", "/accounts/south"):
        text = main_text(soup(browser.get(PREFIX + path)))
        assert "accounts/south.yaml:1" in text
        assert "did you mean" in text
    overview = main_text(soup(browser.get(f"{PREFIX}/")))
    assert "Account south is stopped: its file has problems." in overview
    assert "North" in overview


def test_what_check_finds_in_files_that_all_accounts_share_is_shown(client: Client) -> None:
    browser = client()
    (include_folder() / "mappings").unlink()
    shutil.copytree(SHIPPED / "mappings", include_folder() / "mappings")
    (include_folder() / "mappings" / "role_addresses.txt").write_text("not an entry\n")
    (include_folder() / "mappings" / "unused.yaml").write_text("entity: person\n")
    everything = main_text(soup(browser.get(f"{PREFIX}/accounts")))
    assert "mappings/role_addresses.txt:1" in everything
    assert "mappings/unused.yaml:1" in everything
    assert {f"{item.file}:{item.line}" for item in all_problems()} <= set(everything.split())
    account = main_text(soup(browser.get(f"{PREFIX}/accounts/north")))
    assert "mappings/role_addresses.txt:1" in account
    assert "finds no problems" not in account


def test_a_mapping_that_is_not_there_is_said(client: Client) -> None:
    path = include_folder() / "accounts" / "south.yaml"
    path.write_text(path.read_text().replace("contact.yaml", "nowhere.yaml"))
    text = main_text(soup(client().get(f"{PREFIX}/accounts/south")))
    assert "nowhere.yaml" in text
    assert "None of the account's settings are in force" in text


def test_every_value_is_escaped(client: Client, filled: Filled) -> None:
    """One hostile text in every place that somebody outside can write to."""
    browser = client()
    pages = ["/audit", f"/runs/north__marketing_lists/{filled.completed}",
             f"/runs/north__marketing_lists/{filled.completed}/undo"]  # fmt: skip
    for path in pages:
        page = soup(browser.get(PREFIX + path))
        assert all(script.get("src") for script in page.find_all("script"))
        assert "&49" not in main_text(page)  # what {{7*7}} would become
    assert HOSTILE in main_text(soup(browser.get(f"{PREFIX}/audit")))
    text = main_text(soup(browser.get(f"{RUNS}/{filled.completed}")))
    assert f"=HYPERLINK(0) {HOSTILE}" in text
    assert f"Newsletter {HOSTILE}" in text
    location = browser.post(f"{PREFIX}/person", data={"address": HOSTILE}).headers["location"]
    page = soup(browser.get(location), 404)
    assert HOSTILE in main_text(page)
    assert not page.select("script:not([src])")
    for path in (f"/audit?status={HOSTILE}", f"/audit?order={HOSTILE}", f"/audit?from={HOSTILE}"):
        assert not soup(browser.get(PREFIX + path), 400).select("script:not([src])")


def test_no_cell_of_a_download_is_a_formula(client: Client, filled: Filled) -> None:
    browser = client()
    jobs = rows_of(browser.get(f"{RUNS}/{filled.completed}/jobs.csv").text)
    assert jobs[-1]["error_message"] == f"'=HYPERLINK(0) {HOSTILE}"
    runs = rows_of(browser.get(f"{PREFIX}/audit.csv").text)
    for row in (*jobs, *runs):
        assert not any(value.lstrip(" ")[:1] in "=+-@\t\r" for value in row.values() if value)


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/audit?from=yesterday", 400, "“From” is not a date; use the form 2026-01-31."),
        ("/audit?to=2026-02-31", 400, "“To” is not a date"),
        ("/audit?to=2026-02-01T10:00", 400, "“To” is not a date"),
        ("/audit?to=9999-12-31", 400, "“To” is not a date"),
        ("/audit?from=2026-02-02&to=2026-02-01", 400, "Start is after end"),
        ("/audit?from=2026-02-02&from_time=noon", 400, "“From” is not a time of day"),
        ("/audit?to_time=10:00", 400, "“To” has a time but no date"),
        ("/audit?status=Done", 400, "There is no status “Done”"),
        ("/audit?order=secret", 400, "cannot be sorted by “secret”"),
        ("/audit?page=2", 404, "There is no page 2; this view has 1."),
        ("/audit?page=999999", 404, "There is no page 999999"),
        ("/audit?page=-1", 400, "“page” is not a valid number"),
        ("/audit?page=99999999999999999999", 400, "“page” is not a valid number"),
        ("/audit?account=%00", 400, "contains an invalid character"),
        ("/runs/north__marketing_lists/987654", 404, "No such run"),
        ("/runs/north__marketing_lists/abc", 404, "No such run"),
        ("/runs/north__marketing_lists/99999999999999999999", 404, "No such run"),
        ("/runs/north__marketing_lists/-1", 404, "No such run"),
        ("/dags/nowhere", 404, "This DAG is not a sync"),
        ("/dags/north__suppressions?page=9", 404, "There is no page 9"),
        ("/runs/nowhere/1", 404, "No such run"),
        ("/runs/north__marketing_lists/3?result=great", 400, "There is no result “great”"),
        ("/runs/north__marketing_lists/3?address=x", 400, "This link has expired"),
        ("/runs/north__marketing_lists/3?after=x", 400, "“after” is not a valid number"),
        ("/runs/north__marketing_lists/4/undo", 409, "wrote nothing that can be undone"),
        ("/dags/north__suppressions/runs/never", 404, "Airflow has no such run"),
        ("/person/made-up", 404, "This link has expired"),
        ("/accounts/nobody", 404, "No such account"),
        ("/accounts/..%2f..%2fsecrets", 404, ""),
        ("/no/such/page", 404, "No such page"),
    ],
)
def test_bad_input_is_a_sentence(path: str, status: int, sentence: str, client: Client) -> None:
    page = soup(client().get(PREFIX + path), status)
    assert sentence in main_text(page)
    assert "Traceback" not in page.get_text()


def test_a_fault_of_the_console_is_a_page_too(
    client: Client, monkeypatch: pytest.MonkeyPatch, filled: Filled
) -> None:
    def fail(*_args: Any, **_more: Any) -> None:
        raise RuntimeError("a secret")

    browser = client()
    monkeypatch.setattr(queries, "run_of", fail)
    answer = browser.get(f"{RUNS}/{filled.completed}")
    assert "The console failed" in main_text(soup(answer, 500))
    assert "secret" not in answer.text
    assert answer.headers["cache-control"] == "no-store"
    told = browser.get(f"{PREFIX}/api/dags/north__marketing_lists/runs/{filled.completed}")
    assert told.status_code == 500
    assert "The console failed" in told.json()["detail"]


def test_jobs_beyond_the_end_are_none(client: Client, filled: Filled) -> None:
    page = soup(client().get(f"{RUNS}/{filled.completed}?after=100"))
    assert "There are no more jobs here." in main_text(page)


def test_nobody_has_an_address(client: Client) -> None:
    browser = client()
    location = browser.post(f"{PREFIX}/person", data={"address": "no@one.example"})
    page = soup(browser.get(location.headers["location"]), 404)
    assert (
        "No account that you may read knows anybody with the address no@one.example"
        in main_text(page)
    )
    assert "Enter an email address" in main_text(
        soup(browser.post(f"{PREFIX}/person", data={"address": "  "}), 400)
    )


def test_a_store_that_is_down_is_said(client: Client, console: FastAPI, filled: Filled) -> None:
    console.state.store_url = lambda: "postgresql://nobody@127.0.0.1:1/nothing"
    browser = client()
    for path in ("/", "/audit", "/audit.csv", f"/runs/north__marketing_lists/{filled.completed}"):
        page = soup(browser.get(PREFIX + path), 503)
        assert "The store cannot be reached" in main_text(page)
        assert "127.0.0.1" not in page.get_text()
    answer = browser.get(f"{PREFIX}/api/runs")
    assert answer.status_code == 503
    assert "The store cannot be reached" in answer.json()["detail"]
    assert browser.get(f"{PREFIX}/accounts").status_code == 200


def test_a_missing_connection_is_said(client: Client, console: FastAPI) -> None:
    from bothways.errors import ConfigurationError

    def none() -> str:
        raise ConfigurationError("Airflow has no connection `bothways_store`; create it.")

    console.state.store_url = none
    page = soup(client().get(f"{PREFIX}/audit"), 503)
    assert "Airflow has no connection `bothways_store`" in main_text(page)


def test_pages_have_landmarks_labels_and_a_way_past_the_navigation(
    client: Client, filled: Filled
) -> None:
    browser = client()
    person = browser.post(f"{PREFIX}/person", data={"address": ANNA}).headers["location"]
    urls = [PREFIX + path for path in ("/", "/audit", "/person", "/accounts", "/api")]
    urls += [f"{RUNS}/{filled.completed}", f"{RUNS}/{filled.completed}/undo", person]
    for url in urls:
        page = soup(browser.get(url))
        assert page.html is not None
        assert page.html["lang"] == "en"
        assert len(page.find_all("main")) == len(page.find_all("h1")) == 1
        assert page.find("a", class_="skip", href="#content")
        ids = [tag["id"] for tag in page.find_all(id=True)]
        assert len(ids) == len(set(ids))
        for field in page.select("input:not([type=hidden]), select, textarea"):
            assert page.find("label", attrs={"for": field["id"]}), field
        assert not page.find_all(style=True), "the policy forbids inline styles"


def test_the_tab_of_an_erasure_says_when_open_requests_expire(
    client: Client, filled_store: tuple[str, Filled]
) -> None:
    store = Store(filled_store[0])
    with store.begin() as conn:
        request = erasures.file_request(conn, account="north", person="zoe@mail.example")
        filed = erasures.erasures.update().values(requested_at=datetime(2026, 6, 1, 12, tzinfo=UTC))
        conn.execute(filed)
    try:
        text = main_text(soup(client().get(f"{PREFIX}/dags/north__erase")))
        others = main_text(soup(client().get(f"{PREFIX}/dags/north__suppressions")))
    finally:
        with store.begin() as conn:
            conn.execute(erasures.erasures.delete())
        store.dispose()
    assert "1 erasure request is pending. It expires on 2026-07-01" in text
    assert "zoe" not in text
    assert request not in text
    assert "to be forgotten" not in others


@pytest.mark.parametrize("status", [RunStatus.DRY_RUN, RunStatus.COMPLETED])
def test_an_erasure_is_neither_applied_nor_undone_from_its_page(
    status: RunStatus, client: Client, filled_store: tuple[str, Filled]
) -> None:
    store = Store(filled_store[0])
    with store.begin() as conn:
        about = {"sync": "erase", "dry_run": status is RunStatus.DRY_RUN}
        rows = [job(kind="erase", result="deleted", before='{"firstname": "Zoe"}')]
        guard = {"passed": True, "breaches": [], "message": "", "planned": []}
        run_id = ended(conn, "erasure", status, rows=rows, guard=guard, **about)
    try:
        page = soup(client().get(f"{PREFIX}/runs/north__erase/{run_id}"))
    finally:
        with store.begin() as conn:
            for of in (jobs, runs):
                conn.execute(of.delete().where(of.c.run_id == run_id))
        store.dispose()
    assert not page.find("button", string="Apply")
    assert not page.find("a", string=re.compile("Undo"))
    told = main_text(page)
    assert ("trigger the DAG with the request" in told) is (status is RunStatus.DRY_RUN)
    assert "Zoe" in told
