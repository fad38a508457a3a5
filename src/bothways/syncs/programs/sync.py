"""What the sync of programs reads and decides: the programs themselves, or whom to enrol."""

from __future__ import annotations

from typing import Final

import pandas as pd

from bothways.streams.consent import Suppressions
from bothways.streams.definitions import Lists, Programs
from bothways.streams.people import People
from bothways.syncs.base import Dataset, Inputs, Plan, Request, SyncType
from bothways.syncs.definitions import definition_jobs
from bothways.syncs.jobs import joined
from bothways.syncs.programs.enrolling import enrol, objection, status_of
from bothways.tables.fields import FIELD_PREFIX, TIME
from bothways.tables.programs import ACTIVE
from bothways.transform.json_rows import field_columns, json_objects, read_objects
from bothways.vocabulary import PROGRAM

PROGRAMS: Final = "programs"
_BARRED: Final = "suppressions"


def datasets(request: Request) -> list[Dataset]:
    """Read the programs; to enrol people, the lists or the people who were named as well.

    Beside people goes what has come to bar them since `suppressions` last read it.
    """
    people = []
    if request.options.program and request.options.records:
        people = [
            Dataset(f"{entity}s", People(entity=entity, everybody=True))
            for entity in request.entities
        ]
        people.append(Dataset(_BARRED, Suppressions(), changes_of=("suppressions", "suppressions")))
    if request.side == "crm":
        return people
    lists = [Dataset("lists", Lists())] if request.options.program else []
    return [Dataset(PROGRAMS, Programs()), *lists, *people]


def plan(inputs: Inputs) -> Plan:
    """Write the programs that have changed to the CRM, or enrol whom somebody named.

    One partition plans it all.
    """
    if inputs.partition:
        return Plan(joined([]))
    if inputs.options.program:
        return enrol(inputs)
    jobs, _ = definition_jobs(inputs, PROGRAM, PROGRAMS, wanted=_are_active, ended=_deleted)
    return Plan(jobs)


def _are_active(programs: pd.DataFrame) -> pd.Series:
    return status_of(programs) == ACTIVE


def _deleted(details: pd.Series) -> pd.Series:
    """Return details with the status of a program that the platform no longer has."""
    told = read_objects(details, {"created_at": TIME})
    told = told.assign(**{FIELD_PREFIX + "status": "deleted"})
    return json_objects(told, field_columns(told))


SYNC: Final = SyncType(datasets, plan, objection=objection)
