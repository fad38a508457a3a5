"""Airflow pools: one for each connection, so that the whole fleet keeps the vendor's limits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bothways.config.account import Account


def pools(accounts: Iterable[Account]) -> dict[str, dict[str, Any]]:
    """Return the pools that these accounts need, as `airflow pools import` reads them.

    Accounts that share a connection share its pool; the smallest `parallel` among them counts.
    """
    found: dict[str, dict[str, Any]] = {}
    for account in accounts:
        for role, system in account.systems.items():
            name, slots = account.pool(role), system.parallel
            if name in found:
                slots = min(slots, found[name]["slots"])
            found[name] = {
                "slots": slots,
                "description": f"Tasks that call through {system.connection}",
                "include_deferred": False,
            }
    return dict(sorted(found.items()))
