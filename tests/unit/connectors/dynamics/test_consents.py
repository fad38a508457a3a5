"""Consents in a table of the customer's, against the sandbox over HTTP."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from bothways.connectors.dynamics.client import Dataverse
from bothways.connectors.dynamics.connector import DynamicsConnector
from bothways.errors import FeatureUnavailable
from bothways.vocabulary import CONSENT_RECORD
from tests.support.consent_table import TABLE, consents, make_table
from tests.support.sandbox import SandboxServer
from tests.unit.connectors.dynamics.rows import add, operations, outcomes

GONE = "0d0d0d0d-ffff-4fff-8fff-ffffffffffff"


def consent(key: str, person: str | None = None, entity: str = "contact", **more: Any) -> Any:
    columns = {
        "new_text": "Yes, send me your news.",
        "new_consentedon": "2026-08-03T10:00:00+02:00",
        "new_url": None,
        "new_email": "ann@mail.example",
        **more,
    }
    values = {
        "table": TABLE,
        "key_column": "new_key",
        "lookup": f"new_{entity}" if person else None,
        "person_entity": entity if person else None,
        "person_id": person,
        "columns": columns,
    }
    return {"key": key, "values": values}


def told(*rows: dict[str, Any]) -> pd.DataFrame:
    return operations("upsert", rows, CONSENT_RECORD)


def found(sandbox: SandboxServer) -> dict[str, dict[str, Any]]:
    return {row["new_key"]: row for row in consents(sandbox)}


@pytest.fixture
def table(bare: DynamicsConnector, sandbox: SandboxServer) -> DynamicsConnector:
    """A connector to an environment that was never prepared, with the customer's table."""
    make_table(sandbox)
    sandbox.calls(forget=True)
    return bare


def test_consents_are_related_to_their_person_once_however_often_written(
    table: DynamicsConnector, person: Dataverse, sandbox: SandboxServer
) -> None:
    contact, lead = (add(person, name, lastname="A") for name in ("contacts", "leads"))
    rows = told(consent("k-1", contact), consent("k-2", lead, "lead"), consent("k-3"))
    for _ in range(2):
        assert set(outcomes(table.write_consents(rows)).values()) == {"written"}
    assert sandbox.calls()["dynamics"]["POST new_consents UpsertMultiple"] == 2
    rows_of = found(sandbox)
    assert len(consents(sandbox)) == 3
    one = rows_of["k-1"]
    assert one["new_text"] == "Yes, send me your news."
    assert one["new_consentedon"] == "2026-08-03T08:00:00Z"
    assert {key: (row["new_contact"], row["new_lead"]) for key, row in rows_of.items()} == {
        "k-1": (contact, None),
        "k-2": (None, lead),
        "k-3": (None, None),
    }


def test_what_does_not_fit_is_cut_or_left_out(
    table: DynamicsConnector, sandbox: SandboxServer, caplog: pytest.LogCaptureFixture
) -> None:
    odd = consent("k-1", new_url="https://shop.example/" + "x" * 90, new_consentedon="soon")
    results = table.write_consents(told(odd, consent("k/2")))
    assert outcomes(results) == {0: "written", 1: "error"}
    row = found(sandbox)["k-1"]
    assert (len(row["new_url"]), row["new_url"][-1]) == (30, "…")
    assert row["new_consentedon"] is None
    assert "1 values of new_consentedon do not fit" in caplog.text
    assert "mail.example" not in caplog.text


def test_the_consent_of_somebody_who_is_gone_is_written_without_them(
    table: DynamicsConnector, person: Dataverse, sandbox: SandboxServer
) -> None:
    here = add(person, "contacts", lastname="A")
    rows = told(consent("k-1", here), consent("k-2", GONE), consent("k-3", "no-guid"))
    results = table.write_consents(rows).set_index("seq").sort_index()
    assert set(results["outcome"]) == {"written"}
    assert results["message"].notna().to_list() == [False, True, False]
    people = {key: row["new_contact"] for key, row in found(sandbox).items()}
    assert people == {"k-1": here, "k-2": None, "k-3": None}


@pytest.mark.parametrize(
    "faults",
    [{"after_write": 0.5, "seed": 3}, {"share": {"429": 0.4}, "seed": 5}],
)
def test_writing_again_makes_no_doubles(
    table: DynamicsConnector, sandbox: SandboxServer, faults: dict[str, Any]
) -> None:
    rows = told(*(consent(f"k-{number}") for number in range(300)))
    sandbox.faults({"dynamics": faults})
    first = table.write_consents(rows)
    sandbox.faults()
    again = rows[rows["seq"].isin(first.loc[first["outcome"] != "written", "seq"])]
    if len(again):
        assert set(outcomes(table.write_consents(again)).values()) == {"written"}
    assert len(found(sandbox)) == len(consents(sandbox)) == 300


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "table": ({"table": "new_nothing"}, "there is no table `new_nothing`; correct `consents`"),
    "column": ({"columns": {"new_nothing": "x"}}, "has no column `new_nothing`"),
    "kind": ({"columns": {"createdon": "x"}}, "`createdon` of table `new_consent` cannot be given"),
    "key column": ({"key_column": "new_nothing"}, "has no column `new_nothing`"),
    "key": ({"key_column": "new_email"}, "no alternate key on the column `new_email` alone"),
    "lookup": (
        {"lookup": "new_lead", "person_entity": "contact", "person_id": GONE},
        "column `new_lead` of table `new_consent` is no lookup of a contact",
    ),
}


def test_all_that_is_missing_is_told_at_once(
    bare: DynamicsConnector, sandbox: SandboxServer
) -> None:
    asked = ("new_key", ["new_text", "new_nothing"], {"contact": "new_contact", "lead": "new_key"})
    for name in ("new_consent", "no name"):
        assert bare.consent_obstacles(name, *asked) == [f"there is no table `{name}`"]
    make_table(sandbox, with_key=False)
    assert bare.consent_obstacles(TABLE, *asked) == [
        "table `new_consent` has no column `new_nothing`",
        "table `new_consent` has no alternate key on the column `new_key` alone",
        "column `new_key` of table `new_consent` is no lookup of a lead",
    ]


@pytest.mark.parametrize(("wrong", "message"), WRONG.values(), ids=WRONG)
def test_what_the_file_says_wrongly_is_named(
    table: DynamicsConnector, sandbox: SandboxServer, wrong: dict[str, Any], message: str
) -> None:
    row = consent("k-1")
    row["values"] |= wrong
    with pytest.raises(FeatureUnavailable, match=message):
        table.write_consents(told(row))
    assert consents(sandbox) == []
