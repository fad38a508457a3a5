"""Matching, merging and numbering, whatever people did on both sides."""

from __future__ import annotations

from math import ceil
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bothways.config.mapping import Mapping
from bothways.tables.operations import OPERATIONS
from bothways.transform.columns import typed
from bothways.transform.match import Matches, match
from bothways.transform.merge import Merge, differences, merge
from bothways.transform.operations import chunks, equal_size, number
from bothways.vocabulary import EXECUTION_ORDER, SIDES, RoleName
from tests.unit.transform.rows import DAY, contacts, links, person, records, unhurried

KEYS = st.sampled_from([None, "a@x", "b@x", "c@x"])
LATER = DAY + pd.Timedelta(days=1)


@st.composite
def histories(draw: st.DrawFn) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Draw both sides and links as earlier runs left them, with anything having happened since."""
    ids = draw(st.lists(st.sampled_from("pqrstu"), unique=True, max_size=6))
    crm = [
        person(
            one,
            draw(KEYS),
            entity=draw(st.sampled_from(["contact", "lead"])),
            active=draw(st.booleans()),
            modified_at=draw(st.sampled_from([None, DAY, LATER])),
            deleted=draw(st.booleans()),
            merged_into=draw(st.sampled_from([None, None, None, *"pqrstu"])),
        )
        for one in ids
    ]
    seen = draw(st.lists(st.sampled_from("12345"), unique=True, max_size=5))
    marketing = [person(one, draw(KEYS), deleted=draw(st.booleans())) for one in seen]
    linked = draw(st.lists(st.sampled_from("pqrstuvw"), unique=True, max_size=6))
    entities = {row["id"]: row["entity"] for row in crm}
    held: list[tuple[str, str, str, str, bool]] = []
    for one in linked:
        contact, key = draw(st.sampled_from("12345")), draw(st.sampled_from(["a@x", "b@x"]))
        is_primary = contact not in {link[2] for link in held}
        held.append((entities.get(one, "contact"), one, contact, key, is_primary))
    return contacts(*crm), contacts(*marketing), links(*held)


def shuffled(frame: pd.DataFrame, chance: Any) -> pd.DataFrame:
    """Return the rows in another order."""
    order = list(range(len(frame)))
    chance.shuffle(order)
    return frame.iloc[order]


def outcome(found: Matches) -> list[list[tuple[Any, ...]]]:
    """Return everything that was decided, without an order."""
    return [
        records(found.pairs, *found.pairs.columns),
        records(found.crm_only, "entity", "crm_id", "case"),
        records(found.marketing_only, "marketing_id", "case"),
        records(found.dropped, "entity", "crm_id", "marketing_id", "case"),
    ]


@unhurried
@given(histories(), st.randoms(use_true_random=False))
def test_matching_does_not_depend_on_the_order_of_rows(
    history: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame], chance: Any
) -> None:
    there = match(*history)
    here = match(*(shuffled(frame, chance) for frame in history))
    assert outcome(there) == outcome(here)


@unhurried
@given(histories())
def test_everybody_has_one_place(
    history: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame],
) -> None:
    crm, marketing, held = history
    copies = [frame.copy(deep=True) for frame in history]
    found = match(crm, marketing, held)
    for frame, copy in zip(history, copies, strict=True):
        pd.testing.assert_frame_equal(frame, copy)
    paired = found.pairs[["entity", "crm_id"]].itertuples(index=False, name=None)
    alone = found.crm_only[["entity", "crm_id"]].itertuples(index=False, name=None)
    places = [*paired, *alone]
    assert len(places) == len(set(places))
    live = crm[~crm["deleted"] & crm["merged_into"].isna()]
    assert set(live[["entity", "id"]].itertuples(index=False, name=None)) <= set(places)
    there = marketing.loc[~marketing["deleted"], "id"]
    assert set(there) <= {*found.pairs["marketing_id"], *found.marketing_only["marketing_id"]}
    assert not set(found.pairs["marketing_id"]) & set(found.marketing_only["marketing_id"])
    busy = found.pairs[found.pairs["case"].fillna("") != "merged_away"]
    primary = busy.groupby("marketing_id")["is_primary"].sum()
    assert (primary <= 1).all()


@unhurried
@given(histories())
def test_matching_again_finds_the_same_people(
    history: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame],
) -> None:
    crm, marketing, held = history
    found = match(crm, marketing, held)
    names = ["entity", "crm_id", "marketing_id"]
    kept = pd.concat([held, found.pairs]).drop_duplicates(["entity", "crm_id"], keep="last")
    gone = set(found.dropped[names].itertuples(index=False, name=None))
    rows = kept[names].itertuples(index=False, name=None)
    kept = kept[pd.Series([row not in gone for row in rows], index=kept.index, dtype=bool)]
    again = match(crm, marketing, kept[list(held.columns)])
    handed_over = again.pairs["case"].isin(["merged", "merged_away"])
    assert not (again.pairs["new_link"] & ~handed_over).any()


MAPPING = Mapping.model_validate(
    {
        "entity": "contact",
        "fields": {
            "ours": {"crm": "a", "marketing": "A", "conflict": "crm", "max_length": 3},
            "theirs": {"crm": "b", "marketing": "B", "conflict": "marketing"},
            "newest": {"crm": "c", "marketing": "C", "conflict": "newest"},
            "up": {"crm": "d", "marketing": "D", "direction": "to_crm"},
            "down": {"crm": "e", "marketing": "E", "direction": "to_marketing"},
            "score": {"crm": "f", "marketing": "F", "type": "number", "decimals": 1},
        },
    }
)
TYPES = pa.schema(
    [(f"field:{name}", pa.string()) for name in ("ours", "theirs", "newest", "up", "down")]
    + [("field:score", pa.float64())]
)
WORDS = st.sampled_from([None, "x", "y", "longer", "longest"])
NUMBERS = st.sampled_from([None, 1.0, 1.01, 2.0])
VALUES = st.fixed_dictionaries(
    {name: NUMBERS if name == "field:score" else WORDS for name in TYPES.names}
)
TIMES = st.sampled_from([None, DAY, LATER])
ROWS = st.lists(st.tuples(VALUES, VALUES, VALUES, TIMES, TIMES), max_size=4)


def shared(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return rows in the shared format."""
    return pa.Table.from_pylist(rows, schema=TYPES).to_pandas(types_mapper=pd.ArrowDtype)


def merged(rows: list[tuple[Any, ...]], *, base: bool = True) -> tuple[Merge, list[pd.DataFrame]]:
    """Merge rows of base, CRM, platform and their times."""
    frames = [shared([row[place] for row in rows]) for place in range(3)]
    times = [
        pd.Series([row[place] for row in rows], dtype="datetime64[us, UTC]") for place in (3, 4)
    ]
    found = merge(
        frames[0] if base else None,
        *(frames[1], frames[2], MAPPING),
        crm_modified=times[0],
        marketing_modified=times[1],
    )
    return found, frames


@unhurried
@given(ROWS, st.booleans())
def test_once_written_a_merge_has_nothing_more_to_write(
    rows: list[tuple[Any, ...]],
    base: bool,
) -> None:
    found, (_, crm, marketing) = merged(rows, base=base)
    assert not (found.to_crm & found.to_marketing).any(axis=None)
    crm = crm.mask(found.to_crm.astype(bool), found.values)
    marketing = marketing.mask(found.to_marketing.astype(bool), found.values)
    later = pd.Series([LATER] * len(rows), dtype="datetime64[us, UTC]")
    again = merge(
        found.values, crm, marketing, MAPPING, crm_modified=later, marketing_modified=later
    )
    assert not again.to_crm.any(axis=None)
    assert not again.to_marketing.any(axis=None)
    both_ways = ["field:ours", "field:theirs", "field:newest"]
    cut = [
        frame[both_ways].assign(**{"field:ours": frame["field:ours"].str[:3]})
        for frame in (crm, marketing)
    ]
    pd.testing.assert_frame_equal(cut[0], cut[1])


@unhurried
@given(ROWS)
def test_a_change_on_one_side_moves_to_the_other(rows: list[tuple[Any, ...]]) -> None:
    alone = [(base, base, marketing, ours, theirs) for base, _, marketing, ours, theirs in rows]
    found, (_, _, marketing) = merged(alone)
    assert found.conflicts.empty
    two_way = [name for name in TYPES.names if name not in {"field:down", "field:up"}]
    assert not found.to_marketing[two_way].any(axis=None)
    moved = found.to_crm["field:theirs"].astype(bool)
    assert found.values["field:theirs"][moved].equals(marketing["field:theirs"][moved])


def one(
    base: Any,
    crm: Any,
    marketing: Any,
    name: str = "ours",
    times: tuple[Any, Any] = (None, None),
) -> tuple[Any, ...]:
    """Return direction, value and winner of one merged field."""
    label = f"field:{name}"
    found, _ = merged([({label: base}, {label: crm}, {label: marketing}, *times)])
    ways = {"to_crm": found.to_crm, "to_marketing": found.to_marketing}
    way = "".join(way for way, written in ways.items() if written[label].item())
    value = found.values[label].item()
    return way, None if value is pd.NA else value, *found.conflicts["winner"]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (("x", "x", "x"), ("", "x")),
        (("x", "y", "x"), ("to_marketing", "y")),
        (("x", "x", "y"), ("to_crm", "y")),
        (("x", "y", "y"), ("", "y")),
        (("x", None, "x"), ("to_marketing", None)),
        (("x", "x", None), ("to_crm", None)),
        ((None, "x", None), ("to_marketing", "x")),
        ((None, None, "x"), ("to_crm", "x")),
        (("x", "y", "z"), ("to_marketing", "y", "crm")),
        (("x", "y", "z", "theirs"), ("to_crm", "z", "marketing")),
        (("x", None, "z"), ("to_marketing", None, "crm")),
        ((None, "y", "z"), ("to_marketing", "y", "crm")),
        (("x", "y", "z", "newest", (DAY, LATER)), ("to_crm", "z", "marketing")),
        (("x", "y", "z", "newest", (LATER, DAY)), ("to_marketing", "y", "crm")),
        (("x", "y", "z", "newest", (DAY, DAY)), ("to_marketing", "y", "crm")),
        (("x", "y", "z", "newest", (None, DAY)), ("to_crm", "z", "marketing")),
        (("lon", "longer", "lon"), ("", "lon")),
        (("longer", "lon", "new"), ("to_crm", "new")),
        ((1.0, 1.04, 1.0, "score"), ("", 1.0)),
        (("x", "y", "x", "up"), ("to_crm", "x")),
        (("x", "x", "y", "up"), ("to_crm", "y")),
        (("x", "y", "z", "up"), ("to_crm", "z", "marketing")),
        ((None, "y", None, "up"), ("", None)),
        (("x", "x", None, "up"), ("to_crm", None)),
        (("x", "x", "y", "down"), ("to_marketing", "x")),
        ((None, None, "y", "down"), ("", None)),
    ],
)
def test_each_case_of_a_merge(values: tuple[Any, ...], wanted: tuple[Any, ...]) -> None:
    assert one(*values) == wanted


def test_a_conflict_is_recorded_with_its_row_and_both_values() -> None:
    rows = [
        ({name: "x"}, {name: crm}, {name: marketing}, DAY, LATER)
        for name, crm, marketing in [
            ("field:ours", "y", "x"),
            ("field:ours", "y", "z"),
            ("field:newest", "y", "z"),
        ]
    ]
    rows.append(({"field:score": 1.0}, {"field:score": 2.0}, {"field:score": 3.0}, DAY, DAY))
    found, _ = merged(rows)
    columns = ["row", "field", "crm", "marketing", "winner"]
    assert list(merged([])[0].conflicts.columns) == columns
    assert records(found.conflicts, *columns) == [
        (1, "ours", "y", "z", "crm"),
        (2, "newest", "y", "z", "marketing"),
        (3, "score", "2", "3", "crm"),
    ]


def test_fields_that_one_side_has_not_got_are_left_out_and_the_base_may_lack_rows() -> None:
    values = {"field:ours": "y", "field:theirs": "y", "field:score": 1.0}
    sides = shared([values] * 2), shared([{**values, "field:theirs": "z"}] * 2)
    crm, marketing = (side.set_axis([7, 8], axis=0) for side in sides)
    times = pd.Series([DAY, DAY], index=[7, 8])
    found = merge(
        pd.DataFrame({"field:theirs": ["z"]}, index=[8]),
        crm[["field:ours", "field:theirs"]],
        marketing[["field:theirs", "field:score"]],
        MAPPING,
        crm_modified=times,
        marketing_modified=times,
    )
    assert list(found.values.columns) == ["field:theirs"]
    assert found.to_crm["field:theirs"].tolist() == [True, False]
    assert found.to_marketing["field:theirs"].tolist() == [False, True]
    assert found.conflicts["row"].tolist() == [7]
    for frame in (found.to_crm, found.to_marketing, found.values):
        assert frame.index.tolist() == [7, 8]


def test_differences_are_what_both_sides_could_hold_and_do_not() -> None:
    left = shared([{"field:ours": "longer", "field:score": 1.0}] * 2)
    right = shared([{"field:ours": "lon", "field:score": value} for value in (1.04, 2.0)])
    apart = differences(left, right.drop(columns="field:newest"), MAPPING)
    assert "field:newest" not in apart
    assert apart["field:ours"].tolist() == [False, False]
    assert apart["field:score"].tolist() == [False, True]
    assert differences(left[[]], right, MAPPING).index.tolist() == [0, 1]


def test_sides_that_are_not_of_the_same_rows_are_refused() -> None:
    times = pd.Series([DAY])
    with pytest.raises(ValueError, match=r"^the sides' rows are not aligned; give both frames"):
        merge(
            None,
            shared([{}]),
            shared([{}]).set_axis([7], axis=0),
            MAPPING,
            crm_modified=times,
            marketing_modified=times,
        )


@pytest.mark.parametrize("side", SIDES)
def test_a_value_that_could_not_be_read_is_left_alone(side: RoleName) -> None:
    there, unread = {"field:score": 5.0}, {"field:score": None}
    frames = [shared([there] * 2), shared([there] * 2), shared([there] * 2)]
    frames[1 if side == "crm" else 2] = shared([unread] * 2)
    told = [pd.DataFrame(index=[0, 1]), pd.DataFrame({"field:score": [True]}, index=[0])]
    times = pd.Series([DAY, DAY])
    found = merge(
        *(frames[0], frames[1], frames[2], MAPPING),
        crm_modified=times,
        marketing_modified=times,
        unfit=told if side == "marketing" else told[::-1],
    )
    cleared = found.to_crm if side == "marketing" else found.to_marketing
    assert cleared["field:score"].tolist() == [False, True]
    assert found.values["field:score"].tolist() == [5.0, pd.NA]


def test_values_that_could_not_be_read_on_either_side_are_left_alone() -> None:
    told = [pd.DataFrame({"field:score": [True]}, index=[row]) for row in (0, 1)]
    crm, marketing = [{"field:score": None}, {"field:score": 5.0}], [{"field:score": 5.0}, {}]
    times = pd.Series([DAY, DAY])
    found = merge(
        shared([{"field:score": 5.0}] * 2),
        shared(crm),
        shared(marketing),
        MAPPING,
        crm_modified=times,
        marketing_modified=times,
        unfit=told,
    )
    assert not found.to_crm.any(axis=None)
    assert not found.to_marketing.any(axis=None)


OPERATION = st.tuples(
    st.sampled_from(["crm", "marketing"]),
    st.sampled_from(EXECUTION_ORDER),
    st.sampled_from(["contact", "lead"]),
    st.sampled_from([None, "1", "2", "3"]),
    st.sampled_from([None, "k1", "k2"]),
)


def planned(rows: list[tuple[Any, ...]]) -> list[pd.DataFrame]:
    """Return one frame of operations per row."""
    return [
        typed(
            pd.DataFrame(
                {
                    "target": [target],
                    "kind": [kind],
                    "entity": [entity],
                    "record_id": [record],
                    "key": [key],
                    "result": ["updated"],
                }
            ),
            OPERATIONS,
        )
        for target, kind, entity, record, key in rows
    ]


@unhurried
@given(st.lists(OPERATION, max_size=12), st.randoms(use_true_random=False))
def test_the_same_operations_get_the_same_numbers(rows: list[tuple[Any, ...]], chance: Any) -> None:
    frames = planned(rows)
    there = number(frames)
    chance.shuffle(frames)
    pd.testing.assert_frame_equal(number(frames), there)
    assert there["seq"].tolist() == list(range(1, len(rows) + 1))
    pa.Table.from_pandas(there, schema=OPERATIONS, preserve_index=False).validate(full=True)


@unhurried
@given(st.lists(OPERATION, max_size=12), st.integers(1, 4))
@example([("crm", "update", "contact", "1", None), ("crm", "suppress", "contact", "1", None)], 1)
def test_chunks_hold_every_operation_once_and_a_record_in_one(
    rows: list[tuple[Any, ...]], size: int
) -> None:
    plan = number(planned(rows))
    parts = chunks(plan, size)
    assert sorted(seq for part in parts for seq in part["seq"]) == plan["seq"].tolist()
    assert all(part["seq"].is_monotonic_increasing for part in parts)
    homes: dict[tuple[str, ...], set[int]] = {}
    for place, part in enumerate(parts):
        named = part.dropna(subset=["record_id"])
        for row in named[["target", "entity", "record_id"]].itertuples(index=False, name=None):
            homes.setdefault(row, set()).add(place)
    assert all(len(places) == 1 for places in homes.values())


@given(st.integers(0, 500_000), st.integers(1, 30_000), st.integers(1, 5))
@example(40_000, 20_000, 3)
def test_chunks_are_as_few_as_can_be_and_busy_all_workers_alike(
    operations: int, at_most: int, workers: int
) -> None:
    size = equal_size(operations, at_most=at_most, workers=workers)
    assert 0 < size <= at_most
    if operations > at_most:
        fewest = ceil(operations / (at_most * workers))
        rounds = ceil(operations / (size * workers))
        assert rounds <= fewest
        assert size * rounds <= operations / workers + 1_000 * fewest
    else:
        assert size >= operations
