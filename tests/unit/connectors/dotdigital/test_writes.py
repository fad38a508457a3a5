"""Writing to Dotdigital: a verdict for every row, nothing doubled, nobody made mailable again."""

from __future__ import annotations

import json
import logging
from typing import Any

import pandas as pd
import pytest

from bothways.connectors.dotdigital import imports
from bothways.connectors.http.retry import RetryPolicy
from bothways.errors import ConnectorError, Denied
from bothways.tables.operations import RESULTS


def _contacts(sandbox: Any) -> dict[str, dict[str, Any]]:
    return {row["email"]: row for row in sandbox.table("dotdigital", "contacts")}


def _outcomes(results: pd.DataFrame) -> dict[int, str]:
    return dict(zip(results["seq"], results["outcome"], strict=True))


def _people(count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"kind": "create", "email": f"p{n}@mail.example", **more} for n in range(count)]


def test_each_row_gets_the_vendors_verdict(sandbox: Any, dotdigital: Any, operations: Any) -> None:
    results = dotdigital.write_contacts(
        operations(
            {"kind": "create", "email": "Ann@mail.example", "values": '{"FIRSTNAME": "Ann 😀"}'},
            {"kind": "create", "email": "not an address"},
            {"kind": "create", "email": "bob@mail.example", "values": '{"NOSUCHFIELD": 1}'},
            {"kind": "update", "record_id": "999999", "values": '{"FIRSTNAME": "X"}'},
            {"kind": "update", "record_id": "a-guid", "values": "{}"},
            {"kind": "create", "email": None},
            {"kind": "create", "email": "cy@mail.example", "list_ids": ["777777"]},
        )
    )

    assert list(results.columns) == RESULTS.names
    outcomes = _outcomes(results)
    assert outcomes == {0: "written"} | dict.fromkeys(range(1, 7), "error")
    by_seq = results.set_index("seq")
    assert by_seq.loc[1, "code"] == "invalidEmail"
    assert by_seq["message"].drop(0).notna().all()
    # A row that was written in part is an error that knows its record.
    assert by_seq.loc[6, "record_id"] == str(_contacts(sandbox)["cy@mail.example"]["id"])
    written = sandbox.dotdigital()
    found = written.get("/contacts/v3/email/ann@mail.example").json()
    written.close()
    assert found["dataFields"]["FIRSTNAME"] == "Ann 😀"
    assert str(found["contactId"]) == by_seq.loc[0, "record_id"]


def test_a_repeat_finds_what_the_first_try_made(
    sandbox: Any, dotdigital: Any, operations: Any
) -> None:
    people = operations(*_people(5))
    first = dotdigital.write_contacts(people).set_index("seq")["record_id"]
    again = dotdigital.write_contacts(people.assign(email=people["email"].str.upper()))
    assert again.set_index("seq")["record_id"].to_dict() == first.to_dict()
    assert len(_contacts(sandbox)) == 5


def test_answers_that_are_lost_after_the_write_double_nothing(
    sandbox: Any, dotdigital: Any, operations: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "_BATCH_ROWS", 10)
    share = {"429": 0.1, "500": 0.1, "cut": 0.1}
    sandbox.faults({"dotdigital": {"after_write": 0.4, "share": share, "seed": 3}})

    made = dotdigital.write_contacts(operations(*_people(60)))
    book = dotdigital.create_list("Fresh", None)
    joins = made.assign(kind="join", list_id=book.id)
    joined = dotdigital.write_list_members(joins)
    rejoined = dotdigital.write_list_members(joins)
    left = dotdigital.write_list_members(joins.assign(kind="leave").head(20))
    releft = dotdigital.write_list_members(joins.assign(kind="leave").head(20))
    sandbox.faults()

    for results in (made, joined, rejoined, left, releft):
        assert set(results["outcome"]) == {"written"}
    assert len(_contacts(sandbox)) == made["record_id"].nunique() == 60
    assert [item.size for item in dotdigital.lists() if item.name == "Fresh"] == [40]


def test_one_bad_record_never_fails_its_batch(
    sandbox: Any, dotdigital: Any, operations: Any
) -> None:
    sandbox.faults({"dotdigital": {"import_faults": 0.3, "seed": 2}})
    results = dotdigital.write_contacts(operations(*_people(100)))
    sandbox.faults()

    assert len(results) == 100
    refused = results[results["outcome"] == "error"]
    assert 10 < len(refused) < 60
    assert refused["message"].notna().all()
    assert len(_contacts(sandbox)) == 100 - len(refused)


def test_an_import_that_the_vendor_cannot_parse_is_taken_apart(
    dotdigital: Any, operations: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = dotdigital._client.submitted

    def refuse_p7(method: str, path: str, data: bytes) -> Any:
        if b"p7@" in data:
            from bothways.errors import Rejected

            raise Rejected("badly formed", vendor="Dotdigital", code="contacts:badJson")
        return sent(method, path, data)

    monkeypatch.setattr(dotdigital._client, "submitted", refuse_p7)
    outcomes = _outcomes(dotdigital.write_contacts(operations(*_people(20))))
    assert outcomes == {seq: "error" if seq == 7 else "written" for seq in range(20)}


@pytest.mark.parametrize("act", ["unsubscribe", "bounce", "complain", "suppress"])
def test_no_write_makes_anybody_mailable_again(
    sandbox: Any, dotdigital: Any, operations: Any, act: str
) -> None:
    email = "ann@mail.example"
    created = dotdigital.write_contacts(operations({"kind": "create", "email": email}))
    contact_id = created["record_id"].iloc[0]
    sandbox.act("dotdigital", act, email=email)
    before = _contacts(sandbox)[email]["status"]

    again = dotdigital.write_contacts(
        operations(
            {"kind": "create", "email": email, "list_ids": ["1"], "values": '{"FIRSTNAME": "A"}'},
            {"kind": "update", "record_id": contact_id, "values": '{"LASTNAME": "B"}'},
        )
    )
    dotdigital.write_list_members(
        operations({"kind": "join", "record_id": contact_id, "list_id": "2"})
    )

    assert _contacts(sandbox)[email]["status"] == before != "subscribed"
    assert set(again["outcome"]) <= {"written", "ignored"}
    assert again[again["outcome"] == "ignored"]["message"].notna().all()


def test_no_update_carries_a_subscription_status(
    dotdigital: Any, operations: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies: list[bytes] = []
    send = dotdigital._client.submitted

    def keep(method: str, path: str, data: bytes) -> Any:
        bodies.append(data)
        return send(method, path, data)

    monkeypatch.setattr(dotdigital._client, "submitted", keep)
    created = dotdigital.write_contacts(operations(*_people(3, list_ids=["1"])))
    dotdigital.write_contacts(
        created.assign(kind="update", values='{"FIRSTNAME": "A", "@email": null}')
    )
    assert bodies
    assert not any(word in body for body in bodies for word in (b"status", b"channelProp", b"opt"))


def test_an_address_changes_in_place(sandbox: Any, dotdigital: Any, operations: Any) -> None:
    created = dotdigital.write_contacts(operations({"kind": "create", "email": "old@mail.example"}))
    contact_id = created["record_id"].iloc[0]

    values = json.dumps({"@email": "new@mail.example", "FIRSTNAME": None})
    dotdigital.write_contacts(
        operations({"kind": "update", "record_id": contact_id, "values": values})
    )

    assert {email: str(row["id"]) for email, row in _contacts(sandbox).items()} == {
        "new@mail.example": contact_id
    }


def test_two_changes_of_one_person_are_made_in_their_order(
    sandbox: Any, dotdigital: Any, operations: Any
) -> None:
    created = dotdigital.write_contacts(operations({"kind": "create", "email": "a@mail.example"}))
    update = {"kind": "update", "record_id": created["record_id"].iloc[0]}
    results = dotdigital.write_contacts(
        operations(
            {**update, "values": '{"FIRSTNAME": "first"}'},
            {**update, "values": '{"FIRSTNAME": "last"}'},
        )
    )
    assert set(results["outcome"]) == {"written"}
    with sandbox.dotdigital() as http:
        found = http.get("/contacts/v3/email/a@mail.example").json()
    assert found["dataFields"]["FIRSTNAME"] == "last"


def test_whom_the_crm_suppresses_is_suppressed_even_if_unknown_here(
    sandbox: Any, dotdigital: Any, operations: Any
) -> None:
    dotdigital.write_contacts(operations({"kind": "create", "email": "known@mail.example"}))
    wishes = operations(
        {"kind": "suppress", "email": "KNOWN@mail.example"},
        {"kind": "suppress", "email": "unknown@mail.example"},
    )
    for _ in range(2):
        results = dotdigital.write_contacts(wishes)
        assert _outcomes(results) == {0: "written", 1: "written"}
        statuses = {email: row["status"] for email, row in _contacts(sandbox).items()}
        assert statuses == {
            "known@mail.example": "suppressed",
            "unknown@mail.example": "suppressed",
        }


def test_a_suppression_arrives_over_a_bad_line(
    sandbox: Any, dotdigital: Any, operations: Any
) -> None:
    sandbox.faults({"dotdigital": {"after_write": 0.4, "share": {"500": 0.2, "cut": 0.2}}})
    for number in range(5):
        wish = {"kind": "suppress", "email": f"p{number}@mail.example"}
        assert _outcomes(dotdigital.write_contacts(operations(wish))) == {0: "written"}
    sandbox.faults()
    assert {row["status"] for row in _contacts(sandbox).values()} == {"suppressed"}


def test_a_list_that_is_gone_fails_alone(sandbox: Any, dotdigital: Any, operations: Any) -> None:
    made = dotdigital.write_contacts(operations(*_people(2)))["record_id"].tolist()
    results = dotdigital.write_list_members(
        operations(
            {"kind": "join", "record_id": made[0], "list_id": "1"},
            {"kind": "join", "record_id": made[0], "list_id": "777777"},
            {"kind": "leave", "record_id": made[1], "list_id": "777777"},
            {"kind": "leave", "record_id": made[1], "list_id": "1"},
        )
    )
    assert _outcomes(results) == {0: "written", 1: "error", 2: "error", 3: "written"}


def test_an_import_that_the_vendor_gives_up_is_an_error_of_its_rows(
    sandbox: Any, dotdigital: Any, operations: Any
) -> None:
    for ending, transient in (("RejectedByWatchdog", False), ("Failed", True)):
        sandbox.settings({"dotdigital": {"import_status": ending}})
        results = dotdigital.write_contacts(operations(*_people(2)))
        assert list(results["code"]) == [ending] * 2
        assert list(results["outcome"]) == ["error"] * 2
        assert list(results["transient"]) == [transient] * 2


def test_imports_wait_for_their_turn(
    sandbox: Any, dotdigital: Any, operations: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "_BATCH_ROWS", 5)
    sandbox.settings({"dotdigital": {"active_imports": 1, "import_seconds": 0.05}})
    results = dotdigital.write_contacts(operations(*_people(30)))
    assert _outcomes(results) == dict.fromkeys(range(30), "written")
    assert len(_contacts(sandbox)) == 30


def test_a_batch_is_bounded_in_rows_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        imports.Contact("email", {"email": f"{n}@m.example"}, {"dataFields": {"A": "x" * 1000}})
        for n in range(100)
    ]
    monkeypatch.setattr(imports, "_BATCH_ROWS", 30)
    assert [len(batch) for batch in imports._batches(rows)] == [30, 30, 30, 10]
    monkeypatch.setattr(imports, "_BATCH_BYTES", 11_000)
    sizes = [sum(len(row.data) + 1 for row in batch) for batch in imports._batches(rows)]
    assert max(sizes) <= 11_000
    assert len(sizes) >= 10


def test_a_list_is_created_once(sandbox: Any, dotdigital: Any) -> None:
    sandbox.faults({"dotdigital": {"after_write": 0.7, "seed": 4}})
    first = dotdigital.create_list("Spring 2027", None)
    again = dotdigital.create_list("spring 2027", None)
    sandbox.faults()
    assert first.id == again.id
    assert [item.name for item in dotdigital.lists()].count("Spring 2027") == 1


def test_the_erased_are_gone_for_ever(sandbox: Any, dotdigital: Any, operations: Any) -> None:
    made = dotdigital.write_contacts(operations(*_people(3)))["record_id"].tolist()
    results = dotdigital.erase_contacts("contact", [*made[:2], "999999", "no-id"])
    assert _outcomes(results) == {0: "written", 1: "written", 2: "written", 3: "error"}
    assert set(_contacts(sandbox)) == {"p2@mail.example"}


def test_nobody_is_named_in_logs_or_messages(
    sandbox: Any, connect: Any, operations: Any, capture: logging.Handler
) -> None:
    dotdigital = connect(policy=RetryPolicy(attempts=3))
    sandbox.faults({"dotdigital": {"share": {"500": 0.3, "cut": 0.2}, "seed": 8}})
    told = []
    for _ in range(4):
        try:
            results = dotdigital.write_contacts(
                operations(
                    {"kind": "create", "email": "ann.person@mail.example"},
                    {"kind": "create", "email": "ann.person@@mail.example"},
                    {"kind": "suppress", "email": "ann.other@mail.example"},
                )
            )
            told.append(results["message"].to_string())
            list(dotdigital.find_contacts("contact", {}, emails=["ann.person@mail.example"]))
        except ConnectorError as error:
            told.append(str(error))
    everything = capture.stream.getvalue() + "".join(told)  # type: ignore[attr-defined]
    assert "failed (500" in everything
    assert "ann." not in everything
    assert "sandbox-password" not in everything


def test_wrong_credentials_are_named_without_being_told(connect: Any) -> None:
    with pytest.raises(Denied) as caught:
        connect("apiuser-wrong@apiconnector.example").check()
    assert caught.value.status == 401
    assert "sandbox-password" not in str(caught.value)
    assert "apiuser-wrong" not in str(caught.value)
