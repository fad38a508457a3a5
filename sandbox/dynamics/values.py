"""Values: from JSON or a query into SQLite, and the checks that the vendor makes."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeVar

from sandbox.dynamics.errors import VendorError, query_error, wrong_literal
from sandbox.dynamics.model import OPTION_TYPES, Column, Table

Parsed = TypeVar("Parsed")

_GUID = re.compile(r"\{?[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}?")
# Not allowed in XML, in which the vendor passes values on.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")
_TOO_LARGE = 2**63
_LARGEST = {"Edm.Int32": 2**31 - 1, "Edm.Int64": 2**63 - 1}
_EARLIEST = "1753-01-01"


def moment_text(moment: datetime) -> str:
    """Return a time as rows show it: UTC, whole seconds."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    return moment.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def is_guid(value: object) -> bool:
    """Whether a text is a GUID."""
    return isinstance(value, str) and _GUID.fullmatch(value) is not None


def guid(value: str) -> str:
    """Return a GUID in the form in which it is kept."""
    return value.strip("{}").lower()


def new_guid() -> str:
    """Return a GUID for a new row."""
    return str(uuid.uuid4())


def literal(column: Column, value: Any) -> Any:
    """Return a value of a query as the column keeps it.

    Raises:
        VendorError: The value is not of the column's type.
    """
    try:
        return _LITERALS.get(column.edm, _text_literal)(column, value)
    except (ValueError, TypeError):
        raise incompatible(column, value) from None


def incompatible(column: Column, value: Any) -> VendorError:
    """Return the error for comparing a column with a value of another type."""
    kinds = {bool: "Edm.Boolean", int: "Edm.Int32", float: "Edm.Double", str: "Edm.String"}
    return query_error(
        "A binary operator with incompatible types was detected. Found operand types"
        f" '{column.edm}' and '{kinds.get(type(value), 'Edm.String')}' for operator kind 'Equal'."
    )


def _text_literal(_: Column, value: Any) -> Any:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number_literal(_: Column, value: Any) -> Any:
    if isinstance(value, str):  # the lists of query functions carry numbers as text
        value = float(value) if "." in value else int(value)
    if isinstance(value, bool) or abs(value) >= _TOO_LARGE:
        raise TypeError
    return value


def _boolean_literal(_: Column, value: Any) -> int:
    if value in {"true", "false"}:  # in the lists of query functions
        return int(value == "true")
    if not isinstance(value, bool):
        raise TypeError
    return int(value)


def _guid_literal(_: Column, value: Any) -> str:
    if not is_guid(value):
        raise TypeError
    return guid(value)


def _date_literal(column: Column, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    if column.date_only:
        return date.fromisoformat(value[:10]).isoformat()
    moment = datetime.fromisoformat(value)
    return moment_text(moment)


_LITERALS = {
    "Edm.Int32": _number_literal,
    "Edm.Int64": _number_literal,
    "Edm.Decimal": _number_literal,
    "Edm.Double": _number_literal,
    "Edm.Boolean": _boolean_literal,
    "Edm.Guid": _guid_literal,
    "Edm.Date": _date_literal,
    "Edm.DateTimeOffset": _date_literal,
}


def checked(table: Table, column: Column, value: Any) -> Any:
    """Return a JSON value of a body as SQLite keeps it.

    Raises:
        VendorError: Wrong type, too long, out of range, or no option of the column.
    """
    if value is None or (value == "" and column.edm == "Edm.String"):
        # The vendor's database keeps no empty text.
        if column.required == "SystemRequired":
            raise VendorError(400, "0x80040200", f"Attribute '{column.name}' cannot be NULL")
        return None
    return _CHECKS[column.edm](table, column, value)


def _check_text(table: Table, column: Column, value: Any) -> str:
    if not isinstance(value, str):
        raise wrong_literal(table.entity_set, value, "Edm.String")
    found = _CONTROL.search(value)
    if found:
        raise VendorError(  # code and text assumed
            400,
            "0x80040216",
            f"'.', hexadecimal value 0x{ord(found[0]):02X}, is an invalid character.",
        )
    length = len(value.encode("utf-16-le")) // 2
    if column.max_length is not None and length > column.max_length:
        raise VendorError(
            400,
            "0x80044331",
            f"A validation error occurred.  The length of the '{column.name}' attribute of the"
            f" '{table.name}' entity exceeded the maximum allowed length of"
            f" '{column.max_length}'.",
        )
    if column.type == "MultiSelectPicklist":
        return _check_choices(table, column, value)
    return value


def _check_choices(table: Table, column: Column, value: str) -> str:
    try:
        chosen = [int(item) for item in value.split(",") if item]
    except ValueError:
        raise wrong_literal(table.entity_set, value, "Edm.String") from None
    for item in chosen:
        _check_option(table, column, item)
    return ",".join(str(item) for item in chosen)


def _check_option(table: Table, column: Column, value: int) -> None:
    allowed = [option.value for option in column.options]
    if value not in allowed:
        raise VendorError(
            400,
            "0x8004431a",
            f"A validation error occurred.  The value {value} of '{column.name}' on record of type"
            f" '{table.name}' is outside the valid range. Accepted Values:"
            f" {','.join(str(item) for item in allowed)}",
        )


def _check_whole(table: Table, column: Column, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_literal(table.entity_set, value, column.edm)
    if column.type in OPTION_TYPES:
        _check_option(table, column, value)
    elif not _within(column, value):
        raise VendorError(
            400,
            "0x8004432f",
            f"A validation error occurred.  The value of '{column.name}' on record of type"
            f" '{table.name}' is outside the valid range.",
        )
    return value


def _within(column: Column, value: float) -> bool:
    low, high = column.minimum, column.maximum
    if column.edm in _LARGEST and abs(value) > _LARGEST[column.edm]:
        return False
    return (low is None or value >= low) and (high is None or value <= high)


def _check_decimal(table: Table, column: Column, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_literal(table.entity_set, value, column.edm)
    if not _within(column, value):
        raise VendorError(
            400,
            "0x80044330",
            f"A validation error occurred.  The value of '{column.name}' on record of type"
            f" '{table.name}' is outside the valid range.",
        )
    return _rounded(column, float(value)) if column.type == "Money" else float(value)


def _rounded(column: Column, value: float) -> float:
    """Return an amount with the digits that its column has; half a digit goes up (assumed)."""
    smallest = Decimal(1).scaleb(-column.precision)
    return float(Decimal(str(value)).quantize(smallest, ROUND_HALF_UP))


def _check_boolean(table: Table, _: Column, value: Any) -> int:
    if not isinstance(value, bool):
        raise wrong_literal(table.entity_set, value, "Edm.Boolean")
    return int(value)


def _check_guid(table: Table, _: Column, value: Any) -> str:
    if not is_guid(value):
        raise wrong_literal(table.entity_set, value, "Edm.Guid")
    return guid(value)


def _check_date(table: Table, _: Column, value: Any) -> str:
    day = _parsed(date.fromisoformat, value, _DAY)
    if day is None:
        raise wrong_literal(table.entity_set, value, "Edm.Date")
    return _not_too_early(day.isoformat())


def _check_moment(table: Table, _: Column, value: Any) -> str:
    # A time without a zone is refused by the vendor's OData library.
    text = _parsed(lambda given: moment_text(datetime.fromisoformat(given)), value, _MOMENT)
    if text is None:
        raise wrong_literal(table.entity_set, value, "Edm.DateTimeOffset")
    return _not_too_early(text)


def _parsed(parse: Callable[[str], Parsed], value: Any, form: re.Pattern[str]) -> Parsed | None:
    if not isinstance(value, str) or not form.fullmatch(value):
        return None
    try:
        return parse(value)
    except (ValueError, OverflowError):
        return None


def _not_too_early(text: str) -> str:
    if text < _EARLIEST:
        raise VendorError(
            400, "0x80040239", "DateTime is less than minumum value supported by CrmDateTime."
        )
    return text


_CHECKS = {
    "Edm.String": _check_text,
    "Edm.Int32": _check_whole,
    "Edm.Int64": _check_whole,
    "Edm.Decimal": _check_decimal,
    "Edm.Double": _check_decimal,
    "Edm.Boolean": _check_boolean,
    "Edm.Guid": _check_guid,
    "Edm.Date": _check_date,
    "Edm.DateTimeOffset": _check_moment,
}
