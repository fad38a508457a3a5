"""Short ways of writing columns down."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sandbox.dynamics.model import Column, Table, options, stable_id
from sandbox.dynamics.schema_names import schema_name

READ_ONLY: dict[str, Any] = {"creatable": False, "updatable": False}


def text(name: str, length: int, **more: Any) -> Column:
    """Return a line of text."""
    return Column(name, "String", max_length=length, **more)


def texts(length: int, *names: str) -> tuple[Column, ...]:
    """Return several lines of text of one length."""
    return tuple(text(name, length) for name in names)


def email(*names: str) -> tuple[Column, ...]:
    """Return e-mail columns; the API does not check what they hold (assumed)."""
    return tuple(text(name, 100, format="Email") for name in names)


def memo(name: str, length: int = 2000, **more: Any) -> Column:
    """Return a text of several lines."""
    return Column(name, "Memo", max_length=length, **more)


def number(name: str, low: int = -(2**31), high: int = 2**31 - 1, **more: Any) -> Column:
    """Return a whole number."""
    return Column(name, "Integer", minimum=low, maximum=high, **more)


def money(*names: str) -> tuple[Column, ...]:
    """Return amounts of money."""
    return tuple(Column(name, "Money", minimum=0, maximum=1e12) for name in names)


def flags(*names: str) -> tuple[Column, ...]:
    """Return two-option columns that start as false."""
    return tuple(flag(name) for name in names)


def flag(name: str, *, default: bool = False, **more: Any) -> Column:
    """Return a two-option column."""
    return Column(name, "Boolean", default=default, **more)


def choice(name: str, choices: str, **more: Any) -> Column:
    """Return an option set, written as "1 Hot, 2 Warm"."""
    return Column(name, "Picklist", options=options(choices), **more)


def day(name: str, **more: Any) -> Column:
    """Return a date without a time."""
    return Column(name, "DateTime", date_only=True, **more)


def moment(name: str, **more: Any) -> Column:
    """Return a date with a time."""
    return Column(name, "DateTime", **more)


def local_day(name: str, **more: Any) -> Column:
    """Return a date with a time of which forms show the day only, in the user's time zone."""
    return Column(name, "DateTime", format="DateOnly", **more)


def lookup(name: str, *targets: str, kind: str = "Lookup", **more: Any) -> Column:
    """Return a lookup; to several tables, each has its own navigation property."""
    named = tuple(name if len(targets) == 1 else f"{name}_{target}" for target in targets)
    return Column(name, kind, targets=targets, navigations=more.pop("navigations", named), **more)


def party_lists(*names: str) -> tuple[Column, ...]:
    """Return columns for the people who take part in an activity in one way."""
    targets = ("account", "contact", "lead", "systemuser")
    return tuple(Column(name, "PartyList", targets=targets) for name in names)


def address() -> tuple[Column, ...]:
    """Return the columns of the first address (lengths: the XMOCK lead export)."""
    return (
        text("address1_line1", 250),
        text("address1_city", 80),
        text("address1_stateorprovince", 50),
        text("address1_postalcode", 20),
        text("address1_country", 80),
        memo("address1_composite", 1000, **READ_ONLY),
    )


def states(state: str, status: str, *, creatable: bool = False) -> tuple[Column, ...]:
    """Return statecode and statuscode, written as "1 New@0, 3 Qualified@1"."""
    return (
        Column("statecode", "State", options=options(state), default=0, creatable=creatable),
        Column("statuscode", "Status", options=options(status)),
    )


def audit() -> tuple[Column, ...]:
    """Return who made and changed a row, and when."""
    return (
        moment("createdon", **READ_ONLY),
        moment("modifiedon", **READ_ONLY),
        Column("versionnumber", "BigInt", **READ_ONLY),
    )


def owned() -> tuple[Column, ...]:
    """Return the columns that every table of users' own rows has."""
    return (
        *audit(),
        lookup("createdby", "systemuser", **READ_ONLY),
        lookup("createdonbehalfby", "systemuser", **READ_ONLY),
        lookup("modifiedby", "systemuser", **READ_ONLY),
        lookup("modifiedonbehalfby", "systemuser", **READ_ONLY),
        lookup("ownerid", "systemuser", "team", kind="Owner", navigations=("ownerid", "ownerid")),
        lookup("owningbusinessunit", "businessunit", **READ_ONLY),
        local_day("overriddencreatedon", updatable=False),
        number("importsequencenumber", updatable=False),
    )


def table(
    name: str,
    entity_set: str,
    primary_name: str,
    type_code: int,
    columns: tuple[Column, ...],
    **more: Any,
) -> Table:
    """Return a table; its id column is `<name>id` unless `primary_id` says otherwise."""
    primary_id = more.pop("primary_id", f"{name}id")
    identity = Column(primary_id, "Uniqueidentifier", required="SystemRequired", updatable=False)
    label = more.pop("label", name.capitalize())
    if more.get("activity"):
        columns = tuple(_of_activity(name, column) for column in columns)
    return Table(
        name=name,
        entity_set=entity_set,
        primary_id=primary_id,
        primary_name=primary_name,
        schema=more.pop("schema", label.replace(" ", "")),
        label=label,
        plural=more.pop("plural", f"{label}s"),
        type_code=type_code,
        columns=tuple(_named(name, column) for column in (identity, *columns)),
        party_lists=tuple(_named(name, column) for column in more.pop("party_lists", ())),
        metadata_id=more.pop("metadata_id", stable_id(name)),
        **more,
    )


def _of_activity(name: str, column: Column) -> Column:
    """Return a lookup of an activity: the names of its navigation properties carry the table's."""
    named = (one if one.endswith(f"_{name}") else f"{one}_{name}" for one in column.navigations)
    return replace(column, navigations=tuple(named))


def _named(table_name: str, column: Column) -> Column:
    values = dict(column.__dict__)
    values["schema"] = column.schema or schema_name(column.name)
    values["label"] = column.label or column.name.replace("_", " ").capitalize()
    values["metadata_id"] = stable_id(table_name, column.name)
    return Column(**values)
