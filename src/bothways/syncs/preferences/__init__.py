"""Preferences: what people want to be mailed about, in step with columns of contacts and leads."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Final, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from bothways.spec import Role, SyncSpec

_Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


def _as_text(given: object) -> object:
    """Take an id that YAML reads as a number."""
    whole = isinstance(given, int) and not isinstance(given, bool)
    return str(given) if whole else given


_Columns = dict[Annotated[_Word, BeforeValidator(_as_text)], _Word]


class Settings(BaseModel):
    """The yes/no column for each preference, by its name or id on the platform.

    Attributes:
        contact: Columns of contacts.
        lead: Columns of leads.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    contact: _Columns = Field(default_factory=dict)
    lead: _Columns = Field(default_factory=dict)

    @model_validator(mode="after")
    def _each_for_one(self) -> Self:
        for entity, columns in self.columns().items():
            for column, number in Counter(columns.values()).items():
                if number > 1:
                    raise ValueError(
                        f"column `{column}` of {entity} is named for two preferences; name another"
                    )
        return self

    def columns(self) -> dict[str, dict[str, str]]:
        """Return the columns by preference, by CRM entity; without entities that have none."""
        found = {"contact": self.contact, "lead": self.lead}
        return {entity: columns for entity, columns in found.items() if columns}


SPEC: Final = SyncSpec(
    name="preferences",
    title="Preferences",
    implementation="bothways.syncs.preferences.sync:SYNC",
    roles=(
        Role("crm", ("ReadsContacts", "WritesContacts")),
        Role(
            "marketing",
            ("ReadsContacts", "ReadsPreferences", "WritesPreferences"),
            in_slices=True,
        ),
    ),
    settings=Settings,
)
