"""What people call the systems of an account: by the titles of their vendors."""

from __future__ import annotations

from bothways.config.known import system_titles
from bothways.config.load import load_accounts
from bothways.console.labels import SOME_SYSTEMS, Systems


def systems_of(account: str) -> Systems:
    """Return the titles of an account's systems; general words where its file is gone or broken."""
    found = next((one for one in load_accounts().accounts if one.name == account), None)
    return system_titles(found) if found else SOME_SYSTEMS


def audit_days(account: str) -> int | None:
    """Return for how many days an account keeps its audit; None where nobody knows."""
    found = next((one for one in load_accounts().accounts if one.name == account), None)
    return found.settings.audit_retention_days if found else None
