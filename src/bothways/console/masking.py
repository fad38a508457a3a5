"""Jobs as shown to users without the right to see people: everything but the people."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Final

from bothways.errors import redact

HIDDEN: Final = "…"
_MAY_NAME_AN_ADDRESS: Final = (
    "key", "record_id", "source_id", "reason", "error_message", "error_code",
)  # fmt: skip
_VALUES: Final = ("before", "after")


def masked(row: Any) -> Any:
    """Return a job as a row with the same columns, without addresses and without field values."""
    values = dict(row._mapping)  # noqa: SLF001 - its public name
    email = values.get("email") or values.get("email_key")
    values |= {"email": _address(email), "email_key": None}
    values |= {name: _text(values[name]) for name in _MAY_NAME_AN_ADDRESS if name in values}
    values |= {name: _fields(values[name]) for name in _VALUES if name in values}
    return SimpleNamespace(**values, _mapping=values)


def without_addresses(value: Any) -> Any:
    """Return JSON with the addresses in its texts blanked."""
    if isinstance(value, Mapping):
        return {key: without_addresses(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_addresses(item) for item in value]
    return _text(value) if isinstance(value, str) else value


def _address(email: str | None) -> str | None:
    return f"{email[0]}{HIDDEN}@{HIDDEN}" if email else None


def _text(value: Any) -> Any:
    return redact(value) if isinstance(value, str) and "@" in value else value


def _fields(value: Any) -> Any:
    """Return the names of the fields, and which of them are empty."""
    if not isinstance(value, Mapping):
        return None if value is None else HIDDEN
    return {name: None if item is None else HIDDEN for name, item in value.items()}
