"""Definitions: read them, and make tables, columns, keys and relationships."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.sandbox.dynamics_api import (
    DynamicsApi,
    add_column,
    add_key,
    error_of,
    label,
    signed_in,
)
from tests.support.sandbox import SandboxServer

CONTACT = "EntityDefinitions(LogicalName='contact')"
SPACE = "Microsoft.Dynamics.CRM"


@pytest.fixture
def api(sandbox: SandboxServer) -> Iterator[DynamicsApi]:
    with signed_in(sandbox) as caller:
        yield caller


def _table(api: DynamicsApi, schema: str = "new_Suppression") -> dict[str, Any]:
    name = {
        "@odata.type": f"{SPACE}.StringAttributeMetadata",
        "SchemaName": "new_Name",
        "IsPrimaryName": True,
        "MaxLength": 100,
        "DisplayName": label("Name"),
    }
    body = {
        "@odata.type": f"{SPACE}.EntityMetadata",
        "SchemaName": schema,
        "DisplayName": label("Suppression"),
        "DisplayCollectionName": label("Suppressions"),
        "OwnershipType": "UserOwned",
        "HasActivities": False,
        "HasNotes": False,
        "Attributes": [name],
    }
    answer = api.send("POST", "EntityDefinitions", body)
    assert answer.status_code == 204, answer.text
    definition: dict[str, Any] = api.get(answer.headers["OData-EntityId"]).json()
    return definition


def test_a_table_is_found_by_name_by_id_and_by_filter(api: DynamicsApi) -> None:
    names = "$select=LogicalName,EntitySetName,PrimaryIdAttribute,PrimaryNameAttribute"
    found = api.get(f"{CONTACT}?{names}").json()
    found.pop("@odata.context")
    assert found == {
        "MetadataId": found["MetadataId"],
        "LogicalName": "contact",
        "EntitySetName": "contacts",
        "PrimaryIdAttribute": "contactid",
        "PrimaryNameAttribute": "fullname",
    }
    by_id = api.get(f"EntityDefinitions({found['MetadataId']})?{names}").json()
    (by_filter,) = api.rows(f"EntityDefinitions?{names}&$filter=LogicalName eq 'contact'")
    by_id.pop("@odata.context")
    assert by_id == by_filter == found
    owned = "OwnershipType eq Microsoft.Dynamics.CRM.OwnershipTypes'UserOwned'"
    assert {"contact", "lead"} <= {
        row["LogicalName"] for row in api.rows(f"EntityDefinitions?$filter={owned}")
    }
    assert api.get("EntityDefinitions(LogicalName='nothing')").status_code == 404
    managed = "CanChangeTrackingBeEnabled/Value eq true"
    assert api.rows(f"EntityDefinitions?$select=LogicalName&$filter={managed}")


def test_columns_need_a_cast_for_what_their_type_has(api: DynamicsApi) -> None:
    names = "$select=LogicalName,AttributeType,SchemaName,IsValidForCreate,IsValidForUpdate"
    columns = {row["LogicalName"]: row for row in api.rows(f"{CONTACT}/Attributes?{names}")}
    assert columns["fullname"]["IsValidForUpdate"] is False
    kind = columns["gendercode"]["@odata.type"]
    assert kind == "#Microsoft.Dynamics.CRM.PicklistAttributeMetadata"
    assert api.get(f"{CONTACT}/Attributes?$select=MaxLength").status_code == 400
    texts = api.rows(
        f"{CONTACT}/Attributes/{SPACE}.StringAttributeMetadata?$select=LogicalName,MaxLength"
    )
    assert {row["LogicalName"]: row["MaxLength"] for row in texts}["emailaddress1"] == 100
    dates = api.rows(
        f"{CONTACT}/Attributes/{SPACE}.DateTimeAttributeMetadata?$select=LogicalName,DateTimeBehavior"
    )
    behaviors = {row["LogicalName"]: row["DateTimeBehavior"]["Value"] for row in dates}
    assert behaviors["birthdate"] == "DateOnly"
    assert behaviors["createdon"] == "UserLocal"


@pytest.mark.parametrize(
    ("kind", "column", "expected"),
    [
        ("Picklist", "gendercode", {1: "Male", 2: "Female"}),
        ("State", "statecode", {0: "Active", 1: "Inactive"}),
        ("Status", "statuscode", {1: "Active", 2: "Inactive"}),
    ],
)
def test_option_sets_carry_values_and_labels(
    api: DynamicsApi, kind: str, column: str, expected: dict[int, str]
) -> None:
    path = f"{CONTACT}/Attributes/{SPACE}.{kind}AttributeMetadata"
    rows = api.rows(f"{path}?$select=LogicalName&$expand=OptionSet,GlobalOptionSet")
    found = next(row["OptionSet"] for row in rows if row["LogicalName"] == column)
    options = {
        option["Value"]: option["Label"]["UserLocalizedLabel"]["Label"]
        for option in found["Options"]
    }
    assert options == expected
    if kind == "Status":
        assert {option["Value"]: option["State"] for option in found["Options"]} == {1: 0, 2: 1}


def test_a_global_option_set_is_shared_by_columns_and_grows(api: DynamicsApi) -> None:
    assert api.rows("GlobalOptionSetDefinitions") == []
    assert api.get("GlobalOptionSetDefinitions(Name='new_colours')").status_code == 404
    body = {
        "@odata.type": f"{SPACE}.OptionSetMetadata",
        "Name": "new_colours",
        "DisplayName": label("Colours"),
        "OptionSetType": "Picklist",
        "Options": [
            {"Value": None, "Label": label("Red")},
            {"Value": None, "Label": label("Blue")},
        ],
    }
    made = api.send("POST", "GlobalOptionSetDefinitions", body)
    assert made.status_code == 204
    assert error_of(api.send("POST", "GlobalOptionSetDefinitions", body)) == (400, "0x80044345")
    wrong = {**body, "Name": "acme_colours"}
    assert error_of(api.send("POST", "GlobalOptionSetDefinitions", wrong)) == (400, "0x80044366")
    found = api.get("GlobalOptionSetDefinitions(Name='new_colours')").json()
    assert found["MetadataId"] in made.headers["OData-EntityId"]
    assert [one["Value"] for one in found["Options"]] == [100_000_000, 100_000_001]

    bind = {"GlobalOptionSet@odata.bind": f"/GlobalOptionSetDefinitions({found['MetadataId']})"}
    add_column(api, "contact", "new_Colour", "Picklist", **bind)
    contact = api.create("contacts", new_colour=100_000_001)
    assert error_of(api.send("POST", "contacts", {"new_colour": 100_000_002}))[1] == "0x8004431a"
    green = {"OptionSetName": "new_colours", "Label": label("Green")}
    assert api.send("POST", "InsertOptionValue", green).json()["NewOptionValue"] == 100_000_002
    assert api.send("PATCH", f"contacts({contact})", {"new_colour": 100_000_002}).ok
    path = f"{CONTACT}/Attributes(LogicalName='new_colour')/{SPACE}.PicklistAttributeMetadata"
    column = api.get(f"{path}?$select=LogicalName&$expand=OptionSet,GlobalOptionSet").json()
    assert column["OptionSet"] is None
    names = [one["Label"]["UserLocalizedLabel"] for one in column["GlobalOptionSet"]["Options"]]
    assert [name["Label"] for name in names] == ["Red", "Blue", "Green"]
    used = api.send("DELETE", "GlobalOptionSetDefinitions(Name='new_colours')")
    assert used.status_code == 400


def test_a_new_column_is_read_written_and_checked(api: DynamicsApi) -> None:
    add_column(api, "contact", "new_Note", MaxLength=5)
    add_column(api, "contact", "new_Since", "DateTime", DateTimeBehavior={"Value": "DateOnly"})
    options = [{"Value": 1, "Label": label("One")}, {"Value": 2, "Label": label("Two")}]
    add_column(api, "contact", "new_Kind", "Picklist", OptionSet={"Options": options})
    body = {"new_note": "abc", "new_since": "2026-01-31", "new_kind": 2}
    contact = api.create("contacts", **body)
    row = api.get(f"contacts({contact})?$select=new_note,new_since,new_kind").json()
    assert {name: row[name] for name in body} == body
    assert error_of(api.send("POST", "contacts", {"new_note": "abcdef"}))[1] == "0x80044331"
    assert error_of(api.send("POST", "contacts", {"new_kind": 3}))[1] == "0x8004431a"
    again = {"@odata.type": f"{SPACE}.StringAttributeMetadata", "SchemaName": "new_Note"}
    assert api.send("POST", f"{CONTACT}/Attributes", again).status_code == 400
    bare = {"@odata.type": f"{SPACE}.StringAttributeMetadata", "SchemaName": "note"}
    assert api.send("POST", f"{CONTACT}/Attributes", bare).status_code == 400
    assert api.send("POST", f"{CONTACT}/Attributes", {"SchemaName": "new_Other"}).status_code == 400
    german = {"LocalizedLabels": [{"Label": "Notiz", "LanguageCode": 1031}]}
    notiz = {**again, "SchemaName": "new_Notiz", "DisplayName": german}
    assert "1031 is not a valid" in api.send("POST", f"{CONTACT}/Attributes", notiz).text
    assert [row["languagecode"] for row in api.rows("organizations")] == [1033]


def test_what_was_made_survives_a_restart() -> None:
    with SandboxServer() as server:
        with signed_in(server) as api:
            _table(api)
            add_column(api, "contact", "new_Note")
            api.create("new_suppressions", new_name="kept")
            contact = api.create("contacts", new_note="kept too")
            delta = api.snapshot("contacts?$select=new_note")[1].removeprefix(api.root)
        server.kill()
        server.start()
        with signed_in(server) as api:
            assert [row["new_name"] for row in api.rows("new_suppressions")] == ["kept"]
            assert api.get(f"contacts({contact})").json()["new_note"] == "kept too"
            assert api.get(delta.lstrip("/")).json()["value"] == []


def test_a_new_table_has_rows_and_takes_bulk_messages(
    sandbox: SandboxServer, api: DynamicsApi
) -> None:
    table = _table(api)
    assert table["EntitySetName"] == "new_suppressions"
    assert table["PrimaryIdAttribute"] == "new_suppressionid"
    assert table["ChangeTrackingEnabled"] is False
    add_column(api, "new_suppression", "new_Address", MaxLength=200)
    add_key(sandbox, api, "new_suppression", "new_address")
    targets = [
        {
            "@odata.type": f"{SPACE}.new_suppression",
            "@odata.id": "new_suppressions(new_address='a@b.example')",
            "new_name": name,
        }
        for name in ("first", "second")
    ]
    path = f"new_suppressions/{SPACE}.UpsertMultiple"
    for target in targets:
        assert api.send("POST", path, {"Targets": [target]}).status_code == 204
    (row,) = api.rows("new_suppressions?$select=new_name,new_address")
    assert (row["new_name"], row["new_address"]) == ("second", "a@b.example")
    assert sandbox.table("dynamics", "new_suppression")[0]["new_address"] == "a@b.example"


def test_a_key_is_usable_once_its_index_is_built(sandbox: SandboxServer, api: DynamicsApi) -> None:
    add_column(api, "contact", "new_Code", MaxLength=50)
    api.create("contacts", new_code="a")
    sandbox.settings({"dynamics": {"key_index_seconds": 100}})
    body = {
        "SchemaName": "new_CodeKey",
        "KeyAttributes": ["new_code"],
        "DisplayName": label("Code"),
    }
    assert api.send("POST", f"{CONTACT}/Keys", body).status_code == 204

    def status() -> str:
        (key,) = api.rows(f"{CONTACT}/Keys?$select=SchemaName,KeyAttributes,EntityKeyIndexStatus")
        assert (key["SchemaName"], key["KeyAttributes"]) == ("new_CodeKey", ["new_code"])
        return str(key["EntityKeyIndexStatus"])

    assert status() == "Pending"
    assert api.get("contacts(new_code='a')").status_code == 400
    sandbox.advance(101)
    assert status() == "Active"
    assert api.get("contacts(new_code='a')").status_code == 200
    expanded = api.get(f"{CONTACT}?$select=SchemaName&$expand=Keys($select=KeyAttributes)").json()
    assert expanded["Keys"][0]["KeyAttributes"] == ["new_code"]


def test_a_key_over_equal_values_fails_until_they_are_mended(
    sandbox: SandboxServer, api: DynamicsApi
) -> None:
    add_column(api, "contact", "new_Code", MaxLength=50)
    one = api.create("contacts", new_code="a")
    api.create("contacts", new_code="a")
    add_key(sandbox, api, "contact", "new_code")
    assert api.rows(f"{CONTACT}/Keys")[0]["EntityKeyIndexStatus"] == "Failed"
    api.send("PATCH", f"contacts({one})", {"new_code": "b"})
    body = {"EntityLogicalName": "contact", "EntityKeyLogicalName": "new_contact_key"}
    assert api.send("POST", "ReactivateEntityKey", body).status_code == 204
    assert api.rows(f"{CONTACT}/Keys")[0]["EntityKeyIndexStatus"] == "Active"


@pytest.mark.parametrize("columns", [["nothing"], [], ["donotemail"], ["description"]])
def test_impossible_keys_are_refused(api: DynamicsApi, columns: list[str]) -> None:
    body = {"SchemaName": "new_Key", "KeyAttributes": columns, "DisplayName": label("Key")}
    assert api.send("POST", f"{CONTACT}/Keys", body).status_code == 400


def test_a_new_lookup_has_the_case_of_its_schema_name(api: DynamicsApi) -> None:
    _table(api)
    body = {
        "@odata.type": f"{SPACE}.OneToManyRelationshipMetadata",
        "SchemaName": "new_contact_suppression",
        "ReferencedEntity": "contact",
        "ReferencedAttribute": "contactid",
        "ReferencingEntity": "new_suppression",
        "Lookup": {
            "@odata.type": f"{SPACE}.LookupAttributeMetadata",
            "SchemaName": "new_Contact",
            "DisplayName": label("Contact"),
        },
    }
    assert api.send("POST", "RelationshipDefinitions", body).status_code == 204
    contact = api.create("contacts", lastname="Ann")
    lower = api.send(
        "POST", "new_suppressions", {"new_contact@odata.bind": f"/contacts({contact})"}
    )
    assert "An undeclared property 'new_contact'" in lower.json()["error"]["message"]
    row = api.create("new_suppressions", **{"new_Contact@odata.bind": f"/contacts({contact})"})
    assert api.get(f"new_suppressions({row})").json()["_new_contact_value"] == contact
    path = "EntityDefinitions(LogicalName='new_suppression')/ManyToOneRelationships"
    names = {
        one["ReferencingAttribute"]: one["ReferencingEntityNavigationPropertyName"]
        for one in api.rows(path)
    }
    assert names["new_contact"] == "new_Contact"
    behind = api.rows(f"contacts({contact})/new_contact_suppression?$select=new_name")
    assert [one["new_suppressionid"] for one in behind] == [row]


def test_tables_are_made_by_the_action_of_the_vendors_own_sdk(api: DynamicsApi) -> None:
    attribute = {
        "@odata.type": f"{SPACE}.ComplexStringAttributeMetadata",
        "SchemaName": "new_Name",
        "IsPrimaryName": True,
        "MaxLength": 200,
    }
    when = {
        "@odata.type": f"{SPACE}.ComplexDateTimeAttributeMetadata",
        "SchemaName": "new_When",
        "Format": "DateOnly",
    }
    entity = {
        "@odata.type": f"{SPACE}.ComplexEntityMetadata",
        "SchemaName": "new_Widget",
        "DisplayName": label("Widget"),
        "DisplayCollectionName": label("Widgets"),
        "OwnershipType": "UserOwned",
        "Attributes": [attribute, when],
    }
    assert api.send("POST", "CreateEntities", {"Entities": [entity]}).status_code == 204
    moment = "2026-01-31T09:00:00Z"  # a format is for forms: the column holds a time
    row = api.create("new_widgets", new_name="A", new_when=moment)
    assert api.get(f"new_widgets({row})").json()["new_when"] == moment
    assert api.send("POST", "CreateEntities", {}).status_code == 400


def test_a_column_is_changed_by_its_whole_definition(api: DynamicsApi) -> None:
    add_column(api, "contact", "new_Note", MaxLength=5)
    path = f"{CONTACT}/Attributes(LogicalName='new_note')"
    cast = f"{path}/{SPACE}.StringAttributeMetadata"
    whole = {**api.get(cast).json(), "MaxLength": 50, "DisplayName": {}}
    assert api.send("PATCH", path, whole).status_code == 405
    merged = {"MSCRM.MergeLabels": "true"}
    assert api.send("PUT", path, whole, **merged).status_code == 204
    changed = api.get(cast).json()
    assert (changed["MaxLength"], changed["DisplayName"]) == (50, label_of(api, cast))
    api.create("contacts", new_note="x" * 50)
    assert api.send("PUT", path, {**whole, "SchemaName": "new_Other"}).status_code == 400


def label_of(api: DynamicsApi, path: str) -> Any:
    name = api.get(path).json()["DisplayName"]
    assert name["UserLocalizedLabel"]["Label"] == "new_Note"
    return name


def test_what_was_made_can_be_deleted_in_order(sandbox: SandboxServer, api: DynamicsApi) -> None:
    _table(api)
    add_column(api, "new_suppression", "new_Code", MaxLength=50)
    add_key(sandbox, api, "new_suppression", "new_code")
    api.create("new_suppressions", new_code="a")
    table = "EntityDefinitions(LogicalName='new_suppression')"
    column, key = f"{table}/Attributes(LogicalName='new_code')", api.rows(f"{table}/Keys")[0]
    assert api.send("DELETE", column).status_code == 400, "a key has it"
    assert api.send("DELETE", f"{table}/Keys({key['MetadataId'].upper()})").status_code == 204
    assert api.send("DELETE", column).status_code == 204
    assert "new_code" not in api.rows("new_suppressions")[0]
    assert api.send("DELETE", table).status_code == 204
    assert api.get("new_suppressions").status_code == 404
    assert api.get(table).status_code == 404
    assert _table(api)["EntitySetName"] == "new_suppressions", "it can be made again"
    assert api.rows("new_suppressions") == []


def test_a_solution_has_what_is_made_for_it_and_goes_before_its_publisher(
    sandbox: SandboxServer, api: DynamicsApi
) -> None:
    own = {"friendlyname": "Own", "uniquename": "own"}
    prefix = {"customizationprefix": "own", "customizationoptionvalueprefix": 12_345}
    publisher = api.create("publishers", **own, **prefix)
    bind = {"publisherid@odata.bind": f"/publishers({publisher})"}
    solution = api.create("solutions", **own, version="1.0.0.0", **bind)
    for_it = {"MSCRM.SolutionUniqueName": "own"}
    column = {
        "@odata.type": f"{SPACE}.StringAttributeMetadata", "SchemaName": "own_code",
        "DisplayName": label("Code"),
    }  # fmt: skip
    made = api.send("POST", f"{CONTACT}/Attributes", column, **for_it)
    assert made.status_code == 204, made.text
    parts = f"solutioncomponents?$filter=_solutionid_value eq {solution}"
    assert sorted(row["componenttype"] for row in api.rows(parts)) == [1, 2]
    assert api.send("DELETE", f"publishers({publisher})").status_code == 405
    assert api.send("DELETE", made.headers["OData-EntityId"]).status_code == 204
    assert [row["componenttype"] for row in api.rows(parts)] == [1], "the contact's table"
    assert api.send("DELETE", f"solutions({solution})").status_code == 204
    assert api.rows(parts) == []
    assert api.send("DELETE", f"publishers({publisher})").status_code == 204
    assert api.get(CONTACT).status_code == 200


def test_a_lookup_goes_with_its_relationship(api: DynamicsApi) -> None:
    _table(api)
    body = {
        "@odata.type": f"{SPACE}.OneToManyRelationshipMetadata",
        "SchemaName": "new_suppression_contact",
        "ReferencedEntity": "new_suppression",
        "ReferencingEntity": "contact",
        "Lookup": {
            "@odata.type": f"{SPACE}.LookupAttributeMetadata",
            "SchemaName": "new_SuppressionId",
            "DisplayName": label("Suppression"),
        },
    }
    made = api.send("POST", "RelationshipDefinitions", body).headers["OData-EntityId"]
    cast = f"RelationshipDefinitions/{SPACE}.OneToManyRelationshipMetadata"
    (found,) = api.rows(f"{cast}?$select=SchemaName&$filter=ReferencedEntity eq 'new_suppression'")
    assert found["SchemaName"] == "new_suppression_contact"
    table = "EntityDefinitions(LogicalName='new_suppression')"
    assert api.send("DELETE", table).status_code == 400, "a column of another table leads to it"
    assert api.send("DELETE", made).status_code == 204
    assert "_new_suppressionid_value" not in api.get("contacts?$top=1").text
    assert api.send("DELETE", table).status_code == 204


@pytest.mark.parametrize(
    "path",
    [CONTACT, f"{CONTACT}/Attributes(LogicalName='lastname')",
     "RelationshipDefinitions(SchemaName='contact_customer_accounts')"],
)  # fmt: skip
def test_what_is_the_vendors_own_cannot_be_deleted(api: DynamicsApi, path: str) -> None:
    assert api.send("DELETE", path).status_code == 400


def test_choices_have_a_type_without_a_code(api: DynamicsApi) -> None:
    options = [{"Value": 1, "Label": label("One")}, {"Value": 2, "Label": label("Two")}]
    kind = "MultiSelectPicklist"
    add_column(api, "contact", "new_Kinds", kind, OptionSet={"Options": options})
    path = f"{CONTACT}/Attributes(LogicalName='new_kinds')"
    found = api.get(path).json()
    assert (found["AttributeType"], found["AttributeTypeName"]["Value"]) == (
        "Virtual",
        f"{kind}Type",
    )
    shown = api.get(f"{path}/{SPACE}.{kind}AttributeMetadata/OptionSet?$select=Options").json()
    assert [option["Value"] for option in shown["Options"]] == [1, 2]


def test_definitions_are_asked_for_in_one_query_and_only_when_changed(api: DynamicsApi) -> None:
    def condition(name: str, operator: str, value: Any) -> dict[str, Any]:
        wanted = {"Type": "System.String", "Value": value}
        return {"PropertyName": name, "ConditionOperator": operator, "Value": wanted}

    query = {
        "Criteria": {"Conditions": [condition("LogicalName", "Equals", "contact")]},
        "Properties": {"PropertyNames": ["LogicalName", "Attributes"]},
        "AttributeQuery": {
            "Criteria": {"Conditions": [condition("AttributeType", "Equals", "String")]},
            "Properties": {"PropertyNames": ["MaxLength"]},
        },
    }
    call = f"RetrieveMetadataChanges(Query=@p1)?@p1={quote(json.dumps(query))}"
    answer = api.get(call).json()
    (contact,) = answer["EntityMetadata"]
    lengths = {one["LogicalName"]: one["MaxLength"] for one in contact["Attributes"]}
    assert lengths["firstname"] == 50
    assert "statecode" not in lengths
    assert answer["DeletedMetadata"] == {
        "Count": 0,
        "IsReadOnly": False,
        "Keys": [],
        "Values": [],
    }

    def since(stamp: str) -> str:
        filters = f"DeletedMetadataFilters={SPACE}.DeletedMetadataFilters'Attribute'"
        stamped = call.replace(")?", f",ClientVersionStamp=@p2,{filters})?")
        return f"{stamped}&@p2={quote(repr(stamp))}"

    first = answer["ServerVersionStamp"]
    assert api.get(since(first)).json()["EntityMetadata"] == []
    add_column(api, "contact", "new_Note", MaxLength=5)
    add_column(api, "lead", "new_Note", MaxLength=5)
    answer = api.get(since(first)).json()
    (contact,) = answer["EntityMetadata"]
    (column,) = contact["Attributes"]
    assert (column["LogicalName"], column["MaxLength"]) == ("new_note", 5)
    assert column["@odata.type"] == f"#{SPACE}.ComplexStringAttributeMetadata"
    assert (contact["HasChanged"], column["HasChanged"]) == (False, True)
    api.send("DELETE", f"{CONTACT}/Attributes(LogicalName='new_note')")
    answer = api.get(since(answer["ServerVersionStamp"])).json()
    assert answer["EntityMetadata"] == []
    assert answer["DeletedMetadata"]["Keys"] == ["Attribute"]
    assert answer["DeletedMetadata"]["Values"] == [{"Items": [column["MetadataId"]]}]
    assert api.get("RetrieveMetadataChanges(Query=@p1)?@p1=[").status_code == 400
    assert api.get(since("yesterday")).status_code == 400


def test_a_version_stamp_expires_after_ninety_days(api: DynamicsApi) -> None:
    call = "RetrieveMetadataChanges(Query=@p1,ClientVersionStamp=@p2)?@p1={}"
    stamp = quote("'1000000!01/02/2020 10:00:00'")
    assert "0x80044352" in error_of(api.get(f"{call}&@p2={stamp}"))


def test_the_languages_of_labels_can_be_asked_for(api: DynamicsApi) -> None:
    assert api.get("RetrieveAvailableLanguages").json()["LocaleIds"] == [1033]


def test_definitions_can_be_counted(api: DynamicsApi) -> None:
    for path in ("EntityDefinitions", "EntityDefinitions(LogicalName='contact')/Attributes"):
        answer = api.get(f"{path}?$select=LogicalName&$count=true").json()
        assert answer["@odata.count"] == len(answer["value"]) > 5
        assert "@odata.count" not in api.get(f"{path}?$select=LogicalName").json()


@pytest.mark.parametrize(
    ("table", "column", "false", "true"),
    [
        ("contact", "donotemail", "Allow", "Do Not Allow"),
        ("lead", "donotbulkemail", "Allow", "Do Not Allow"),
        ("account", "followemail", "Do Not Allow", "Allow"),
        ("contact", "donotsendmm", "Send", "Do Not Send"),
        ("contact", "donotbulkpostalmail", "No", "Yes"),
        ("list", "type", "Static", "Dynamic"),
    ],
)
def test_what_two_options_are_called(
    api: DynamicsApi, table: str, column: str, false: str, true: str
) -> None:
    cast = f"{SPACE}.BooleanAttributeMetadata"
    path = f"EntityDefinitions(LogicalName='{table}')/Attributes(LogicalName='{column}')/{cast}"
    found = api.get(f"{path}?$expand=OptionSet").json()["OptionSet"]
    options = (found["FalseOption"], found["TrueOption"])
    labels = [one["Label"]["UserLocalizedLabel"]["Label"] for one in options]
    assert labels == [false, true]


def test_two_options_of_a_column_of_ones_own_keep_their_names(api: DynamicsApi) -> None:
    option_set = {
        "OptionSetType": "Boolean",
        "TrueOption": {"Value": 1, "Label": label("Gold")},
        "FalseOption": {"Value": 0, "Label": label("Plain")},
    }
    add_column(api, "contact", "new_Card", "Boolean", OptionSet=option_set)
    contact = api.create("contacts", new_card=True)
    annotated = {"Prefer": 'odata.include-annotations="*"'}
    row = api.get(f"contacts({contact})?$select=new_card,donotemail", **annotated).json()
    shown = {name: text for name, text in row.items() if name.endswith("FormattedValue")}
    assert set(shown.values()) == {"Gold", "Allow"}


@pytest.mark.parametrize(
    ("table", "column"), [("list", "lastusedon"), ("contact", "lastusedincampaign")]
)
def test_days_in_the_users_time_zone_are_moments(api: DynamicsApi, table: str, column: str) -> None:
    cast = f"{SPACE}.DateTimeAttributeMetadata"
    path = f"EntityDefinitions(LogicalName='{table}')/Attributes(LogicalName='{column}')/{cast}"
    found = api.get(path).json()
    assert (found["DateTimeBehavior"]["Value"], found["Format"]) == ("UserLocal", "DateOnly")
    made = {"list": {"listname": "A", "createdfromcode": 2}, "contact": {"lastname": "A"}}[table]
    row = f"{table}s({api.create(f'{table}s', **made)})"
    assert error_of(api.send("PATCH", row, {column: "2026-01-31"})) == (400, "0x80048d19")
    assert api.send("PATCH", row, {column: "2026-01-31T09:00:00Z"}).status_code == 204
    annotated = {"Prefer": 'odata.include-annotations="*"'}
    shown = api.get(f"{row}?$select={column}", **annotated).json()
    assert shown[column] == "2026-01-31T09:00:00Z"
    assert shown[f"{column}@OData.Community.Display.V1.FormattedValue"] == "1/31/2026"


def test_a_definition_becomes_part_of_a_solution_that_there_is(api: DynamicsApi) -> None:
    path = f"{CONTACT}/Attributes"
    body = {
        "@odata.type": f"{SPACE}.StringAttributeMetadata",
        "SchemaName": "new_Shoe",
        "DisplayName": label("Shoe"),
    }
    for name in ("Default", "nothing"):
        answer = api.send("POST", path, {**body, "SchemaName": f"new_{name}"}, **_part_of(name))
        assert answer.ok is (name == "Default")
    assert error_of(answer) == (404, "0x80040217")
    publisher = api.create("publishers", friendlyname="Own", uniquename="own")
    bind = {"publisherid@odata.bind": f"/publishers({publisher})"}
    api.create("solutions", friendlyname="Own", uniquename="own", version="1.0.0.0", **bind)
    assert api.send("POST", path, body, **_part_of("own")).status_code == 204


def test_a_name_begins_with_a_prefix_that_a_publisher_has(api: DynamicsApi) -> None:
    text = {"@odata.type": f"{SPACE}.StringAttributeMetadata", "DisplayName": label("A")}
    column = {**text, "SchemaName": "acme_Note"}
    refused = api.send("POST", f"{CONTACT}/Attributes", column)
    assert error_of(refused) == (400, "0x80044366")
    key = {"SchemaName": "acme_Key", "KeyAttributes": ["fullname"], "DisplayName": label("Key")}
    assert error_of(api.send("POST", f"{CONTACT}/Keys", key)) == (400, "0x80044366")
    own = {"friendlyname": "Acme", "customizationprefix": "acme"}
    api.create("publishers", **own, uniquename="acme", customizationoptionvalueprefix=12_345)
    assert api.send("POST", f"{CONTACT}/Attributes", column).status_code == 204


def test_publishers_and_solutions_have_names_of_their_own(api: DynamicsApi) -> None:
    own = {"friendlyname": "Own", "uniquename": "own", "customizationprefix": "own"}
    publisher = api.create("publishers", **own)
    unnamed = api.send("POST", "publishers", {"friendlyname": "Own"})
    assert error_of(unnamed) == (400, "0x8004f01c")
    for wrong, code in (
        ({"customizationprefix": "mscrmx", "uniquename": "other"}, "0x80040203"),
        ({"customizationprefix": "1a", "uniquename": "other"}, "0x80040203"),
        ({}, "0x8004f023"),
    ):
        answer = api.send("POST", "publishers", {**own, **wrong})
        assert error_of(answer) == (400, code), wrong
    bind = {"publisherid@odata.bind": f"/publishers({publisher})", "version": "1.0.0.0"}
    api.create("solutions", friendlyname="Own", uniquename="own", **bind)
    for name, code in (("1st", "0x8004f002"), ("my own", "0x8004f002"), ("Own", "0x8004f023")):
        body = {"friendlyname": "A", "uniquename": name, **bind}
        assert error_of(api.send("POST", "solutions", body)) == (400, code), name


def _part_of(solution: str) -> dict[str, str]:
    return {"MSCRM.SolutionUniqueName": solution}


def test_columns_number_their_rows(api: DynamicsApi) -> None:
    form = "C-{SEQNUM:6}-{RANDSTRING:3}-{DATETIMEUTC:yyyyMMdd}"
    add_column(api, "contact", "new_Number", AutoNumberFormat=form)
    cast = f"{CONTACT}/Attributes(LogicalName='new_number')/{SPACE}.StringAttributeMetadata"
    assert api.get(cast).json()["AutoNumberFormat"] == form
    for _ in range(2):
        api.create("contacts", lastname="A")
    api.create("contacts", lastname="B", new_number="own")
    numbers = [row["new_number"] for row in api.rows("contacts?$select=new_number")]
    numbered = sorted(number for number in numbers if number != "own")
    assert [number[:8] for number in numbered] == ["C-001000", "C-001001"]
    assert all(re.fullmatch(r"C-\d{6}-[A-Z0-9]{3}-\d{8}", number) for number in numbered)
    body = {
        "@odata.type": f"{SPACE}.StringAttributeMetadata",
        "SchemaName": "new_Wrong",
        "DisplayName": label("Wrong"),
        "AutoNumberFormat": "{COUNTER:4}",
    }
    assert error_of(api.send("POST", f"{CONTACT}/Attributes", body)) == (400, "0x80040203")


def test_standard_schema_names_have_the_vendors_case(api: DynamicsApi) -> None:
    names = {row["SchemaName"] for row in api.rows(f"{CONTACT}/Attributes?$select=SchemaName")}
    assert {
        *("ContactId", "EMailAddress1", "DoNotBulkEMail", "DoNotSendMM", "Address1_City"),
        *("ParentCustomerId", "CreatedOn", "StateCode", "WebSiteUrl", "msdyn_gdproptout"),
    } <= names
    path = "EntityDefinitions(LogicalName='list')/Attributes?$select=SchemaName"
    assert {"ListName", "CreatedFromCode"} <= {row["SchemaName"] for row in api.rows(path)}
