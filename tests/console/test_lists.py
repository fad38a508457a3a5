"""How lists and their members stand, and starting the sync of one."""

from __future__ import annotations

from bs4 import Tag
from fastapi import FastAPI

from bothways.store import access_log
from tests.console.conftest import PREFIX, Client, include_folder
from tests.console.filled import ANNA, Filled
from tests.console.reading import main_text, rows_of, soup, table

NORTH = f"{PREFIX}/accounts/north"


def lists(client: Client, user: str = "admin") -> dict[str, dict[str, str]]:
    return {row["Key"]: row for row in table(soup(client(user).get(NORTH)), "Lists")}


def test_a_list_is_in_progress_while_a_run_is_at_work_on_it(client: Client, alive: None) -> None:
    assert lists(client)["newsletter"]["Sync status"].startswith("In Progress")


def test_a_run_that_died_is_an_error_with_a_reason_and_not_in_progress_for_ever(
    client: Client, filled: Filled
) -> None:
    told = lists(client)["newsletter"]["Sync status"]
    assert told.startswith("Error")
    assert "Marketing lists: The run died before its last step" in told
    (newsletter, _) = client(bearer=True).get(f"{PREFIX}/api/accounts/north/lists").json()
    assert (newsletter["list_key"], newsletter["status"]) == ("newsletter", "Error")
    assert "The run died" in newsletter["message"]


def test_a_list_that_no_run_has_looked_at_has_none_and_a_tag_is_a_list(client: Client) -> None:
    browser = client()
    file = include_folder() / "accounts" / "south.yaml"
    tagged = "  vips: {crm: VIPs, marketing: VIPs, tag: Gold, syncs: [marketing_lists]}\n"
    file.write_text(file.read_text().replace("mappings:\n", tagged + "mappings:\n"))
    known = browser.get(f"{PREFIX}/api/accounts/south/lists").json()
    found = {item["list_key"]: item for item in known}
    assert [*found] == ["newsletter", "webinar_guests", "vips", "vips:tag"]
    assert found["vips:tag"]["name"] == "VIPs: Gold"
    rows = table(soup(browser.get(f"{PREFIX}/accounts/south")), "Lists")
    assert rows[-1]["Dotdigital"] == "Gold"
    assert rows[-1]["Start"] == "Members as CSV"


def test_who_is_in_step_who_in_error_and_who_waits_can_be_downloaded(
    client: Client, console: FastAPI
) -> None:
    answer = client().get(f"{NORTH}/lists/newsletter/members.csv")
    assert answer.headers["content-disposition"] == (
        'attachment; filename="north-newsletter-members.csv"'
    )
    (row,) = rows_of(answer.text)
    assert (row["list_key"], row["email"], row["crm_id"]) == ("newsletter", ANNA.title(), "c-1")
    assert row["status"] == "Error"
    assert row["message"]
    with console.state.store.begin() as conn:
        newest = access_log.find(conn, limit=1)[0]
    assert (newest.what, newest.account) == ("members.csv", "north")
    assert client().get(f"{NORTH}/lists/nowhere/members.csv").status_code == 404
    assert client("viewer").get(f"{NORTH}/lists/newsletter/members.csv").status_code == 403


def test_the_page_of_a_person_says_how_they_stand_on_each_list(client: Client) -> None:
    browser = client()
    found = browser.post(f"{PREFIX}/person", data={"address": ANNA})
    page = main_text(soup(browser.get(found.headers["location"])))
    assert "List newsletter: Error" in page


def test_a_list_is_synced_after_a_confirmation_by_who_may_start_its_dag(client: Client) -> None:
    page = soup(client("user").get(NORTH))
    button = page.find("button", attrs={"aria-label": "Sync list newsletter now: Marketing lists"})
    assert isinstance(button, Tag)
    form, details = button.find_parent("form"), button.find_parent("details")
    assert isinstance(form, Tag)
    assert isinstance(details, Tag)
    assert not details.has_attr("open")
    assert form["action"] == f"{PREFIX}/dags/north__marketing_lists/sync"
    chosen = form.find("input", attrs={"name": "only_list"})
    assert isinstance(chosen, Tag)
    assert chosen["value"] == "newsletter"
    assert "No permission" in lists(client, "viewer")["newsletter"]["Start"]
