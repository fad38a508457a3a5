"""Many rows in one request: `$batch` with change sets, and the bulk messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.dynamics_api import (
    CONTACT,
    DynamicsApi,
    add_column,
    add_key,
    change_set,
    error_of,
    items,
    part,
    signed_in,
)
from tests.support.sandbox import SandboxServer

LONG = {"firstname": "x" * 51}
BULK = "contacts/Microsoft.Dynamics.CRM."


@pytest.fixture
def api(sandbox: SandboxServer) -> Iterator[DynamicsApi]:
    with signed_in(sandbox) as caller:
        yield caller


def _names(api: DynamicsApi) -> list[str]:
    return sorted(row["lastname"] for row in api.rows("contacts?$select=lastname"))


@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize("boundary", ["batch_1", '"batch_1"'])
def test_parts_are_answered_in_order(api: DynamicsApi, end: str, boundary: str) -> None:
    answer = api.batch(
        part("POST", "/api/data/v9.2/contacts", {"lastname": "A"}, end=end),
        part("POST", f"{api.root}/contacts", {"lastname": "B"}, end=end),
        part("GET", "contacts?$select=lastname&$orderby=lastname", end=end),
        end=end,
        boundary=boundary,
    )
    assert answer.status_code == 200
    first, second, third = items(answer)
    assert (first.status, second.status, third.status) == (204, 204, 200)
    assert "OData-EntityId" in first.headers
    assert third.body.index('"A"') < third.body.index('"B"')


def test_a_batch_stops_at_its_first_error_unless_told_to_go_on(api: DynamicsApi) -> None:
    parts = [
        part("POST", "contacts", body) for body in ({"lastname": "A"}, LONG, {"lastname": "B"})
    ]
    answer = api.batch(*parts)
    assert answer.status_code == 400
    done, failed = items(answer)
    assert (done.status, failed.status, failed.code) == (204, 400, "0x80044331")
    assert _names(api) == ["A"]
    answer = api.batch(*parts, Prefer="odata.continue-on-error")
    assert answer.status_code == 200
    assert [item.status for item in items(answer)] == [204, 400, 204]
    assert _names(api) == ["A", "A", "B"]


def test_a_change_set_is_all_or_nothing_and_refers_to_its_own_rows(api: DynamicsApi) -> None:
    account = part("POST", "accounts", {"name": "Fabrikam"}, content_id="1")
    bound = {"lastname": "A", "parentcustomerid_account@odata.bind": "$1"}
    contact = part("POST", "contacts", bound, content_id="2")
    more = part("PATCH", "$1", {"telephone1": "1"}, content_id="3")
    answer = api.batch(change_set(account, contact, more))
    assert answer.status_code == 200
    assert [(item.status, item.content_id) for item in items(answer)] == [
        (204, "1"),
        (204, "2"),
        (204, "3"),
    ]
    (row,) = api.rows(
        "contacts?$select=lastname&$expand=parentcustomerid_account($select=telephone1)"
    )
    assert row["parentcustomerid_account"]["telephone1"] == "1"
    good = part("POST", "contacts", {"lastname": "B"}, content_id="1")
    bad = part("POST", "contacts", LONG, content_id="2")
    other = part("POST", "contacts", {"lastname": "C"})
    answer = api.batch(change_set(good, bad), other, Prefer="odata.continue-on-error")
    assert [item.status for item in items(answer)] == [400, 204]
    assert _names(api) == ["A", "C"]
    done, failed = items(api.batch(other, change_set(good, bad), other))
    assert (done.status, failed.code) == (204, "0x80044331")
    assert _names(api) == ["A", "C", "C"]
    (failed,) = items(api.batch(change_set(contact)))
    assert "'$1' does not exist in the batch context" in failed.body


def test_the_requests_of_a_change_set_need_no_content_id(api: DynamicsApi) -> None:
    parts = [part("POST", "contacts", {"lastname": name}) for name in "AB"]
    found = items(api.batch(change_set(*parts)))
    assert [(item.status, item.content_id) for item in found] == [(204, ""), (204, "")]
    assert _names(api) == ["A", "B"]


def test_the_vendors_own_sample_of_a_change_set_works(api: DynamicsApi) -> None:
    """A lead, an account and a contact that come from it (PAD execute-batch)."""
    lead = part("POST", "leads", {"firstname": "Ann", "lastname": "Xu"}, content_id="1")
    account = {"name": "Fabrikam", "originatingleadid@odata.bind": "$1"}
    contact = {"lastname": "Xu", "parentcustomerid_account@odata.bind": "$2"}
    answer = api.batch(
        change_set(
            lead,
            part("POST", "accounts", account, content_id="2"),
            part(
                "POST",
                "contacts",
                {**contact, "originatingleadid@odata.bind": "$1"},
                content_id="3",
            ),
        )
    )
    assert [item.status for item in items(answer)] == [204, 204, 204]
    (row,) = api.rows("leads?$select=leadid&$expand=account_originating_lead($select=name)")
    assert [one["name"] for one in row["account_originating_lead"]] == ["Fabrikam"]


def test_malformed_batches_are_refused_as_plain_json(api: DynamicsApi) -> None:
    get = part("GET", "contacts", content_id="1")
    assert error_of(api.batch(change_set(get)))[0] == 400
    unfinished = api.session.post(
        f"{api.root}/$batch",
        data=b"--batch_1\r\n" + part("GET", "contacts"),
        headers={"Content-Type": "multipart/mixed; boundary=batch_1"},
        timeout=60,
    )
    assert error_of(unfinished)[0] == 400
    assert error_of(api.batch(b"", boundary="other"))[0] == 400


def test_a_batch_has_at_most_1000_requests(api: DynamicsApi) -> None:
    one = part("GET", "WhoAmI")
    assert len(items(api.batch(*[one] * 1_000))) == 1_000
    assert error_of(api.batch(*[one] * 1_001))[0] == 400
    posts = [part("POST", "contacts", {}, content_id=str(n)) for n in range(1_001)]
    refused = api.batch(change_set(*posts))
    assert "A maximum number of '1000' operations are allowed in a change set" in refused.text


def test_refused_rows_of_a_batch_leave_the_others_written(
    sandbox: SandboxServer, api: DynamicsApi
) -> None:
    sandbox.faults({"dynamics": {"rows_refused": 0.3}})
    parts = [part("POST", "contacts", {"lastname": str(n)}) for n in range(50)]
    found = items(api.batch(*parts, Prefer="odata.continue-on-error"))
    refused = [item for item in found if item.status == 400]
    assert 0 < len(refused) < 50
    assert {item.code for item in refused} == {"0x80040265"}
    assert len(_names(api)) == 50 - len(refused)


def _targets(*bodies: dict[str, Any]) -> dict[str, Any]:
    return {"Targets": [{"@odata.type": CONTACT, **body} for body in bodies]}


def test_create_and_update_multiple(api: DynamicsApi) -> None:
    answer = api.send(
        "POST", f"{BULK}CreateMultiple", _targets({"lastname": "A"}, {"lastname": "B"})
    )
    assert answer.status_code == 200
    one, two = answer.json()["Ids"]
    assert api.get(f"contacts({two})").json()["lastname"] == "B"
    changes = _targets({"contactid": one, "lastname": "A2"}, {"contactid": two, "lastname": "B2"})
    assert api.send("POST", f"{BULK}UpdateMultiple", changes).status_code == 204
    assert _names(api) == ["A2", "B2"]


def test_an_update_of_nobody_in_bulk_names_the_ids(api: DynamicsApi) -> None:
    nobody = "00000000-0000-4000-8000-000000000001"
    contact = api.create("contacts", lastname="A")
    targets = _targets({"contactid": contact, "lastname": "B"}, {"contactid": nobody})
    answer = api.send("POST", f"{BULK}UpdateMultiple", targets)
    assert error_of(answer) == (404, "0x80040217")
    assert f"Contact With Ids = {nobody} Do Not Exist" in answer.text
    assert _names(api) == ["A"]


def test_bulk_messages_are_all_or_nothing(sandbox: SandboxServer, api: DynamicsApi) -> None:
    answer = api.send("POST", f"{BULK}CreateMultiple", _targets({"lastname": "A"}, LONG))
    assert error_of(answer) == (400, "0x80044331")
    sandbox.faults({"dynamics": {"rows_refused": 0.5}})
    many = _targets(*({"lastname": str(n)} for n in range(20)))
    assert error_of(api.send("POST", f"{BULK}CreateMultiple", many)) == (400, "0x80040265")
    assert _names(api) == []


def test_upsert_multiple_by_key(sandbox: SandboxServer, api: DynamicsApi) -> None:
    add_column(api, "contact", "new_ExternalId", MaxLength=100)
    add_key(sandbox, api, "contact", "new_externalid")

    def targets(name: str) -> dict[str, Any]:
        return _targets(
            *(
                {"@odata.id": f"contacts(new_externalid='{n}')", "lastname": name}
                for n in range(300)
            )
        )

    for name in ("A", "B"):
        answer = api.send("POST", f"{BULK}UpsertMultiple", targets(name))
        assert (answer.status_code, answer.text) == (204, "")
    rows = api.rows("contacts?$select=lastname,new_externalid")
    assert {row["new_externalid"] for row in rows} == {str(n) for n in range(300)}
    assert {row["lastname"] for row in rows} == {"B"}
    known = {"@odata.id": "contacts(new_externalid='7')", "new_externalid": "7", "lastname": "C"}
    assert api.send("POST", f"{BULK}UpsertMultiple", _targets(known)).status_code == 204
    new = {"@odata.id": "contacts(new_externalid='x')", "new_externalid": "x", "lastname": "C"}
    assert error_of(api.send("POST", f"{BULK}UpsertMultiple", _targets(new))) == (
        400,
        "0x80040216",
    )


def test_a_row_that_comes_twice_in_a_bulk_message(sandbox: SandboxServer, api: DynamicsApi) -> None:
    add_column(api, "contact", "new_ExternalId", MaxLength=100)
    add_key(sandbox, api, "contact", "new_externalid")
    contact = api.create("contacts", lastname="A", new_externalid="a-1")
    twice = _targets(
        {"contactid": contact, "lastname": "B"},
        {"@odata.id": f"contacts({contact})", "lastname": "C", "jobtitle": "Cook"},
    )
    assert api.send("POST", f"{BULK}UpdateMultiple", twice).status_code == 204
    row = api.get(f"contacts({contact})").json()
    assert (row["lastname"], row["jobtitle"]) == ("B", None), "the first target counts"
    for keys in (("a-1", "A-1"), ("new", "New")):
        targets = ({"@odata.id": f"contacts(new_externalid='{k}')", "lastname": k} for k in keys)
        answer = api.send("POST", f"{BULK}UpsertMultiple", _targets(*targets))
        assert error_of(answer) == (412, "0x80040237")
    assert _names(api) == ["B"], "all of it is undone"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{BULK}CreateMultiple", {"Targets": [{"lastname": "A"}]}),
        (f"{BULK}CreateMultiple", {"Rows": []}),
        ("leads/Microsoft.Dynamics.CRM.CreateMultiple", _targets({"lastname": "A"})),
        ("contacts/CreateMultiple", _targets({"lastname": "A"})),
        ("listmembers/Microsoft.Dynamics.CRM.CreateMultiple", _targets({})),
    ],
)
def test_bulk_messages_that_do_not_fit_are_refused(
    api: DynamicsApi, path: str, body: dict[str, Any]
) -> None:
    assert api.send("POST", path, body).status_code == 400


def test_the_tables_that_take_bulk_messages_can_be_asked_for(api: DynamicsApi) -> None:
    def available(table: str, message: str) -> bool:
        condition = f"sdkmessageid/name eq '{message}' and primaryobjecttypecode eq '{table}'"
        query = f"sdkmessagefilters?$select=sdkmessagefilterid&$filter={condition}"
        return bool(api.rows(query))

    assert available("contact", "UpdateMultiple")
    assert available("list", "CreateMultiple")
    assert not available("contact", "UpsertMultiple"), "it is no event, though it works"
    assert not available("listmember", "CreateMultiple")
    refused = api.send("POST", f"{BULK}DeleteMultiple", _targets())
    assert "DeleteMultiple has not yet been implemented." in refused.text


def test_an_address_inside_a_batch_may_be_twice_as_long(api: DynamicsApi) -> None:
    def status(length: int) -> list[int]:
        one = part("GET", f"contacts?$top=1&$filter=lastname eq '{'x' * length}'")
        answer = api.batch(one, Prefer="odata.continue-on-error")
        return [item.status for item in items(answer)] if answer.ok else [answer.status_code]

    assert status(65_000) == [200]
    assert status(66_000) == [400]


def test_bulk_targets_may_be_addressed_in_every_way(
    sandbox: SandboxServer, api: DynamicsApi
) -> None:
    add_column(api, "contact", "new_ExternalId", MaxLength=100)
    add_key(sandbox, api, "contact", "new_externalid")
    key = "contacts(new_externalid='7')"
    for address in (key, f"/{key}", f"{api.root}/{key}", f"{api.url}/api/data/v9.1/{key}"):
        targets = _targets({"@odata.id": address, "lastname": address[:50]})
        assert api.send("POST", f"{BULK}UpsertMultiple", targets).status_code == 204
    assert len(api.rows("contacts?$select=lastname")) == 1
    for target in ({"@odata.id": 7}, {"@odata.type": 7}):
        answer = api.send("POST", f"{BULK}UpsertMultiple", _targets(target))
        assert answer.status_code == 400


def test_bulk_deletion_deletes_what_its_queries_find(api: DynamicsApi) -> None:
    kept, *gone = (api.create("contacts", lastname=name) for name in "ABC")
    condition = {
        "AttributeName": "contactid",
        "Operator": "In",
        "Values": [{"Value": one, "Type": "System.Guid"} for one in gone],
    }
    query = {
        "@odata.type": "Microsoft.Dynamics.CRM.QueryExpression",
        "EntityName": "contact",
        "Criteria": {"FilterOperator": "And", "Conditions": [condition]},
    }
    body = {
        "JobName": "Clean up",
        "SendEmailNotification": False,
        "ToRecipients": [],
        "CCRecipients": [],
        "RecurrencePattern": "",
        "StartDateTime": "2026-01-01T00:00:00Z",
        "QuerySet": [query],
    }
    answer = api.send("POST", "BulkDelete", body)
    assert (answer.status_code, len(answer.json()["JobId"])) == (200, 36)
    assert [row["contactid"] for row in api.rows("contacts?$select=contactid")] == [kept]
    assert error_of(api.send("POST", "BulkDelete", {"QuerySet": []}))[0] == 400
