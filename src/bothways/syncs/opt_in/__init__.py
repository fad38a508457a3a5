"""Opt-in: how members of the platform opted in, in a column of CRM contacts and leads."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bothways.spec import Role, SyncSpec

_Column = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Values(BaseModel):
    """What the column holds for each type: texts, or the numbers of a column of options."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    unknown: str | int = "Unknown"
    single: str | int = "Single"
    double: str | int = "Double"
    verified_double: str | int = "VerifiedDouble"


class Settings(BaseModel):
    """Where opt-in types go.

    Attributes:
        contact: The column of contacts; none where it is left out.
        lead: The column of leads.
        values: What the columns hold.
        overwrite: Also write a lower type over a higher one. By default a type is only raised.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    contact: _Column | None = None
    lead: _Column | None = None
    values: Values = Field(default_factory=Values)
    overwrite: Annotated[bool, Field(strict=True)] = False


SPEC: Final = SyncSpec(
    name="opt_in",
    title="Opt-in",
    implementation="bothways.syncs.opt_in.sync:SYNC",
    roles=(
        Role("crm", ("ReadsContacts", "WritesContacts")),
        Role("marketing", ("ReadsContacts", "ReadsOptIns"), is_written=False),
    ),
    settings=Settings,
)
