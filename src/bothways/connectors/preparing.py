"""Making what a system lacks, outside of a run: for the command, and for tests."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pandas as pd

from bothways.connectors.base import Connector, Definition, Provisions
from bothways.discovery import record_kinds
from bothways.errors import Rejected
from bothways.records import RecordKind
from bothways.tables.frames import frame_of
from bothways.tables.operations import OPERATIONS
from bothways.vocabulary import DEFINITION, OperationKind, Result


def prepare(connector: Connector, kinds: Collection[RecordKind] | None = None) -> list[Definition]:
    """Make what a system lacks, if it lacks anything; return what was made.

    Args:
        connector: Of the system.
        kinds: The records that are to be kept there; all that are installed where none are given.

    Raises:
        ConnectorError: The vendor refused or failed; what was made before that stays.
    """
    if not isinstance(connector, Provisions):
        return []
    missing = connector.missing(record_kinds().values() if kinds is None else kinds)
    if not missing:
        return []
    results = make(connector, missing).set_index("seq")
    for seq, definition in enumerate(missing):
        told = results.loc[seq]
        if told["outcome"] != "written":
            raise Rejected(
                f"{definition.sentence.rstrip('.')}: {told['message']}",
                vendor=connector.declaration.title,
            )
    return missing


def make(connector: Provisions, definitions: Sequence[Definition]) -> pd.DataFrame:
    """Make definitions; return RESULTS whose ``seq`` is the position of each."""
    operations = frame_of(OPERATIONS).reindex(range(len(definitions)))
    return connector.provision(
        operations.assign(
            seq=range(len(definitions)),
            kind=OperationKind.PROVISION.value,
            entity=DEFINITION,
            key=[item.key for item in definitions],
            result=Result.NEW.value,
        )
    )
