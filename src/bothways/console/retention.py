"""For how long an account keeps its audit."""

from __future__ import annotations

from bothways.config.load import load_accounts


def audit_days(account: str) -> int | None:
    """Return for how many days an account keeps its audit; None where nobody knows."""
    found = next((one for one in load_accounts().accounts if one.name == account), None)
    return found.settings.audit_retention_days if found else None
