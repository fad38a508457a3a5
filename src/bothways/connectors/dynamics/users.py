"""Users of the environment, who may own records (facts: dynamics-more, section 6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bothways.connectors.dynamics.client import Dataverse, rows_of
from bothways.connectors.dynamics.names import GUID
from bothways.connectors.dynamics.queries import chunks, one_of, query

_ID: Final = "systemuserid"
_NAMED: Final = ("domainname", "internalemailaddress")


def find_users(client: Dataverse, names: Sequence[str]) -> dict[str, str]:
    """Return the ids of users who are not disabled, by the names asked for.

    Args:
        client: The Web API.
        names: Ids, sign-in names or email addresses; a sign-in name comes before an address.
    """
    asked = {name.strip().casefold(): name for name in names}
    ids = [name for name in asked if GUID.fullmatch(name)]
    others = [name for name in asked if name not in ids]
    paths = [
        query("systemusers", select=(_ID, *_NAMED), where=f"isdisabled eq false and {group}")
        for column, values in ((_ID, ids), *((column, others) for column in reversed(_NAMED)))
        for group in (one_of(column, chunk) for chunk in chunks(values))
    ]
    found: dict[str, str] = {}
    rows = [row for body in client.queries(paths) for row in rows_of(body)]
    for column in (_ID, *reversed(_NAMED)):
        told = ((str(row.get(column) or "").casefold(), row[_ID]) for row in rows)
        found |= {asked[name]: user for name, user in told if name in asked}
    return found
