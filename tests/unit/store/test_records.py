from __future__ import annotations

from datetime import date

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from bothways.store import members, records
from bothways.vocabulary import FieldType
from tests.unit.store.rows import ACCOUNT, contacts, memberships, minute, open_run

CRM = {"account": ACCOUNT, "side": "crm"}


def _absorb(conn: sa.Connection, run_id: int, *rows: dict[str, object], **more: object) -> None:
    given = {"score": pa.int64()} if any("field:score" in row for row in rows) else {}
    page = contacts(*rows, **given)
    records.absorb_contacts(conn, **CRM, run_id=run_id, rows=page, **more)


def _known(conn: sa.Connection, **fields: FieldType) -> dict[str, object]:
    """The one record's row."""
    rows = records.load_records(conn, **CRM, fields=fields).to_dict("records")
    assert len(rows) == 1
    return rows[0]


def _score(conn: sa.Connection) -> object:
    return _known(conn, score=FieldType.INTEGER)["field:score"]


def test_fields_keep_their_types_and_nulls(conn: sa.Connection) -> None:
    kinds = {
        "text": FieldType.STRING,
        "whole": FieldType.INTEGER,
        "part": FieldType.NUMBER,
        "flag": FieldType.BOOLEAN,
        "day": FieldType.DATE,
        "time": FieldType.DATETIME,
        "choice": FieldType.OPTION,
    }
    full = {
        "text": 'a"b,\n☃',
        "whole": 2**53 + 1,
        "part": 1.5,
        "flag": False,
        "day": date(2024, 2, 29),
        "time": minute(1),
        "choice": 3,
    }
    named = {f"field:{name}": value for name, value in full.items()}
    page = contacts(
        {"id": "1", "email": "A@x.org", "modified_at": minute(0), "scope": "A"} | named,
        {"id": "2", "field:text": "", "scope": ""},
        text=pa.string(),
        whole=pa.int64(),
        part=pa.float64(),
        flag=pa.bool_(),
        day=pa.date32(),
        time=pa.timestamp("us", "UTC"),
        choice=pa.int64(),
    )
    run_id = open_run(conn)
    for _ in range(2):
        records.absorb_contacts(conn, **CRM, run_id=run_id, rows=page)
    frame = records.load_records(conn, **CRM, entity="contact", fields=kinds)
    back = pa.Table.from_pandas(frame, preserve_index=False)
    assert back.select(page.column_names).to_pylist() == page.to_pylist()
    assert frame["deleted_at"].isna().all()


def test_a_value_of_another_type_is_null_after_the_mapping_changed(conn: sa.Connection) -> None:
    page = contacts({"id": "1", "field:score": "many"}, score=pa.string())
    records.absorb_contacts(conn, **CRM, run_id=open_run(conn), rows=page)
    for kind in FieldType:
        value = _known(conn, score=kind)["field:score"]
        assert value == "many" if kind is FieldType.STRING else pd.isna(value)


def test_more_fields_than_a_function_takes_arguments(conn: sa.Connection) -> None:
    names = [f"field {n}" for n in range(130)]
    row = {"id": "1"} | {f"field:{name}": n for n, name in enumerate(names)}
    page = contacts(row, **dict.fromkeys(names, pa.int64()))
    records.absorb_contacts(conn, **CRM, run_id=open_run(conn), rows=page)
    assert _known(conn, **{names[129]: FieldType.INTEGER})[f"field:{names[129]}"] == 129


def test_older_never_overwrites_newer(conn: sa.Connection) -> None:
    first, second = open_run(conn), open_run(conn, "second")
    _absorb(
        conn, second, {"id": "1", "email": "new@x.org", "modified_at": minute(5), "field:score": 5}
    )
    _absorb(
        conn, first, {"id": "1", "email": "old@x.org", "modified_at": minute(4), "field:score": 4}
    )
    _absorb(
        conn, first, {"id": "1", "email": "old@x.org", "modified_at": minute(5), "field:score": 4}
    )
    assert (_known(conn)["email"], _score(conn)) == ("new@x.org", 5)
    _absorb(
        conn, first, {"id": "1", "email": "late@x.org", "modified_at": minute(6), "field:score": 6}
    )
    assert (_known(conn)["email"], _score(conn)) == ("late@x.org", 6)


def test_a_read_without_fields_neither_wipes_nor_outdates_them(conn: sa.Connection) -> None:
    first, second = open_run(conn), open_run(conn, "second")
    _absorb(conn, first, {"id": "1", "modified_at": minute(1), "field:score": 1})
    _absorb(conn, second, {"id": "1", "modified_at": minute(2)})
    assert _score(conn) == 1
    _absorb(conn, first, {"id": "1", "modified_at": minute(2), "field:score": 2})
    assert _score(conn) == 2


def test_a_deleted_record_stays_as_what_it_was_until_it_is_seen_again(conn: sa.Connection) -> None:
    first, second, third = (open_run(conn, str(n)) for n in range(3))
    _absorb(conn, first, {"id": "1", "email": "a@x.org", "modified_at": minute(1)})
    _absorb(conn, second, {"id": "1", "deleted": True})
    _absorb(conn, first, {"id": "1", "email": "a@x.org", "modified_at": minute(1)})
    gone = _known(conn)
    assert (gone["email"], gone["deleted"]) == ("a@x.org", True)
    assert records.count_records(conn, **CRM) == 0
    assert records.load_records(conn, **CRM, with_deleted=False).empty
    _absorb(conn, third, {"id": "1", "email": "a@x.org", "modified_at": minute(1)})
    assert not _known(conn)["deleted"]


def test_what_we_wrote_ourselves_is_later_than_what_the_run_read(conn: sa.Connection) -> None:
    run_id = open_run(conn)
    _absorb(
        conn, run_id, {"id": "1", "email": "a@x.org", "modified_at": minute(3), "field:score": 1}
    )
    _absorb(conn, run_id, {"id": "1", "deleted": True})
    _absorb(conn, run_id, {"id": "1", "email": "b@x.org", "field:score": 2}, written=True)
    known = _known(conn)
    assert (known["email"], known["deleted"], _score(conn)) == ("b@x.org", False, 2)
    assert known["modified_at"] == minute(3)


def test_values_that_we_wrote_stand_until_a_later_sighting(conn: sa.Connection) -> None:
    run_id = open_run(conn)
    _absorb(
        conn, run_id, {"id": "1", "email": "a@x.org", "modified_at": minute(3), "field:score": 1}
    )
    wrote = pd.DataFrame(
        {"entity": ["contact"], "id": ["1"], "values": ['{"score": 2, "@email": "b@x.org"}']}
    )
    assert records.absorb_written(conn, **CRM, frame=wrote) == 1
    assert (_known(conn)["email"], _known(conn)["email_key"], _score(conn)) == (
        "b@x.org",
        "b@x.org",
        2,
    )
    _absorb(
        conn, run_id, {"id": "1", "email": "c@x.org", "modified_at": minute(4), "field:score": 3}
    )
    assert (_known(conn)["email"], _score(conn)) == ("c@x.org", 3)


def test_a_full_read_ends_what_it_has_not_seen(conn: sa.Connection) -> None:
    first = open_run(conn)
    _absorb(conn, first, {"id": "1"}, {"id": "2"}, {"id": "3", "entity": "lead"})
    second = open_run(conn, "second")
    _absorb(conn, first, {"id": "4"}, written=True)
    _absorb(conn, second, {"id": "1"})
    for swept in (1, 0):
        found = records.sweep_contacts(conn, **CRM, entity="contact", run_id=second)
        assert found == swept
    alive = records.load_records(conn, **CRM, with_deleted=False)
    assert alive["id"].tolist() == ["1", "4", "3"]


def test_records_are_found_by_id_address_and_key(conn: sa.Connection) -> None:
    rows = [{"id": str(n), "email": f"p{n}@x.org", "external_key": f"k{n}"} for n in range(5)]
    _absorb(conn, open_run(conn), *rows)
    found = records.load_records(
        conn,
        **CRM,
        ids=pd.Series(["1", "1", "none"]),
        email_keys=pd.Series(["p2@x.org", "p1@x.org", None]),
        external_keys=pd.Series(["k4"]),
    )
    assert found["id"].tolist() == ["1", "2", "4"]
    empty = pd.Series([], dtype="str")
    assert records.load_records(conn, **CRM, ids=empty).empty
    other = records.load_records(conn, account=ACCOUNT, side="marketing", ids=pd.Series(["1"]))
    assert list(other.columns) == list(found.columns)
    assert (other.dtypes == found.dtypes).all()


def _member(conn: sa.Connection, run_id: int, *rows: dict[str, object], **more: object) -> None:
    members.absorb_members(conn, **CRM, run_id=run_id, rows=memberships(*rows), **more)


def _lasting(conn: sa.Connection) -> list[tuple[str, object]]:
    rows = members.load_members(conn, **CRM, with_deleted=False)
    return list(rows[["member_id", "membership_id"]].itertuples(index=False, name=None))


def test_a_deletion_by_membership_id_ends_that_membership_only(conn: sa.Connection) -> None:
    first, second, third = (open_run(conn, str(n)) for n in range(3))
    _member(
        conn,
        first,
        {"member_id": "1", "membership_id": "a"},
        {"member_id": "2", "membership_id": "b"},
    )
    # left and joined again between two reads: the new membership comes before the old one's end
    page = ({"member_id": "1", "membership_id": "c"}, {"membership_id": "a", "deleted": True})
    _member(conn, second, *page)
    assert _lasting(conn) == [("1", "c"), ("2", "b")]
    _member(conn, third, {"membership_id": "b", "deleted": True})
    _member(conn, second, *reversed(page))
    assert _lasting(conn) == [("1", "c")]
    gone = members.load_members(conn, **CRM, membership_ids=pd.Series(["b"]))
    assert gone[["member_id", "deleted"]].to_numpy().tolist() == [["2", True]]


def test_a_deletion_told_before_its_membership_holds(conn: sa.Connection) -> None:
    first, second = open_run(conn), open_run(conn, "second")
    _member(conn, second, {"membership_id": "a", "deleted": True})
    _member(conn, first, {"member_id": "1", "membership_id": "a"})
    assert _lasting(conn) == []


def test_joining_again_outlasts_the_end_that_the_same_run_read(conn: sa.Connection) -> None:
    first, second = open_run(conn), open_run(conn, "second")
    _member(conn, first, {"member_id": "1", "membership_id": "a"}, {"member_id": "2"})
    _member(
        conn, second, {"membership_id": "a", "deleted": True}, {"member_id": "2", "deleted": True}
    )
    _member(conn, second, {"member_id": "1"}, {"member_id": "2"}, written=True)
    assert [member for member, _ in _lasting(conn)] == ["1", "2"]
    _member(conn, second, {"member_id": "2", "deleted": True}, written=True)
    assert [member for member, _ in _lasting(conn)] == ["1"]


def test_a_full_read_of_a_list_ends_what_it_has_not_seen(conn: sa.Connection) -> None:
    first = open_run(conn)
    _member(conn, first, {"member_id": "1"}, {"member_id": "2"}, {"member_id": "3", "list_id": "b"})
    second = open_run(conn, "second")
    _member(conn, first, {"member_id": "4"}, written=True)
    _member(conn, second, {"member_id": "1", "entity": None})
    _member(conn, second, {"member_id": "1"})
    swept = members.sweep_members(conn, **CRM, list_ids=["list"], run_id=second)
    assert swept == 1
    assert {member for member, _ in _lasting(conn)} == {"1", "3", "4"}
    only = members.load_members(conn, **CRM, list_ids=["b"], member_ids=pd.Series(["1", "3"]))
    assert only["member_id"].tolist() == ["3"]
