"""What a table, a column, a key and a relationship are."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Self

LOOKUPS = frozenset({"Lookup", "Customer", "Owner"})
Cascade = dict[str, str]
"""What an act on a row does to the rows that point at it, by act: Assign, Delete, Merge, …"""

OPTION_TYPES = frozenset({"Picklist", "State", "Status"})

_EDM = {
    "String": "Edm.String",
    "Memo": "Edm.String",
    "EntityName": "Edm.String",
    "MultiSelectPicklist": "Edm.String",
    "Integer": "Edm.Int32",
    "Picklist": "Edm.Int32",
    "State": "Edm.Int32",
    "Status": "Edm.Int32",
    "BigInt": "Edm.Int64",
    "Decimal": "Edm.Decimal",
    "Money": "Edm.Decimal",
    "Double": "Edm.Double",
    "Boolean": "Edm.Boolean",
    "Uniqueidentifier": "Edm.Guid",
}


def stable_id(*names: str) -> str:
    """Return a GUID that is always the same for the same names."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "sandbox/dynamics/" + "/".join(names)))


@dataclass(frozen=True)
class Option:
    """One choice. `state`: to which statecode a statuscode belongs."""

    value: int
    label: str
    state: int | None = None


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: Logical name, lower case.
        type: The vendor's AttributeType.
        schema: Schema name; also the case of a custom lookup's navigation property.
        label: Display name.
        max_length: Characters, for String and Memo.
        options: For Picklist, MultiSelectPicklist, State and Status.
        labels: For Boolean, what false and true are called.
        targets: Logical names of the tables that a lookup may point at.
        navigations: For a lookup, the navigation property per target; none for one that is not
            of a relationship.
        relationship: For a custom lookup, the schema name of its relationship.
        cascade: For a custom lookup, what its relationship does to the rows that have it.
        date_only: For DateTime: no time of day.
        required: None, Recommended, ApplicationRequired or SystemRequired.
        creatable: Whether a create may set it; a value sent all the same is ignored (assumed).
        updatable: The same for an update.
        precision: For Money, Decimal and Double, the digits behind the point.
        auto_number: The format in which rows are numbered; "" where they are not.
        default: The value that a create gives it.
        option_set: The global option set that its options are of; "" where they are its own.
    """

    name: str
    type: str = "String"
    schema: str = ""
    label: str = ""
    max_length: int | None = None
    options: tuple[Option, ...] = ()
    labels: tuple[str, str] = ("No", "Yes")
    targets: tuple[str, ...] = ()
    navigations: tuple[str, ...] = ()
    relationship: str = ""
    cascade: Cascade = field(default_factory=dict)
    date_only: bool = False
    format: str = ""
    required: str = "None"
    creatable: bool = True
    updatable: bool = True
    minimum: float | None = None
    maximum: float | None = None
    precision: int = 2
    auto_number: str = ""
    default: Any = None
    option_set: str = ""
    custom: bool = False
    description: str = ""
    metadata_id: str = ""

    @property
    def is_lookup(self) -> bool:
        """Whether the column points at rows."""
        return self.type in LOOKUPS

    @property
    def polymorphic(self) -> bool:
        """Whether the rows that it points at may be of several tables."""
        return len(self.targets) > 1

    @property
    def property_name(self) -> str:
        """The name under which rows show it."""
        return f"_{self.name}_value" if self.is_lookup else self.name

    @property
    def edm(self) -> str:
        """The OData type."""
        if self.is_lookup:
            return "Edm.Guid"
        if self.type == "DateTime":
            return "Edm.Date" if self.date_only else "Edm.DateTimeOffset"
        return _EDM[self.type]

    def navigation(self, target: str) -> str:
        """Return the navigation property that leads to `target`."""
        return self.navigations[self.targets.index(target)]

    @classmethod
    def parse(cls, stored: dict[str, Any]) -> Self:
        """Read a column from its stored form."""
        return cls(
            **{
                **stored,
                "options": tuple(Option(**option) for option in stored["options"]),
                "labels": tuple(stored["labels"]),
                "targets": tuple(stored["targets"]),
                "navigations": tuple(stored["navigations"]),
            }
        )


@dataclass(frozen=True)
class Key:
    """One alternate key. `active_at`: seconds since the epoch when its index is due."""

    name: str
    schema: str
    columns: tuple[str, ...]
    status: str
    active_at: float
    metadata_id: str
    label: str = ""

    @classmethod
    def parse(cls, stored: dict[str, Any]) -> Self:
        """Read a key from its stored form."""
        return cls(**{**stored, "columns": tuple(stored["columns"])})


@dataclass(frozen=True)
class Table:
    """One table: its names, switches, columns and alternate keys.

    `address_key` is what its primary key is called in addresses, where that is another name than
    its id column's. `party_lists` are columns of definitions only: rows have their parties instead.
    """

    name: str
    entity_set: str
    primary_id: str
    primary_name: str
    schema: str
    label: str
    plural: str
    type_code: int
    columns: tuple[Column, ...]
    keys: tuple[Key, ...] = ()
    address_key: str = ""
    party_lists: tuple[Column, ...] = ()
    ownership: str = "UserOwned"
    change_tracking: bool = False
    activity: bool = False
    bulk: bool = True
    custom: bool = False
    description: str = ""
    metadata_id: str = ""

    @property
    def key_name(self) -> str:
        """What the primary key is called in addresses."""
        return self.address_key or self.primary_id

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """Columns by logical name."""
        return {column.name: column for column in self.columns}

    @cached_property
    def by_property(self) -> dict[str, Column]:
        """Columns by the name under which rows show them."""
        return {column.property_name: column for column in self.columns}

    @cached_property
    def lookups(self) -> tuple[Column, ...]:
        """The columns that point at rows."""
        return tuple(column for column in self.columns if column.is_lookup)

    def has(self, column: str) -> bool:
        """Whether there is a column of that logical name."""
        return column in self.by_name

    def stored(self) -> dict[str, Any]:
        """Return the table as JSON can hold it."""
        return asdict(self)

    @classmethod
    def parse(cls, stored: dict[str, Any]) -> Self:
        """Read a table from its stored form."""
        return cls(
            **{
                **stored,
                "columns": tuple(Column.parse(column) for column in stored["columns"]),
                "keys": tuple(Key.parse(key) for key in stored["keys"]),
                "party_lists": tuple(Column.parse(column) for column in stored["party_lists"]),
            }
        )


@dataclass(frozen=True)
class ManyToMany:
    """A relationship through an intersect table.

    Attributes:
        name: Schema name.
        first: The one table; `first_column` holds its id in the intersect table.
        second: The other table.
        first_navigation: The collection on the first table.
        only: SQL condition on the intersect table (alias `x`) that tells this relationship from
            others in the same table; empty where it has the table for itself.
    """

    name: str
    first: str
    second: str
    intersect: str
    first_column: str
    second_column: str
    first_navigation: str
    second_navigation: str
    only: str = ""
    custom: bool = False
    metadata_id: str = ""


@dataclass(frozen=True)
class OneToMany:
    """A lookup seen from both ends."""

    name: str
    referenced: str
    referencing: str
    column: str
    single_navigation: str
    collection_navigation: str
    cascade: Cascade
    custom: bool = False


@dataclass(frozen=True)
class Navigation:
    """A navigation property of `table`, resolved to what it takes to follow it.

    Attributes:
        single: Whether it leads to one row; otherwise to a collection.
        column: The lookup: of `table` when single, of `target` when a collection.
        through: The relationship, for a collection by an intersect table.
    """

    name: str
    table: str
    target: str
    single: bool
    column: str = ""
    polymorphic: bool = False
    through: ManyToMany | None = field(default=None, repr=False)


def options(text: str) -> tuple[Option, ...]:
    """Read options from "1 Male, 2 Female"; "3 Lost@2" belongs to state 2."""
    return tuple(_option(item.strip()) for item in text.split(","))


def _option(item: str) -> Option:
    value, label = item.split(" ", 1)
    label, _, state = label.partition("@")
    return Option(int(value), label, int(state) if state else None)


def default_status(column: Column, state: int) -> int:
    """Return the statuscode that a state gets when none is named: its first."""
    return next(option.value for option in column.options if option.state == state)


def replace_named(columns: Iterable[Column], new: Column) -> tuple[Column, ...]:
    """Return the columns with the one of the same name replaced."""
    return tuple(new if column.name == new.name else column for column in columns)
