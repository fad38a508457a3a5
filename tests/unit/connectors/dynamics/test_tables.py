from __future__ import annotations

import logging
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bothways.connectors.dynamics import tables
from bothways.connectors.dynamics.names import CONTACT, Names
from bothways.tables.consent import SUPPRESSIONS
from bothways.tables.fields import ARROW_TYPES
from bothways.tables.people import CONTACTS
from bothways.vocabulary import FieldType

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.lists(_JSON, max_size=8), st.sampled_from(FieldType))
def test_no_json_value_fails_its_page(values: list[Any], kind: FieldType) -> None:
    found = tables.column([{"x": value} for value in values], "x", kind)
    assert found.type == ARROW_TYPES[kind]
    assert len(found) == len(values)


@pytest.mark.parametrize(
    ("kind", "given", "read"),
    [
        (FieldType.STRING, [5, True, "ß\x00", None], ["5", "true", "ß\x00", None]),
        (FieldType.INTEGER, ["12", 3.0, "many", 1.5], [12, 3, None, None]),
        (FieldType.NUMBER, ["1.5", 2, {}, "x"], [1.5, 2.0, None, None]),
        (FieldType.BOOLEAN, ["true", 0, "maybe", True], [True, False, None, True]),
        (
            FieldType.DATE,
            ["1980-02-29", "1980-02-29T00:00:00Z", 7, None],
            [date(1980, 2, 29)] * 2 + [None] * 2,
        ),
        (
            FieldType.DATETIME,
            ["2026-01-02T03:04:05Z", "2026-01-02T05:04:05+02:00", 5, "soon"],
            [datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)] * 2 + [None] * 2,
        ),
    ],
)
def test_what_can_be_converted_is_and_the_rest_is_empty(
    kind: FieldType, given: list[Any], read: list[Any]
) -> None:
    assert tables.column([{"x": value} for value in given], "x", kind).to_pylist() == read


def test_values_left_empty_are_counted_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        tables.column([{"x": "a@b.example"}, {"x": 1}], "x", FieldType.INTEGER)
    assert caplog.messages == [
        "Dynamics 365: 1 values of column x are no integer and were left empty"
    ]


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        ({}, "mailable"),
        ({"donotbulkemail": False, "donotemail": None}, "mailable"),
        ({"donotbulkemail": True}, "unsubscribed"),
        ({"donotemail": True}, "unsubscribed"),
        ({"donotbulkemail": "true"}, "unsubscribed"),
        ({"donotbulkemail": {"what": "?"}}, "unsubscribed"),
    ],
)
def test_a_consent_flag_that_cannot_be_read_makes_nobody_mailable(
    flags: dict[str, Any], status: str
) -> None:
    row = {"contactid": "1", "statecode": 0, **flags}
    page = tables.contacts([row], CONTACT, {}, "bw_externalid")
    assert page.schema == CONTACTS
    assert page["status"].to_pylist() == [status]


def test_a_record_that_a_person_added_needs_no_more_than_a_name() -> None:
    row = {
        "bw_suppressionid": "1",
        "bw_name": " ann@example.com ",
        "createdon": "2026-01-02T03:04:05Z",
    }
    other = {"bw_suppressionid": "2", "bw_email": "b@example.com", "bw_reason": "Bounced "}
    page = tables.suppressions([row, other], Names())
    assert page.schema == SUPPRESSIONS
    found = page.select(["email", "reason", "suppressed_at", "deleted"]).to_pylist()
    assert found == [
        {
            "email": "ann@example.com",
            "reason": "suppressed",
            "suppressed_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            "deleted": False,
        },
        {"email": "b@example.com", "reason": "bounced", "suppressed_at": None, "deleted": False},
    ]
