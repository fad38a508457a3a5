"""Records in error, of all syncs: why, when they are tried again, and trying them again at once."""

from __future__ import annotations

from typing import Any

from bs4 import Tag
from fastapi import FastAPI

from bothways.store import access_log
from tests.console.conftest import PREFIX, Client
from tests.console.filled import ANNA, Filled
from tests.console.reading import main_text, soup, table

ERRORS = f"{PREFIX}/errors"


def rows(client: Client, user: str = "admin", query: str = "") -> list[dict[str, str]]:
    return table(soup(client(user).get(f"{ERRORS}{query}")), "Records in error")


def test_a_record_in_error_is_told_with_its_reason_and_its_next_try(
    client: Client, console: FastAPI
) -> None:
    (row,) = rows(client)
    assert row["Entity type"] == "Contact"
    assert row["Source system and record"] == f"{ANNA} Dotdigital m-1"
    assert row["Sync type"] == "Marketing lists north, list newsletter"
    assert row["Error description"] == "the vendor's own words"
    assert row["Tries"] == "1"
    assert row["Next try"].startswith("20")
    with console.state.store.begin() as conn:
        assert access_log.find(conn, limit=1)[0].what == "errors"


def test_records_in_error_are_filtered_and_counted_on_the_overview(client: Client) -> None:
    browser = client()
    page = soup(browser.get(f"{PREFIX}/"))
    link = page.find("a", string="1 in error")
    assert isinstance(link, Tag)
    assert "1 record in error" in main_text(soup(browser.get(str(link["href"]))))
    for query in ("?state=given_up", "?account=south", "?sync_type=suppressions", "?list=vips"):
        text = main_text(soup(browser.get(ERRORS + query)))
        assert "No record in error matches your filter." in text, query
    assert len(rows(client, query="?state=waiting&account=north")) == 1
    page = soup(browser.get(f"{PREFIX}/accounts/north"))
    link = page.find("a", string="1 member in error")
    assert isinstance(link, Tag)
    assert str(link["href"]).endswith("/errors?account=north&list=newsletter")
    assert "1 record in error" in main_text(soup(browser.get(str(link["href"]))))
    assert browser.get(f"{ERRORS}?state=lost").status_code == 400
    assert browser.get(f"{ERRORS}?page=9").status_code == 200


def test_who_may_not_see_people_sees_no_address_and_others_dags_are_hidden(client: Client) -> None:
    (row,) = rows(client, "viewer")
    assert row["Source system and record"] == "a…@… Dotdigital m-1"
    assert row["Start"] == "No permission"
    assert "No record is in error." in main_text(soup(client("nobody").get(ERRORS)))
    script = client("nobody", bearer=True)
    assert script.get(f"{PREFIX}/api/errors").json() == {"total": 0, "errors": []}


def test_a_record_is_tried_again_at_once_by_its_id(client: Client, filled: Filled) -> None:
    """`user` may start runs, and does not see people."""
    on_page = soup(client("user").get(ERRORS))
    of_run = soup(client("user").get(f"{PREFIX}/runs/north__marketing_lists/{filled.completed}"))
    for page in (on_page, of_run):
        button = page.find("button", string="Try again")
        assert isinstance(button, Tag)
        form = button.find_parent("form")
        assert isinstance(form, Tag)
        assert form["action"] == f"{PREFIX}/dags/north__marketing_lists/sync"
        chosen = form.find("input", attrs={"name": "records"})
        assert isinstance(chosen, Tag)
        assert chosen["value"] == "m-1"


def test_a_script_reads_them_too(client: Client) -> None:
    found: dict[str, Any] = client("operator", bearer=True).get(f"{PREFIX}/api/errors").json()
    (row,) = found["errors"]
    assert (found["total"], row["email"], row["source_id"]) == (1, ANNA, "m-1")
    assert (row["attempts"], row["given_up"], row["consent"]) == (1, False, False)
    masked = client("viewer", bearer=True).get(f"{PREFIX}/api/errors").json()
    assert masked["errors"][0]["email"] == "a…@…"
