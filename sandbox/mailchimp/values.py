"""What Mailchimp takes as an address, a time or a merge field's value (facts: Mailchimp 1, 3)."""

from __future__ import annotations

import hashlib
import ipaddress
import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from sandbox.mailchimp import errors

MAX_TEXT_BYTES = 255
_EMAIL = re.compile(
    r"[^@\s\x00-\x1f,;<>\"()]+@[^@\s\x00-\x1f,;<>\"()_]+\.[^@\s\x00-\x1f.,;<>\"()]+"
)
_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?)?")
_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%d-%m-%Y", "%m/%d/%Y")
_FAKE = re.compile(r".*@(.*\.)?example(\.com|\.net|\.org)?|test@test\..*", re.IGNORECASE)


def stamp(moment_: datetime) -> str:
    """Return a time as it is stored and shown: UTC, whole seconds."""
    return moment_.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def moment(text: str) -> str | None:
    """Return a time of a query or a body as it is stored; None if it is badly formed."""
    if not _TIME.fullmatch(text):
        return None
    try:
        found = datetime.fromisoformat(text)
        return stamp(found if found.tzinfo else found.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def email(value: str, *, refuse_fake: bool) -> str:
    """Return an address as it will be stored.

    Raises:
        Problem: It is no address, or, if wished, one that nobody has.
    """
    address = value.strip()
    if len(address) > 254 or not _EMAIL.fullmatch(address):
        raise errors.invalid_resource("Please provide a valid email address.")
    if refuse_fake and _FAKE.fullmatch(address):
        detail = f"{address} looks fake or invalid, please enter a real email address."
        raise errors.invalid_resource(detail)
    return address


def hashed(address: str) -> str:
    """Return the member id of an address: MD5 of it in lower case."""
    return hashlib.md5(address.lower().encode(), usedforsecurity=False).hexdigest()


def like(form: str, text: str) -> str:
    r"""Return the pattern of LIKE … ESCAPE '\\' by which a text is found as it is."""
    for sign in "\\%_":
        text = text.replace(sign, f"\\{sign}")
    return form.format(text)


def is_ip(text: str) -> bool:
    """Return whether a text is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


class Unfit(ValueError):
    """A value that a merge field does not take; its text is the vendor's message."""


def merge_value(kind: str, options: Mapping[str, Any], value: Any) -> Any:
    """Return a merge field's value as it will be stored; "" is empty.

    Raises:
        Unfit: The field does not take it.
        TypeError: No field takes JSON of this type.
    """
    if isinstance(value, dict) and kind == "address":
        return _address(value)
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise TypeError
    if isinstance(value, float) and not math.isfinite(value):
        raise TypeError
    if value == "":
        return ""
    if kind == "number":
        return _number(value)
    text = clipped(str(value))
    if (reader := _READERS.get(kind)) is not None:
        return reader(text)
    if kind != "text" and (refusal := _refusal(kind, options, text)) is not None:
        raise Unfit(refusal)
    return text


def clipped(text: str) -> str:
    """Return as much of a text as a merge field takes."""
    if len(text) * 4 <= MAX_TEXT_BYTES:  # most are, and no character has more bytes
        return text
    return text.encode()[:MAX_TEXT_BYTES].decode("utf-8", "ignore")


def _refusal(kind: str, options: Mapping[str, Any], text: str) -> str | None:
    """Return what the vendor says of a text that a field does not take (mostly assumed)."""
    if kind == "phone" and options.get("phone_format") == "US":
        kind = "US phone"
    if kind in {"radio", "dropdown"}:
        fits = text in options.get("choices", ())
        return None if fits else "Please select one of the choices"
    pattern, refusal = _FORMS.get(kind, (_ANYTHING, ""))
    return None if pattern.fullmatch(text) else refusal


def _number(value: str | float) -> float | int:
    try:
        number = float(value)
    except (ValueError, OverflowError) as problem:
        raise Unfit("Please enter a number") from problem  # recorded
    if not math.isfinite(number):
        raise Unfit("Please enter a number")
    return int(number) if number.is_integer() else number


def _address(value: dict[str, Any]) -> Any:
    parts = ("addr1", "addr2", "city", "state", "zip", "country")
    if not all(isinstance(part, str) for part in value.values()):
        raise TypeError
    found = {name: value.get(name, "") for name in parts}
    return found if any(found[name] for name in parts[:-1]) else ""


def is_complete(address: Mapping[str, Any]) -> bool:
    """Return whether a stored address has the parts that the vendor requires."""
    return all(address.get(name) for name in ("addr1", "city", "state", "zip"))


def _date(text: str) -> str:
    for form in _DATES:
        try:
            return datetime.strptime(text, form).date().isoformat()  # noqa: DTZ007 (a date)
        except ValueError:
            continue
    raise Unfit("Please enter the date")


def _birthday(text: str) -> str:
    try:
        month, day = (int(part) for part in text.split("/"))
        date(2024, month, day)  # a leap year
    except ValueError as problem:
        raise Unfit("Please enter a month (01-12) and a day (01-31)") from problem
    return f"{month:02}/{day:02}"


_READERS = {"date": _date, "birthday": _birthday}
_URL = re.compile(r"https?://[^\s/]+\.[^\s]+", re.IGNORECASE)
_ANYTHING = re.compile(r".*", re.DOTALL)
_US_PHONE = re.compile(r"\(?\d{3}\)?[-. ]?\d{3}[-. ]?\d{4}")
_FORMS = {
    "address": (re.compile(r"(?!)"), "Please enter a complete address"),  # it takes objects only
    "US phone": (_US_PHONE, "Please enter a valid phone number"),
    "zip": (re.compile(r"[0-9]{5}"), "Please enter a valid zip code"),
    "url": (_URL, "Please enter a valid URL"),
    "imageurl": (_URL, "Please enter a valid URL"),
}
