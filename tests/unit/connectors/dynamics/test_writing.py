from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bothways.connectors.dynamics.batch import PartAnswer
from bothways.connectors.dynamics.client import Dataverse, judged
from bothways.connectors.dynamics.connector import DynamicsConnector
from bothways.connectors.dynamics.writing import _verdict
from bothways.tables.operations import GONE
from tests.support.sandbox import SandboxServer
from tests.unit.connectors.dynamics.rows import (
    add,
    creates,
    fill,
    list_named,
    operations,
    outcomes,
    rows,
)


def _stored(sandbox: SandboxServer, table: str = "contact") -> dict[str, dict[str, object]]:
    return {row["bw_externalid"]: row for row in sandbox.table("dynamics", table)}


def test_a_thousand_people_are_one_write_and_one_read(
    connector: DynamicsConnector, sandbox: SandboxServer
) -> None:
    results = connector.write_contacts(creates(1000))
    stored = _stored(sandbox)
    assert set(results["outcome"]) == {"written"}
    ids = dict(zip(results["seq"], results["record_id"], strict=True))
    assert all(stored[f"dd-{seq}"]["contactid"] == ids[seq] for seq in range(1000))
    assert sandbox.calls()["totals"]["dynamics"] == 2
    created = stored["dd-5"]
    assert (created["emailaddress1"], created["firstname"]) == ("p5@example.com", "P5")
    assert not created["donotbulkemail"]


def test_two_keys_that_the_vendor_takes_for_one_are_one_record(
    connector: DynamicsConnector, sandbox: SandboxServer
) -> None:
    keys = ("dd-1", "dd-2", "DD-1")
    results = connector.write_contacts(operations("create", ({"key": key} for key in keys)))
    assert set(results["outcome"]) == {"written"}
    first, second, third = results.sort_values("seq")["record_id"]
    assert first == third != second
    assert set(_stored(sandbox)) == {"dd-1", "dd-2"}


def test_upserts_in_bulk_are_known_though_no_message_filter_names_them(
    connector: DynamicsConnector,
) -> None:
    assert {("UpsertMultiple", table) for table in ("contact", "lead", "bw_suppression")} <= (
        connector._environment.bulk
    )
    assert ("UpsertMultiple", "listmember") not in connector._environment.bulk


@pytest.mark.parametrize("share", [{"after_write": 0.5}, {"share": {"cut": 0.3, "502": 0.2}}])
def test_lost_answers_never_double_a_person(
    connector: DynamicsConnector, sandbox: SandboxServer, share: dict[str, object]
) -> None:
    sandbox.faults({"dynamics": {**share, "seed": 3}})
    results = connector.write_contacts(creates(2500))
    sandbox.faults()
    assert set(results["outcome"]) == {"written"}
    assert len(sandbox.table("dynamics", "contact")) == 2500
    # The whole step again, as after a crash: everybody is found.
    again = connector.write_contacts(creates(2500))
    assert len(sandbox.table("dynamics", "contact")) == 2500
    assert dict(zip(again["seq"], again["record_id"], strict=True)) == dict(
        zip(results["seq"], results["record_id"], strict=True)
    )


def test_one_bad_row_fails_alone_and_in_the_vendors_words(
    connector: DynamicsConnector, sandbox: SandboxServer
) -> None:
    frame = creates(300)
    frame.loc[7, "values"] = '{"firstname": "' + "x" * 60 + '"}'
    frame.loc[8, "values"] = '{"shoesize": 44}'
    frame.loc[9, "key"] = "a/b"
    frame.loc[10, "values"] = '{"donotbulkemail": false}'
    results = connector.write_contacts(frame).set_index("seq")
    bad = results[results["outcome"] == "error"]
    assert list(bad.sort_index().index) == [7, 8, 9, 10]
    assert bad.loc[7, "code"] == "0x80044331"
    assert "shoesize" in bad.loc[8, "message"]
    assert "key has characters" in bad.loc[9, "message"]
    assert "donotbulkemail" in bad.loc[10, "message"]
    assert not bad["transient"].any()
    assert len(sandbox.table("dynamics", "contact")) == 296
    assert results[results["outcome"] == "written"]["record_id"].notna().all()


def test_rows_refused_inside_a_batch_have_their_verdict(
    connector: DynamicsConnector, sandbox: SandboxServer
) -> None:
    sandbox.faults({"dynamics": {"rows_refused": 0.1, "seed": 5}})
    results = connector.write_contacts(creates(400))
    sandbox.faults()
    written = [seq for seq, outcome in outcomes(results).items() if outcome == "written"]
    assert len(results) == 400
    assert 0 < 400 - len(written) < 100
    assert set(_stored(sandbox)) == {f"dd-{seq}" for seq in written}


def test_without_bulk_messages_batches_do_the_same(
    connector: DynamicsConnector, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = replace(connector._environment, bulk=frozenset())
    monkeypatch.setitem(connector.__dict__, "_environment", environment)
    sandbox.faults({"dynamics": {"after_write": 0.3, "rows_refused": 0.05, "seed": 6}})
    results = connector.write_contacts(creates(250))
    sandbox.faults()
    written = [seq for seq, outcome in outcomes(results).items() if outcome == "written"]
    assert 0 < len(written) < 250
    assert sorted(_stored(sandbox)) == sorted(f"dd-{seq}" for seq in written)
    assert not [name for name in sandbox.calls()["dynamics"] if "Multiple" in name]


@pytest.mark.parametrize(("status", "code"), [(412, "0x80060892"), (500, "0x80060892"), (412, "")])
def test_a_doubled_key_is_the_record_of_another_try(status: int, code: str) -> None:
    body = json.dumps({"error": {"code": code, "message": "Entity Key violated."}}).encode()
    error = judged(PartAnswer(status, {}, body))
    assert _verdict(error, keyed=True).outcome == "written"
    assert _verdict(error, keyed=False).outcome == "error"
    assert _verdict(judged(None), keyed=True).outcome == "error"
    assert _verdict(judged(None), keyed=True).transient


def test_a_record_that_is_there_no_more_is_told_in_the_word_of_all_connectors() -> None:
    body = json.dumps({"error": {"code": "0x80040217", "message": "Does Not Exist"}}).encode()
    assert _verdict(judged(PartAnswer(404, {}, body)), keyed=False).code == GONE


def test_leads_get_what_they_need_and_keep_what_is_given(
    connector: DynamicsConnector, sandbox: SandboxServer
) -> None:
    given = {"subject": "Fair", "lastname": "Öz", "@email": "other@example.com"}
    frame = operations(
        "create",
        [
            {"key": "a", "email": "a@example.com", "values": {"lastname": None}},
            {"key": "b", "email": "b@example.com", "values": given},
        ],
        "lead",
    )
    assert set(connector.write_contacts(frame)["outcome"]) == {"written"}
    stored = _stored(sandbox, "lead")
    assert (stored["a"]["subject"], stored["a"]["lastname"]) == ("Marketing list sign-up", None)
    assert (stored["b"]["subject"], stored["b"]["lastname"]) == ("Fair", "Öz")
    assert stored["b"]["emailaddress1"] == "other@example.com"


def test_updates_change_what_they_name_and_bring_nobody_back(
    connector: DynamicsConnector, person: Dataverse, sandbox: SandboxServer
) -> None:
    ann = add(person, "contacts", firstname="Ann", emailaddress1="ann@example.com")
    bob = add(person, "contacts", firstname="Bob", donotbulkemail=True)
    gone = add(person, "contacts", firstname="Gone")
    person.send("DELETE", f"contacts({gone})", retry="keyed")
    frame = operations(
        "update",
        [
            {"record_id": ann, "values": {"@email": "new@example.com"}},
            {"record_id": bob, "values": {"firstname": "Robert"}},
            {"record_id": bob, "values": {"lastname": "Twice"}},
            {"record_id": gone, "values": {"firstname": "Back"}},
            {"record_id": "x", "values": {"firstname": "X"}},
            {"record_id": bob, "values": {"donotbulkemail": False}},
        ],
    )
    results = connector.write_contacts(frame)
    assert outcomes(results) == {
        0: "written",
        1: "written",
        2: "written",
        3: "error",
        4: "error",
        5: "error",
    }
    stored = {row["contactid"]: row for row in sandbox.table("dynamics", "contact")}
    assert set(stored) == {ann, bob}
    assert (stored[ann]["emailaddress1"], stored[ann]["firstname"]) == ("new@example.com", "Ann")
    assert (stored[bob]["firstname"], stored[bob]["lastname"]) == ("Robert", "Twice")
    assert stored[bob]["donotbulkemail"]


def test_suppressing_makes_unmailable_in_one_call(
    connector: DynamicsConnector, sandbox: SandboxServer
) -> None:
    fill(connector, sandbox, 300)
    ids = [row["contactid"] for row in sandbox.table("dynamics", "contact")]
    results = connector.write_contacts(operations("suppress", [{"record_id": id_} for id_ in ids]))
    assert sandbox.calls()["totals"]["dynamics"] == 1
    assert set(results["outcome"]) == {"written"}
    assert all(row["donotbulkemail"] for row in sandbox.table("dynamics", "contact"))


def test_joining_twice_and_leaving_what_one_is_not_on_are_successes(
    connector: DynamicsConnector, person: Dataverse, sandbox: SandboxServer
) -> None:
    newsletter = list_named(connector, "Newsletter")
    people = [add(person, "contacts", lastname=str(number)) for number in range(5)]
    joins = operations("join", [{"record_id": id_, "list_id": newsletter} for id_ in people])
    sandbox.faults({"dynamics": {"after_write": 0.4, "seed": 2}})
    first = connector.write_list_members(joins)
    second = connector.write_list_members(joins)
    assert set(first["outcome"]) == set(second["outcome"]) == {"written"}
    assert list(first["membership_id"]) == list(second["membership_id"])
    leaves = operations("leave", [{"record_id": id_, "list_id": newsletter} for id_ in people[:3]])
    for _ in range(2):
        assert set(connector.write_list_members(leaves)["outcome"]) == {"written"}
    sandbox.faults()
    left = {row["entityid"] for row in sandbox.table("dynamics", "listmember")}
    assert left == set(people[3:])


def test_somebody_who_is_gone_fails_alone(
    connector: DynamicsConnector, person: Dataverse, sandbox: SandboxServer
) -> None:
    newsletter = list_named(connector, "Newsletter")
    ann = add(person, "contacts", lastname="ann")
    nobody = "00000000-0000-0000-0000-00000000dead"
    frame = operations("join", [{"record_id": id_, "list_id": newsletter} for id_ in (nobody, ann)])
    results = connector.write_list_members(frame)
    assert outcomes(results) == {0: "error", 1: "written"}
    assert results.set_index("seq").loc[1, "membership_id"]
    assert [row["entityid"] for row in sandbox.table("dynamics", "listmember")] == [ann]


@pytest.mark.parametrize("kind", ["join", "leave"])
@pytest.mark.parametrize(
    ("name", "code"), [("Old locked list", "0x80040302"), ("Everyone in London", "0x8004f701")]
)
def test_a_list_that_takes_no_change_says_so(
    connector: DynamicsConnector, person: Dataverse, kind: str, name: str, code: str
) -> None:
    list_id = list_named(connector, name)
    ann = add(person, "contacts", lastname="ann")
    results = connector.write_list_members(
        operations(kind, [{"record_id": ann, "list_id": list_id}])
    )
    verdict = results.iloc[0]
    if kind == "leave" and verdict["outcome"] == "written":
        return  # whoever is not on it has left it
    assert (verdict["outcome"], verdict["code"]) == ("error", code)


def test_suppressions_are_kept_once_and_a_persons_own_are_read_too(
    connector: DynamicsConnector, person: Dataverse, sandbox: SandboxServer
) -> None:
    ann = add(person, "contacts", lastname="ann")
    newsletter = list_named(connector, "Newsletter")
    values = {"reason": "bounced", "suppressed_at": "2026-01-02T03:04:05Z", "origin": "Post (acme)"}
    frame = operations(
        "add_suppression",
        [
            {"key": "bw-1", "values": {"email": "a@example.com", **values}},
            {
                "key": "bw-2",
                "values": {
                    "email": "b@example.com",
                    **values,
                    "list_id": newsletter,
                    "entity": "contact",
                    "member_id": ann,
                },
            },
        ],
    )
    sandbox.faults({"dynamics": {"after_write": 0.5, "seed": 4}})
    for _ in range(2):
        assert set(connector.write_suppressions(frame)["outcome"]) == {"written"}
    sandbox.faults()
    pages = list(connector.read_suppressions(since=None))
    told = ("email", "reason", "list_id", "key", "origin")
    assert [tuple(row[name] for name in told) for row in rows(pages)] == [
        ("a@example.com", "bounced", None, "bw-1", "Post (acme)")
    ]
    (listed,) = rows(connector.read_list_suppressions(newsletter, since=None))
    assert (listed["email"], listed["member_id"]) == ("b@example.com", ann)
    assert listed["suppressed_at"].isoformat() == "2026-01-02T03:04:05+00:00"

    added = add(person, "bw_suppressions", bw_name="c@example.com")
    (own,) = rows(connector.read_suppressions(since=pages[-1].watermark))
    assert (own["id"], own["email"], own["reason"]) == (added, "c@example.com", "suppressed")
    assert (own["key"], own["origin"]) == (None, None)
    assert own["suppressed_at"] is not None


def test_a_suppression_outlives_its_person_and_the_company_that_took_them_along(
    connector: DynamicsConnector, person: Dataverse
) -> None:
    company = add(person, "accounts", name="Fabrikam")
    bind = {"parentcustomerid_account@odata.bind": f"/accounts({company})"}
    ann = add(person, "contacts", lastname="ann", **bind)
    values = {"email": "a@example.com", "reason": "bounced", "entity": "contact", "member_id": ann}
    connector.write_suppressions(operations("add_suppression", [{"key": "bw-1", "values": values}]))
    person.send("DELETE", f"accounts({company})", retry="never")
    assert list(rows(connector.find_contacts("contact", {}, ids=[ann]))) == []
    (left,) = rows(connector.read_suppressions(since=None))
    assert (left["email"], left["member_id"]) == ("a@example.com", None)


def test_people_are_erased_for_ever(
    connector: DynamicsConnector, person: Dataverse, sandbox: SandboxServer
) -> None:
    ann, bob = (add(person, "contacts", lastname=name) for name in ("ann", "bob"))
    results = connector.erase_contacts("contact", [ann, "nobody", ann])
    assert outcomes(results) == {0: "written", 1: "written", 2: "written"}
    assert [row["contactid"] for row in sandbox.table("dynamics", "contact")] == [bob]
