"""What agreed values stand for, and what is dropped when that changes."""

from __future__ import annotations

from typing import Any

import pandas as pd
import sqlalchemy as sa

from bothways.store import baselines, mapped_fields
from bothways.vocabulary import FieldType
from tests.unit.store.rows import ACCOUNT, open_run

MINE = {"account": ACCOUNT}
TEXTS = {"name": FieldType.STRING, "city": FieldType.STRING}
FIRST = {"contact": {"name": "n", "city": "c"}, "lead": {"name": "n", "city": "c"}}
OTHER = {"contact": {"name": "n", "city": "another"}, "lead": {"name": "n", "city": "c"}}


def _agree(conn: sa.Connection, run_id: int, outdated: mapped_fields.Names | None = None) -> None:
    rows = pd.DataFrame({"entity": ["contact", "lead"], "crm_id": ["c1", "l1"]})
    rows = rows.assign(
        marketing_id="m1",
        values='{"name": "Ann", "city": "Oslo"}',
        apart='{"city": "Rome"}',
    )
    baselines.upsert_baselines(conn, **MINE, run_id=run_id, frame=rows, outdated=outdated)


def _cities(conn: sa.Connection) -> list[Any]:
    found = baselines.load_baselines(conn, **MINE, fields=TEXTS)
    assert found["field:name"].tolist() == ["Ann", "Ann"]
    return [None if pd.isna(value) else value for value in found["field:city"]]


def _apart(conn: sa.Connection, entity: str) -> int:
    ids = pd.Series(["c1", "l1"])
    asked = {**MINE, "fields": TEXTS, "entity": entity, "crm_ids": ids}
    return len(baselines.load_apart(conn, **asked))


def test_what_is_found_counts_as_agreed_under_the_first_mapping(conn: sa.Connection) -> None:
    _agree(conn, open_run(conn))
    assert mapped_fields.changed(conn, **MINE, meanings=FIRST) == {}
    assert mapped_fields.outdated(conn, **MINE, meanings=FIRST) == {}
    assert mapped_fields.changed(conn, **MINE, meanings=FIRST) == {}
    assert _cities(conn) == ["Oslo", "Oslo"]
    more = FIRST | {"contact": FIRST["contact"] | {"phone": "p"}}
    assert mapped_fields.changed(conn, **MINE, meanings=more) == {"contact": ["phone"]}
    assert mapped_fields.changed(conn, account="another", meanings=more) == {}


def test_a_new_meaning_drops_the_values_of_that_field_and_entity(conn: sa.Connection) -> None:
    first, second = open_run(conn), open_run(conn, "second")
    mapped_fields.replace(conn, **MINE, run_id=first, meanings=FIRST)
    _agree(conn, first)
    assert mapped_fields.changed(conn, **MINE, meanings=OTHER) == {"contact": ["city"]}
    assert _cities(conn) == ["Oslo", "Oslo"]
    mapped_fields.replace(conn, **MINE, run_id=second, meanings=OTHER)
    assert _cities(conn) == [None, "Oslo"]
    assert (_apart(conn, "contact"), _apart(conn, "lead")) == (0, 1)
    assert mapped_fields.changed(conn, **MINE, meanings=OTHER) == {}
    assert mapped_fields.changed_since(conn, **MINE, run_id=first) == {"contact": ["city"]}
    assert mapped_fields.changed_since(conn, **MINE, run_id=second) == {}


def test_a_run_under_an_older_meaning_adds_nothing_and_brings_nothing_back(
    conn: sa.Connection,
) -> None:
    first, second = open_run(conn), open_run(conn, "second")
    mapped_fields.replace(conn, **MINE, run_id=second, meanings=FIRST)
    mapped_fields.replace(conn, **MINE, run_id=second, meanings=OTHER)
    outdated = mapped_fields.outdated(conn, **MINE, meanings=FIRST)
    assert outdated == {"contact": ["city"]}
    _agree(conn, first, outdated)
    assert _cities(conn) == [None, "Oslo"]
    assert (_apart(conn, "contact"), _apart(conn, "lead")) == (0, 1)
    mapped_fields.replace(conn, **MINE, run_id=first, meanings=FIRST)
    assert mapped_fields.changed(conn, **MINE, meanings=OTHER) == {}
