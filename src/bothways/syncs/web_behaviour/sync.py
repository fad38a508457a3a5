"""What the sync of web behaviour reads and decides: whose visit is whose."""

from __future__ import annotations

from typing import Final, cast

import pandas as pd

from bothways.streams.events import Visits
from bothways.streams.people import People
from bothways.syncs.base import Dataset, Inputs, Plan, Request, SyncType
from bothways.syncs.events import Written, event_jobs
from bothways.syncs.jobs import joined
from bothways.syncs.web_behaviour import SPEC, Settings
from bothways.syncs.web_behaviour.records import VISIT
from bothways.tables.fields import FIELD_PREFIX
from bothways.tables.visits import VISIT_DETAILS
from bothways.transform.arrow import Array, pc
from bothways.transform.json_rows import field_columns, json_objects, read_objects
from bothways.transform.lists import lines
from bothways.vocabulary import VISITS

_PAGES, _MINUTES = FIELD_PREFIX + "pages", FIELD_PREFIX + "minutes"
_TYPES: Final = {field.name: field.type for field in VISIT_DETAILS}


def datasets(request: Request) -> list[Dataset]:
    """Read visits, and the people of both systems: a visit names its person by the platform's id.

    The platform's people are read after the visits, so that whoever visited is known by then.
    """
    people = [
        Dataset(f"{entity}s", People(entity=entity, everybody=True)) for entity in request.entities
    ]
    if request.side == "crm":
        return people
    level = cast(Settings, request.account.settings_of(SPEC)).level
    return [Dataset(VISITS, Visits(for_crm=True, with_pages=level == "pages")), *people]


def plan(inputs: Inputs) -> Plan:
    """Write the visits that wait. One partition plans them all, since they come in batches."""
    if inputs.partition:
        return Plan(joined([]))
    return Plan(joined([]), bulk=event_jobs(inputs, WRITTEN))


def _visit(details: pd.Series) -> pd.Series:
    """Return what is written of a visit: whole minutes, and a line for each page."""
    told = read_objects(details, _TYPES)
    minutes = told[_MINUTES].round().astype("int64[pyarrow]")
    told = told.assign(**{_MINUTES: minutes, _PAGES: lines(told[_PAGES], _page)})
    return json_objects(told, field_columns(told))


def _page(pages: Array) -> Array:
    title, url = pc.struct_field(pages, [0]), pc.struct_field(pages, [1])
    both = pc.binary_join_element_wise(title, pc.binary_join_element_wise("(", url, ")", ""), " ")
    return pc.fill_null(pc.coalesce(both, title, url), "")


WRITTEN: Final = Written(VISIT.name, (VISITS,), details=_visit)
"""What visits are written as."""

SYNC: Final = SyncType(datasets, plan)
