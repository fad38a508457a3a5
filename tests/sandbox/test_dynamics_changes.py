"""Change tracking: nothing is missed, nothing old comes again, links expire."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sandbox.dynamics_api import DynamicsApi, add_column, error_of, label, signed_in
from tests.support.sandbox import SandboxServer

NAMES = "contacts?$select=lastname"


@pytest.fixture
def api(sandbox: SandboxServer) -> Iterator[DynamicsApi]:
    with signed_in(sandbox) as caller:
        yield caller


def _changes(api: DynamicsApi, delta: str, **headers: str) -> tuple[dict[str, str], list[str], str]:
    """Return changed rows by id, deleted ids, and the next delta link."""
    entries, again = api.snapshot(delta, **headers)
    gone = [entry["id"] for entry in entries if "reason" in entry]
    rows = {entry["contactid"]: entry["lastname"] for entry in entries if "contactid" in entry}
    assert len(rows) + len(gone) == len(entries)
    assert all("reason" in entry for entry in entries[len(rows) :])  # deletions come last
    return rows, gone, again


def test_the_delta_holds_what_changed_and_what_was_deleted(api: DynamicsApi) -> None:
    one, two, three = (api.create("contacts", lastname=name) for name in "ABC")
    rows, delta = api.snapshot(NAMES)
    assert {row["contactid"] for row in rows} == {one, two, three}
    assert _changes(api, delta)[:2] == ({}, [])
    api.send("PATCH", f"contacts({two})", {"lastname": "B2"})
    four = api.create("contacts", lastname="D")
    api.send("DELETE", f"contacts({one})")
    short = api.create("contacts", lastname="E")
    api.send("DELETE", f"contacts({short})")
    changed, gone, again = _changes(api, delta)
    assert changed == {two: "B2", four: "D"}
    assert gone == [one, short]  # one that came and went between two reads is told too
    assert _changes(api, again)[:2] == ({}, [])
    assert _changes(api, delta)[:2] == (changed, gone)  # a link can be used again
    assert api.get(delta.replace("contacts?", "contacts/$count?")).text == "4"


def test_entries_have_the_documented_shape(api: DynamicsApi) -> None:
    contact = api.create("contacts", lastname="A")
    delta = api.snapshot(NAMES)[1]
    api.send("DELETE", f"contacts({contact})")
    page = api.get(delta).json()
    assert page["@odata.context"].endswith("#contacts(lastname)/$delta")
    assert page["value"] == [
        {
            "@odata.context": f"{api.root}/$metadata#contacts/$deletedEntity",
            "id": contact,
            "reason": "deleted",
        }
    ]


def test_small_pages_miss_nothing_that_changes_between_them(api: DynamicsApi) -> None:
    prefer = "odata.track-changes,odata.maxpagesize=2"
    ids = [api.create("contacts", lastname=f"A{n}") for n in range(5)]
    first = api.get(NAMES, Prefer=prefer).json()
    assert "@odata.deltaLink" not in first
    seen = {row["contactid"] for row in first["value"]}
    for contact in ids:
        api.send("PATCH", f"contacts({contact})", {"lastname": "changed"})
    late = api.create("contacts", lastname="late")
    rest, delta = api.snapshot(first["@odata.nextLink"], Prefer=prefer)
    assert seen | {row["contactid"] for row in rest} >= set(ids)
    for contact in ids[:3]:
        api.send("DELETE", f"contacts({contact})")
    changed, gone, again = _changes(api, delta, Prefer=prefer)
    assert changed == {**dict.fromkeys(ids[3:], "changed"), late: "late"}
    assert sorted(gone) == sorted(ids[:3])
    assert _changes(api, again, Prefer=prefer)[:2] == ({}, [])


@pytest.mark.parametrize("option", ["filter=statecode eq 0", "orderby=lastname", "top=1"])
def test_other_options_are_refused(api: DynamicsApi, option: str) -> None:
    answer = api.get(f"contacts?${option}", Prefer="odata.track-changes")
    assert error_of(answer) == (400, "0x80060888")
    name = option.partition("=")[0]
    assert f'"${name}" query parameter isn\'t supported' in answer.json()["error"]["message"]


def test_a_delta_link_expires(sandbox: SandboxServer, api: DynamicsApi) -> None:
    delta = api.snapshot(NAMES)[1]
    sandbox.advance(6.9 * 86_400)
    api.sign_in()
    assert api.get(delta).status_code == 200
    sandbox.advance(0.2 * 86_400)
    api.sign_in()
    answer = api.get(delta)
    assert error_of(answer) == (400, "0x80044352")
    assert "Please perform a full sync" in answer.json()["error"]["message"]


def test_tables_track_changes_only_when_switched_on_and_never_off_again(api: DynamicsApi) -> None:
    def tracked() -> set[str]:
        query = "EntityDefinitions?$select=LogicalName&$filter=ChangeTrackingEnabled eq true"
        return {table["LogicalName"] for table in api.get(query).json()["value"]}

    assert {"contact", "lead"} <= tracked()
    assert "listmember" not in tracked()
    members = "listmembers?$select=_entityid_value"
    assert api.get(members, Prefer="odata.track-changes").status_code == 400
    path = "EntityDefinitions(LogicalName='listmember')"
    definition = {**api.get(path).json(), "ChangeTrackingEnabled": True}
    assert api.send("PATCH", path, definition).status_code == 405
    assert api.send("PUT", path, definition, **{"MSCRM.MergeLabels": "true"}).status_code == 204
    assert "listmember" in tracked()
    contact = api.create("contacts", lastname="A")
    (newsletter,) = api.rows("lists?$filter=listname eq 'Newsletter'&$select=listname")
    delta = api.snapshot(members)[1]
    reference = {"@odata.id": f"{api.root}/contacts({contact})"}
    association = f"lists({newsletter['listid']})/listcontact_association"
    assert api.send("POST", f"{association}/$ref", reference).status_code == 204
    entries, delta = api.snapshot(delta)
    assert [entry["_entityid_value"] for entry in entries] == [contact]
    api.send("DELETE", f"{association}({contact})/$ref")
    assert [entry["id"] for entry in api.snapshot(delta)[0]] == [entries[0]["listmemberid"]]
    definition = {"ChangeTrackingEnabled": False, "DisplayName": label("Member")}
    assert api.send("PUT", path, definition).status_code == 400


def test_the_organization_says_how_long_a_delta_link_lives(
    sandbox: SandboxServer, api: DynamicsApi
) -> None:
    (organization,) = api.rows("organizations?$select=expirechangetrackingindays")
    assert organization["expirechangetrackingindays"] == 7
    path = f"organizations({organization['organizationid']})"
    assert api.send("PATCH", path, {"expirechangetrackingindays": 30}).status_code == 204
    delta = api.snapshot(NAMES)[1]
    sandbox.advance(29 * 86_400)
    api.sign_in()
    assert api.get(delta).status_code == 200


def test_a_change_of_definitions_may_expire_every_delta_link(
    sandbox: SandboxServer, api: DynamicsApi
) -> None:
    delta = api.snapshot(NAMES)[1]
    add_column(api, "contact", "new_Note")
    assert api.get(delta).status_code == 200
    sandbox.settings({"dynamics": {"metadata_changes_expire_tokens": True}})
    assert error_of(api.get(delta)) == (400, "0x80044352")
    assert api.get(api.snapshot(NAMES)[1]).status_code == 200
