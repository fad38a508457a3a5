"""Field mappings: which CRM field is which platform field, and how values cross over."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bothways.terms import FieldType, Side


class Direction(StrEnum):
    """Which way a field travels."""

    BOTH = "both"
    TO_CRM = "to_crm"
    TO_MARKETING = "to_marketing"


class ConflictPolicy(StrEnum):
    """Who wins where both sides changed a field to different values."""

    CRM = "crm"
    MARKETING = "marketing"
    NEWEST = "newest"


class FieldMapping(BaseModel):
    """One field that both sides have.

    Attributes:
        crm: The CRM's name for it; None where the value is fixed or not kept there.
        marketing: The platform's name for it; None likewise.
        type: What the value is, once it has left the vendors' own formats.
        direction: Which way it travels.
        conflict: Who wins where both sides changed it.
        default: What a target gets where the source has no value, when a record is created.
        fixed: What the target gets whatever the source has, when a record is created.
        options: Option-set value → label. The CRM keeps the value, the platform the label.
        date_format: How the platform writes a date kept in a text field (strftime); None for ISO 8601.
        true_label: How the platform writes true in a text field.
        false_label: How the platform writes false in a text field.
        max_length: Longest text that both sides keep; longer values are compared and written cut.
        decimals: Digits after the point that both sides keep.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    crm: str | None = None
    marketing: str | None = None
    type: FieldType = FieldType.STRING
    direction: Direction = Direction.BOTH
    conflict: ConflictPolicy = ConflictPolicy.CRM
    default: Any = None
    fixed: Any = None
    options: dict[int, str] = Field(default_factory=dict)
    date_format: str | None = None
    true_label: str | None = None
    false_label: str | None = None
    max_length: int | None = Field(default=None, ge=1)
    decimals: int | None = Field(default=None, ge=0, le=10)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.crm is None and self.marketing is None:
            raise ValueError("a field needs `crm` or `marketing`; give the name of one side's field")
        if self.type is FieldType.OPTION and not self.options:
            raise ValueError("a field of type `option` needs `options`; list each value and its label")
        if self.options and self.type is not FieldType.OPTION:
            raise ValueError("`options` belong to type `option`; set `type: option` or remove them")
        if (self.crm is None or self.marketing is None) and self.fixed is None:
            raise ValueError("a field of one side only needs `fixed`; give the value to write")
        return self

    def name(self, side: Side) -> str | None:
        """Return the field's name on ``side``."""
        return self.crm if side == "crm" else self.marketing

    def travels_to(self, side: Side) -> bool:
        """Say whether a change may be written to ``side``."""
        return self.direction in (Direction.BOTH, Direction.TO_CRM if side == "crm" else Direction.TO_MARKETING)


class Mapping(BaseModel):
    """All mapped fields of one CRM entity, by the name that audit and documents use for them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    entity: str
    fields: dict[str, FieldMapping] = Field(default_factory=dict)

    def vendor_fields(self, side: Side) -> dict[str, FieldType]:
        """Return what to read on ``side``: the vendor's field name → the type to read it as.

        A platform keeps an option as its label, and a formatted date or boolean as text.
        """
        found: dict[str, FieldType] = {}
        for item in self.fields.values():
            name = item.name(side)
            if name is not None and item.fixed is None:
                found[name] = _read_type(item, side)
        return found


def _read_type(item: FieldMapping, side: Side) -> FieldType:
    if side == "crm":
        return item.type
    if item.type is FieldType.OPTION or item.date_format or item.true_label or item.false_label:
        return FieldType.STRING
    return item.type
