"""Builds the DAG that erases a person.

open ─ find_<role> … ─ review ─ erase_<role> … ─ close
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

from airflow.sdk import DAG, Param, chain, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from bothways.config.account import Account
from bothways.config.known import roles_to_erase
from bothways.config.load import load_accounts
from bothways.orchestration import tasks
from bothways.orchestration.builder import task_limit
from bothways.orchestration.connections import missing_connections
from bothways.orchestration.review import ReviewOperator
from bothways.spec import ERASE
from bothways.vocabulary import RoleName

if TYPE_CHECKING:
    from bothways.engine.review import Verdict
    from bothways.engine.run import Run

_START = datetime(2024, 1, 1, tzinfo=UTC)
_REQUEST_ID = "^[0-9a-f]{32}$"
# A sync in progress must end first.
_WAIT = {"retries": 24, "retry_delay": timedelta(minutes=5), "retry_exponential_backoff": False}


def accounts_to_erase_in() -> list[Account]:
    """Return the sound accounts with a system that people can be erased from."""
    return [account for account in load_accounts().accounts if roles_to_erase(account)]


def build_erase(account: Account, doc: str) -> DAG:
    """Return the DAG `<account>__erase`, which nothing but a person starts.

    Args:
        account: The account's configuration.
        doc: What the person at the trigger form should know, in Markdown.
    """
    roles = roles_to_erase(account)
    with DAG(
        dag_id=f"{account.name}__{ERASE.name}",
        dag_display_name=f"{account.title or account.name}: {ERASE.title}",
        description=f"Erases a person in account {account.name}, on their request",
        doc_md=doc,
        schedule=None,
        start_date=_START,
        catchup=False,
        max_active_runs=1,
        tags={account.name, ERASE.name, *(account.system(role).connector for role in roles)},
        params=_params(account.name),
        default_args={
            "retries": 3,
            "retry_delay": timedelta(minutes=1),
            "execution_timeout": task_limit(account),
        },
    ) as dag:
        opened = open_erasure.override(task_id="open", **_WAIT)(account.name)
        found = [
            find_records.override(task_id=f"find_{role}", pool=account.pool(role))(role)
            for role in roles
        ]
        reviewed = EraseReviewOperator(task_id="review")
        erased = [
            erase_records.override(task_id=f"erase_{role}", pool=account.pool(role))(
                role, cast("list[int]", reviewed.output)
            )
            for role in roles
        ]
        closed = close_erasure.override(trigger_rule="all_done")()
        chain(opened, *found, reviewed, *erased, closed)
    return dag


class EraseReviewOperator(ReviewOperator):
    """Compares what was found of a person with the guard's limit for one request."""

    subject_line = "This request is over the safety limit"
    body_text = "The records are in the audit of the run; nothing has been deleted yet."

    def verdict(self, run: Run) -> Verdict:
        """Count the records that were found."""
        from bothways.engine.erase import review_erasure

        return review_erasure(run)


def _params(account: str) -> dict[str, Param]:
    return {
        "request": Param(
            None,
            type=["string", "null"],
            pattern=_REQUEST_ID,
            title="Request",
            description=f"The id that `bothways erase {account}` printed.",
        ),
        "dry_run": Param(
            default=False,
            type="boolean",
            title="Dry run",
            description="Only look up what would be deleted; the audit shows it.",
        ),
        "confirm": Param(
            None,
            type=["string", "null"],
            pattern=_REQUEST_ID,
            title="Confirm",
            description="The same id again. Without it, nothing is erased.",
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
            dry_run=bool(context["params"].get("dry_run")),
            dag_id=context["dag"].dag_id,
            dag_run_id=context["run_id"],
            submitted_by=tasks.who(context),
            missing_connections=missing_connections,
        )


@task
def find_records(role: RoleName) -> dict[str, int]:
    """Put into the audit what is to be deleted in one system; return how many records that is."""
    from bothways.engine.erase import find_records as find

    with (
        tasks.step(get_current_context(), f"find_{role}") as run,
        tasks.open_system(run, role) as connector,
    ):
        return find(run, role, connector)


@task
def erase_records(role: RoleName, reviewed: list[int]) -> dict[str, int]:
    """Delete the person's records in one system, if the review let them pass; return how many."""
    from bothways.engine.erase import erase_records as delete

    if not reviewed:
        raise AirflowSkipException("Nothing is to be deleted.")
    with (
        tasks.step(get_current_context(), f"erase_{role}") as run,
        tasks.open_system(run, role) as connector,
    ):
        return delete(run, role, connector)


@task(task_id="close")
def close_erasure() -> str:
    """Erase the person from the store if all systems have, and finish the audit row."""
    from bothways.engine.erase import close_erasure as finish
    from bothways.engine.staging import Staging, run_folders
    from bothways.orchestration.runtime import staging_root

    with tasks.found_run(get_current_context()) as run:
        folders = run_folders(staging_root() / run.account.name)
        status, message = finish(run, [Staging(path) for path in folders])
    if status == "Failed":
        raise AirflowFailException(message)
    return f"{status}: {message}"
