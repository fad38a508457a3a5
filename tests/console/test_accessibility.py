"""Every page in a real browser, light and dark, broad and narrow: what axe-core finds, the keys.

Airflow's API application is served as it is, without the scheduler: nothing runs here.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, expect, sync_playwright

from bothways.console.auth import tokens
from tests.console.browser import (
    BROAD,
    NARROW,
    axe_script,
    chromium,
    screenshot,
    violations,
)
from tests.console.conftest import campaigns_of_north, include_folder
from tests.console.filled import ANNA, Filled

pytestmark = pytest.mark.browser

RUN = "/bothways/runs/north__marketing_lists"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = chromium(playwright)
        yield found
        found.close()


@pytest.fixture
def page(
    browser: Browser, served: str, airflow_app: tuple[FastAPI, FastAPI, dict[str, str]]
) -> Iterator[Page]:
    """A page of the administrator's browser, in which nothing may go wrong unseen."""
    context = browser.new_context(base_url=served, viewport=BROAD)
    context.add_cookies([{"name": "_token", "value": airflow_app[2]["admin"], "url": served}])
    found = context.new_page()
    errors: list[str] = []
    found.on("pageerror", lambda error: errors.append(str(error)))
    found.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    yield found
    context.close()
    assert [error for error in errors if "404" not in error and "401" not in error] == []


def places(filled: Filled) -> dict[str, str]:
    """A URL of each page."""
    return {
        "overview": "/bothways/",
        "audit": "/bothways/audit",
        "errors": "/bothways/errors",
        "run": f"{RUN}/{filled.completed}",
        "plan": f"{RUN}/{filled.dry}",
        "working": f"{RUN}/{filled.working}",
        "waiting": f"/bothways/runs/north__suppressions/{filled.waiting}",
        "undo": f"{RUN}/{filled.completed}/undo",
        "person": f"/bothways/person/{tokens().seal(ANNA)}",
        "access log": "/bothways/access",
        "accounts": "/bothways/accounts",
        "account": "/bothways/accounts/north",
        "campaigns": "/bothways/accounts/north/campaigns",
        "campaign": "/bothways/accounts/north/campaigns/71",
        "api": "/bothways/api",
        "problem": f"{RUN}/999999",
        "tab of a DAG": "/bothways/dags/north__suppressions",
        "no run": "/bothways/audit?from=2999-01-01",
        "several": "/bothways/audit?status=Failed&status=Completed",
        "nobody": f"/bothways/person/{tokens().seal('no@one.example')}",
        "broken account": "/bothways/accounts/broken",
    }


def test_the_way_to_the_login_is_accessible(page: Page) -> None:
    page.context.clear_cookies()
    answer = page.goto("/bothways/")
    assert answer is not None
    assert answer.status == 401
    assert violations(page, axe_script()) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible_and_fits(scheme: str, page: Page, filled: Filled) -> None:
    with campaigns_of_north():
        assert problems_of_all_pages(scheme, page, filled) == []


def problems_of_all_pages(scheme: str, page: Page, filled: Filled) -> list[str]:
    """Visit each page, broad and narrow; return what is wrong with any."""
    script = axe_script()
    page.goto("/bothways/person")
    page.evaluate(f"localStorage.setItem('theme', '{scheme}')")
    problems: list[str] = []
    for name, url in places(filled).items():
        if name == "broken account":
            file = include_folder() / "accounts" / "broken.yaml"
            file.write_text("crm: {conector: dynamics}\n", encoding="utf-8")
        for size in (BROAD, NARROW):
            page.set_viewport_size(size)
            page.goto(url)
            assert page.evaluate("document.documentElement.dataset.theme") == scheme
            where = f"{name}, {scheme}, {size['width']}"
            wide = page.evaluate("document.documentElement.scrollWidth")
            problems += [f"{where}: {wide} wide"] if wide > size["width"] else []
            problems += [f"{where}: {found}" for found in violations(page, script)]
            if name in ("overview", "run"):
                screenshot(page, f"console-{name}-{scheme}-{size['width']}")
    return problems


def test_the_scheme_of_the_system_holds_where_airflow_was_told_none(page: Page) -> None:
    colours = set()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.goto("/bothways/person")
        colours.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(colours) == 2


def test_the_keyboard_reaches_the_content_and_the_buttons(page: Page) -> None:
    page.goto("/bothways/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    for _ in range(60):
        page.keyboard.press("Tab")
        label = page.evaluate("document.activeElement.getAttribute('aria-label')")
        if label == "Sync now: Suppressions of north":
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none"
            return
    pytest.fail("the Sync Now button cannot be reached by Tab")


def test_a_run_at_work_refreshes_its_bar_and_nothing_else(
    page: Page, filled: Filled, alive: None
) -> None:
    page.goto(f"{RUN}/{filled.working}")
    page.evaluate("document.querySelector('h1').dataset.mark = 'kept'")
    with page.expect_response(lambda answer: answer.url.endswith("/progress")) as answer:
        pass
    assert answer.value.status == 200
    assert page.locator("h1").get_attribute("data-mark") == "kept"
    assert page.locator(".progress progress").count() == 1


def test_a_page_follows_the_time_zone_that_is_chosen_in_airflow(page: Page) -> None:
    page.add_init_script("localStorage.setItem('timezone', JSON.stringify('Asia/Tokyo'))")
    page.goto("/bothways/audit")
    expect(page.locator(".foot")).to_have_text("Times are in Asia/Tokyo.")
