"""Merge fields of every type: values go over in the vendor's forms, and a refusal names the field.

Text and dates are in every promise; these are the types that Mailchimp alone has.
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.support.engine import World
from tests.support.sandbox import SandboxServer
from tests.support.scenario import LISTS, Scenario

pytestmark = pytest.mark.parametrize("platform", ["mailchimp"], indirect=True)

ANN, BOB, CLEO = (f"{name}@mail.example" for name in ("ann", "bob", "cleo"))
BIRTHDAY = {"type": "date", "date_format": "%m/%d", "direction": "to_marketing"}
GENDERS = {1: "Male", 2: "Female"}
MAPPED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "first_name": ("firstname", "FNAME", {}),
    "department": ("department", "COMPANY", {}),
    "phone": ("telephone1", "PHONE", {}),
    "gender": ("gendercode", "SEX", {"type": "option", "options": GENDERS}),
    "title": ("jobtitle", "ROLE", {}),
    "born": ("birthdate", "BORN", {"type": "date"}),
    "birthday": ("birthdate", "BIRTHDAY", BIRTHDAY),
    "street": ("address1_line1", "ADDRESS.addr1", {}),
    "city": ("address1_city", "ADDRESS.city", {}),
    "state": ("address1_stateorprovince", "ADDRESS.state", {}),
    "zip": ("address1_postalcode", "ADDRESS.zip", {}),
}
HOME = {
    "address1_line1": "1 High Street",
    "address1_city": "York",
    "address1_stateorprovince": "Yorks",
    "address1_postalcode": "12345",
}
PERSON = {
    **HOME,
    "firstname": "Ann",
    "department": "Sales",
    "telephone1": "212-555-0142",
    "gendercode": 2,
    "jobtitle": "Cook",
    "birthdate": "1980-02-29",
}


@pytest.fixture
def scenario(world: World, sandbox: SandboxServer) -> Scenario:
    """An audience with a field of each type, of which one is required."""
    scenario = Scenario(world, sandbox)
    fields = {
        name: {"crm": crm, "marketing": tag, **more} for name, (crm, tag, more) in MAPPED.items()
    }
    mapping = {"entity": "contact", "fields": fields}
    (world.include / "mappings" / "own.yaml").write_text(yaml.safe_dump(mapping))
    world.configure(
        lists={"newsletter": LISTS["newsletter"]},
        mappings={"contact": "own.yaml"},
        settings={"retry_minutes": 0},
    )
    with sandbox.mailchimp() as api:
        audience = scenario.platform.list_id("Newsletter")
        path = f"/lists/{audience}/merge-fields"
        rows = api.get(path, params={"count": 100}).json()["merge_fields"]
        known = {row["tag"]: row["merge_id"] for row in rows}
        for tag, kind, choices in (
            ("SEX", "radio", ["Male", "Female"]),
            ("ROLE", "dropdown", ["Cook", "Baker"]),
            ("BORN", "date", []),
        ):
            body = {"tag": tag, "name": tag, "type": kind, "options": {"choices": choices}}
            assert api.post(path, json=body).status_code == 200
        for tag, change in (
            ("COMPANY", {"required": True}),
            ("PHONE", {"options": {"phone_format": "US"}}),
        ):
            body = {"name": tag, **change}
            assert api.patch(f"{path}/{known[tag]}", json=body).status_code == 200
    return scenario


def test_values_go_both_ways_in_the_forms_of_their_fields(scenario: Scenario) -> None:
    (ann,) = scenario.on_both(ANN, **PERSON)
    held = scenario.fields(ANN)
    address = held.pop("ADDRESS")
    assert {name: address[name] for name in ("addr1", "city", "state", "zip")} == {
        "addr1": "1 High Street", "city": "York", "state": "Yorks", "zip": "12345",
    }  # fmt: skip
    assert held | {"SEX": "Female", "ROLE": "Cook"} == held
    assert (held["BORN"], held["BIRTHDAY"]) == ("1980-02-29", "02/29")
    assert scenario.at_rest()
    scenario.change(ann, birthdate="1981-03-04", gendercode=1, address1_city="Leeds")
    scenario.edit(ANN, ROLE="Baker", phone="(212) 555-0143", first_name="Anna")
    scenario.sync()
    held, record = scenario.fields(ANN), scenario.record(ann)
    assert (held["BORN"], held["BIRTHDAY"], held["SEX"]) == ("1981-03-04", "03/04", "Male")
    assert (held["ADDRESS"]["city"], held["ADDRESS"]["addr1"]) == ("Leeds", "1 High Street")
    assert (record["jobtitle"], record["telephone1"]) == ("Baker", "(212) 555-0143")
    assert scenario.at_rest()
    scenario.edit(ANN, BIRTHDAY="05/06")
    assert scenario.sync(full_resync=True).status == "Completed"
    assert scenario.record(ann)["birthdate"][:10] == "1981-03-04", "it has a year"


def test_a_refusal_names_the_field_and_holds_up_nobody(scenario: Scenario) -> None:
    bad = {
        "PHONE": ("telephone1", "soon"),
        "ROLE": ("jobtitle", "Astronaut"),
        "COMPANY": ("department", None),
        "ADDRESS": ("address1_line1", None),
    }
    refused = {f"{tag.lower()}@mail.example": tag for tag in bad}
    ids = {
        email: scenario.crm.contact(email, **{**PERSON, bad[tag][0]: bad[tag][1]})
        for email, tag in refused.items()
    }
    for record in (*ids.values(), scenario.crm.contact(BOB, **PERSON)):
        scenario.crm.join("Newsletter", record)
    run = scenario.sync()
    assert scenario.members() == [BOB]
    created = run.jobs_of(kind="create", result="error").set_index("email")["error_message"]
    assert {email: told.split()[0].rstrip(":") for email, told in created.items()} == refused
    for email, tag in refused.items():
        scenario.change(ids[email], **{bad[tag][0]: PERSON[bad[tag][0]]})
    scenario.sync()
    assert scenario.members() == sorted([BOB, *refused])
    # And whoever is there keeps what they have.
    for email, tag in refused.items():
        scenario.change(ids[email], **{bad[tag][0]: bad[tag][1], "firstname": "Annie"})
    updated = scenario.sync().jobs_of(kind="update", result="error").set_index("email")
    assert {
        email: tag in updated.loc[email, "error_message"] for email, tag in refused.items()
    } == (dict.fromkeys(refused, True))
    assert {scenario.fields(email)["first_name"] for email in refused} == {"Ann"}
