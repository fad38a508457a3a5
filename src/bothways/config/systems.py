"""The titles of the systems of an account, for everything that people read."""

from __future__ import annotations

from bothways.config.known import system_titles
from bothways.config.load import load_accounts
from bothways.vocabulary import SOME_SYSTEMS, Systems


def systems_of(account: str) -> Systems:
    """Return the titles of an account's systems; general ones if its file is gone or broken."""
    found = next((one for one in load_accounts().accounts if one.name == account), None)
    return system_titles(found) if found else SOME_SYSTEMS
