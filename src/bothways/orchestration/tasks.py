"""The steps of a sync run as Airflow tasks: unpack references, one call of the engine, a reference.

The library's heavy parts are imported inside the tasks, since every DAG file reaches this module
while it is parsed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from bothways.errors import (
    BothwaysError,
    ConfigurationError,
    Denied,
    FeatureUnavailable,
    RunStopped,
)
from bothways.orchestration import assets
from bothways.orchestration.connections import missing_connections
from bothways.orchestration.params import options
from bothways.vocabulary import RoleName

if TYPE_CHECKING:
    from airflow.sdk import Context

    from bothways.connectors.base import Connector, ListInfo
    from bothways.engine.run import Run

log = logging.getLogger(__name__)

# Who started a run that no person triggered, by Airflow's type of the run.
_STARTED_BY = {"scheduled": "schedule", "asset_triggered": "another sync"}
# Trying again cannot help: a person must act first.
_FINAL = (ConfigurationError, Denied, FeatureUnavailable, RunStopped)


@task(task_id="open")
def open_run(account: str, sync_type: str) -> list[int]:
    """Write the run's audit row and return the partitions that it is planned in."""
    from bothways.engine.open_run import open_run as begin
    from bothways.orchestration.runtime import open_store, staging_for

    context = get_current_context()
    with open_store() as store, final_errors():
        opened = begin(
            store,
            account=account,
            sync_type=sync_type,
            options=options(context["params"]),
            staging_for=staging_for,
            dag_id=context["dag"].dag_id,
            dag_run_id=context["run_id"],
            submitted_by=who(context),
            missing_connections=missing_connections,
            lists_offered=_lists_offered,
        )
        return list(range(opened.partitions))


@task
def extract(role: RoleName) -> dict[str, int]:
    """Read one system into staging; return rows by dataset."""
    from bothways.engine.extract import extract as read

    with step(get_current_context(), f"extract_{role}") as run, open_system(run, role) as connector:
        return read(run, role, connector)


@task
def plan_slices(role: RoleName) -> list[int]:
    """Share out among tasks what is read in slices; return the numbers of their groups."""
    from bothways.engine.slices import plan_slices as share_out

    with step(get_current_context(), f"extract_{role}") as run, open_system(run, role) as connector:
        return share_out(run, role, connector)


@task
def extract_slices(role: RoleName, group: int) -> dict[str, int]:
    """Read one group of slices; return rows by dataset."""
    from bothways.engine.slices import extract_slices as read

    with step(get_current_context(), f"extract_{role}") as run, open_system(run, role) as connector:
        return read(run, role, connector, group)


@task
def plan(partition: int) -> dict[str, int]:
    """Plan one partition; return its numbers."""
    from bothways.engine.plan import plan as decide

    with step(get_current_context(), "plan") as run:
        return decide(run, partition)


@task
def apply(role: RoleName, chunk: int) -> dict[str, int]:
    """Execute one chunk of operations in one system; return results by kind."""
    from bothways.engine.apply import apply as write
    from bothways.engine.refresh import refresh

    context = get_current_context()
    with step(context, f"apply_{role}") as run:
        refresh(run, partial(open_system, run))
        with open_system(run, role) as connector:
            return write(run, role, chunk, connector, last_try=_last_try(context))


@task
def close() -> str:
    """Finish the run's audit row; fail if the run failed, so that Airflow shows it.

    Fail as well if an opt-out has been waiting for too long, so that Airflow's alerts fire. A run
    that went well has an event of its asset.
    """
    from bothways.engine.close import close as finish
    from bothways.engine.close import overdue_opt_outs
    from bothways.engine.outcome import outcome

    context = get_current_context()
    with found_run(context) as run:
        status, message = finish(run)
        overdue = overdue_opt_outs(run) if status == "Completed With Errors" else ""
        told = outcome(run)
    if status == "Failed" or overdue:
        raise AirflowFailException(overdue or message)
    if told:
        assets.tell(context, run.account.name, run.sync.name, told)
    return f"{status}: {message}"


@contextmanager
def step(context: Context, name: str) -> Iterator[Run]:
    """Give a step its run, and put a failure into the audit before Airflow sees it."""
    from bothways.engine.step import step as audited

    with found_run(context) as run, audited(run, name):
        yield run


@contextmanager
def found_run(context: Context) -> Iterator[Run]:
    """Give a task the run that `open` recorded for its DAG run."""
    from bothways.engine.open_run import find_run
    from bothways.orchestration.runtime import open_store, staging_for

    with open_store() as store, final_errors():
        yield find_run(
            store,
            dag_id=context["dag"].dag_id,
            dag_run_id=context["run_id"],
            staging_for=staging_for,
        )


@contextmanager
def open_system(run: Run, role: RoleName) -> Iterator[Connector]:
    """Open the connector of one system of a run's account, count its calls, and close it."""
    from bothways.connectors.opening import open_connector, with_tables
    from bothways.engine.budget import within_budget

    config = run.account.system(role)
    with (
        closing(open_connector(config.connector, config.connection)) as connector,
        within_budget(run, role, connector),
    ):
        yield with_tables(connector, config)


@contextmanager
def final_errors() -> Iterator[None]:
    """Spare the retries where they cannot help."""
    try:
        yield
    except _FINAL as error:
        raise AirflowFailException(str(error)) from error
    except BothwaysError as error:
        log.warning("%s", error)
        raise


def _lists_offered(run: Run) -> dict[RoleName, list[ListInfo]]:
    from bothways.connectors.base import HasLists

    found = {}
    for role in run.account.systems:
        with open_system(run, role) as connector:
            if isinstance(connector, HasLists):
                found[role] = connector.lists()
    return found


def _last_try(context: Context) -> bool:
    instance: Any = context["ti"]
    return bool(instance.try_number > instance.max_tries)


def who(context: Context) -> str:
    """Return the user who triggered the DAG run, or how it was started."""
    dag_run: Any = context["dag_run"]
    return dag_run.triggering_user_name or _STARTED_BY.get(dag_run.run_type, "api")
