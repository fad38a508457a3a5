"""Users: how they are addressed, and acting in the name of another one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.dynamics_api import DynamicsApi, change_set, error_of, items, part, signed_in
from tests.support.sandbox import SandboxServer

NOBODY = "00000000-0000-4000-8000-000000000001"
HEADERS = ("CallerObjectId", "MSCRMCallerID")


@pytest.fixture
def api(sandbox: SandboxServer) -> Iterator[DynamicsApi]:
    with signed_in(sandbox) as caller:
        yield caller


@pytest.fixture
def own(api: DynamicsApi) -> str:
    """The application user."""
    return str(api.get("WhoAmI").json()["UserId"])


@pytest.fixture
def person(api: DynamicsApi, own: str) -> dict[str, Any]:
    """Somebody else."""
    (found,) = api.rows(f"systemusers?$filter=systemuserid ne {own}")
    return found


def test_a_user_is_addressed_by_id_or_object_id_but_not_by_systemuserid(
    api: DynamicsApi, person: dict[str, Any]
) -> None:
    identity, object_id = person["systemuserid"], person["azureactivedirectoryobjectid"]
    for key in (identity, f"ownerid={identity}", f"azureactivedirectoryobjectid={object_id}"):
        row = api.get(f"systemusers({key})?$select=fullname").json()
        assert (row["systemuserid"], row["ownerid"]) == (identity, identity)
    for address in (f"systemusers(systemuserid={identity})", f"teams(teamid={NOBODY})"):
        answer = api.get(address)
        assert error_of(answer) == (400, "0x80060888")
        assert "The key in the request URI is not valid" in answer.text
    unknown = api.get(f"systemusers(azureactivedirectoryobjectid={NOBODY})")
    assert error_of(unknown) == (404, "0x80060891")
    bound = {"ownerid@odata.bind": f"/systemusers(azureactivedirectoryobjectid={object_id})"}
    contact = api.create("contacts", **bound)
    assert api.get(f"contacts({contact})").json()["_ownerid_value"] == identity
    assert (
        '<EntityType Name="systemuser" BaseType="mscrm.crmbaseentity"><Key><PropertyRef'
        + (' Name="ownerid" />')
        in api.get("$metadata").text
    )


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("given", [NOBODY, "robin"])
def test_nobody_acts_in_the_name_of_an_unknown_user(
    api: DynamicsApi, header: str, given: str
) -> None:
    for method, path, body in (
        ("GET", "contacts", None),
        ("GET", "WhoAmI", None),
        ("POST", "contacts", {"lastname": "A"}),
        ("GET", "EntityDefinitions(LogicalName='contact')", None),
    ):
        assert error_of(api.send(method, path, body, **{header: given})) == (403, "0x80072560")
    parts = (part("GET", "contacts"), change_set(part("POST", "contacts", {"lastname": "A"})))
    for one in parts:
        (refused,) = items(api.batch(one, **{header: given}))
        assert (refused.status, refused.code) == (403, "0x80072560")
    assert api.rows("contacts?$select=contactid") == []


@pytest.mark.parametrize("header", HEADERS)
def test_what_is_done_in_the_name_of_a_user_is_told_of_both(
    api: DynamicsApi, own: str, person: dict[str, Any], header: str
) -> None:
    column = "systemuserid" if header == "MSCRMCallerID" else "azureactivedirectoryobjectid"
    as_person = {header: person[column]}
    assert api.get("WhoAmI", **as_person).json()["UserId"] == person["systemuserid"]
    answer = api.send("POST", "contacts", {"lastname": "A"}, **as_person)
    row = api.get(answer.headers["OData-EntityId"]).json()
    assert row["_createdby_value"] == row["_ownerid_value"] == person["systemuserid"]
    assert row["_createdonbehalfby_value"] == own
    api.send("PATCH", answer.headers["OData-EntityId"], {"lastname": "B"})
    row = api.get(answer.headers["OData-EntityId"]).json()
    assert (row["_modifiedby_value"], row["_modifiedonbehalfby_value"]) == (own, None)
    assert row["_createdonbehalfby_value"] == own
