"""The second look: what is held back takes along what cannot be done without it."""

from __future__ import annotations

import pandas as pd
import pytest

from bothways.engine.recheck import _with_their_joins

OPERATIONS = pd.DataFrame(
    [
        {"kind": "create", "key": "ann", "record_id": None},
        {"kind": "create", "key": "bob", "record_id": None},
        {"kind": "join", "key": "ann", "record_id": None},
        {"kind": "join", "key": "ann", "record_id": None},
        {"kind": "join", "key": "bob", "record_id": None},
        {"kind": "join", "key": None, "record_id": "7"},
        {"kind": "update", "key": "ann", "record_id": "8"},
    ],
    index=[10, 11, 12, 13, 14, 15, 16],
)


@pytest.mark.parametrize(
    ("barred", "held_back"),
    [
        ({10: "do_not_mail"}, {10: "do_not_mail", 12: "do_not_mail", 13: "do_not_mail"}),
        ({11: "erased"}, {11: "erased", 14: "erased"}),
        (
            {10: "do_not_mail", 12: "erased"},
            {10: "do_not_mail", 12: "erased", 13: "do_not_mail"},
        ),
        ({12: "changed_since_planned"}, {12: "changed_since_planned"}),
        ({15: "do_not_mail"}, {15: "do_not_mail"}),
        ({}, {}),
    ],
)
def test_who_is_not_created_joins_nothing_for_the_same_reason(
    barred: dict[int, str], held_back: dict[int, str]
) -> None:
    reason = pd.Series(barred, dtype="string[pyarrow]").reindex(OPERATIONS.index)
    assert _with_their_joins(OPERATIONS, reason).dropna().to_dict() == held_back
