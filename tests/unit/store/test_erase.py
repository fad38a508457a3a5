from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy as sa
from upath import UPath

from bothways.console.people import person_jobs
from bothways.engine.staging import Staging
from bothways.ledgers.registry import erase_person, rows_about
from bothways.store import (
    access_log,
    baselines,
    consents,
    details,
    erase,
    erasures,
    events,
    links,
    list_states,
    notifications,
    records,
    retries,
    runs,
    selections,
    showing,
    suppressions,
)  # fmt: skip
from bothways.store import jobs as store_jobs
from bothways.store.counts import count_jobs
from bothways.store.schema import erased, metadata, unchanged
from bothways.vocabulary import RunStatus
from tests.support.stores import ERASURE_KEYS
from tests.unit.store.rows import (
    ACCOUNT,
    contacts,
    jobs,
    memberships,
    minute,
    open_run,
)  # fmt: skip
from tests.unit.store.rows import suppressions as suppression_rows

MINE = {"account": ACCOUNT}
SECOND_ADDRESS = "ann.new@y.org"


def _fill(conn: sa.Connection) -> int:
    """A store in which Ann and Joann have left traces everywhere, Ann under two addresses."""
    run_id = open_run(conn, params={"records": ["Ann+x@X.org"], "lists": ["news"]})
    runs.note(conn, run_id=run_id, sentence="ann+x@x.org was asked for.")
    told = pa.string()
    crm = contacts(
        {"id": "ann-crm", "email": "Ann+x@X.org", "field:name": "Ann"},
        {"id": "jo-crm", "email": "Joann+x@x.org", "field:name": "Joann"},
        name=told,
    )
    platform = contacts(
        {"id": "ann-m", "email": "Ann.New@y.org"}, {"id": "jo-m", "email": "joann+x@x.org"}
    )
    for side, page in (("crm", crm), ("marketing", platform)):
        place = MINE | {"side": side, "run_id": run_id}
        records.absorb_contacts(conn, **place, rows=page)
        who = "crm" if side == "crm" else "m"
        on_list = (
            {"member_id": f"{one}-{who}", "membership_id": f"{one}-{side}"} for one in ("ann", "jo")
        )
        records.absorb_members(conn, **place, rows=memberships(*on_list))
        ended = ({"membership_id": f"{one}-{side}", "deleted": True} for one in ("ann", "jo"))
        records.absorb_members(conn, **place, rows=memberships(*ended))
        words = suppression_rows(
            {"id": "1", "email": "ann+x@x.org"}, {"id": "2", "email": "joann+x@x.org"}
        )
        suppressions.absorb_suppressions(conn, **place, rows=words)
    pairs = pd.DataFrame(
        {
            "entity": "contact",
            "crm_id": ["ann-crm", "jo-crm"],
            "marketing_id": ["ann-m", "jo-m"],
            "email_key": ["ann+x@x.org", "joann+x@x.org"],
            "values": ['{"name": "Ann", "email": "ann+x@x.org"}', '{"name": "Jo"}'],
            "crm_list_id": "L1",
            "marketing_list_id": "L2",
            "state": "joined",
        }
    )
    links.upsert_links(conn, **MINE, run_id=run_id, frame=pairs)
    baselines.upsert_baselines(conn, **MINE, run_id=run_id, frame=pairs)
    list_states.upsert_states(conn, **MINE, run_id=run_id, frame=pairs)
    told = {
        "key": ["1", "2", "3"],
        "member_id": ["ann-m", "gone", "jo-m"],
        "email_key": [None, "ann+x@x.org", "joann+x@x.org"],
    }
    consents.keep_written(conn, **MINE, rows=pd.DataFrame(told))
    changed = json.dumps({"email": "ANN+x@x.org"})
    rows = jobs(
        {
            "result": "error",
            "email": "Ann+x@X.org",
            "email_key": "ann+x@x.org",
            "source_id": "ann-m",
        },
        {"result": "unchanged", "email_key": SECOND_ADDRESS, "record_id": "ann-crm"},
        {"result": "unchanged", "before": changed, "source_id": "elsewhere"},
        {"result": "error", "error_message": "no <ann+x@x.org> here", "reason": "of ann+x@x.org"},
        {
            "result": "error",
            "email_key": "joann+x@x.org",
            "source_id": "jo-m",
            "after": changed[:-1] + "}",
        }
        | {"after": '{"name": "Jo"}'},
    )
    store_jobs.write_jobs(conn, run_id=run_id, **MINE, rows=rows)
    row = {"run_id": run_id, "part": 9, "place": 1, "bucket": 0, "bits": 0, **MINE}
    row |= {"list_key": "news", "entity": "contact", "source": "crm", "number": 2}
    conn.execute(unchanged.insert().values(row | {"ids": "\nann-crm\njo-crm\n"}))
    clicks = pd.DataFrame(
        {
            "key": ["1", "2", "3"],
            "kind": "click",
            "scope_id": "7",
            "record_id": ["ann-m", None, "jo-m"],
            "email_key": [None, "ann+x@x.org", "joann+x@x.org"],
            "occurred_at": datetime.now(UTC),
            "details": '{"link": "https://x.org"}',
        }
    )
    told = {"role": "marketing", "run_id": run_id, "now": datetime.now(UTC)}
    events.absorb_events(conn, **MINE, **told, rows=clicks)
    for name in ("Ann", "Joann"):
        erasures.file_request(conn, **MINE, person=f"{name}+x@X.org")
    retries.settle_retries(conn, run_id=run_id, now=minute(0), attempts=3, minutes=1)
    people: dict[str, str | None] = {"ANN+x@x.org": "ann+x@x.org", "ann-crm": None}
    people |= {"joann+x@x.org": "joann+x@x.org"}
    for ids in (["ann-crm", "ann-m"], ["jo-crm"]):
        access_log.keep(conn, user="ada", what="person", **MINE, record_ids=ids)
    selections.file_selection(conn, **MINE, people=people, filed_by="ada")
    notifications.keep(conn, **MINE, side="crm", sync_type="suppressions", people=people)
    message = "list of ann+x@x.org"
    runs.set_list(conn, run_id=run_id, list_key="news", name="N", status="Failed", message=message)
    detail = {"kind": "form", "scope_id": "7", "name": "N", "status": "Failed", "counts": {}}
    details.set_details(conn, run_id=run_id, rows=[{**detail, "message": message}])
    runs.finish_run(conn, run_id=run_id, status=RunStatus.FAILED, counts={}, message=message)
    return run_id


def _ann(conn: sa.Connection) -> erase.Person:
    return erase.find_person(conn, **MINE, email_key="ann+x@x.org")


def _texts(conn: sa.Connection) -> dict[str, str]:
    """Every row of every table as text."""
    return {
        name: str(
            conn.execute(
                sa.text(f"SELECT coalesce(string_agg(t::text, chr(10)), '') FROM \"{name}\" t")
            ).scalar_one()
        )
        for name in metadata.tables
    }


def _without_joann(text: str) -> str:
    return text.lower().replace("joann+x@x.org", "")


def test_a_person_in_two_audiences_is_shown_and_erased_in_both(conn: sa.Connection) -> None:
    run_id = open_run(conn)
    members = [("m1", "ann@x.org", "A"), ("m2", "ann.two@y.org", "B"), ("jo", "jo@x.org", "B")]
    page = contacts(*({"id": one, "email": email, "scope": s} for one, email, s in members))
    platform = MINE | {"side": "marketing", "run_id": run_id}
    records.absorb_contacts(conn, **platform, rows=page)
    crm = contacts({"id": "c1", "email": "ann@x.org"}, {"id": "c2", "email": "jo@x.org"})
    records.absorb_contacts(conn, **MINE, side="crm", run_id=run_id, rows=crm)
    words = ({"email": "ann@x.org", "scope": "A"}, {"email": "ann.two@y.org", "scope": "B"})
    suppressions.absorb_suppressions(conn, **platform, rows=suppression_rows(*words))
    pairs = pd.DataFrame(
        [("c1", "m1", "A"), ("c1", "m2", "B"), ("c2", "jo", "B")],
        columns=["crm_id", "marketing_id", "scope"],
    ).assign(entity="contact", values="{}")
    for _ in range(2):
        links.upsert_links(conn, **MINE, run_id=run_id, frame=pairs)
        baselines.upsert_baselines(conn, **MINE, run_id=run_id, frame=pairs)
    for address in ("ann@x.org", "ann.two@y.org"):
        shown = showing.find(conn, **MINE, email_key=address, roles=("crm", "marketing"))
        assert (shown.crm, shown.marketing) == ({"c1"}, {"m1", "m2"})
        assert {row.scope for row in showing.links_of(conn, shown)} == {"A", "B"}
    person = erase.find_person(conn, **MINE, email_key="ann.two@y.org")
    assert person.keys == {"ann@x.org", "ann.two@y.org"}
    assert not links.load_links(conn, **MINE, scope="A").empty
    erase_person(conn, person)
    for name in ("links", "baselines"):
        found = _texts(conn)[name]
        assert "jo" in found
        assert "c1" not in found
    assert _texts(conn)["suppressions"] == ""
    left = records.load_records(conn, **MINE, side="marketing")
    assert left["id"].tolist() == ["jo"]


def test_a_campaign_that_has_the_id_of_a_person_is_not_theirs(conn: sa.Connection) -> None:
    """A platform numbers its contacts and its campaigns apart, each from one."""
    run_id = open_run(conn, sync_type="campaigns", dag_id="acme__campaigns")
    about = {"entity": "campaign", "source": "marketing", "source_entity": "campaign"}
    failed = jobs(about | {"result": "error", "source_id": "ann-m", "key": "ann-m"})
    store_jobs.write_jobs(conn, run_id=run_id, **MINE, rows=failed)
    retries.settle_retries(conn, run_id=run_id, now=minute(0), attempts=3, minutes=1)
    _fill(conn)
    person = _ann(conn)
    shown = person_jobs(
        conn, **MINE, email_key="ann+x@x.org", record_ids=person.all_ids, limit=9,
        dag_ids=["acme__campaigns", "acme__marketing_lists"],
    )  # fmt: skip
    assert len(shown) == 2
    assert "campaign" not in {row.entity for row in shown}
    known = rows_about(conn, person)
    for name in ("jobs", "retries"):
        assert known[name]
        assert "campaign" not in {row["entity"] for row in known[name]}, name
    erase_person(conn, person)
    for name in ("jobs", "retries"):
        assert "campaign" in _texts(conn)[name]
        assert "ann-m" in _texts(conn)[name]


def test_an_erased_person_leaves_no_address_anywhere(conn: sa.Connection) -> None:
    run_id = _fill(conn)
    traces = ("ann+x@x.org", SECOND_ADDRESS, "ann-crm", "ann-m", "ann-marketing")
    before = count_jobs(conn, run_id=run_id)
    assert any("ann+x@x.org" in _without_joann(text) for text in _texts(conn).values())
    receipt = erase_person(conn, _ann(conn))
    for name, text in _texts(conn).items():
        found = [trace for trace in traces if trace in _without_joann(text)]
        assert not found, f"{name} still holds {found}"
    assert all(receipt.values()), receipt
    assert receipt["jobs"] == 4
    assert count_jobs(conn, run_id=run_id).total == before.total
    # Nobody else is touched.
    assert records.load_records(conn, **MINE, side="crm")["id"].tolist() == ["jo-crm"]
    for name in ("members", "links", "baselines", "list_states", "suppressions", "retries", "jobs"):
        assert "jo" in _texts(conn)[name], name
    run = runs.get_run(conn, run_id=run_id)
    assert run is not None
    assert run.params == {"records": ["<erased>"], "lists": ["news"]}


def test_only_a_keyed_hash_knows_the_erased(conn: sa.Connection) -> None:
    _fill(conn)
    for _ in range(2):
        erase_person(conn, _ann(conn))
    keys = pd.Series(["ann+x@x.org", "eve@x.org", None, SECOND_ADDRESS], index=[5, 3, 1, 0])
    assert erase.erased_keys(conn, **MINE, email_keys=keys).to_dict() == {
        5: True, 3: False, 1: False, 0: True,
    }  # fmt: skip
    assert not erase.erased_keys(conn, account="other", email_keys=keys).any()
    secret = ERASURE_KEYS[0].secret
    kept = set(conn.execute(sa.select(erased.c.address_hash)).scalars())
    assert hmac.new(secret, b"ann+x@x.org", hashlib.sha256).hexdigest() in kept
    assert hashlib.sha256(b"ann+x@x.org").hexdigest() not in kept


@pytest.mark.parametrize(
    ("row", "theirs"),
    [
        ({"id": "ann-crm"}, True),
        ({"marketing_id": "ann-m"}, True),
        ({"email": "ANN+X@x.org"}, True),
        ({"email": SECOND_ADDRESS}, True),
        ({"values": '{"@email": "ann+x@x.org"}'}, True),
        ({"field:notes": "Call her, or write to <ann.new@y.org>."}, True),
        ({"id": "jo-crm", "email": "joann+x@x.org"}, False),
        ({"email": "ann+x@x.org.uk"}, False),
        ({"email": "ann+x@x.organic"}, False),
        ({"email": "ann+xx@x.org"}, False),
        ({"field:notes": "ann-crm"}, False),
        ({}, False),
    ],
)
def test_staged_files_keep_everybody_but_the_person(
    row: dict[str, str], theirs: bool, conn: sa.Connection, tmp_path: Path
) -> None:
    _fill(conn)
    ann = _ann(conn)
    staging = Staging(UPath(tmp_path))
    names = ("id", "marketing_id", "email", "values", "field:notes")
    schema = pa.schema([*(pa.field(name, pa.string()) for name in names), ("bucket", pa.uint8())])
    other = {"id": "jo-m", "email": "jo@x.org", "bucket": 7}
    page = pa.Table.from_pylist([other, row | {"bucket": 3}], schema)
    staging.write_page("crm", "contacts", 1, page)
    staging.write_chunk("marketing", 0, 0, page.to_pandas())
    staging.write_json({"lists": ["ann-crm"]}, "crm", "lists.json")
    staging.forget([*ann.crm, *ann.marketing], ann.in_files)
    (after,) = staging.pages("crm", "contacts")
    chunk = staging.read_chunk("marketing", "0000-0000")
    assert after.schema == page.schema
    assert after["bucket"].to_pylist() == chunk["bucket"].tolist() == ([7] if theirs else [7, 3])
    assert after["id"].to_pylist() == ["jo-m"] + ([] if theirs else [row.get("id")])
    assert staging.read_json("crm", "lists.json") == {"lists": ["ann-crm"]}


def test_a_staged_file_about_nobody_else_is_empty_and_can_be_read(
    conn: sa.Connection, tmp_path: Path
) -> None:
    _fill(conn)
    staging = Staging(UPath(tmp_path))
    staging.write_page("crm", "contacts", 1, contacts({"id": "ann-crm", "email": "ann+x@x.org"}))
    ann = _ann(conn)
    staging.forget([*ann.crm, *ann.marketing], ann.in_files)
    (after,) = staging.pages("crm", "contacts")
    assert (after.num_rows, after.schema) == (0, contacts().schema)


def test_an_export_has_the_persons_traces_of_every_table_and_nobody_elses(
    conn: sa.Connection,
) -> None:
    _fill(conn)
    known = rows_about(conn, _ann(conn))
    traces = ("ann-crm", "ann-m", "ann+x@", SECOND_ADDRESS)
    for name, text in _texts(conn).items():
        if any(trace in _without_joann(text).lower() for trace in traces):
            assert known["runs" if name in ("run_lists", "run_details") else name], name
    told = json.dumps(known, default=str).lower()
    assert "jo-crm" not in told
    assert "joann" not in told
