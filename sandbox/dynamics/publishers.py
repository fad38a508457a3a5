"""Publishers and solutions: what their names may be, and which prefixes names may begin with.

Codes are those of the fact sheet's section on publishers; texts are assumed where it has none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sandbox.dynamics.errors import VendorError, invalid_argument
from sandbox.dynamics.model import Table
from sandbox.dynamics.work import Work

# 2 to 8 letters and digits, the first a letter; not the vendor's own.
_PREFIX = re.compile(r"(?!mscrm)[A-Za-z][A-Za-z0-9]{1,7}", re.IGNORECASE)
_SOLUTION = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def check_row(work: Work, table: Table, row: Mapping[str, Any]) -> None:
    """Check a publisher or a solution that is to be created.

    Raises:
        VendorError: A name is missing, not made like one, or taken.
    """
    name = row.get("uniquename") or ""
    if table.name == "publisher":
        if not name:
            raise VendorError(400, "0x8004f01c", "Publisher uniquename is required.")
        prefix = row.get("customizationprefix")
        if prefix is not None and not _PREFIX.fullmatch(prefix):
            raise invalid_argument(f"The customization prefix '{prefix}' is not valid.")
    elif name and not _SOLUTION.fullmatch(name):
        raise VendorError(400, "0x8004f002", f"The solution name '{name}' is not valid.")
    query = f"SELECT 1 FROM {table.name} WHERE uniquename = ? COLLATE NOCASE"
    if work.connection.execute(query, (name,)).fetchone() is not None:
        raise VendorError(400, "0x8004f023", f"The unique name '{name}' is already in use.")


def first_option(work: Work, name: str) -> int:
    """Return the first value of an option that is given none: the publisher's, five digits more."""
    query = (
        "SELECT customizationoptionvalueprefix FROM publisher"
        " WHERE customizationprefix = ? COLLATE NOCASE"
    )
    found = work.connection.execute(query, (name.partition("_")[0],)).fetchone()
    return 10_000 * ((found[0] if found else None) or 10_000)


def check_prefix(work: Work, name: str) -> None:
    """Check that the name of a definition begins with a prefix that a publisher has.

    Raises:
        VendorError: None has it.
    """
    prefix = name.partition("_")[0]
    query = "SELECT 1 FROM publisher WHERE customizationprefix = ? COLLATE NOCASE"
    if work.connection.execute(query, (prefix,)).fetchone() is None:
        raise VendorError(
            400, "0x80044366", f"The name '{name}' must start with a valid customization prefix."
        )
