"""The titles of the systems of an account, for everything that people read."""

from __future__ import annotations

from bothways.config.known import system_titles
from bothways.config.load import load_accounts
from bothways.vocabulary import SOME_SYSTEMS, Systems


def systems_of(account: str) -> Systems:
    """Return the titles of an account's systems, by role.

    There are general ones for a CRM and a platform that it does not have, or whose file is gone or
    broken: the audit may still tell of them.
    """
    found = next((one for one in load_accounts().accounts if one.name == account), None)
    return {**SOME_SYSTEMS, **(system_titles(found) if found else {})}
