"""Programs: the platform's automation programs, and enrolling people into them by hand."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, StrictBool, StringConstraints

from bothways.records import RecordColumn, RecordKind
from bothways.spec import Role, Scope, SyncSpec

_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]

# There are as many as people have made by hand.
PROGRAM: Final = RecordKind(
    name="program",
    title="Automation program",
    titles="Automation programs",
    description="Automation programs of the marketing platform, kept by Bothways.",
    words=("program", "programs"),
    columns=(
        RecordColumn("program_status", "Program status", source="status"),
        RecordColumn("made_on", "Created on", "time", source="created_at"),
    ),
)


class Settings(BaseModel):
    """Who may enrol people, and into what.

    Attributes:
        mapped_users_only: Only Airflow users who are named under the account's `users` may.
        enrol_into: Names or ids of the programs that people may be enrolled into; any active one
            where none is named.
    """

    # An id is a number to YAML.
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    mapped_users_only: StrictBool = False
    enrol_into: tuple[_Name, ...] = ()


SPEC: Final = SyncSpec(
    name="programs",
    title="Programs",
    implementation="bothways.syncs.programs.sync:SYNC",
    roles=(
        Role("crm", ("ReadsContacts", "ReadsSuppressions", "WritesRecords")),
        Role(
            "marketing",
            ("ReadsContacts", "ReadsSuppressions", "ReadsPrograms", "Enrols", "HasLists"),
        ),
    ),
    scope=Scope.PROGRAMS,
    settings=Settings,
    records=(PROGRAM,),
)
