"""Builds the DAG that brings an account up: each of its sync types once, in order.

begin ─ <sync type> ─┬─ <sync type> ─ … ─ summary
                     └─ <sync type> ─┘

Each of these tasks starts an ordinary run of the sync type's own DAG and waits for its end in the
triggerer, without a slot. One waits for those before it whatever becomes of them, and asks itself
whether what it needs has gone well: Airflow's trigger rules know no difference between the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import DAG, BaseOperator, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from bothways import discovery
from bothways.config.account import Account
from bothways.config.first import INITIAL_SYNC, STARTED_BY_IT, FirstSync, first_syncs
from bothways.config.load import load_account, load_accounts
from bothways.orchestration.children import ended, start

if TYPE_CHECKING:
    from airflow.sdk import Context

_START = datetime(2024, 1, 1, tzinfo=UTC)
_BEGIN: Final = "begin"
_AT_WORK: Final = ("queued", "running")
_BAD: Final = ("failed", "upstream_failed")


def accounts_to_bring_up() -> list[Account]:
    """Return the sound accounts that can run anything."""
    return [account for account in load_accounts().accounts if first_syncs(account)]


def build_initial_sync(account: Account, doc: str) -> DAG:
    """Return the DAG `<account>__initial_sync`, which nothing but a person starts.

    Args:
        account: The account's configuration.
        doc: What the person at the trigger form should know, in Markdown.
    """
    firsts = first_syncs(account)
    roles = dict.fromkeys(role.name for first in firsts for role in first.sync.roles)
    with DAG(
        dag_id=f"{account.name}__{INITIAL_SYNC}",
        dag_display_name=f"{account.title or account.name}: Initial sync",
        description=f"Runs each sync type of account {account.name} once, in order",
        doc_md=doc,
        schedule=None,
        start_date=_START,
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,  # it starts nothing by itself
        tags={account.name, INITIAL_SYNC, *(account.system(role).connector for role in roles)},
        params=_params(firsts),
        default_args={
            "retries": 2,
            "retry_delay": timedelta(seconds=30),
            "execution_timeout": timedelta(hours=account.settings.task_hours),
        },
    ) as dag:
        begun = begin(account.name)
        told = summary.override(trigger_rule="all_done")(account.name)
        children = {
            first.sync.name: ChildRun(account=account.name, first=first) for first in firsts
        }
        for first in firsts:
            before = [children[name] for name in first.follows]
            (before or begun) >> children[first.sync.name] >> told
    return dag


def _params(firsts: Sequence[FirstSync]) -> dict[str, Param]:
    names = [first.sync.name for first in firsts]
    return {
        "dry_run": Param(
            default=True,
            type="boolean",
            title="Dry run",
            description="Every sync type plans and writes nothing; their audits show what would "
            "be written. Switch it off to sync.",
        ),
        "sync_types": Param(
            [],
            type="array",
            items={"type": "string", "enum": names},
            title="Only these sync types",
            description="One per line. Leave blank for all that the account can run.",
        ),
    }


class ChildRun(BaseOperator):
    """Starts the run of one sync type, and waits for its end.

    Args:
        account: The account's name.
        first: The sync type, and what comes before it.
    """

    def __init__(self, *, account: str, first: FirstSync, **kwargs: Any) -> None:
        super().__init__(task_id=first.sync.name, trigger_rule="all_done", **kwargs)
        self.account = account
        self.sync_type = first.sync.name
        self.needs = list(first.needs)

    def execute(self, context: Context) -> str:
        """Skip what has run before or was not chosen, and start the rest if all it needs is there.

        A run that an earlier try started is waited for; one that did not end well is run again.
        """
        completed = _completed(self.account)
        own = _run_of(*self._child(context))
        if own is not None and own.run_id == completed.get(self.sync_type):
            return _told(own)
        self._skip(completed, context["params"])
        self._stop(completed, context)
        ti: Any = context["ti"]
        dag_id, run_id = self._child(context)
        if ti.get_dr_count(dag_id=dag_id, run_ids=[run_id], states=list(_AT_WORK)):
            self.defer(trigger=ended(dag_id, run_id), method_name="execute_complete")
        conf = {"dry_run": bool(context["params"]["dry_run"])}
        raise start(dag_id, run_id, conf=conf, and_wait=True)

    def execute_complete(self, context: Context, event: object) -> str:  # noqa: ARG002 - Airflow's
        """Return how the run ended, as its audit has it.

        A run whose `close` failed for the sake of Airflow's alerts has been applied all the same.
        """
        from bothways.vocabulary import RunStatus

        dag_id, run_id = self._child(context)
        run = _run_of(dag_id, run_id)
        if run is None:
            raise AirflowFailException(f"Run {run_id} of {dag_id} was never opened; see its log.")
        if run.status not in (
            RunStatus.COMPLETED,
            RunStatus.COMPLETED_WITH_ERRORS,
            RunStatus.DRY_RUN,
        ):
            raise AirflowFailException(f"{_title(self.sync_type)} failed, {_told(run)}")
        return _told(run)

    def _child(self, context: Context) -> tuple[str, str]:
        """Return the ids of the child's DAG and of its run."""
        return f"{self.account}__{self.sync_type}", f"{STARTED_BY_IT}{context['run_id']}"

    def _skip(self, completed: Mapping[str, int], params: Mapping[str, Any]) -> None:
        if self.sync_type in completed:
            raise AirflowSkipException(
                f"It has completed before, in run {completed[self.sync_type]}."
            )
        chosen = params["sync_types"]
        if chosen and self.sync_type not in chosen:
            raise AirflowSkipException("It was not chosen.")

    def _stop(self, completed: Mapping[str, int], context: Context) -> None:
        """Fail if something that it needs has failed or has never run."""
        states = _states(context, [_BEGIN, *self.needs])
        if states.get(_BEGIN) != "success":
            raise AirflowFailException("The initial sync could not begin; see the task `begin`.")
        title = _title(self.sync_type)
        for name in self.needs:
            if states.get(name) in _BAD:
                raise AirflowFailException(
                    f"{title} didn't start as {_title(name)} failed; fix that, then trigger the "
                    "initial sync again, which goes on from there."
                )
            if states.get(name) == "skipped" and name not in completed:
                raise AirflowFailException(
                    f"{title} didn't start as {_title(name)}, which it needs, has never run; "
                    "choose that as well."
                )


@task(task_id=_BEGIN)
def begin(account: str) -> None:
    """Make sure that Airflow will run what is to be started: of a paused DAG it runs nothing."""
    context = get_current_context()
    ti: Any = context["ti"]
    completed, chosen = _completed(account), context["params"]["sync_types"]
    wanted = [
        first.sync.name
        for first in first_syncs(load_account(account))
        if first.sync.name not in completed and (not chosen or first.sync.name in chosen)
    ]
    dag_ids = [f"{account}__{name}" for name in wanted]
    paused = [dag_id for dag_id in dag_ids if ti.get_dag(dag_id).is_paused]
    if paused:
        raise AirflowFailException(
            f"Airflow starts no tasks of a paused DAG; unpause {', '.join(paused)}, and trigger "
            "the initial sync again. The account's schedules then start as well."
        )


@task
def summary(account: str) -> str:
    """Tell what became of each sync type; fail if one of them did, so that Airflow shows it."""
    context = get_current_context()
    names = [first.sync.name for first in first_syncs(load_account(account))]
    states = _states(context, [_BEGIN, *names])
    failed = [_title(name) for name in names if states.get(name) in _BAD]
    done = sum(states.get(name) == "success" for name in names)
    before = sum(states.get(name) == "skipped" for name in names)
    told = f"{done} of {len(names)} sync types ran, {before} left out"
    if failed or states.get(_BEGIN) != "success":
        raise AirflowFailException(
            f"{told}, {len(failed)} failed or did not start: {', '.join(failed) or 'none'}. Their "
            "tasks say why; once that is fixed, trigger the initial sync again."
        )
    return f"{told}."


def _states(context: Context, task_ids: list[str]) -> dict[str, str | None]:
    """Return the states of tasks of this DAG run."""
    ti: Any = context["ti"]
    run_id = context["run_id"]
    found = ti.get_task_states(dag_id=ti.dag_id, task_ids=task_ids, run_ids=[run_id])
    states: dict[str, str | None] = found.get(run_id, {})
    return states


def _completed(account: str) -> dict[str, int]:
    """Return the run by which each sync type of an account has last been brought up to date."""
    from bothways.orchestration.runtime import open_store
    from bothways.store import runs

    with open_store() as store, store.begin() as conn:
        return runs.last_completed(conn, account=account)


def _run_of(dag_id: str, dag_run_id: str) -> Any:
    """Return the audit's row of a DAG run; None where it was never opened."""
    from bothways.orchestration.runtime import open_store
    from bothways.store import runs

    with open_store() as store, store.begin() as conn:
        return runs.find_run(conn, dag_id=dag_id, dag_run_id=dag_run_id)


def _told(run: Any) -> str:
    return f"run {run.run_id}: {run.status}. {run.message or ''}".strip()


def _title(sync_type: str) -> str:
    return discovery.sync_type(sync_type).title
