"""Mapped values of people, as a write to the other side needs them."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from bothways.config.mapping import Mapping
from bothways.tables import FIELD_PREFIX, Side, other
from bothways.transform.fields import for_creation, to_shared, to_vendor
from bothways.transform.json_rows import field_columns, json_objects


@dataclass(frozen=True, slots=True)
class NewValues:
    """What new records get.

    Attributes:
        values: JSON objects in the target's field names.
        after: The same in the mapping's names, for people.
        problems: Values that did not fit: row, field, message.
    """

    values: pd.Series
    after: pd.Series
    problems: pd.DataFrame


def new_values(rows: pd.DataFrame, mapping: Mapping, target: Side) -> NewValues:
    """Return the mapped values of ``rows``, read on the other side, for new records on ``target``.

    What is empty is left out, so that the target's own defaults hold. A value that does not fit
    is left out too, and told.
    """
    shared = to_shared(rows, mapping, other(target))
    travelling = [
        FIELD_PREFIX + name for name, item in mapping.fields.items() if item.travels_to(target)
    ]
    ready = for_creation(shared.frame, mapping, target)
    ready = ready[[name for name in ready.columns if name in travelling]]
    written = to_vendor(ready, mapping, target)
    return NewValues(
        values=json_objects(
            written.frame,
            field_columns(written.frame),
            mask=written.frame.notna(),
            without=written.unfit,
        ),
        after=json_objects(ready, field_columns(ready), mask=ready.notna()),
        problems=pd.concat([shared.problems, written.problems], ignore_index=True),
    )
