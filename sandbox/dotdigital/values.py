"""What Dotdigital takes as an e-mail address, a data field's value or a date."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any

from sandbox.dotdigital.errors import Invalid

MAX_EMAIL = 256  # DD3C: the path value of an identifier
MAX_TEXT = 1_000  # facts: Dotdigital 1.5, DDMAG DM_FIELD_LIMIT
_EMAIL = re.compile(
    r"[^@\s\x00-\x1f,;<>\"()]+@[^@\s\x00-\x1f,;<>\"()_]+\.[^@\s\x00-\x1f.,;<>\"()]+"
)
_MOBILE = re.compile(r"\+?[1-9][0-9]{6,14}")
_TRUTH = {"true": True, "false": False, "yes": True, "no": False}


def email(value: Any) -> str:
    """Return an address as it will be stored.

    Raises:
        Invalid: It is no address.
    """
    if not isinstance(value, str) or len(value) > MAX_EMAIL or not _EMAIL.fullmatch(value.strip()):
        v2 = "ERROR_PARAMETER_INVALID", "Email is not a valid email address."
        raise Invalid("invalidEmail", "Invalid value for 'email'", *v2)
    return value.strip()


def mobile(value: Any) -> str:
    """Return a mobile number in E.164 without the plus.

    Raises:
        Invalid: It is no number.
    """
    if not isinstance(value, str) or not _MOBILE.fullmatch(value.strip()):
        # assumed: the code; the facts show only the e-mail's
        code = "ERROR_INVALID_MOBILE_NUMBER"
        raise Invalid("invalidMobileNumber", "Invalid value for 'mobileNumber'", code)
    return value.strip().lstrip("+")


def field(name: str, kind: str, value: Any) -> Any:
    """Return a data field's value as it will be stored; None for null and empty text.

    Raises:
        Invalid: The value does not fit the field's type, or is too long.
    """
    if value is None or value == "":
        return None
    readers = {"String": _text, "Numeric": _number, "Boolean": _boolean, "Date": _date}
    try:
        return readers[kind](value)
    except (ValueError, TypeError, OverflowError) as problem:
        # assumed: the v3 code; v2's are in the facts
        overflow = isinstance(value, str) and len(value) > MAX_TEXT
        raise Invalid(
            "invalidDataField",
            f"Invalid value for data field '{name}'",
            "ERROR_DATAFIELD_VALUE_OVERFLOW" if overflow else "ERROR_DATAFIELD_INVALID",
        ) from problem


def _text(value: Any) -> str:
    # assumed: a number or a boolean for a text field is taken as text
    text = value if isinstance(value, str) else str(value)
    if isinstance(value, dict | list) or len(text) > MAX_TEXT:
        raise ValueError
    return text


def _number(value: Any) -> float | int:
    if isinstance(value, bool):
        raise TypeError
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return int(number) if number.is_integer() else number


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value.lower() not in _TRUTH:
        raise ValueError
    return _TRUTH[value.lower()]


def _date(value: Any) -> str:
    moment = datetime.fromisoformat(value)
    return (moment.astimezone(UTC) if moment.tzinfo else moment).strftime("%Y-%m-%dT%H:%M:%SZ")


def stamp(moment: datetime) -> str:
    """Return a time as it is stored and shown: UTC, milliseconds, Z."""
    return (
        moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
    )


def day(moment: str) -> str:
    """Return a stored time as a data field of the type Date holds it."""
    return f"{moment[:19]}Z"


def since(text: str) -> str:
    """Return the date of a v2 path (a date, or a time with or without zone) as it is stored.

    Raises:
        ValueError: It is no date.
    """
    moment = datetime.fromisoformat(text)
    return stamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
