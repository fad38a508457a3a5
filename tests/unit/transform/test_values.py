"""What of a value both sides can hold."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bothways.config.mapping import FieldMapping
from bothways.transform.arrow import Array
from bothways.transform.values import settle
from tests.unit.transform.rows import unhurried

FAMILY = "👨‍👩‍👧"  # three pictures and two joiners: eight units
TEXT = st.text(st.sampled_from("ab é😀👍🏽\u0301\u200d🇳"), max_size=12)


def _cut(length: int, *texts: str | None) -> list[str | None]:
    item = FieldMapping(crm="c", marketing="C", max_length=length)
    found: Array = settle(pa.array(texts, pa.string()), item)
    kept: list[str | None] = found.to_pylist()
    return kept


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def test_text_is_cut_where_the_vendor_counts() -> None:
    assert _cut(3, "abcd", "abc", None, "ab cd") == ["abc", "abc", None, "ab"]
    assert _cut(4, "😀😀😀", "a😀😀", "😀😀") == ["😀😀", "a😀", "😀😀"]


@pytest.mark.parametrize(
    ("length", "text", "kept"),
    [
        (3, "ab😀", "ab"),
        (3, "abe\u0301", "ab"),
        (4, "ab👍🏽", "ab"),
        (6, "ab👍🏽c", "ab👍🏽"),
        (9, "ab" + FAMILY, "ab"),
        (7, "ab" + FAMILY, "ab"),
        (8, FAMILY + "c", FAMILY),
    ],
)
def test_what_is_read_as_one_character_is_not_cut_through(
    length: int, text: str, kept: str
) -> None:
    assert _cut(length, text) == [kept]


def test_a_character_that_is_longer_than_the_field_is_not_held_at_all() -> None:
    assert _cut(1, "😀", "a😀") == [None, "a"]
    assert _cut(3, FAMILY) == ["👨\u200d"]


@unhurried
@given(TEXT, st.integers(1, 8))
def test_a_text_that_was_cut_fits_and_is_cut_no_more(text: str, length: int) -> None:
    clean = text.strip() or "a"
    (kept,) = _cut(length, clean)
    if kept is None:
        return
    assert _units(kept) <= length
    assert clean.startswith(kept)
    assert _cut(length, kept) == [kept]
    if _units(clean) <= length:
        assert kept == clean
