"""Starts the runs that vendors' events ask for, inside the API servers, where the events arrive.

Events wait in the store until no further one has come for a while. Then they become one run, for
just the records that they name. The first API server to take them starts it. What a server that
died had not started is taken with the next event, and read by the next scheduled run in any case.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any, Final, Protocol

from bothways.config.account import Account
from bothways.config.known import system_titles
from bothways.config.load import load_account
from bothways.errors import BothwaysError, ConfigurationError
from bothways.store import notifications
from bothways.store.db import Store
from bothways.store.notifications import Taken, Waiting
from bothways.store.runs import last_completed
from bothways.store.selections import file_selection

log = logging.getLogger(__name__)

STARTED_BY_EVENT: Final = "event__"
"""How the ids of DAG runs that an event started begin."""

MOST: Final = 1_000
"""For more records than this, a run reads everything that has changed, which is cheaper."""

# After a failure of Airflow or the store.
_AFTER_FAILURE_S: Final = 30.0
# The longest pause otherwise: a new event may be due sooner, and a queued run may begin.
_LOOK_EVERY_S: Final = 1.0


class Standing(Enum):
    """Whether a run of a DAG may be started.

    Members:
        READY: It may.
        QUEUED: One that an event started has not begun yet.
        RESTING: The DAG is paused, or gone.
    """

    READY = auto()
    QUEUED = auto()
    RESTING = auto()


class Runs(Protocol):
    """Airflow's DAG runs."""

    def standing(self, dag_id: str) -> Standing:
        """Return whether a run may be started."""
        ...

    def start(self, dag_id: str, conf: Mapping[str, Any], by: str) -> None:
        """Start a run.

        Args:
            dag_id: The DAG.
            conf: The run's parameters.
            by: What the audit names as having started it.
        """
        ...


class AirflowRuns:
    """Airflow's DAG runs, in its own database: an API server has it open anyway.

    Nobody is signed in when an event arrives, so Airflow's public API cannot be called.
    (`airflow.api.common.trigger_dag`, Airflow 3.3.2, does what that API's route does.)
    """

    def standing(self, dag_id: str) -> Standing:
        """Return whether a run may be started."""
        import sqlalchemy as sa
        from airflow.models.dag import DagModel
        from airflow.models.dagrun import DagRun
        from airflow.utils.session import create_session
        from airflow.utils.state import DagRunState

        with create_session() as session:
            dag = session.get(DagModel, dag_id)
            if dag is None or dag.is_paused or dag.is_stale:
                return Standing.RESTING
            queued = sa.select(DagRun.run_id).where(
                DagRun.dag_id == dag_id,
                DagRun.state == DagRunState.QUEUED,
                DagRun.run_id.startswith(STARTED_BY_EVENT, autoescape=True),
            )
            return Standing.QUEUED if session.scalars(queued).first() else Standing.READY

    def start(self, dag_id: str, conf: Mapping[str, Any], by: str) -> None:
        """Start a run."""
        from airflow.api.common.trigger_dag import trigger_dag
        from airflow.utils.types import DagRunTriggeredByType

        trigger_dag(
            dag_id,
            triggered_by=DagRunTriggeredByType.REST_API,
            triggering_user_name=by,
            run_id=f"{STARTED_BY_EVENT}{datetime.now(UTC).isoformat()}",
            conf=dict(conf),
        )


class Waker:
    """A thread that starts what is due, for as long as anything waits.

    Args:
        start_due: Starts it, and returns in how many seconds there will be more; None if nothing
            waits.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self, start_due: Callable[[], float | None], sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._start_due = start_due
        self._sleep = sleep
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._more = False

    def wake(self) -> None:
        """Say that something waits; returns at once."""
        with self._lock:
            self._more = True
            if self._thread is None:
                name = "bothways-events"
                self._thread = threading.Thread(target=self._work, name=name, daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            with self._lock:
                self._more = False
            seconds = self._tried()
            with self._lock:
                if seconds is None and not self._more:
                    self._thread = None
                    return
            self._sleep(_LOOK_EVERY_S if seconds is None else seconds)

    def _tried(self) -> float | None:
        try:
            seconds = self._start_due()
        except BothwaysError as error:
            log.warning("%s", error)
            return _AFTER_FAILURE_S
        except Exception:
            log.exception("The runs that events ask for could not be started; tried again soon")
            return _AFTER_FAILURE_S
        return None if seconds is None else min(seconds, _LOOK_EVERY_S)


def start_due(store: Store, runs: Runs, now: datetime) -> float | None:
    """Start a run of each sync type whose events have waited for long enough.

    Args:
        store: Where they wait.
        runs: Airflow's.
        now: The time, UTC.

    Returns:
        In how many seconds there will be more to start; None if nothing waits.

    Raises:
        StoreError: The store is out of reach.
    """
    with store.begin() as conn:
        waiting = notifications.waiting(conn)
    found = [_start_if_due(store, runs, one, now) for one in waiting]
    return min((seconds for seconds in found if seconds is not None), default=None)


def _start_if_due(store: Store, runs: Runs, one: Waiting, now: datetime) -> float | None:
    account = _account(one)
    dag_id = f"{one.account}__{one.sync_type}"
    if account is not None:
        events = account.events
        due = min(
            one.last + timedelta(seconds=events.quiet_seconds),
            one.since + timedelta(seconds=events.at_most_seconds),
        )
        if due > now:
            return (due - now).total_seconds()
        standing = runs.standing(dag_id)
        if standing is Standing.QUEUED:
            return _LOOK_EVERY_S
        if standing is Standing.READY and _has_run(store, one):
            _start(store, runs, account, one, dag_id)
            return None
    with store.begin() as conn:
        notifications.take(conn, account=one.account, sync_type=one.sync_type)
    log.info(
        "Events for %s are left to its schedule: its DAG is paused or gone, it has not run yet, or "
        "its account is disabled, has problems or no longer names it under `events`",
        dag_id,
    )
    return None


def _has_run(store: Store, one: Waiting) -> bool:
    """Return whether the sync type has completed a run of everything.

    A person begins the syncs of an account. Until then each run for single records would read all.
    """
    with store.begin() as conn:
        return one.sync_type in last_completed(conn, account=one.account)


def _account(one: Waiting) -> Account | None:
    """Return the account, if its events still start runs of the sync type."""
    try:
        account = load_account(one.account)
    except ConfigurationError:
        return None
    return account if account.enabled and one.sync_type in account.events.sync_types else None


def _start(store: Store, runs: Runs, account: Account, one: Waiting, dag_id: str) -> None:
    """Start a run for what waits; if Airflow fails, it is left to the next scheduled run."""
    with store.begin() as conn:
        taken = notifications.take(conn, account=one.account, sync_type=one.sync_type)
        if not taken.people:  # another API server was first
            return
        by = _sentence(account, taken)
        conf: dict[str, Any] = {}
        if "" not in taken.people and len(taken.people) <= MOST:
            token = file_selection(conn, account=account.name, people=taken.people, filed_by=by)
            conf["records"] = [token]
    try:
        runs.start(dag_id, conf, by)
    except Exception:
        log.exception(
            "Airflow could not start %s for events, which are left to its schedule", dag_id
        )
        return
    log.info("Started %s by %s", dag_id, by)


def _sentence(account: Account, taken: Taken) -> str:
    titles = system_titles(account)
    return "an event in " + " and ".join(titles[side] for side in taken.sides if side in titles)
