"""Which consents are written to the CRM's table, case by case, without a vendor or a database."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from bothways.errors import ConfigurationError
from bothways.spec import Options
from bothways.streams.attributes import ATTRIBUTE
from bothways.syncs.base import Request
from bothways.syncs.opt_in import Settings
from bothways.syncs.opt_in import sync as opt_in
from bothways.tables.consent import CONSENTS, OPT_INS
from bothways.testing.planning import Planning
from bothways.transform.consents import packed
from tests.unit.syncs.jobs import said

ANN = "ann@example.org"
TABLE = {
    "table": "new_consent",
    "key": "new_key",
    "email": "new_email",
    "text": "new_text",
    "consented_at": "new_on",
    "contact": "new_contact",
    "lead": "new_lead",
}
YES = {"text": 'Yes, "all" of it.', "consented_at": "2026-08-03T10:00:00Z"}


def _desk(**table: Any) -> Planning:
    settings = {"opt_in": {"contact": "new_optin", "consents": TABLE | table}}
    return Planning(lists={}, syncs=settings)


def _member(desk: Planning, *consents: dict[str, Any], told: bool = True) -> None:
    """The platform tells a member, which the store has taken in with the consents."""
    rows = pd.DataFrame([{"member_id": "m1", **row} for row in consents])
    known = {ATTRIBUTE + "opt_in_type": "single"}
    if consents:
        told_of = rows.reindex(columns=CONSENTS.names).astype("string[pyarrow]")
        known[ATTRIBUTE + "consents"] = packed(told_of)["m1"]
    desk.store.add_person("marketing", "m1", ANN, fields=known)
    if told:
        row = {"member_id": "m1", "email": ANN, "opt_in_type": "single"}
        desk.read_rows("marketing", "values", OPT_INS, row)


def _written(desk: Planning, **more: Any) -> list[dict[str, Any]]:
    jobs = desk.plan(opt_in.plan, **more).jobs
    jobs = jobs[jobs["kind"] == "upsert"]
    return [json.loads(values) for values in jobs["values"]]


def test_a_consent_is_written_with_its_columns_and_person() -> None:
    desk = _desk()
    _member(desk, YES)
    desk.store.add_person("crm", "c1", ANN, fields={"new_optin": "Single"})
    jobs = desk.plan(opt_in.plan).jobs
    assert said(jobs) == [("", "", "unchanged", ""), ("crm", "upsert", "new", "")]
    job = jobs.iloc[1]
    assert json.loads(job["values"]) == {
        "table": "new_consent",
        "key_column": "new_key",
        "lookup": "new_contact",
        "person_entity": "contact",
        "person_id": "c1",
        "columns": {
            "new_text": YES["text"],
            "new_on": YES["consented_at"],
            "new_email": ANN,
        },
    }
    assert json.loads(job["after"]) == YES
    assert (job["entity"], job["source_id"], job["email"]) == ("consent_record", "m1", ANN)
    assert len(job["key"]) == 32


def test_each_consent_has_a_job_and_is_written_once() -> None:
    desk = _desk()
    later = YES | {"consented_at": "2026-09-03T10:00:00Z"}
    _member(desk, later, YES, YES)
    desk.store.add_person("crm", "c1", ANN)
    jobs = desk.plan(opt_in.plan).jobs
    keys = jobs.loc[jobs["kind"] == "upsert", "key"]
    assert len(set(keys)) == len(keys) == 2
    desk.store.add_written_consent(keys.iloc[0], "m1", ANN)
    again = desk.plan(opt_in.plan).jobs
    assert again.loc[again["kind"] == "upsert", "key"].tolist() == keys.iloc[1:].tolist()
    whole = desk.plan(opt_in.plan, options=Options(full_resync=True)).jobs
    results = whole[whole["kind"] == "upsert"].set_index("key")["result"]
    assert results[keys.iloc[0]] == "updated"
    assert results[keys.iloc[1]] == "new"


def test_another_table_gets_all_of_them() -> None:
    keys = set()
    for table in ("new_consent", "new_consents2"):
        desk = _desk(table=table)
        _member(desk, YES)
        desk.store.add_person("crm", "c1", ANN)
        jobs = desk.plan(opt_in.plan).jobs
        keys |= set(jobs["key"].dropna())
    assert len(keys) == 2


def test_a_record_that_comes_later_gets_what_is_known() -> None:
    desk = _desk()
    _member(desk, YES, told=False)
    desk.store.add_person("crm", "l1", ANN, entity="lead")
    desk.read_people("crm", "leads", "l1")
    (values,) = _written(desk)
    assert (values["lookup"], values["person_id"]) == ("new_lead", "l1")


def test_without_lookups_the_address_names_the_person() -> None:
    desk = _desk(contact=None, lead=None)
    _member(desk, YES)
    desk.store.add_person("crm", "l1", ANN, entity="lead")
    (values,) = _written(desk)
    assert [values[name] for name in ("lookup", "person_entity", "person_id")] == [None] * 3
    assert values["columns"]["new_email"] == ANN


NOTHING: dict[str, tuple[dict[str, Any] | None, list[tuple[str, ...]]]] = {
    "nobody in the CRM": (None, [("", "", "ignored", "no_crm_record")]),
    "a lead, of which there is no lookup": (
        {"entity": "lead"},
        [("", "", "ignored", "no_crm_record")],
    ),
    "an inactive contact": (
        {"active": False, "fields": {"new_optin": "Single"}},
        [("", "", "ignored", "inactive")],
    ),
}


@pytest.mark.parametrize(("record", "expected"), NOTHING.values(), ids=NOTHING)
def test_what_the_sync_says_of_the_member_is_said_once(
    record: dict[str, Any] | None, expected: list[tuple[str, ...]]
) -> None:
    desk = _desk(lead=None, email=None)
    _member(desk, YES, YES | {"url": "https://x.example"})
    if record:
        desk.store.add_person("crm", "c1", ANN, **record)
    assert said(desk.plan(opt_in.plan).jobs) == expected


def test_somebody_who_was_erased_has_nothing_written() -> None:
    desk = _desk()
    _member(desk, YES)
    desk.store.add_person("crm", "c1", ANN)
    desk.store.add_erased(ANN)
    assert said(desk.plan(opt_in.plan).jobs) == [("", "", "ignored", "erased")]


def test_consents_may_be_all_that_is_written() -> None:
    desk = Planning(lists={}, syncs={"opt_in": {"consents": TABLE}})
    _member(desk, YES)
    desk.store.add_person("crm", "l1", ANN, entity="lead")
    jobs = desk.plan(opt_in.plan).jobs
    assert said(jobs) == [("", "", "unchanged", ""), ("crm", "upsert", "new", "")]


def test_without_a_table_nothing_is_read_or_written_of_consents() -> None:
    desk = Planning(lists={}, syncs={"opt_in": {"contact": "new_optin"}})
    _member(desk, YES)
    desk.store.add_person("crm", "c1", ANN)
    assert _written(desk) == []
    request = Request(desk.account, "marketing", ("contact",), {})
    *_, values = opt_in.datasets(request)
    assert not values.stream.query()["with_consents"]


WRONG = {
    "nobody": ({"contact": None, "lead": None, "email": None}, "would name nobody"),
    "nothing": ({"text": None, "consented_at": None}, "would tell nothing"),
    "twice": ({"text": "new_on"}, "`new_on` is named twice"),
    "no key": ({"key": None}, "key"),
}


@pytest.mark.parametrize(("wrong", "message"), WRONG.values(), ids=WRONG)
def test_settings_that_are_of_no_use_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Settings.model_validate({"consents": TABLE | wrong})


def test_a_crm_that_cannot_write_consents_is_named() -> None:
    desk = _desk()
    account = desk.account.model_copy(
        update={"crm": desk.account.system("crm").model_copy(update={"connector": "dotdigital"})}
    )
    with pytest.raises(ConfigurationError, match="cannot write records of consents; remove"):
        opt_in.datasets(Request(account, "crm", ("contact",), {}))
