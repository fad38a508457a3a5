"""Data labels: the platform's data fields in the CRM, and labels of the CRM as data fields."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Final, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from bothways.records import RecordColumn, RecordKind
from bothways.spec import Phase, Role, SyncSpec, any_of
from bothways.vocabulary import Topic

DATA_LABEL: Final = RecordKind(
    name="data_label",
    title="Email data label",
    titles="Email data labels",
    description="Data fields of the marketing platform, kept by Bothways. A label that somebody "
    "adds here becomes a data field.",
    words=("data label", "data labels"),
    columns=(
        RecordColumn("label_type", "Type", length=20, source="type"),
        RecordColumn("visibility", "Visibility", "choice", choices=("Private", "Public")),
        RecordColumn("default_value", "Default value", length=1_000, source="default"),
    ),
    topic=Topic.FIELDS,
)
"""A row with a key stands for a field of the platform; one without was made by a person."""

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
_Visibility = Literal["private", "public"]


class Wish(BaseModel):
    """The data field that a column of the CRM is to have.

    Attributes:
        name: What the platform is to call it.
        visibility: Whether people see it on the platform's forms.
        default: The value of those who have none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: _Text
    visibility: _Visibility = "private"
    default: str | bool | int | float | None = None


class Settings(BaseModel):
    """What a data label is in the CRM, and which there are.

    Attributes:
        labels: `rows` of a table of Bothways' own, or `columns` of contacts and leads.
        tables: With `columns`: whose columns.
        columns: With `columns`: columns of the first table that become data fields.
        leave_out: Data fields that get no label.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    labels: Literal["rows", "columns"] = "rows"
    tables: tuple[Literal["contact", "lead"], ...] = Field(default=("contact",), min_length=1)
    columns: dict[_Text, Wish] = Field(default_factory=dict)
    leave_out: tuple[_Text, ...] = ()

    @field_validator("columns")
    @classmethod
    def _become_fields_of_their_own(cls, given: dict[str, Wish]) -> dict[str, Wish]:
        for name, number in Counter(wish.name.casefold() for wish in given.values()).items():
            if number > 1:
                raise ValueError(f"two columns are to become the field `{name}`; rename one")
        return given

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        given = [name for name in ("tables", "columns") if name in self.model_fields_set]
        if self.labels == "rows" and given:
            raise ValueError(
                f"`{given[0]}` is only for `labels: columns`; write that, or remove `{given[0]}`"
            )
        return self


SPEC: Final = SyncSpec(
    name="data_labels",
    title="Data labels",
    called="Data Label",
    implementation="bothways.syncs.data_labels.sync:SYNC",
    roles=(
        Role("crm", ("HasFields", any_of("WritesRecords", "CreatesColumns"))),
        Role("marketing", ("HasFields", "CreatesFields")),
    ),
    phase=Phase.FIELDS,
    settings=Settings,
    records=(DATA_LABEL,),
    woken_by=frozenset({Topic.FIELDS}),
)
