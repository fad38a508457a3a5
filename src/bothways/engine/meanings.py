"""What the mapped fields mean in a run, and which of them meant something else before.

A run keeps to the mapping it was opened with. Fields whose meaning has changed since both sides
last agreed have no baseline in the run: both sides are read in full and compared as if for the
first time. Once that has been applied, the new meaning is in force. A dry run, or one that is
stopped, leaves everything as it was.
"""

from __future__ import annotations

from sqlalchemy import Connection

from bothways.config.account import Account
from bothways.engine.run import Run
from bothways.engine.staging import Staging
from bothways.store import mapped_fields
from bothways.store.mapped_fields import Meanings, Names

_FILE = "mapped_fields.json"


def of_account(account: Account) -> Meanings:
    """Return the meanings of an account's mapped fields."""
    return {entity: mapping.meanings() for entity, mapping in account.mappings.items()}


def changed(conn: Connection, account: Account) -> Names:
    """Return the fields whose meaning has changed since both sides last agreed on them."""
    return mapped_fields.changed(conn, account=account.name, meanings=of_account(account))


def stage(staging: Staging, account: Account, fields: Names) -> None:
    """Stage the meanings that the run is opened with, and the fields whose meaning has changed."""
    staging.write_json({"meanings": of_account(account), "changed": fields}, _FILE)


def sentences(fields: Names) -> list[str]:
    """Return a sentence for each field that is compared afresh, for the run's notes."""
    return [
        f"The mapping of `{name}` ({entity}) has changed; both systems are compared anew."
        for entity, names in fields.items()
        for name in names
    ]


def without_base(conn: Connection, run: Run) -> Names:
    """Return the fields whose baselines do not count in this run.

    For an undo these include the fields whose meaning changed after the run that is to be undone.
    """
    staged = run.staging.read_json(_FILE)
    if staged is None:  # opened by a version that did not look
        return {}
    found: Names = dict(staged["changed"])
    if run.options.undo_run:
        later = mapped_fields.changed_since(
            conn, account=run.account.name, run_id=run.options.undo_run
        )
        for entity, names in later.items():
            found[entity] = sorted({*found.get(entity, []), *names})
    return found


def put_in_force(conn: Connection, run: Run) -> None:
    """Drop the baselines of other meanings, now that both sides have been compared afresh."""
    mapped_fields.replace(
        conn, account=run.account.name, run_id=run.run_id, meanings=_opened_with(run)
    )


def outdated(conn: Connection, run: Run) -> Names:
    """Return the fields whose baselines this run must not add to."""
    return mapped_fields.outdated(conn, account=run.account.name, meanings=_opened_with(run))


def _opened_with(run: Run) -> Meanings:
    staged = run.staging.read_json(_FILE)
    return of_account(run.account) if staged is None else staged["meanings"]
