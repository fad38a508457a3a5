"""What every connector owes to the engine, whichever vendor it speaks to."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from bothways import discovery
from bothways.connectors import base
from bothways.connectors.preparing import make, prepare
from bothways.errors import ConnectorError, Denied, ProtocolError
from bothways.tables.campaigns import EVENTS
from bothways.tables.consent import SUPPRESSIONS
from bothways.tables.forms import FORMS, RESPONSE_DETAILS
from bothways.tables.members import LIST_MEMBERS
from bothways.tables.operations import GONE, RESULTS
from bothways.tables.people import contacts_schema
from bothways.tables.preferences import PREFERENCE_OPT_INS, PREFERENCES
from bothways.tables.programs import ACTIVE, PROGRAMS
from bothways.tables.visits import VISIT_DETAILS
from bothways.testing.conformance.fixtures import connect as connect
from bothways.testing.conformance.fixtures import connector as connector
from bothways.testing.conformance.fixtures import needs as needs
from bothways.testing.conformance.fixtures import operations as operations
from bothways.testing.conformance.fixtures import vendor as vendor
from bothways.vocabulary import FieldType, Status

BAD_LINE = {"share": {"429": 0.05, "500": 0.05, "502": 0.05, "cut": 0.05}, "seed": 11}


def _protocols() -> dict[str, type]:
    return {
        name: item
        for name, item in vars(base).items()
        if getattr(item, "_is_protocol", False)
        and item.__module__ == base.__name__
        and name != "Connector"
    }


def _table(pages: list[base.Page]) -> pa.Table:
    return pa.concat_tables([page.rows for page in pages])


def _ids(results: pd.DataFrame) -> dict[int, str]:
    return dict(zip(results["seq"], results["record_id"], strict=True))


def _found(connector: Any, bench: Any, emails: list[str]) -> list[dict[str, Any]]:
    fields = {bench.text_field: FieldType.STRING}
    pages = list(connector.find_contacts(bench.entity, fields, emails=emails))
    return [row for page in pages for row in page.rows.to_pylist()]


def test_the_declaration_says_what_the_code_can_do(bench: Any, connect: Any) -> None:
    connector = connect()
    assert isinstance(connector, base.Connector)
    has = {title for title, protocol in _protocols().items() if isinstance(connector, protocol)}
    assert connector.declaration is discovery.declaration(bench.name)
    assert connector.declaration.capabilities == has
    assert connector.entities


def test_a_check_names_the_account_and_wrong_credentials_are_denied(connect: Any) -> None:
    assert connect().declaration.title in connect().check()
    with pytest.raises(Denied) as caught:
        connect("wrong-secret").check()
    assert "wrong-secret" not in str(caught.value)
    assert caught.value.vendor


def test_pages_of_people_have_the_canonical_shape(
    vendor: Any, connector: Any, bench: Any, needs: Any
) -> None:
    needs("ReadsContacts")
    vendor.reset(people=300)
    prepare(connector)
    fields = {bench.text_field: FieldType.STRING}
    pages = list(connector.read_contacts(bench.entity, fields, since=None))

    assert {page.rows.schema for page in pages} == {contacts_schema(fields)}
    assert all(p.members is None or p.members.schema == LIST_MEMBERS for p in pages)
    assert [page.watermark is not None for page in pages] == [False] * (len(pages) - 1) + [True]
    rows = _table(pages)
    ids = rows["id"].to_pylist()
    assert None not in ids
    assert len(ids) == len(set(ids)) > 100
    assert set(rows["entity"].to_pylist()) == {bench.entity}
    assert set(rows["status"].to_pylist()) - {None} <= set(Status)
    assert any(rows[f"field:{bench.text_field}"].to_pylist())


def test_a_bad_line_changes_nothing_that_is_read(
    vendor: Any, connector: Any, bench: Any, needs: Any
) -> None:
    needs("ReadsContacts")
    vendor.reset(people=200)
    prepare(connector)

    def read() -> list[str]:
        pages = list(connector.read_contacts(bench.entity, {}, since=None))
        return sorted(str(found) for found in _table(pages)["id"].to_pylist())

    quiet = read()
    vendor.faults({"*": BAD_LINE})
    for _ in range(5):
        assert read() == quiet


def test_a_second_read_gives_only_what_changed(
    vendor: Any, connector: Any, bench: Any, operations: Any, needs: Any
) -> None:
    needs("ReadsContacts", "WritesContacts")
    vendor.reset(people=50)
    prepare(connector)
    *_, last = connector.read_contacts(bench.entity, {}, since=None)
    vendor.advance(60)
    created = _ids(connector.write_contacts(operations(bench.person(1))))[0]

    pages = list(connector.read_contacts(bench.entity, {}, since=last.watermark))

    ids = _table(pages)["id"].to_pylist()
    assert created in ids
    assert len(ids) < 10


def test_suppressions_have_the_canonical_shape(vendor: Any, connector: Any, needs: Any) -> None:
    needs("ReadsSuppressions")
    vendor.reset(people=300)
    prepare(connector)
    pages = list(connector.read_suppressions(since=None))
    assert {page.rows.schema for page in pages} == {SUPPRESSIONS}
    assert pages[-1].watermark is not None
    rows = _table(pages)
    assert set(rows["list_id"].to_pylist()) <= {None}
    assert set(rows["reason"].to_pylist()) <= set(Status) - {Status.MAILABLE, Status.PENDING}


def test_forms_and_their_responses_have_the_canonical_shape(
    vendor: Any, connector: Any, needs: Any
) -> None:
    needs("ReadsForms", "ReadsFormResponses")
    vendor.reset(people=300)
    forms = _closed(connector.read_forms(since=None), FORMS)
    assert len({form["id"] for form in forms}) == len(forms) > 0
    responses = []
    for form in forms:
        rows = _closed(connector.read_form_responses(form["id"], since=None), EVENTS)
        assert {(row["kind"], row["scope_id"]) for row in rows} <= {("form_responses", form["id"])}
        responses += rows
    _are_events(responses, RESPONSE_DETAILS)


def test_visits_have_the_canonical_shape(vendor: Any, connector: Any, needs: Any) -> None:
    needs("ReadsVisits")
    vendor.reset(people=300)
    visits = _closed(connector.read_visits(since=None), EVENTS)
    assert {(row["kind"], row["scope_id"]) for row in visits} == {("visits", None)}
    _are_events(visits, VISIT_DETAILS)


def _closed(pages: Iterator[base.Page], schema: pa.Schema) -> list[dict[str, Any]]:
    """Return the rows of a read, whose pages have a schema, and the last one a watermark."""
    found = list(pages)
    assert {page.rows.schema for page in found} == {schema}
    assert [page.watermark is not None for page in found] == [False] * (len(found) - 1) + [True]
    rows: list[dict[str, Any]] = _table(found).to_pylist()
    return rows


def _are_events(rows: list[dict[str, Any]], details: pa.Schema) -> None:
    assert len({row["key"] for row in rows}) == len(rows) > 0
    assert all(list(json.loads(row["details"])) == details.names for row in rows)


def test_preferences_are_written_and_read_again(
    connector: Any, bench: Any, operations: Any, needs: Any
) -> None:
    needs("ReadsPreferences", "WritesPreferences", "WritesContacts")
    (preference, *_) = _closed(connector.read_preferences(), PREFERENCES)
    people = connector.write_contacts(operations(*(bench.person(n) for n in range(2))))
    members = people.sort_values("seq")["record_id"].tolist()
    for yes in (True, False):
        choices = [
            {
                "kind": "update",
                "entity": "preference",
                "record_id": member,
                "values": json.dumps({preference["id"]: chosen}),
            }
            for member, chosen in zip(
                [*members, bench.unknown_id], [yes, not yes, yes], strict=True
            )
        ]
        results = connector.write_preferences(operations(*choices)).sort_values("seq")
        assert results["outcome"].to_list() == ["written", "written", "error"]
        assert results.iloc[2]["code"] == GONE
        pages = connector.read_preference_opt_ins(preference["id"], since=None)
        chosen = {row["member_id"]: row["opted_in"] for row in _closed(pages, PREFERENCE_OPT_INS)}
        assert chosen == dict(zip(members, [yes, not yes], strict=True))


def test_a_field_is_made_once(connector: Any, bench: Any, operations: Any, needs: Any) -> None:
    needs("CreatesFields", "HasFields")
    wish = {"kind": "create", "entity": "data_field", "key": "MADE_BY_A_TEST"}
    other = {**wish, "values": json.dumps({"type": FieldType.BOOLEAN})}
    wish["values"] = json.dumps({"type": FieldType.STRING, "visibility": "private"})
    for _ in range(2):
        (result,) = connector.create_fields(operations(wish)).to_dict("records")
        assert result["outcome"] == "written"
        made = connector.fields(bench.entity)[result["record_id"]]
        assert (made.type, made.visibility) == (FieldType.STRING, "private")
    assert connector.create_fields(operations(other))["outcome"].to_list() == ["error"]


def test_each_enrolment_gets_one_verdict(
    vendor: Any, connector: Any, bench: Any, operations: Any, needs: Any
) -> None:
    needs("Enrols", "ReadsPrograms", "WritesContacts")
    vendor.reset(people=20)
    programs = _closed(connector.read_programs(), PROGRAMS)
    active = next(program["id"] for program in programs if program["status"] == ACTIVE)
    other = next(program["id"] for program in programs if program["status"] != ACTIVE)
    people = connector.write_contacts(operations(*(bench.person(n) for n in range(30))))

    def enrol(program: str, *members: str) -> pd.DataFrame:
        values = json.dumps({"program_id": program})
        shared = {"kind": "enrol", "entity": "enrolment", "values": values}
        rows = operations(*({**shared, "record_id": member} for member in members))
        results: pd.DataFrame = connector.enrol(rows).sort_values("seq")
        return results

    results = enrol(active, *people["record_id"], bench.unknown_id)
    assert sorted(results.columns) == sorted(RESULTS.names)
    assert results["outcome"].to_list() == ["written"] * 30 + ["error"]
    assert results.iloc[30]["code"] == GONE
    assert enrol(active, people["record_id"].iloc[0])["outcome"].to_list() == ["ignored"]
    assert enrol(other, people["record_id"].iloc[0])["outcome"].to_list() == ["error"]


def test_lists_and_fields_are_known_and_a_list_is_made_once(
    connector: Any, bench: Any, needs: Any
) -> None:
    needs("HasLists", "HasFields")
    assert bench.list_name in {item.name for item in connector.lists()}
    assert connector.fields(bench.entity)[bench.text_field].type is FieldType.STRING
    made = connector.create_list("Made by a test", bench.entity)
    known = {item.id: item for item in connector.lists()}
    assert known[made.id].name == "Made by a test"
    assert known[made.id].static


def test_each_operation_gets_one_verdict_and_a_repeat_finds_the_record(
    connector: Any, bench: Any, operations: Any, needs: Any
) -> None:
    needs("WritesContacts", "FindsContacts")
    people = operations(*(bench.person(n) for n in range(5)))
    first = connector.write_contacts(people)
    assert sorted(first.columns) == sorted(RESULTS.names)
    assert sorted(first["seq"]) == list(range(5))
    assert set(first["outcome"]) == {"written"}

    again = connector.write_contacts(people)
    assert _ids(again) == _ids(first)
    found = _found(connector, bench, list(people["email"].str.upper()))
    assert {row["id"] for row in found} == set(_ids(first).values())
    assert {row[f"field:{bench.text_field}"] for row in found} == {f"Zoë {n} 😀" for n in range(5)}
    assert _found(connector, bench, ["nobody@mail.example"]) == []


def test_answers_lost_after_a_write_double_nobody(
    vendor: Any, connector: Any, bench: Any, operations: Any, needs: Any
) -> None:
    needs("WritesContacts", "FindsContacts")
    people = operations(*(bench.person(n) for n in range(40)))
    for seed in range(6):
        vendor.faults({"*": {"after_write": 0.3, "seed": seed}})
        results = connector.write_contacts(people)
        assert set(results["outcome"]) == {"written"}
    vendor.faults()
    found = _found(connector, bench, list(people["email"]))
    assert len(found) == len({row["email"] for row in found}) == 40


def test_refused_rows_are_errors_and_the_others_are_written(
    vendor: Any, connector: Any, bench: Any, operations: Any, needs: Any
) -> None:
    needs("WritesContacts", "FindsContacts")
    people = operations(*(bench.person(n) for n in range(60)))
    vendor.faults({"*": {"rows_refused": 0.3, "import_faults": 0.3, "seed": 4}})
    results = connector.write_contacts(people)
    vendor.faults()

    assert sorted(results["seq"]) == list(range(60))
    refused = results[results["outcome"] == "error"]
    assert 5 < len(refused) < 50
    assert refused["message"].str.len().gt(0).all()
    found = {row["email"] for row in _found(connector, bench, list(people["email"]))}
    written = set(results.loc[results["outcome"] == "written", "seq"])
    assert found == {f"person{seq}@mail.example" for seq in written}


def test_whoever_is_to_confirm_is_pending_and_who_was_there_keeps_their_status(
    connector: Any, bench: Any, operations: Any, needs: Any
) -> None:
    needs("AsksToConfirm", "WritesContacts", "FindsContacts")
    known, new, other = (bench.person(number) for number in range(3))
    connector.write_contacts(operations(known))
    asked = [{**person, "to_confirm": True} for person in (known, new)]
    for _ in range(2):
        results = connector.write_contacts(operations(*asked, {**other, "to_confirm": False}))
        assert set(results["outcome"]) == {"written"}
    found = _found(connector, bench, [person["email"] for person in (known, new, other)])
    status = {row["email"]: row["status"] for row in found}
    assert status[new["email"]] == Status.PENDING
    assert {status[known["email"]], status[other["email"]]} == {Status.MAILABLE}


def test_whoever_is_suppressed_stays_so(
    connector: Any, bench: Any, operations: Any, needs: Any
) -> None:
    needs("WritesContacts", "FindsContacts", "WritesListMembers", "HasLists")
    person = bench.person(1)
    record_id = _ids(connector.write_contacts(operations(person)))[0]
    assert _found(connector, bench, [person["email"]])[0]["status"] == Status.MAILABLE

    suppress = {**person, "kind": "suppress", "record_id": record_id, "values": None}
    results = connector.write_contacts(operations(suppress))
    assert list(results["outcome"]) == ["written"]
    stopped = _found(connector, bench, [person["email"]])[0]["status"]
    assert stopped not in {Status.MAILABLE, Status.PENDING}

    list_id = next(item.id for item in connector.lists() if item.name == bench.list_name)
    connector.write_contacts(operations(person))
    connector.write_contacts(operations({**person, "kind": "update", "record_id": record_id}))
    join = {"kind": "join", "record_id": record_id, "list_id": list_id}
    connector.write_list_members(operations(join))
    assert _found(connector, bench, [person["email"]])[0]["status"] == stopped


def test_joining_and_leaving_twice_are_successes(
    connector: Any, bench: Any, operations: Any, needs: Any
) -> None:
    needs("WritesContacts", "WritesListMembers", "HasLists")
    created = connector.write_contacts(operations(*(bench.person(n) for n in range(3))))
    list_id = next(item.id for item in connector.lists() if item.name == bench.list_name)
    members = created.assign(entity=bench.entity, list_id=list_id)

    def size() -> int:
        return next(item.size or 0 for item in connector.lists() if item.id == list_id)

    before = size()
    for kind, people in (("join", 3), ("join", 3), ("leave", 0), ("leave", 0)):
        results = connector.write_list_members(members.assign(kind=kind))
        assert set(results["outcome"]) == {"written"}
        assert size() == before + people


def test_a_created_person_joins_lists_in_the_same_write(
    connector: Any, bench: Any, operations: Any, needs: Any
) -> None:
    needs("WritesContacts", "HasLists")
    if not connector.joins_on_create:
        pytest.skip(f"{connector.declaration.name} joins after creating")
    list_id = next(item.id for item in connector.lists() if item.name == bench.list_name)
    before = {item.id: item.size or 0 for item in connector.lists()}[list_id]
    connector.write_contacts(operations({**bench.person(1), "list_ids": [list_id]}))
    assert {item.id: item.size for item in connector.lists()}[list_id] == before + 1


def test_the_erased_are_gone_and_an_unknown_id_is_a_success(
    connector: Any, bench: Any, operations: Any, needs: Any
) -> None:
    needs("ErasesContacts", "WritesContacts", "FindsContacts")
    person = bench.person(1)
    record_id = _ids(connector.write_contacts(operations(person)))[0]
    results = connector.erase_contacts(bench.entity, [record_id, bench.unknown_id])
    assert dict(zip(results["seq"], results["outcome"], strict=True)) == {
        0: "written",
        1: "written",
    }
    assert _found(connector, bench, [person["email"]]) == []


def test_whoever_is_looked_up_is_no_one_with_other_accents(
    connector: Any, bench: Any, operations: Any, needs: Any
) -> None:
    needs("WritesContacts", "FindsContacts")
    people = [
        {**bench.person(n), "email": email}
        for n, email in enumerate(("jose@mail.example", "josé@mail.example"))
    ]
    connector.write_contacts(operations(*people))
    for person in people:
        found = [row["email"] for row in _found(connector, bench, [person["email"].upper()])]
        assert [email.lower() for email in found] == [person["email"]]


ODD = [
    "..", ".", "../..", "%2e%2e", "", " ", "/", "a/b", "a?b=c", "a#b", "1)/lists(2", "' or 1 eq 1",
    "\\", "a\nb", "a\x00b", "a\x7fb", "a%00b", "x" * 5_000, "9" * 40, "\ud800", "😀", "null", "-1",
]  # fmt: skip


def test_an_odd_id_or_address_is_nobody_and_fails_nobody_else(
    connector: Any, bench: Any, operations: Any, needs: Any
) -> None:
    needs("FindsContacts", "WritesContacts", "WritesListMembers", "ErasesContacts", "HasLists")
    person = bench.person(1)
    record_id = _ids(connector.write_contacts(operations(person)))[0]
    list_id = next(item.id for item in connector.lists() if item.name == bench.list_name)
    # Text with half a character cannot be stored, and so never gets as far as a write.
    odd = [item for item in ODD if item.isascii() or item == "😀"]

    pages = connector.find_contacts(
        bench.entity,
        {},
        ids=[*ODD, record_id],
        emails=[*ODD, *(f"{item}@mail.example" for item in ODD)],
    )
    found = [row["id"] for page in pages for row in page.rows.to_pylist()]
    assert found == [record_id]

    for kind in ("update", "join", "leave", "suppress", "erase"):
        if kind == "erase":
            results = connector.erase_contacts(bench.entity, [*odd, record_id])
        else:
            rows = [{**person, "kind": kind, "record_id": item, "list_id": list_id} for item in odd]
            good = {**person, "kind": kind, "record_id": record_id, "list_id": list_id}
            if kind == "suppress":
                rows = [{**row, "email": None} for row in rows]
            write = (
                connector.write_contacts
                if kind in {"update", "suppress"}
                else connector.write_list_members
            )
            results = write(operations(*rows, good))
        outcomes = dict(zip(results["seq"], results["outcome"], strict=True))
        assert outcomes[len(odd)] == "written", kind
        if kind != "erase":
            assert "written" not in [outcomes.get(seq) for seq in range(len(odd))], kind


def test_suppression_records_of_the_erased_are_gone(connector: Any, needs: Any) -> None:
    needs("ErasesSuppressions", "WritesSuppressions", "ReadsSuppressions")
    addresses = ["Ann@mail.example", "bob@mail.example", "änn@mail.example"]
    written = pd.DataFrame(
        {
            "seq": range(3),
            "kind": "create",
            "entity": "suppression",
            "key": ["test-1", "test-2", "test-3"],
            "email": addresses,
            "values": [f'{{"email": "{item}", "reason": "unsubscribed"}}' for item in addresses],
        }
    )
    assert set(connector.write_suppressions(written)["outcome"]) == {"written"}
    found = connector.find_suppressions(["ann@mail.example", "nobody@mail.example"])
    assert len(found) == 1
    results = connector.erase_suppressions(found)
    assert results["outcome"].to_list() == ["written"]
    pages = connector.read_suppressions(since=None)
    left = [item for page in pages for item in page.rows["email"].to_pylist()]
    assert "Ann@mail.example" not in left
    assert {"bob@mail.example", "änn@mail.example"} <= set(left), "they are somebody else"
    assert connector.find_suppressions(["ann@mail.example"]) == []
    assert connector.erase_suppressions(found)["outcome"].to_list() == ["written"]


def test_events_are_there_once_however_often_written_and_go_with_the_erased(
    connector: Any, needs: Any, bench: Any, vendor: Any
) -> None:
    needs("WritesRecords", "ErasesRecords")
    kind = discovery.record_kinds()["campaign_event"]
    campaign = {"key": ["c-71"], "values": [json.dumps({"name": "News", "sent": 3})]}
    campaigns = pd.DataFrame({"seq": [0], "kind": "upsert", "entity": "campaign", **campaign})
    told: list[dict[str, Any]] = [
        {"kind": "Click", "url": "https://shop.example/?a=1", "campaign_id": "c-71"},
        {"kind": "Send", "opens": 2, "unsubscribed": True, "campaign_id": "c-71"},
        {"kind": "Click", "campaign_id": "none-of-that-id"},
        {"kind": "page_views", "person_entity": bench.entity, "person_id": bench.unknown_id},
    ]
    told[3] |= {"campaign_id": "c-71", "occurred_at": "0001-01-01T00:00:00Z", "url": "x" * 9_000}
    values = [json.dumps({"email": "Ann@mail.example", **item}) for item in told]
    keys = [f"e-{number}" for number in range(len(values))]
    events = pd.DataFrame(
        {
            "seq": range(len(values)),
            "kind": "upsert",
            "entity": "campaign_event",
            "key": keys,
            "email": "Ann@mail.example",
            "values": values,
        }
    )
    for _ in range(2):
        assert connector.write_records(campaigns)["outcome"].to_list() == ["written"]
        results = connector.write_records(events).sort_values("seq")
        assert results["outcome"].to_list() == ["written", "written", "error", "written"]
        assert results.iloc[2]["message"]
    vendor.faults({"*": {"after_write": 0.5, "seed": 4}})
    connector.write_records(events)
    vendor.faults()
    found = connector.find_records(kind, [], ["ann@mail.example", "nobody@mail.example"])
    assert len(found) == 3
    assert connector.find_records(kind, [bench.unknown_id], []) == []
    assert set(connector.erase_records(kind, [*found, found[0]])["outcome"]) == {"written"}
    assert connector.find_records(kind, [], ["ann@mail.example"]) == []


def test_a_consent_has_one_record_however_often_written_and_needs_no_living_person(
    connector: Any, needs: Any, bench: Any, vendor: Any
) -> None:
    needs("WritesConsents")
    if bench.consent_table is None:
        pytest.skip(f"the bench of {bench.name} has no table of consents")
    table = bench.consent_table()
    (column,) = table["columns"]
    asked = (table["table"], table["key_column"], [column], {bench.entity: table["lookup"]})
    assert connector.consent_obstacles(*asked) == []
    assert len(connector.consent_obstacles(*asked[:2], ["no_such_column"], {})) == 1
    people = [
        {"person_entity": bench.entity, "person_id": bench.unknown_id},
        {"lookup": None, "person_entity": None, "person_id": None},
    ]
    values = [table | person | {"columns": {column: "x" * 9_000}} for person in people]
    consents = pd.DataFrame(
        {
            "seq": range(2),
            "kind": "upsert",
            "entity": "consent_record",
            "key": ["c-1", "c-2"],
            "values": [json.dumps(item) for item in values],
        }
    )
    for _ in range(2):
        results = connector.write_consents(consents)
        assert sorted(results.columns) == sorted(RESULTS.names)
        assert results["outcome"].to_list() == ["written", "written"]
    vendor.faults({"*": {"after_write": 0.5, "seed": 4}})
    assert set(connector.write_consents(consents)["outcome"]) == {"written"}


def test_what_was_made_is_not_missing_and_making_it_again_is_a_success(
    connector: Any, needs: Any
) -> None:
    needs("Provisions")
    assert connector.missing(list(discovery.record_kinds().values())) == []
    unknown = base.Definition("no such thing", "", "", "", "")
    assert make(connector, [unknown])["outcome"].to_list() == ["written"]


def test_what_was_made_can_be_taken_away_and_made_again(connector: Any, needs: Any) -> None:
    needs("Provisions", "RemovesDefinitions")
    kinds = list(discovery.record_kinds().values())
    there = connector.removable(kinds)
    assert there
    unknown = base.Definition("no such thing", "", "", "", "")
    results = connector.remove([unknown, *there])
    assert sorted(results.columns) == sorted(RESULTS.names)
    assert set(results["outcome"]) == {"written"}
    assert connector.removable(kinds) == []
    prepare(connector)
    assert connector.missing(kinds) == []


def test_a_web_page_in_a_200_is_an_error(
    vendor: Any, connector: Any, bench: Any, needs: Any
) -> None:
    needs("ReadsContacts")
    vendor.faults({"*": {"html_200": 1.0}})
    with pytest.raises(ProtocolError):
        list(connector.read_contacts(bench.entity, {}, since=None))


def test_nobody_is_named_in_logs_errors_or_verdicts(
    vendor: Any, connector: Any, bench: Any, operations: Any, needs: Any
) -> None:
    needs("WritesContacts", "FindsContacts")
    handler = logging.StreamHandler(stream := io.StringIO())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    people = operations(*(bench.person(n) for n in range(5)), {**bench.person(9), "email": "@@"})
    try:
        vendor.faults({"*": {"share": {"500": 0.5, "cut": 0.3}, "rows_refused": 0.5, "seed": 2}})
        for _ in range(4):
            try:
                stream.write(connector.write_contacts(people)["message"].to_string())
                _found(connector, bench, ["person1@mail.example"])
            except ConnectorError as error:
                stream.write(str(error))
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    told = stream.getvalue()
    assert "failed" in told
    assert "mail.example" not in told
    assert not [secret for secret in bench.secrets if secret in told]
