"""Every operation that a plan may hold: the vocabulary's, and one for each kind of record."""

from __future__ import annotations

from bothways.discovery import record_kinds
from bothways.records import RecordKind
from bothways.vocabulary import OPERATIONS, Operation, OperationKind


def declared() -> tuple[Operation, ...]:
    """Return the operations, in the order of execution; parents come before what names them."""
    kinds = record_kinds().values()
    return (*OPERATIONS, *map(_write_of, kinds), *map(_deletion_of, kinds))


def operation(kind: str, entity: str) -> Operation:
    """Return how an operation is executed and counted.

    Raises:
        LookupError: The kind is not declared: nothing may be written uncounted.
    """
    known = {item.entity: item for item in declared() if item.kind == kind}
    found = known.get(entity) or known.get("")
    if found is None:
        raise LookupError(
            f"A plan holds operations of the kind `{kind}` on `{entity}`, which neither OPERATIONS "
            "of bothways.vocabulary nor the `records` of a sync type declare; declare it there."
        )
    return found


def _write_of(kind: RecordKind) -> Operation:
    return Operation(
        OperationKind.UPSERT,
        "WritesRecords",
        "write_records",
        kind.effect,
        None,
        entity=kind.name,
        written=kind.written,
        failure=kind.failure,
    )


def _deletion_of(kind: RecordKind) -> Operation:
    one, _ = kind.words
    return Operation(
        OperationKind.DELETE,
        "DeletesRecords",
        "delete_records",
        "removals",
        None,
        entity=kind.name,
        thing=f"{kind.name}_deleted",
        written=(f"{one} row deleted", f"{one} rows deleted"),
    )
