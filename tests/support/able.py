"""Which sync types an account can run: a platform need not be able to do everything."""

from __future__ import annotations

from bothways.discovery import declaration, sync_types
from bothways.spec import SyncSpec


def sync_types_of(marketing: str = "dotdigital") -> dict[str, SyncSpec]:
    """Return the sync types of an account of Dynamics and a platform, comparisons among them."""
    systems = {"crm": "dynamics", "marketing": marketing}
    can = {role: declaration(name).capabilities for role, name in systems.items()}
    return {name: sync for name, sync in sync_types().items() if sync.is_met_by(can)}
