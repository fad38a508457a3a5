"""Contact scoring: the platform's scores of its members, in columns of CRM contacts and leads."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bothways.spec import Role, SyncSpec

_Column = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class ScoreColumns(BaseModel):
    """The columns of a CRM entity that get the parts of a score; those left out get none.

    Attributes:
        score: The overall score, 0 to 100.
        engagement: Its part for what the person did, 0 to 100.
        suitability: Its part for who the person is, 0 to 100.
        label: The account's own word for the score.
        scored_at: When it was worked out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    score: _Column | None = None
    engagement: _Column | None = None
    suitability: _Column | None = None
    label: _Column | None = None
    scored_at: _Column | None = None

    def columns(self) -> dict[str, str]:
        """Return the columns that are named, by the part of a score that they get."""
        return self.model_dump(exclude_none=True)


class Settings(BaseModel):
    """Where scores go, by CRM entity."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    contact: ScoreColumns = Field(default_factory=ScoreColumns)
    lead: ScoreColumns = Field(default_factory=ScoreColumns)


SPEC: Final = SyncSpec(
    name="contact_scoring",
    title="Contact scoring",
    implementation="bothways.syncs.contact_scoring.sync:SYNC",
    roles=(
        Role("crm", ("ReadsContacts", "WritesContacts")),
        Role("marketing", ("ReadsContacts", "ReadsScores"), is_written=False),
    ),
    settings=Settings,
)
