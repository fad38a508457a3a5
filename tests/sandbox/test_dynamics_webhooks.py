"""Webhooks of Dataverse: what may be registered, and what is sent when something happens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.dynamics_api import CONTACT, DynamicsApi, signed_in
from tests.support.receiver import Receiver, Sent
from tests.support.sandbox import SandboxServer

KEY = "a key/of the webhook"
ENDPOINT = {"name": "here", "contract": 8, "authtype": 4, "authvalue": KEY}


@pytest.fixture
def api(sandbox: SandboxServer) -> Iterator[DynamicsApi]:
    with signed_in(sandbox) as found:
        yield found


@pytest.fixture
def receiver(sandbox: SandboxServer) -> Iterator[Receiver]:
    sandbox.settings({"dynamics": {"webhooks_to_any_port": True}})
    with Receiver() as found:
        yield found


def endpoint(api: DynamicsApi, url: str, **more: Any) -> Any:
    return api.send("POST", "serviceendpoints", ENDPOINT | {"url": url} | more)


def step(api: DynamicsApi, url: str, message: str, table: str, **more: Any) -> Any:
    made = endpoint(api, url)
    assert made.status_code == 204, made.text
    place = made.headers["OData-EntityId"].rpartition("/")[2]
    (found,) = api.rows(
        "sdkmessagefilters?$select=sdkmessagefilterid&$expand=sdkmessageid($select=sdkmessageid)"
        f"&$filter=sdkmessageid/name eq '{message}' and primaryobjecttypecode eq '{table}'"
    )
    body = {
        "name": f"{message} of {table}",
        "stage": 40,
        "mode": 1,
        "rank": 1,
        "asyncautodelete": True,
        "eventhandler_serviceendpoint@odata.bind": f"/{place}",
        "sdkmessageid@odata.bind": f"/sdkmessages({found['sdkmessageid']['sdkmessageid']})",
        "sdkmessagefilterid@odata.bind": f"/sdkmessagefilters({found['sdkmessagefilterid']})",
    }
    return api.send("POST", "sdkmessageprocessingsteps", body | more)


def told(one: Sent) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(one.body)
    return found


def parameters(one: Sent) -> dict[str, Any]:
    return {item["key"]: item["value"] for item in told(one)["InputParameters"]}


def test_an_endpoint_keeps_its_key_to_itself(api: DynamicsApi, receiver: Receiver) -> None:
    place = endpoint(api, receiver.url).headers["OData-EntityId"]
    row = api.get(place).json()
    assert (row["authvalue"], row["isauthvalueset"], row["messageformat"]) == (None, True, 2)
    assert KEY not in api.get(place).text


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"url": "http://hooks.example:8080/x"}, 400),
        ({"url": "ftp://hooks.example/x"}, 400),
        ({"url": "https://hooks.example/x"}, 204),
        ({"url": "https://hooks.example/x", "authtype": 5}, 501),
        ({"url": "https://hooks.example/x", "contract": 7}, 501),
    ],
)
def test_a_webhook_leads_to_the_ports_of_the_web(
    more: dict[str, Any], status: int, api: DynamicsApi
) -> None:
    assert api.send("POST", "serviceendpoints", ENDPOINT | more).status_code == status


@pytest.mark.parametrize(
    ("more", "status"), [({"stage": 10}, 400), ({"mode": 0}, 501), ({"statecode": 0}, 204)]
)
def test_a_step_is_asynchronous_and_comes_after_the_operation(
    more: dict[str, Any], status: int, api: DynamicsApi, receiver: Receiver
) -> None:
    assert step(api, receiver.url, "Update", "contact", **more).status_code == status


def test_a_change_is_told_with_its_key_and_who_made_it(
    api: DynamicsApi, receiver: Receiver
) -> None:
    place = api.send("POST", "contacts", {"lastname": "Berg"}).headers["OData-EntityId"]
    step(api, f"{receiver.url}/hook?x=1", "Update", "contact", filteringattributes="jobtitle,city")
    api.send("PATCH", place, {"lastname": "Bergh"})  # no column of the step's
    body = {"jobtitle": "Clerk", "preferredcontactmethodcode": 2, "donotbulkemail": True}
    api.send("PATCH", place, body)
    (one,) = receiver.wait(1)
    assert one.path == "/hook?x=1&code=a%20key%2Fof%20the%20webhook"
    assert one.headers["x-ms-dynamics-request-name"] == "Update"
    assert one.headers["x-ms-dynamics-entity-name"] == "contact"
    context = told(one)
    user = api.get("WhoAmI").json()["UserId"]
    assert context["PrimaryEntityId"] in place
    assert (context["MessageName"], context["InitiatingUserId"]) == ("Update", user)
    given = {item["key"]: item["value"] for item in parameters(one)["Target"]["Attributes"]}
    assert given["jobtitle"] == "Clerk"
    assert given["donotbulkemail"] is True
    assert given["preferredcontactmethodcode"]["Value"] == 2
    assert given["modifiedon"].startswith("/Date(")


def test_rows_of_bulk_messages_are_told_one_by_one_and_refused_ones_not_at_all(
    api: DynamicsApi, receiver: Receiver
) -> None:
    step(api, receiver.url, "Create", "contact")
    rows = [{"@odata.type": CONTACT, "lastname": name} for name in ("Ash", "Birch")]
    action = "contacts/Microsoft.Dynamics.CRM.CreateMultiple"
    refused = [*rows, {"@odata.type": CONTACT, "lastname": 7}]
    assert api.send("POST", action, {"Targets": refused}).status_code == 400
    ids = api.send("POST", action, {"Targets": rows}).json()["Ids"]
    assert [told(one)["PrimaryEntityId"] for one in receiver.wait(2)] == ids


def test_members_of_a_list_and_deletions_are_told(api: DynamicsApi, receiver: Receiver) -> None:
    (news,) = api.rows("lists?$filter=listname eq 'Newsletter'&$select=listid")
    place = api.send("POST", "contacts", {"lastname": "Berg"}).headers["OData-EntityId"]
    person = place[-37:-1]
    for message, table in (
        ("AddListMembers", "list"), ("AddMember", "list"), ("RemoveMember", "list"),
        ("Delete", "contact"),
    ):  # fmt: skip
        step(api, receiver.url, message, table)
    members = [{"@odata.type": CONTACT, "contactid": person}]
    named = {"@odata.type": "Microsoft.Dynamics.CRM.list", "listid": news["listid"]}
    api.send("POST", "AddListMembersList", {"List": named, "Members": members})
    bound = f"lists({news['listid']})/Microsoft.Dynamics.CRM"
    api.send("POST", f"{bound}.RemoveMemberList", {"EntityId": person})
    api.send("POST", f"{bound}.AddMemberList", {"EntityId": person})
    api.send("DELETE", place)
    sent = receiver.wait(4)
    assert [parameters(one).get("MemberIds") for one in sent] == [[person], None, None, None]
    assert [parameters(one).get("EntityId") for one in sent] == [None, person, person, None]
    assert told(sent[3])["PrimaryEntityId"] == person


@pytest.mark.parametrize(("status", "tries"), [(503, 2), (500, 1)])
def test_there_is_one_more_try_after_a_gateways_error(
    status: int, tries: int, api: DynamicsApi, receiver: Receiver
) -> None:
    step(api, receiver.url, "Create", "lead")
    receiver.answers += [status, status]
    for name in ("Ash", "Birch"):
        api.send("POST", "leads", {"lastname": name})
    names = [
        next(item["value"] for item in parameters(one)["Target"]["Attributes"]
             if item["key"] == "lastname")
        for one in receiver.wait(tries + 1)
    ]  # fmt: skip
    assert names == ["Ash"] * tries + ["Birch"]
