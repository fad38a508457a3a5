"""What an account may name: connectors and sync types.

Both are declared in layers above this one. Files are checked against them by name, as the registry
finds a vendor by name, so that configuration depends on neither and each is declared once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bothways import discovery
from bothways.vocabulary import SIDES, Side

if TYPE_CHECKING:
    from bothways.config.account import Account


def connectors(side: Side) -> tuple[str, ...]:
    """Return the names of the connectors for a side."""
    registry: Any = import_module("bothways.connectors.registry")
    return tuple(registry.names(side))


def system_titles(account: Account) -> dict[Side, str]:
    """Return what people call the systems of an account."""
    registry: Any = import_module("bothways.connectors.registry")
    return {side: registry.title(account.side(side).connector) for side in SIDES}


def sync_types() -> tuple[str, ...]:
    """Return the names of the sync types."""
    return tuple(discovery.sync_types())
