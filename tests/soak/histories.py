"""Random histories of a few people: what may happen to them, and which syncs run in between."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.soak.life import ACCOUNT, Life, Step
from tests.support.engine import World
from tests.support.sandbox import SandboxServer

_PERSON = st.integers(0, 3)
_ADDRESS = st.integers(0, 4)
_LIST = st.integers(0, 1)
_FIELD = st.integers(0, 2)
_VALUE = st.integers(0, 2)
_SYNCS = st.sampled_from(["marketing_lists", "suppressions", "address_books"])


def _step(name: str, *arguments: st.SearchStrategy[object]) -> st.SearchStrategy[Step]:
    return st.tuples(st.just(name), *arguments)


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
    _step("crm_join", _PERSON),
    _step("crm_leave", _PERSON),
    _step("pf_join", _PERSON, _LIST),
    _step("pf_leave", _PERSON, _LIST),
    _step("crm_flag", _PERSON),
    _step("crm_suppress", _ADDRESS),
    _step("pf_no", _PERSON, st.sampled_from(["unsubscribe", "bounce", "complain", "suppress"])),
    _step("pf_no_list", _PERSON, _LIST),
    _step("pf_yes", _PERSON),
    _step("pf_yes_list", _PERSON, _LIST),
    _step("crm_merge", _PERSON, _PERSON),
    _step("crm_delete", _PERSON),
    _step("pf_delete", _PERSON),
    _step("pf_return", _ADDRESS),
    _step("crm_idle", _PERSON),
)
WAITS = st.sampled_from([[], [("wait",)]])
SYNCS = st.one_of(
    _step("sync", _SYNCS),
    _step("sync", _SYNCS, st.booleans(), st.none() | st.integers(0, 99)),
    _step(
        "sync",
        _SYNCS,
        st.booleans(),
        st.none() | st.integers(0, 99),
        st.integers(1, 200),
        st.sampled_from(["again", "closed", "left"]),
    ),
)
# People first; then rounds of time that passes, changes, and a sync.
HISTORIES = st.tuples(
    st.lists(ARRIVALS, min_size=2, max_size=6),
    st.lists(
        st.tuples(WAITS, st.lists(CHANGES, max_size=5), SYNCS).map(
            lambda round_: [*round_[0], *round_[1], round_[2]]
        ),
        max_size=4,
    ),
).map(lambda parts: [*parts[0], *(step for round_ in parts[1] for step in round_)])


def live(
    make_world: Callable[..., World], sandbox: SandboxServer, *, histories: int, number: int
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
        world = make_world(**ACCOUNT)
        try:
            life = Life(world, sandbox)
            life.play(steps)
            life.settle()
        finally:
            world.close()

    lived()
