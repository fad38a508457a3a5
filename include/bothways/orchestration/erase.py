"""Builds the DAG that erases a person: open ─ erase_crm ─ erase_marketing ─ close."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from bothways.config.account import Account
from bothways.config.load import load_accounts
from bothways.connectors.registry import capabilities
from bothways.orchestration import tasks
from bothways.orchestration.connections import missing_connections
from bothways.syncs.catalog import ERASE
from bothways.terms import SIDES, Side

_START = datetime(2024, 1, 1, tzinfo=UTC)
# A sync in progress must end first.
_WAIT = {"retries": 24, "retry_delay": timedelta(minutes=5), "retry_exponential_backoff": False}


def accounts_to_erase_in() -> list[Account]:
    """Return the sound accounts both of whose vendors can erase people."""
    return [
        account
        for account in load_accounts().accounts
        if all(ERASE.needs[side] <= capabilities(account.side(side).connector) for side in SIDES)
    ]


def build_erase(account: Account, doc: str) -> DAG:
    """Return the DAG `<account>__erase`, which nothing but a person starts.

    Args:
        account: The account's configuration.
        doc: What the person at the trigger form should know, in Markdown.
    """
    with DAG(
        dag_id=f"{account.name}__{ERASE.name}",
        dag_display_name=f"{account.title or account.name}: {ERASE.title}",
        description=f"Erases a person in account {account.name}, on their request",
        doc_md=doc,
        schedule=None,
        start_date=_START,
        catchup=False,
        max_active_runs=1,
        tags={account.name, account.crm.connector, account.marketing.connector, ERASE.name},
        params=_params(account.name),
        default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    ) as dag:
        opened = open_erasure.override(task_id="open", **_WAIT)(account.name)
        sides = [
            erase_side.override(task_id=f"erase_{side}", pool=account.pool(side))(side)
            for side in SIDES
        ]
        opened >> sides[0] >> sides[1] >> close_erasure.override(trigger_rule="all_done")()
    return dag


def _params(account: str) -> dict[str, Param]:
    return {
        "request": Param(
            None,
            type=["integer", "null"],
            minimum=1,
            title="Request",
            description=f"The number that `bothways erase {account}` printed.",
        ),
        "confirm": Param(
            None,
            type=["integer", "null"],
            minimum=1,
            title="Confirm",
            description="The same number again. Without it, nothing is erased.",
        ),
    }


@task
def open_erasure(account: str) -> int:
    """Write the audit row, and bar the person from every sync; return the run's number."""
    from bothways.engine.erase import open_erasure as begin
    from bothways.orchestration.runtime import open_store

    context = get_current_context()
    with open_store() as store, tasks.final_errors():
        return begin(
            store,
            account=account,
            request=context["params"].get("request"),
            confirm=context["params"].get("confirm"),
            dag_id=context["dag"].dag_id,
            dag_run_id=context["run_id"],
            submitted_by=tasks.who(context),
            missing_connections=missing_connections,
        )


@task
def erase_side(side: Side) -> dict[str, int]:
    """Delete the person's records on one side; return how many."""
    from bothways.engine.erase import erase_side as delete

    name = f"erase_{side}"
    with (
        tasks.step(get_current_context(), name) as run,
        tasks.open_side(run, side) as connector,
    ):
        return delete(run, side, connector)


@task(task_id="close")
def close_erasure() -> str:
    """Erase the person from the store if both sides have, and finish the audit row."""
    from bothways.engine.erase import close_erasure as finish
    from bothways.engine.staging import Staging
    from bothways.orchestration.runtime import staging_root

    with tasks.found_run(get_current_context()) as run:
        folder = staging_root() / run.account.name
        runs = [path for path in folder.iterdir() if path.is_dir()] if folder.exists() else []
        status, message = finish(run, [Staging(path) for path in runs])
    if status == "Failed":
        raise AirflowFailException(message)
    return f"{status}: {message}"
