"""What the mapped fields stand for in a run, and which of them stood for something else before.

A run keeps to the mapping that it was opened with. Where that differs from the one under which both
sides last agreed, the fields concerned have no base: both sides are read whole and compared as if
for the first time, and once that is applied the new meaning is the one in force. A dry run, or one
that is stopped, changes nothing of that.
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
    """Return the fields that mean something else than what both sides agreed on."""
    return mapped_fields.changed(conn, account=account.name, meanings=of_account(account))


def stage(staging: Staging, account: Account, fields: Names) -> None:
    """Keep what the run was opened with: its meanings, and which of them are new."""
    staging.write_json({"meanings": of_account(account), "changed": fields}, _FILE)


def sentences(fields: Names) -> list[str]:
    """Say which fields are compared afresh."""
    return [
        f"The mapping of `{name}` ({entity}) has changed; both sides are compared afresh."
        for entity, names in fields.items()
        for name in names
    ]


def without_base(conn: Connection, run: Run) -> Names:
    """Return the fields in which nothing that was agreed on counts in this run.

    For an undo these are also the fields that were given another meaning after the run that is to
    be undone.
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
    """Forget what was agreed on under other meanings, now that both sides were compared afresh."""
    mapped_fields.replace(
        conn, account=run.account.name, run_id=run.run_id, meanings=_opened_with(run)
    )


def outdated(conn: Connection, run: Run) -> Names:
    """Return the fields in which this run may not add to what was agreed on."""
    return mapped_fields.outdated(conn, account=run.account.name, meanings=_opened_with(run))


def _opened_with(run: Run) -> Meanings:
    staged = run.staging.read_json(_FILE)
    return of_account(run.account) if staged is None else staged["meanings"]
