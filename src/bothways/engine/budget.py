"""A vendor's budget of calls, shared by all runs of an account: who gives way, what was used."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from bothways.connectors.base import Connector, SharesBudget
from bothways.engine.run import Run
from bothways.store import runs
from bothways.vocabulary import RoleName

log = logging.getLogger(__name__)


@contextmanager
def within_budget(run: Run, role: RoleName, connector: Connector) -> Iterator[None]:
    """Keep what a step calls in the run's row; let what reads who may not be mailed go first."""
    if not isinstance(connector, SharesBudget):
        yield
        return
    if not run.sync.reads_consent:
        connector.give_way()
    try:
        yield
    finally:
        _keep(run, role, connector)


def _keep(run: Run, role: RoleName, connector: SharesBudget) -> None:
    usage = connector.usage()
    budgets = {name: (use.calls, use.a_minute) for name, use in usage.budgets.items()}
    try:
        with run.store.begin() as conn:
            runs.add_calls(conn, run_id=run.run_id, role=role, calls=usage.calls, budgets=budgets)
    except Exception as error:  # noqa: BLE001 - a number that is missing must not fail a step
        log.warning("The calls of run %d were not counted: %s", run.run_id, type(error).__name__)
