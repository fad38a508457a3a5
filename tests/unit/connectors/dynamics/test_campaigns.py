"""Campaigns and their events in tables of our own, against the sandbox over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from bothways.connectors.dynamics.client import Dataverse
from bothways.connectors.dynamics.connector import DynamicsConnector
from bothways.connectors.preparing import prepare
from bothways.errors import FeatureUnavailable
from bothways.syncs.campaigns.records import CAMPAIGN, CAMPAIGN_EVENT
from bothways.tables.records import records_schema
from tests.support.sandbox import SandboxServer
from tests.unit.connectors.dynamics.rows import add, operations, outcomes, rows

FIGURES = {
    "name": "August news",
    "subject": "Grüße",
    "status": "sent",
    "sent_at": "2026-08-03T09:15:27.120Z",
    "tags": ["news", "august"],
    "sent": 1200,
    "people_opened": 310,
    "open_rate": 25.83,
    "complaints": None,
}


def campaigns(*rows: dict[str, Any]) -> pd.DataFrame:
    return operations("upsert", rows, CAMPAIGN.name)


def events(*rows: dict[str, Any]) -> pd.DataFrame:
    return operations("upsert", rows, CAMPAIGN_EVENT.name)


def click(key: str, person: str | None = None, **more: Any) -> dict[str, Any]:
    values = {
        "kind": "Click",
        "campaign_id": "71",
        "occurred_at": "2026-08-03T10:00:00Z",
        "person_entity": "contact" if person else None,
        "person_id": person,
        "email": "ann@mail.example",
        "url": "https://shop.example/?a=1",
        **more,
    }
    return {"key": key, "values": values}


@pytest.fixture
def prepared(connector: DynamicsConnector) -> DynamicsConnector:
    """A connector to a prepared environment with one campaign."""
    written = connector.write_records(campaigns({"key": "71", "values": FIGURES}))
    assert outcomes(written) == {0: "written"}
    return connector


@pytest.fixture
def told(sandbox: SandboxServer) -> Callable[[], dict[str, dict[str, Any]]]:
    """Returns the events in the CRM by key."""
    return lambda: {row["bw_key"]: row for row in sandbox.table("dynamics", "bw_campaignevent")}


def test_a_campaign_is_brought_up_to_date_by_its_key(
    prepared: DynamicsConnector, sandbox: SandboxServer
) -> None:
    later = campaigns({"key": "71", "values": {"name": "August news", "people_opened": 311}})
    assert outcomes(prepared.write_records(later)) == {0: "written"}
    (row,) = sandbox.table("dynamics", "bw_campaign")
    told = {name: row[f"bw_{name}"] for name in ("key", "name", "subject", "senton", "tags")}
    assert told == {
        "key": "71",
        "name": "August news",
        "subject": "Grüße",
        "senton": "2026-08-03T09:15:27Z",
        "tags": "news, august",
    }
    assert (row["bw_sent"], row["bw_peopleopened"], row["bw_complaints"]) == (1200, 311, None)
    assert row["bw_openrate"] == 25.83


def test_events_are_related_to_campaign_and_person_and_counters_grow(
    prepared: DynamicsConnector, person: Dataverse, sandbox: SandboxServer, told: Any
) -> None:
    contact, lead = (add(person, name, lastname="A") for name in ("contacts", "leads"))
    summary = {
        "kind": "Send",
        "campaign_id": "71",
        "person_entity": "lead",
        "person_id": lead,
        "email": "bob@mail.example",
        "opens": 1,
        "unsubscribed": False,
        "first_opened_at": "2026-08-03T12:00:00+02:00",
    }
    rows = [click("c-1", contact), {"key": "s-1", "values": summary}, click("c-2")]
    sandbox.calls(forget=True)
    assert set(outcomes(prepared.write_records(events(*rows))).values()) == {"written"}
    assert sandbox.calls()["dynamics"] == {"POST bw_campaignevents UpsertMultiple": 1}
    again = {**summary, "opens": 4}
    assert outcomes(prepared.write_records(events({"key": "s-1", "values": again})))
    found = told()
    (campaign,) = (row["bw_campaignid"] for row in sandbox.table("dynamics", "bw_campaign"))
    assert {row["bw_campaignid"] for row in found.values()} == {campaign}
    assert (found["c-1"]["bw_contactid"], found["c-1"]["bw_leadid"]) == (contact, None)
    assert (found["s-1"]["bw_contactid"], found["s-1"]["bw_leadid"]) == (None, lead)
    assert (found["c-2"]["bw_contactid"], found["c-2"]["bw_leadid"]) == (None, None)
    assert (found["c-1"]["bw_kind"], found["s-1"]["bw_kind"]) == ("Click", "Send")
    assert found["c-1"]["bw_name"] == "Click: https://shop.example/?a=1"
    assert (found["s-1"]["bw_opens"], found["s-1"]["bw_unsubscribed"]) == (4, False)
    assert found["s-1"]["bw_firstopenedon"] == "2026-08-03T10:00:00Z"


def test_values_that_do_not_fit_cost_nothing_but_themselves(
    prepared: DynamicsConnector, told: Any, caplog: pytest.LogCaptureFixture
) -> None:
    long = "https://x.example/" + "😀" * 4_000
    strange = click("c-1", occurred_at="0001-01-01T00:00:00Z", url=long, user_agent="a\x00b")
    summary = {"kind": "Send", "campaign_id": "71", "opens": 2**40, "clicks": 3}
    rows = events(strange, {"key": "s-1", "values": summary}, click("c-2", occurred_at="soon"))
    assert set(outcomes(prepared.write_records(rows)).values()) == {"written"}
    found = told()
    cut = found["c-1"]["bw_url"]
    assert len(cut.encode("utf-16-le")) // 2 in {3_999, 4_000}
    assert (cut[:18], cut[-2:]) == (long[:18], "😀…")
    assert (found["c-1"]["bw_occurredon"], found["c-1"]["bw_useragent"]) == (None, "ab")
    assert (found["s-1"]["bw_opens"], found["s-1"]["bw_clicks"]) == (None, 3)
    assert found["c-2"]["bw_occurredon"] is None
    assert "2 values of bw_occurredon do not fit" in caplog.text
    assert "mail.example" not in caplog.text


def test_the_event_of_somebody_who_is_gone_is_related_to_its_campaign_only(
    prepared: DynamicsConnector, person: Dataverse, told: Any
) -> None:
    here = add(person, "contacts", lastname="A")
    gone = "0d0d0d0d-ffff-4fff-8fff-ffffffffffff"
    rows = events(click("c-1", here), click("c-2", gone), click("c-3", "no-guid"))
    results = prepared.write_records(rows).set_index("seq").sort_index()
    assert set(results["outcome"]) == {"written"}
    assert results["message"].notna().to_list() == [False, True, False]
    assert "no longer exists" in results.loc[1, "message"]
    found = told()
    assert {key: row["bw_contactid"] for key, row in found.items()} == {
        "c-1": here,
        "c-2": None,
        "c-3": None,
    }
    assert found["c-2"]["bw_campaignid"] == found["c-1"]["bw_campaignid"]


def test_what_cannot_be_written_says_why_and_stops_nothing_else(
    prepared: DynamicsConnector, told: Any
) -> None:
    rows = [
        click("c-1", campaign_id="72"),
        click("c/2"),
        click("c-3", campaign_id="7'1"),
        click("c-4", campaign_id=None),
        click("c-5"),
    ]
    results = prepared.write_records(events(*rows)).set_index("seq")
    assert results["outcome"].to_list().count("written") == 1
    assert list(told()) == ["c-5"]
    assert "its campaign has no record" in results.loc[0, "message"]
    assert results.loc[0, "transient"]
    assert "the key has characters" in results.loc[1, "message"]
    assert "the campaign's id has characters" in results.loc[2, "message"]


@pytest.mark.parametrize(
    "faults",
    [
        {"after_write": 0.5, "seed": 3},
        {"share": {"429": 0.4}, "seed": 5},
        {"rows_refused": 0.001, "seed": 1},
    ],
)
def test_writing_again_makes_no_doubles(
    prepared: DynamicsConnector, sandbox: SandboxServer, told: Any, faults: dict[str, Any]
) -> None:
    rows = events(*(click(f"c-{number}") for number in range(1_300)))
    sandbox.faults({"dynamics": faults})
    first = prepared.write_records(rows)
    sandbox.faults()
    refused = first[first["outcome"] != "written"]
    assert len(refused) < 50
    assert refused["message"].notna().all()
    again = rows[rows["seq"].isin(refused["seq"])]
    if len(again):
        assert set(outcomes(prepared.write_records(again)).values()) == {"written"}
    assert len(told()) == len(sandbox.table("dynamics", "bw_campaignevent")) == 1_300


def test_a_person_s_events_are_found_by_id_and_address_and_deleted(
    prepared: DynamicsConnector, person: Dataverse, told: Any
) -> None:
    contact = add(person, "contacts", lastname="A")
    lead = add(person, "leads", lastname="A")
    of_lead = click("c-2", lead, person_entity="lead", email="old@mail.example")
    others = [
        click("c-4", email="änn@mail.example"),
        click("c-5", add(person, "contacts", lastname="B"), email="b@mail.example"),
    ]
    unknown = click("c-3", email="ANN@mail.example")
    mine = click("c-1", contact, email="older@mail.example")
    prepared.write_records(events(mine, of_lead, unknown, *others))
    by_key = {key: row["bw_campaigneventid"] for key, row in told().items()}
    found = prepared.find_records(
        CAMPAIGN_EVENT, [contact, lead, "12"], ["ann@mail.example", "", "x\ny"]
    )
    assert set(found) == {by_key[key] for key in ("c-1", "c-2", "c-3")}
    results = prepared.erase_records(CAMPAIGN_EVENT, [*found, found[0]])
    assert set(results["outcome"]) == {"written"}
    assert set(told()) == {"c-4", "c-5"}
    assert prepared.find_records(CAMPAIGN_EVENT, [contact], ["ann@mail.example"]) == []


def test_records_are_read_back_with_those_that_a_person_made_and_only_what_changed(
    prepared: DynamicsConnector, person: Dataverse
) -> None:
    contact = add(person, "contacts", lastname="A")
    written = {**FIGURES, "sent": 1}
    prepared.write_records(events(click("c-1", contact)))
    pages = list(prepared.read_records(CAMPAIGN_EVENT, since=None))
    assert {page.rows.schema for page in pages} == {records_schema(CAMPAIGN_EVENT)}
    (found,) = rows(pages)
    told = {
        name: found[name] for name in ("key", "campaign_id", "person_entity", "person_id", "kind")
    }
    assert list(told.values()) == ["c-1", "71", "contact", contact, "Click"]

    *_, last = prepared.read_records(CAMPAIGN, since=None)
    assert last.watermark is not None
    add(person, "bw_campaigns", bw_name="By hand", bw_sent=7)
    prepared.write_records(campaigns({"key": "72", "values": written}))
    again = rows(prepared.read_records(CAMPAIGN, since=last.watermark))
    by_key = {row["key"]: row for row in again}
    assert by_key[None]["name"] == "By hand"
    assert by_key["72"]["sent_on"] == datetime(2026, 8, 3, 9, 15, 27, tzinfo=UTC)
    assert (by_key[None]["sent"], by_key["72"]["sent"]) == (7, 1)


def test_in_the_crm_a_contact_takes_its_events_along_and_a_lead_leaves_them(
    prepared: DynamicsConnector, person: Dataverse, sandbox: SandboxServer, told: Any
) -> None:
    contact, lead = (add(person, name, lastname="A") for name in ("contacts", "leads"))
    rows = events(click("c-1", contact), click("c-2", lead, person_entity="lead"))
    prepared.write_records(rows)
    prepared.erase_contacts("contact", [contact])
    prepared.erase_contacts("lead", [lead])
    assert {key: row["bw_leadid"] for key, row in told().items()} == {"c-2": None}
    (campaign,) = (row["bw_campaignid"] for row in sandbox.table("dynamics", "bw_campaign"))
    with pytest.raises(Exception, match="associated with another object"):
        person.send("DELETE", f"bw_campaigns({campaign})", retry="never")


def test_without_the_tables_it_says_what_to_do(bare: DynamicsConnector) -> None:
    with pytest.raises(FeatureUnavailable, match=r"bw_campaign is not there; .* prepare"):
        bare.write_records(campaigns({"key": "71", "values": FIGURES}))
    with pytest.raises(FeatureUnavailable, match="prepare"):
        bare.write_records(events(click("c-1")))
    assert (
        bare.find_records(CAMPAIGN_EVENT, ["0d0d0d0d-ffff-4fff-8fff-ffffffffffff"], ["a@b.example"])
        == []
    )


def test_a_table_that_lacks_something_gets_it_and_keeps_its_rows(
    prepared: DynamicsConnector, person: Dataverse, sandbox: SandboxServer
) -> None:
    table = "EntityDefinitions(LogicalName='bw_campaign')"
    gone = f"{table}/Attributes(LogicalName='bw_opens')"
    person.send("DELETE", gone, retry="never")
    prepared.__dict__.pop("_environment", None)
    assert [item.sentence for item in prepare(prepared)] == ["Column bw_opens of bw_campaign."]
    assert prepared.missing([CAMPAIGN]) == []
    assert len(sandbox.table("dynamics", "bw_campaign")) == 1
