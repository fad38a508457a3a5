"""A person at the console: Chromium, a running Airflow, and the sandbox's people.

The tests build on each other, in the order in which they stand here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from demo.environment import PASSWORDS
from demo.waiting import wait_for
from tests.console.browser import BROAD, chromium, screenshot
from tests.support.deployment import Deployment
from tests.support.platforms import Dotdigital

pytestmark = [pytest.mark.browser, pytest.mark.airflow, pytest.mark.timeout(1_800)]

ACCOUNTS = ("demo", "strict")
SYNCS = ("suppressions", "address_books")
# A time of day that was missed, whatever the day is, and that does not come during the walk.
MISSED = f"{datetime.now(UTC) - timedelta(hours=1):%H}:00"
PATIENCE = 900_000  # a run takes a quarter of a minute on a machine of its own
expect.set_options(timeout=60_000)


@pytest.fixture(scope="module", autouse=True)
def accounts(deployment: Deployment) -> Iterator[None]:
    """The two accounts of this walk, alone in the deployment; `demo` has synced once."""
    deployment.refill()
    with deployment.alone():
        deployment.account(
            "demo",
            title="Demo",
            description="Contacts and leads of the sandbox.",
            schedules={sync: {"interval": "daily", "at": MISSED} for sync in SYNCS},
        )
        deployment.account("strict", settings={"on_guard": "ask"}, guard={"suppressions": 0})
        dags = [f"{name}__{sync}" for name in ACCOUNTS for sync in SYNCS]
        deployment.airflow.wait_for_dags(*dags)
        for dag_id in dags:
            deployment.airflow.unpause(dag_id)
        for sync in SYNCS:
            run = made_up_run(deployment, f"demo__{sync}")
            deployment.airflow.wait(f"demo__{sync}", run)
        yield
        for name in ACCOUNTS:
            deployment.rest(name)


def made_up_run(deployment: Deployment, dag_id: str) -> str:
    """What a schedule has missed starts at once."""
    (run,) = wait_for(
        f"the run that {dag_id} missed at {MISSED}",
        lambda: deployment.api.runs(dag_id),
        seconds=300,
        instead=lambda: deployment.api.call("GET", f"dags/{dag_id}"),
    )
    return str(run["dag_run_id"])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = chromium(playwright)
        yield found
        found.close()


@pytest.fixture(scope="module")
def states(browser: Browser, deployment: Deployment) -> dict[str, Any]:
    """The cookies of two users who have signed in at Airflow's own page."""
    found: dict[str, Any] = {}
    for user in ("admin", "viewer"):
        context = browser.new_context(viewport=BROAD, base_url=deployment.api.base_url)
        page = context.new_page()
        page.goto("/bothways/")
        sign_in(page, user)
        found[user] = context.storage_state()
        context.close()
    return found


@pytest.fixture
def context(
    browser: Browser, deployment: Deployment, states: dict[str, Any], request: Any
) -> Iterator[BrowserContext]:
    """A browser of the administrator, or of the user whom the test names."""
    user = getattr(request, "param", "admin")
    found = browser.new_context(
        viewport=BROAD, base_url=deployment.api.base_url, storage_state=states[user]
    )
    found.set_default_timeout(60_000)
    yield found
    found.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page in which nothing may go wrong unseen."""
    found = context.new_page()
    errors: list[str] = []
    found.on("pageerror", lambda error: errors.append(str(error)))
    yield found
    assert errors == []


def sign_in(page: Page, user: str) -> None:
    page.get_by_role("link", name="Sign in").click()
    page.locator("input[name=username]").fill(user)
    page.locator("input[name=password]").fill(PASSWORDS[user])
    page.get_by_role("button", name=re.compile("sign in", re.I)).click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible(timeout=60_000)


def latest(deployment: Deployment, dag_id: str) -> Any:
    return deployment.api.runs(dag_id)[0]


def mailable(deployment: Deployment) -> str:
    """The address of somebody whom both sides have and nobody has suppressed."""
    with psycopg.connect(deployment.airflow.store_url) as connection:
        found = connection.execute(
            "SELECT m.email_key FROM records m JOIN records c USING (account, email_key) "
            "WHERE m.side = 'marketing' AND c.side = 'crm' AND account = 'demo' "
            "AND m.status = 'mailable' AND c.status = 'mailable' AND c.active ORDER BY 1 LIMIT 1"
        ).fetchone()
    assert found
    return str(found[0])


def test_a_stranger_sees_nothing_and_is_led_to_the_login(
    browser: Browser, deployment: Deployment
) -> None:
    context = browser.new_context(viewport=BROAD, base_url=deployment.api.base_url)
    page = context.new_page()
    for path in ("audit", "runs/demo__suppressions/1", "person", "accounts", "api", ""):
        answer = page.goto(f"/bothways/{path}")
        assert answer is not None
        assert answer.status == 401
        assert "Demo" not in page.content()
    sign_in(page, "viewer")
    context.close()


def test_sync_now_starts_a_run_that_the_page_follows_to_its_end(
    page: Page, deployment: Deployment
) -> None:
    page.goto("/bothways/")
    page.get_by_role("button", name="Sync now: Suppressions of demo").click()
    expect(page).to_have_url(re.compile("/dags/demo__suppressions/runs/manual"))
    expect(page.locator("h1 .badge")).to_have_text(re.compile("^Completed"), timeout=PATIENCE)
    expect(page.locator("h1")).to_contain_text("Suppressions")
    expect(page.locator(".facts").first).to_contain_text("by admin")
    log = deployment.api.call("GET", "eventLogs", params={"event": "trigger_dag_run", "limit": 50})
    assert "admin" in {entry["owner"] for entry in log["event_logs"]}


def test_a_dry_run_ends_as_a_plan_that_can_be_applied(page: Page, deployment: Deployment) -> None:
    Dotdigital(deployment.sandbox).contact("newcomer@mail.example", "Newsletter")
    page.goto("/bothways/")
    page.get_by_role("button", name="Dry run: Address books of demo").click()
    expect(page.locator("h1 .badge")).to_have_text("Dry Run", timeout=PATIENCE)
    page.get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile("/dags/demo__address_books/runs/manual"))
    assert latest(deployment, "demo__address_books")["conf"]["dry_run"] is False


def test_drilling_down_from_the_audit_to_a_person(page: Page) -> None:
    page.goto("/bothways/audit")
    page.get_by_label("Account").select_option("demo")
    page.get_by_label("Sync type").select_option("address_books")
    page.get_by_role("button", name="Search").click()
    expect(page).to_have_url(re.compile("account=demo"))
    screenshot(page, "console-audit")
    page.get_by_role("row").filter(has_text="ignored").get_by_role("rowheader").last.get_by_role(
        "link"
    ).click()
    expect(page.locator("h1")).to_contain_text("Address books")
    screenshot(page, "console-run")
    page.get_by_role("combobox", name="Result").select_option("ignored")
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(re.compile("result=ignored"))
    person = page.locator("#jobs ~ .scroll tbody a").first
    address = person.inner_text()
    person.click()
    expect(page.locator(".card h2").first).to_contain_text(address)
    assert address not in page.url
    expect(page.get_by_text("skipped this person").first).to_be_visible()
    screenshot(page, "console-person")
    page.get_by_label("Email address").fill(f"  {address.upper()} ")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("skipped this person").first).to_be_visible()


def test_an_account_is_shown_as_it_is_in_force_and_the_api_as_scripts_call_it(page: Page) -> None:
    page.goto("/bothways/")
    page.get_by_role("link", name="Accounts", exact=True).click()
    page.get_by_role("row").get_by_role("link", name="Demo").click()
    expect(page.locator("h1")).to_contain_text("Demo")
    expect(page.locator("h1 .badge")).to_have_text("Enabled")
    expect(page.get_by_text(f"daily at {MISSED} (UTC)").first).to_be_visible()
    expect(page.get_by_text("accounts/demo.yaml")).to_be_visible()
    expect(page.get_by_text("finds no problems")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="newsletter")).to_contain_text("Newsletter")
    page.get_by_role("link", name="API", exact=True).click()
    expect(page.get_by_role("heading", name="GET /api/runs", exact=True)).to_be_visible()


def test_inside_airflow_the_console_is_in_the_navigation_and_on_dags_and_runs(
    page: Page, deployment: Deployment
) -> None:
    page.goto("/")
    page.get_by_role("link", name="Sync Audit").click()
    frame = page.frame_locator("iframe[title='Sync Audit']")
    expect(frame.get_by_role("heading", name="Overview")).to_be_visible()
    screenshot(page, "console-in-airflow")
    frame.get_by_role("link", name="Audit", exact=True).click()
    expect(frame.get_by_role("heading", name="Audit")).to_be_visible()
    expect(page).to_have_url(re.compile("/plugin/sync-audit/bothways/audit"))
    frame.locator("tbody th a").first.click()
    frame.get_by_role("link", name="DAG run and logs").click()
    expect(page).to_have_url(re.compile(r"/dags/demo__\w+/runs/"))
    run = latest(deployment, "demo__suppressions")["dag_run_id"]
    page.goto(f"/dags/demo__suppressions/runs/{run}/plugin/sync-audit-of-run")
    frame = page.frame_locator("iframe[title='Sync Audit']")
    expect(frame.locator("h1")).to_contain_text("Suppressions")
    page.goto("/dags/demo__suppressions/plugin/sync-audit-of-dag")
    expect(frame.locator("h1")).to_contain_text("demo__suppressions")
    for place in (f"/dags/demo__suppressions/runs/{run}", "/dags/demo__suppressions"):
        page.goto(place)
        expect(page.get_by_role("link", name="Sync Audit").first).to_be_visible()


def test_a_run_beyond_the_guard_waits_and_is_approved_with_a_note(
    page: Page, deployment: Deployment
) -> None:
    deployment.sandbox.act("dotdigital", "bounce", email=mailable(deployment))
    page.goto("/bothways/")
    page.get_by_role("button", name="Sync now: Suppressions of strict").click()
    expect(page.locator("h1 .badge")).to_have_text("Awaiting Approval", timeout=PATIENCE)
    expect(page.get_by_text("Over limit")).to_be_visible()
    screenshot(page, "console-approval")
    run_id = latest(deployment, "strict__suppressions")["dag_run_id"]
    wait_for(
        "the scheduler to hear that the review waits",
        lambda: deployment.may_be_answered("strict__suppressions", run_id),
        seconds=300,
        instead=lambda: deployment.api.task_states("strict__suppressions", run_id),
    )
    page.get_by_label("Note for the audit").fill("Checked by hand <b>")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("h1 .badge")).to_have_text(re.compile("Completed"), timeout=PATIENCE)
    expect(page.get_by_text("Approved by admin: “Checked by hand <b>”")).to_be_visible()


def test_undo_shows_what_it_would_write_and_starts_its_own_run(
    page: Page, deployment: Deployment
) -> None:
    page.goto(
        "/bothways/audit?account=demo&sync_type=address_books&status=Completed&order=run_id&direction=up"
    )
    number = page.locator("tbody th a").first.inner_text()
    page.locator("tbody th a").first.click()
    page.get_by_role("link", name="Undo …").click()
    expect(page.get_by_role("heading", name="What undo would do")).to_be_visible()
    screenshot(page, "console-undo")
    page.get_by_role("button", name=f"Undo run {number}").click()
    expect(page).to_have_url(re.compile("/dags/demo__address_books/runs/"))
    run = latest(deployment, "demo__address_books")
    assert run["conf"]["undo_run"] == int(number)
    assert run["triggering_user_name"] == "admin"
    expect(page.locator("h1 .badge")).to_have_text(re.compile("^Completed"), timeout=PATIENCE)


@pytest.mark.parametrize("context", ["viewer"], indirect=True)
def test_a_viewer_looks_and_cannot_act(page: Page, deployment: Deployment) -> None:
    page.goto("/bothways/")
    expect(page.get_by_role("heading", name="Demo")).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)
    before = len(deployment.api.runs("demo__suppressions"))
    forced = page.request.post("/bothways/dags/demo__suppressions/sync")
    assert forced.status == 403
    assert len(deployment.api.runs("demo__suppressions")) == before
