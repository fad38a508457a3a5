"""On whose behalf a request acts: the headers of impersonation (PAD impersonate-another-user)."""

from __future__ import annotations

import sqlite3

from sandbox.dynamics.errors import VendorError
from sandbox.dynamics.messages import Call
from sandbox.dynamics.values import guid, is_guid

# By header, the column of systemuser that names the user; the first one found counts.
HEADERS = {
    "callerobjectid": "azureactivedirectoryobjectid",
    "mscrmcallerid": "systemuserid",
}


def impersonated(connection: sqlite3.Connection, call: Call) -> str | None:
    """Return the user in whose name a request acts; None where it says nothing.

    Raises:
        VendorError: There is no such user.
    """
    for header, column in HEADERS.items():
        given = call.header(header)
        if given is not None:
            return _user(connection, column, given)
    return None


def _user(connection: sqlite3.Connection, column: str, given: str) -> str:
    found = None
    if is_guid(given):
        found = connection.execute(
            f"SELECT systemuserid FROM systemuser WHERE {column} = ?", (guid(given),)
        ).fetchone()
    if found is None:  # that it is refused is documented; status and code are assumed
        raise VendorError(403, "0x80072560", "The user is not a member of the organization.")
    return str(found[0])
