from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bothways.config.mapping import Mapping
from bothways.transform.fields import for_creation, shared_types, to_shared, to_vendor
from bothways.transform.json_rows import field_columns, json_objects, read_objects
from bothways.vocabulary import SIDES, RoleName
from tests.unit.transform.rows import unhurried

MAPPING = Mapping.model_validate(
    {
        "entity": "contact",
        "fields": {
            "name": {"crm": "c_name", "marketing": "NAME", "max_length": 8},
            "age": {"crm": "c_age", "marketing": "AGE", "type": "integer"},
            "score": {"crm": "c_score", "marketing": "SCORE", "type": "number", "decimals": 2},
            "vip": {
                "crm": "c_vip",
                "marketing": "VIP",
                "type": "boolean",
                "true_label": "Ja",
                "false_label": "Nein",
            },
            "plain": {"crm": "c_plain", "marketing": "PLAIN", "type": "boolean"},
            "born": {
                "crm": "c_born",
                "marketing": "BORN",
                "type": "date",
                "date_format": "%d.%m.%Y",
            },
            "seen": {"crm": "c_seen", "marketing": "SEEN", "type": "datetime"},
            "called": {
                "crm": "c_called",
                "marketing": "CALLED",
                "type": "datetime",
                "date_format": "%Y-%m-%d %H:%M",
            },
            "rating": {
                "crm": "c_rating",
                "marketing": "RATING",
                "type": "option",
                "options": {1: "Hot", 2: "Warm"},
            },
        },
    }
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.text(
    '"\\/\n\r\t\x00\x1f\x7f\u2028😀a ', max_size=12
)
DAYS = st.dates(date(1900, 1, 1), date(2199, 12, 31))
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2199, 1, 1), timezones=st.just(UTC))
CRM_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "field:c_name": st.none() | TEXT,
            "field:c_age": st.none() | st.integers(-(2**62), 2**62),
            "field:c_score": st.none() | st.floats(-1e9, 1e9),
            "field:c_vip": st.none() | st.booleans(),
            "field:c_plain": st.none() | st.booleans(),
            "field:c_born": st.none() | DAYS,
            "field:c_seen": st.none() | TIMES,
            "field:c_called": st.none() | TIMES,
            "field:c_rating": st.sampled_from([None, 1, 2]),
        }
    ),
    max_size=6,
)
SCHEMA = pa.schema(
    [
        pa.field("field:c_name", pa.string()),
        pa.field("field:c_age", pa.int64()),
        pa.field("field:c_score", pa.float64()),
        pa.field("field:c_vip", pa.bool_()),
        pa.field("field:c_plain", pa.bool_()),
        pa.field("field:c_born", pa.date32()),
        pa.field("field:c_seen", pa.timestamp("us", tz="UTC")),
        pa.field("field:c_called", pa.timestamp("us", tz="UTC")),
        pa.field("field:c_rating", pa.int64()),
    ]
)


def frame_of(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Return rows as a connector gives them."""
    return pa.Table.from_pylist(rows, schema=SCHEMA).to_pandas(types_mapper=pd.ArrowDtype)


@pytest.mark.parametrize("side", SIDES)
@unhurried
@given(rows=CRM_ROWS)
def test_what_is_written_is_read_back_the_same(
    side: RoleName, rows: list[dict[str, object]]
) -> None:
    shared = to_shared(frame_of(rows), MAPPING, "crm")
    assert shared.problems.empty
    written = to_vendor(shared.frame, MAPPING, side)
    assert written.problems.empty
    back = to_shared(written.frame, MAPPING, side)
    assert back.problems.empty
    pd.testing.assert_frame_equal(back.frame, shared.frame)


@unhurried
@given(rows=CRM_ROWS)
def test_a_baseline_survives_the_store(rows: list[dict[str, object]]) -> None:
    shared = to_shared(frame_of(rows), MAPPING, "crm").frame
    texts = json_objects(shared, field_columns(shared))
    pd.testing.assert_frame_equal(read_objects(texts, shared_types(MAPPING)), shared)


@unhurried
@given(
    rows=st.lists(
        st.tuples(
            st.none() | TEXT, st.none() | st.floats(), st.none() | st.booleans(), st.booleans()
        ),
        max_size=6,
    ),
    key=TEXT,
)
def test_objects_are_json(rows: list[tuple[object, ...]], key: str) -> None:
    frame = pd.DataFrame(
        rows, columns=["text", "number", "flag", "there"], index=range(9, 9 + len(rows))
    )
    frame["text"] = frame["text"].astype(object)
    mask = pd.DataFrame({"text": frame["there"].astype(bool)})
    texts = json_objects(frame, {"t" + key: "text", "n": "number", "f": "flag"}, mask=mask)
    for (text, number, flag, there), written in zip(rows, texts, strict=True):
        wanted = {"n": number if number is not None and abs(number) < float("inf") else None}  # type: ignore[arg-type]
        wanted |= {"f": flag} | ({"t" + key: text} if there else {})
        assert json.loads(written) == wanted


def test_a_value_that_does_not_fit_is_a_problem_of_its_own() -> None:
    rows = pd.DataFrame(
        {
            "id": ["1", "2", "3"],
            "field:NAME": ["Zoë\x00\r\n Müller", " ", "😀"],
            "field:AGE": ["12", "twelve", None],
            "field:VIP": ["ja", "vielleicht", ""],
            "field:BORN": ["31.12.2001", "31.13.2001", None],
            "field:RATING": [" hot", "Lukewarm", None],
        },
        index=[7, 8, 9],
    )
    found = to_shared(rows, MAPPING, "marketing")
    assert found.problems[["row", "field"]].to_numpy().tolist() == [
        *([8, "age"], [8, "vip"], [8, "born"], [8, "rating"])
    ]
    assert found.frame.loc[7, "field:name"] == "Zoë\n Mül"
    assert found.frame.loc[7, "field:rating"] == "Hot"
    assert found.frame.loc[8].drop("id").isna().all()
    messages = " ".join(found.problems["message"])
    assert "Hot, Warm" in messages
    assert not any(value in messages for value in ("twelve", "vielleicht", "31.13", "Lukewarm"))
    assert found.unfit.loc[8, "field:age"]
    assert not found.unfit.loc[7, "field:age"]


def test_a_new_record_gets_defaults_and_fixed_values() -> None:
    mapping = Mapping.model_validate(
        {
            "entity": "lead",
            "fields": {
                "topic": {"crm": "subject", "fixed": "Joined a list"},
                "rating": {
                    "crm": "quality",
                    "marketing": "RATING",
                    "type": "option",
                    "options": {1: "Hot", 2: "Warm"},
                    "default": "Warm",
                },
            },
        }
    )
    rows = pd.DataFrame({"field:rating": ["Hot", None]})
    written = to_vendor(for_creation(rows, mapping, "crm"), mapping, "crm").frame
    assert written["field:subject"].tolist() == ["Joined a list"] * 2
    assert written["field:quality"].tolist() == [1, 2]
    assert "field:topic" not in for_creation(rows, mapping, "marketing")


def test_numbers_and_text_in_one_column_are_read_one_by_one() -> None:
    rows = pd.DataFrame({"field:AGE": [41, "forty", None], "field:NAME": ["x", 5, 1.5]})
    found = to_shared(rows, MAPPING, "marketing")
    assert found.frame["field:name"].tolist() == ["x", "5", "1.5"]
    assert found.problems["row"].tolist() == [1]
