"""What both sides once agreed on: links, baselines, list states, list ids."""

from __future__ import annotations

from typing import Any

import pandas as pd
import sqlalchemy as sa

from bothways.store import baselines, links, list_states, lists
from bothways.tables.ledgers import ListPair
from bothways.vocabulary import FieldType
from tests.unit.store.rows import ACCOUNT, open_run

MINE = {"account": ACCOUNT}


def _link(crm_id: str, marketing_id: str, **more: Any) -> pd.DataFrame:
    row = {"entity": "contact", "crm_id": crm_id, "marketing_id": marketing_id}
    return pd.DataFrame([row | more])


def _pairs(conn: sa.Connection, **asked: Any) -> list[tuple[str, str]]:
    frame = links.load_links(conn, **MINE, **asked)
    return list(frame[["crm_id", "marketing_id"]].itertuples(index=False, name=None))


def test_a_link_is_found_from_either_side_and_by_address(conn: sa.Connection) -> None:
    run_id = open_run(conn)
    for frame in (
        _link("c1", "m1", email_key="a@x.org"),
        _link("c2", "m1", is_primary=False),
        _link("c3", "m3"),
    ):
        for _ in range(2):
            links.upsert_links(conn, **MINE, run_id=run_id, frame=frame)
    assert _pairs(conn, marketing_ids=pd.Series(["m1"])) == [("c1", "m1"), ("c2", "m1")]
    assert _pairs(conn, crm_ids=pd.Series(["c3"]), email_keys=pd.Series(["a@x.org"])) == [
        ("c1", "m1"), ("c3", "m3"),
    ]  # fmt: skip
    assert links.load_links(conn, **MINE)["is_primary"].tolist() == [True, False, True]
    assert links.remove_links(conn, **MINE, frame=_link("c3", "m3")) == 1
    assert _pairs(conn, entity="lead") == []
    assert len(_pairs(conn)) == 2


def test_an_older_run_does_not_move_a_newer_link_back(conn: sa.Connection) -> None:
    first, second = open_run(conn), open_run(conn, "second")
    links.upsert_links(conn, **MINE, run_id=second, frame=_link("c1", "new"))
    links.upsert_links(conn, **MINE, run_id=first, frame=_link("c1", "old"))
    assert _pairs(conn) == [("c1", "new")]


def test_baselines_keep_what_is_not_given_and_their_types(conn: sa.Connection) -> None:
    first, second = open_run(conn), open_run(conn, "second")
    who = {"entity": ["contact"], "crm_id": ["c1"], "marketing_id": ["m1"]}
    whole = '{"name": "Ann", "born": "2000-02-29", "seen": "2026-01-01T00:00:00Z", "n": null}'
    baselines.upsert_baselines(
        conn, **MINE, run_id=second, frame=pd.DataFrame(who | {"values": [whole]})
    )
    late = pd.DataFrame(who | {"values": ['{"name": "old", "city": "Ghent"}']})
    baselines.upsert_baselines(conn, **MINE, run_id=first, frame=late)
    fields = {
        "name": FieldType.STRING,
        "city": FieldType.STRING,
        "born": FieldType.DATE,
        "seen": FieldType.DATETIME,
        "n": FieldType.INTEGER,
    }
    frame = baselines.load_baselines(conn, **MINE, fields=fields, crm_ids=pd.Series(["c1", "c9"]))
    row = frame.iloc[0]
    assert (row["field:name"], row["field:city"], str(row["field:born"])) == (
        "Ann",
        "Ghent",
        "2000-02-29",
    )
    assert row["field:seen"].year == 2026
    assert pd.isna(row["field:n"])
    bare = pd.DataFrame(who | {"values": [None]})
    assert baselines.upsert_baselines(conn, **MINE, run_id=second, frame=bare) == 1


def test_a_baseline_is_of_the_pair_that_it_was_taken_from(conn: sa.Connection) -> None:
    first, second, third = (open_run(conn, name) for name in ("first", "second", "third"))
    fields = {"name": FieldType.STRING, "city": FieldType.STRING}

    def keep(run_id: int, contact: str, values: str, apart: str | None = None) -> None:
        row = {"entity": "contact", "crm_id": "c1", "marketing_id": contact}
        frame = pd.DataFrame([row | {"values": values, "apart": apart}])
        baselines.upsert_baselines(conn, **MINE, run_id=run_id, frame=frame)

    def found() -> tuple[str, list[object]]:
        row = baselines.load_baselines(conn, **MINE, fields=fields).iloc[0]
        values = row[["field:name", "field:city"]]
        return row["marketing_id"], [None if pd.isna(value) else value for value in values]

    def apart() -> int:
        ids = pd.Series(["c1"])
        asked = {**MINE, "fields": fields, "entity": "contact", "crm_ids": ids}
        return len(baselines.load_apart(conn, **asked))

    keep(first, "m1", '{"name": "Ann", "city": "Oslo"}', '{"city": "Rome"}')
    assert apart() == 1
    keep(third, "m2", '{"name": "Annie"}')
    assert found() == ("m2", ["Annie", None])
    assert apart() == 0
    # An older run, that still knew the earlier pair, adds nothing to the newer one.
    keep(second, "m1", '{"name": "Ann", "city": "Bonn"}', '{"city": "Rome"}')
    assert found() == ("m2", ["Annie", None])
    assert apart() == 0


def test_a_state_is_one_per_pair_and_list(conn: sa.Connection) -> None:
    first, second = open_run(conn), open_run(conn, "second")
    lists_of = {"crm_list_id": "L1", "marketing_list_id": "L2"}
    row = lists_of | {"entity": "contact", "crm_id": "c1", "marketing_id": None}
    other = row | {"crm_id": None, "marketing_id": "m1"}
    frame = pd.DataFrame([row | {"state": "joined"}, other | {"state": "joined"}])
    for _ in range(2):
        list_states.upsert_states(conn, **MINE, run_id=first, frame=frame)
    joined = list_states.load_states(conn, **MINE, pairs=[ListPair("L1", "L2")])
    left = pd.DataFrame([row | {"state": "left_crm"}])
    list_states.upsert_states(conn, **MINE, run_id=second, frame=left)
    list_states.upsert_states(conn, **MINE, run_id=first, frame=frame)
    found = list_states.load_states(conn, **MINE, crm_ids=pd.Series(["c1"]))
    assert found[["crm_id", "marketing_id", "state"]].to_numpy().tolist() == [
        ["c1", "", "left_crm"]
    ]
    assert found["changed_at"][0] > joined.set_index("crm_id")["changed_at"]["c1"]
    replaced = ListPair("L1", "L3")
    assert list_states.load_states(conn, **MINE, pairs=[replaced]).empty
    pairs = [ListPair("L1", "L2"), replaced, ListPair("L4", "L2"), ListPair("L4", "L5")]
    told = [list_states.is_replacement(conn, **MINE, pair=pair) for pair in pairs]
    assert told == [False, True, True, False]
    of_contact = list_states.load_states(conn, **MINE, marketing_ids=pd.Series(["m1"]))
    assert of_contact["state"].tolist() == ["joined"]


def test_a_list_s_id_is_remembered_by_side(conn: sa.Connection) -> None:
    for name in ("News", "Newsletter"):
        lists.resolve(
            conn, **MINE, side="crm", list_key="news", list_id="1", name=name, entity="lead"
        )
    found = lists.resolved(conn, **MINE, side="crm")
    assert {key: (row.list_id, row.name) for key, row in found.items()} == {
        "news": ("1", "Newsletter")
    }
    assert lists.resolved(conn, **MINE, side="marketing") == {}
