"""Field mappings: which CRM field is which platform field, and how values cross over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from bothways.vocabulary import FieldType, RoleName

ENTITIES = ("contact", "lead")
# What decides whether two values of a field are the same. The conflict policy and defaults do not;
# `max_length` and `decimals` are applied to both values whenever they are compared.
_MEANING = {
    "crm", "marketing", "type", "direction", "options", "date_format", "true_label", "false_label",
}  # fmt: skip
FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


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
        date_format: How the platform writes a date in a text field (strftime); None for ISO 8601.
            One without the year, as birthdays are written, goes to the platform only.
        true_label: How the platform writes true in a text field.
        false_label: How the platform writes false in a text field.
        max_length: Longest text that both sides keep; longer values are truncated before they
            are compared and written.
        decimals: Digits after the point that both sides keep.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    crm: str | None = Field(default=None, min_length=1)
    marketing: str | None = Field(default=None, min_length=1)
    type: FieldType = FieldType.STRING
    direction: Direction = Direction.BOTH
    conflict: ConflictPolicy = ConflictPolicy.CRM
    default: Any = None
    fixed: Any = None
    options: dict[int, str] = Field(default_factory=dict)
    date_format: str | None = Field(default=None, min_length=1)
    true_label: str | None = Field(default=None, min_length=1)
    false_label: str | None = Field(default=None, min_length=1)
    max_length: int | None = Field(default=None, ge=1, strict=True)
    decimals: int | None = Field(default=None, ge=0, le=10, strict=True)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        for complaint in _complaints(self):
            raise ValueError(complaint)
        return self

    def name(self, side: RoleName) -> str | None:
        """Return the field's name on ``side``."""
        return self.crm if side == "crm" else self.marketing

    def read_type(self, side: RoleName) -> FieldType:
        """Return the type to read the value as, before it is converted.

        A platform's is read as text, whatever it is there: a value that does not fit the mapping
        must be told, and must not look like one that was cleared.
        """
        return FieldType.STRING if side == "marketing" else self.type

    def kept_type(self, side: RoleName) -> FieldType:
        """Return the type that ``side`` keeps the value as."""
        labelled = self.date_format or self.true_label or self.false_label
        if side == "marketing" and (labelled or self.type is FieldType.OPTION):
            return FieldType.STRING
        return self.type

    @property
    def meaning(self) -> str:
        """What the field's values mean, as text: baselines do not count once this has changed."""
        return json.dumps(self.model_dump(mode="json", include=_MEANING), sort_keys=True)

    def travels_to(self, side: RoleName) -> bool:
        """Return whether a change may be written to ``side``."""
        return self.direction in (
            Direction.BOTH,
            Direction.TO_CRM if side == "crm" else Direction.TO_MARKETING,
        )


class Mapping(BaseModel):
    """All mapped fields of one CRM entity, by the name that audit and documents use for them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    entity: str
    fields: dict[FieldName, FieldMapping] = Field(default_factory=dict)

    def meanings(self) -> dict[str, str]:
        """Return the meaning of each field that both sides have, by the mapping's name."""
        return {name: item.meaning for name, item in self.fields.items() if item.fixed is None}

    def written(self, side: RoleName) -> dict[str, str]:
        """Return the fields that are written on ``side``: the mapping's name → the vendor's.

        Each of the vendor's is there once (`config/checks.py`), though several may be read from it.
        """
        return {
            name: target
            for name, item in self.fields.items()
            if (target := item.name(side)) is not None and item.travels_to(side)
        }

    def vendor_fields(self, side: RoleName) -> dict[str, FieldType]:
        """Return what to read on ``side``: the vendor's field name → the type to read it as."""
        found: dict[str, FieldType] = {}
        for item in self.fields.values():
            name = item.name(side)
            if name is not None and item.fixed is None:
                found[name] = item.read_type(side)
        return found


def _complaints(item: FieldMapping) -> Iterator[str]:
    """Yield what does not go together in a field: what is wrong, then what to do."""
    yield from _about_sides(item)
    yield from _about_type(item)
    if item.default is not None and item.fixed is not None:
        yield "`default` and `fixed` cannot be combined; keep one of them"
    for key, value in (("default", item.default), ("fixed", item.fixed)):
        if value is not None and not _fits(value, item):
            yield f"`{key}` does not match type `{item.type}`; write {_example(item)}"


def _about_sides(item: FieldMapping) -> Iterator[str]:
    if item.crm is None and item.marketing is None:
        yield "a field needs `crm`, `marketing` or both; add the name of the field there"
    elif item.crm is None or item.marketing is None:
        side = "marketing" if item.crm is None else "crm"
        if item.fixed is None:
            yield "a field with `crm` or `marketing` alone needs `fixed`; add the value"
        if item.direction not in {Direction.BOTH, Direction(f"to_{side}")}:
            yield f"a field with `{side}` alone cannot go {item.direction}; remove `direction`"


def _about_type(item: FieldMapping) -> Iterator[str]:
    if item.type is FieldType.OPTION and not item.options:
        yield "type `option` needs `options`; list each value with its label"
    labels = [label.strip().casefold() for label in item.options.values()]
    if len(set(labels)) < len(labels) or "" in labels:
        yield "`options` has a duplicate or empty label; give each value its own label"
    for key, types in _BELONGS.items():
        if getattr(item, key) not in (None, {}) and item.type not in types:
            due = " or ".join(types)
            yield f"`{key}` is only for type `{due}`; remove it, or change `type`"
    if (item.true_label or "true").casefold() == (item.false_label or "false").casefold():
        yield "`true_label` and `false_label` are the same; use different labels"
    if item.date_format is not None:
        yield from _about_date_format(item, item.date_format)


def _about_date_format(item: FieldMapping, form: str) -> Iterator[str]:
    yearless = not names_year(form)
    if not _keeps_the_day(f"%Y {form}" if yearless else form):
        yield "`date_format` loses part of the date; write for example `%d/%m/%Y`"
    elif yearless and (item.type, item.direction) != (FieldType.DATE, Direction.TO_MARKETING):
        yield (
            "`date_format` has no year, which the CRM needs; write for example `%d/%m/%Y`, "
            "or give the field `type: date` and `direction: to_marketing`"
        )


_BELONGS = {
    "options": (FieldType.OPTION,),
    "date_format": (FieldType.DATE, FieldType.DATETIME),
    "true_label": (FieldType.BOOLEAN,),
    "false_label": (FieldType.BOOLEAN,),
    "max_length": (FieldType.STRING,),
    "decimals": (FieldType.NUMBER,),
}


def names_year(form: str) -> bool:
    """Return whether a date that is written so (strftime) tells its year."""
    # In these two years every day until the end of February is the same day of the week.
    one, other = (datetime(year, 2, 28).strftime(form) for year in (2024, 2029))  # noqa: DTZ001
    return one != other


def _keeps_the_day(form: str) -> bool:
    moment = datetime(2024, 2, 29, 21, 45, 7)  # noqa: DTZ001 - only its day is looked at
    try:
        return datetime.strptime(moment.strftime(form), form).date() == moment.date()  # noqa: DTZ007
    except ValueError:
        return False


def _fits(value: Any, item: FieldMapping) -> bool:
    """Whether a value from YAML is one of the field's type; an option is a value or a label."""
    match item.type:
        case FieldType.STRING:
            return isinstance(value, str)
        case FieldType.BOOLEAN:
            return isinstance(value, bool)
        case FieldType.INTEGER:
            return isinstance(value, int) and not isinstance(value, bool)
        case FieldType.NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case FieldType.DATE | FieldType.DATETIME:
            return isinstance(value, date) or _is_iso(value)
        case FieldType.OPTION:
            labels = {label.casefold() for label in item.options.values()}
            return value in item.options or str(value).casefold() in labels


def _is_iso(value: Any) -> bool:
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return True


def _example(item: FieldMapping) -> str:
    """Return what a default of the field's type looks like in YAML."""
    if item.type is FieldType.OPTION:
        return "one of its labels: " + ", ".join(item.options.values())
    return {
        FieldType.STRING: "text, in quotes",
        FieldType.BOOLEAN: "true or false",
        FieldType.INTEGER: "a whole number",
        FieldType.NUMBER: "a number",
        FieldType.DATE: "a date such as 2026-01-31",
        FieldType.DATETIME: "a time such as 2026-01-31T18:00:00Z",
    }[item.type]
