"""Random histories of a few people: what may happen to them, and which syncs run in between."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, note, seed, settings
from hypothesis import strategies as st

from tests.soak.history import History, Step
from tests.soak.runs import STAGES
from tests.soak.setting import TERMS, Terms, account
from tests.support.engine import World
from tests.support.sandbox import SandboxServer

_PERSON = st.integers(0, 3)
_ADDRESS = st.integers(0, 4)
_LIST = st.integers(0, 1)
_FIELD = st.integers(0, 2)
_VALUE = st.integers(0, 2)
_SIDE = st.sampled_from(["crm", "marketing"])
_SYNC = st.sampled_from(["marketing_lists", "suppressions", "address_books"])


def _step(name: str, *arguments: st.SearchStrategy[object]) -> st.SearchStrategy[Step]:
    return st.tuples(st.just(name), *arguments)


# One vendor's clock is wrong from the beginning: what a word says of its time is its own matter.
CLOCKS = st.one_of(
    st.just([]),
    _step("clock", st.sampled_from(["crm", "marketing"]), st.sampled_from([-7290, -20, 600])).map(
        lambda step: [step]
    ),
)
ARRIVALS = st.one_of(
    _step("crm_new", st.sampled_from(["contact", "lead"]), _ADDRESS, st.booleans()),
    _step("pf_new", _ADDRESS, st.sets(_LIST).map(sorted).map(tuple)),
)
CHANGES = st.one_of(
    ARRIVALS,
    _step("crm_edit", _PERSON, _FIELD, _VALUE),
    _step("pf_edit", _PERSON, _FIELD, _VALUE),
    _step("crm_address", _PERSON, st.none() | _ADDRESS),
    _step("pf_address", _PERSON, _ADDRESS),
    _step("crm_swap", _PERSON, _PERSON),
    _step("pf_swap", _PERSON, _PERSON),
    _step("crm_join", _PERSON, _LIST),
    _step("crm_leave", _PERSON, _LIST),
    _step("pf_join", _PERSON, _LIST),
    _step("pf_leave", _PERSON, _LIST),
    _step("crm_flag", _PERSON),
    _step("crm_unflag", _PERSON),
    _step("crm_suppress", _ADDRESS),
    _step("pf_no", _PERSON, st.sampled_from(["unsubscribe", "bounce", "complain", "suppress"])),
    _step("pf_no_list", _PERSON, _LIST),
    _step("pf_yes", _PERSON),
    _step("pf_yes_list", _PERSON, _LIST),
    _step("crm_merge", _PERSON, _PERSON),
    _step("crm_delete", _PERSON),
    _step("pf_delete", _PERSON),
    _step("pf_return", _ADDRESS, _LIST),
    _step("crm_idle", _PERSON),
)
IN_CHARGE = st.one_of(
    _step("list_deleted", _LIST, _SIDE),
    _step("list_replaced", _LIST, _SIDE),
    _step("list_mapped", _LIST, _SIDE),
    _step("list_renamed", _LIST, _SIDE),
    _step("list_key", _LIST),
    _step("field_mapped", _FIELD),
    _step("field_decided", _FIELD, st.integers(0, 2)),
)
WAITS = st.sampled_from([[], [("wait",)], [("wait",)]])
# One in ten is an act of the people in charge.
ACTS = st.lists(
    st.integers(0, 9).flatmap(lambda number: CHANGES if number else IN_CHARGE),
    min_size=1,
    max_size=5,
)
BETWEEN = st.lists(CHANGES, min_size=1, max_size=3)
_TROUBLE = (st.none() | st.integers(0, 99), st.integers(1, 200))
WHOLE = st.one_of(
    _step("sync", _SYNC),
    _step("sync", _SYNC, st.booleans(), st.none() | st.integers(0, 99)),
    _step("sync", _SYNC, st.booleans(), *_TROUBLE, st.sampled_from(["again", "closed", "left"])),
).map(lambda step: [step])
# People act between the steps of a run, and while it waits for an answer.
IN_STEPS = st.tuples(
    _SYNC, st.booleans(), st.sampled_from(STAGES[:-1]), BETWEEN, st.sampled_from(STAGES), BETWEEN
).map(
    lambda parts: [
        ("begin", *parts[:2]),
        ("go", parts[0], parts[2]),
        *parts[3],
        ("go", parts[0], parts[4]),
        *parts[5],
        ("go", parts[0], "close"),
    ]
)
ANSWERS = st.one_of(st.just([]), _step("answer", _SYNC, st.booleans()).map(lambda step: [step]))
ROUNDS = st.tuples(WAITS, ACTS, st.one_of(WHOLE, IN_STEPS), ANSWERS).map(
    lambda parts: [step for part in parts for step in part]
)
# Some people are in step already when the history begins, or all begin afresh.
IN_STEP: list[Step] = [
    ("crm_new", "contact", 0, True),
    ("crm_join", 0, 1),
    ("crm_edit", 0, 1, 0),
    ("pf_new", 1, (0, 1)),
    ("crm_new", "lead", 2, True),
    ("sync", "suppressions"),
    ("sync", "marketing_lists"),
]
BEGINNINGS = st.one_of(st.just(IN_STEP), st.lists(ARRIVALS, min_size=2, max_size=6))
HISTORIES = st.tuples(CLOCKS, BEGINNINGS, st.lists(ROUNDS, min_size=1, max_size=4)).map(
    lambda parts: [*parts[0], *parts[1], *(step for round_ in parts[2] for step in round_)]
)


def taking_turns(shards: int) -> pytest.MarkDecorator:
    """Parametrise a test of random histories: accounts of each kind take turns in its shards."""
    params = [
        pytest.param(terms.platform, terms, shard, id=f"{name}-{shard}")
        for shard, (name, terms) in zip(range(shards), itertools.cycle(TERMS.items()), strict=False)
    ]
    return pytest.mark.parametrize(("platform", "terms", "shard"), params, indirect=["platform"])


def live(
    make_world: Callable[..., World],
    sandbox: SandboxServer,
    terms: Terms,
    *,
    histories: int,
    number: int,
) -> None:
    """Live some histories, always the same ones for a number; a failing one is made small."""

    @seed(number)
    @settings(
        max_examples=histories,
        deadline=None,
        database=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(HISTORIES)
    def lived(steps: list[Step]) -> None:
        note(f"The history, to be pasted into test_two_way_examples.py: {steps!r}")
        world = make_world(**account(terms))
        try:
            history = History(world, sandbox, terms)
            history.play(steps)
            history.settle()
        finally:
            world.close()

    lived()
