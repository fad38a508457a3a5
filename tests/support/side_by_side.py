"""Which test runs where and when, if several processes share the suite (`pytest -n 2`).

One worker runs all that starts an Airflow, so that never two run at the same time. It spends most
of its time waiting, while the others compute: it begins first. The other tests that take long come
next, and then one by one all the rest, so that the workers end together.
"""

from __future__ import annotations

from enum import IntEnum

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling

# The process that hands the tests out knows no more of them than their names.
STARTS_AIRFLOW = (
    "tests/airflow/",
    "tests/console/test_browser.py",
    "tests/demo/test_demo.py",
    "tests/distributed/",
)


class Place(IntEnum):
    """In which order tests are run side by side; alone, the quick ones come first."""

    OWN_AIRFLOW = 0
    SHARED_AIRFLOW = 1
    LONG = 2
    QUICK = 3

    @classmethod
    def of(cls, item: pytest.Item) -> Place:
        """The place of a test, by its marks."""
        if item.get_closest_marker("distributed"):
            return cls.OWN_AIRFLOW
        if item.get_closest_marker("airflow"):
            needs = getattr(item, "fixturenames", ())
            return cls.SHARED_AIRFLOW if "deployment" in needs else cls.OWN_AIRFLOW
        return cls.LONG if item.get_closest_marker("slow") else cls.QUICK


class OneAirflow(LoadScopeScheduling):
    """Hands out the tests in the order in which they stand, those with Airflow together."""

    def _split_scope(self, nodeid: str) -> str:
        return "airflow" if nodeid.startswith(STARTS_AIRFLOW) else nodeid


def in_order(items: list[pytest.Item], *, alone: bool) -> None:
    """Put the tests of a worker, or of a process alone, into their order.

    Raises:
        UsageError: A test starts an Airflow and is not named as such, or the other way round.
    """
    for item in items:
        if (Place.of(item) <= Place.SHARED_AIRFLOW) != item.nodeid.startswith(STARTS_AIRFLOW):
            raise pytest.UsageError(
                f"{item.nodeid}: the marks `airflow` and `distributed` belong to tests in one of "
                f"{', '.join(STARTS_AIRFLOW)}, which run in one process "
                "(tests/support/side_by_side.py)."
            )
    items.sort(key=lambda item: -Place.of(item) if alone else Place.of(item))
