from __future__ import annotations

from tests.unit.store.conftest import conn, migrated, store

__all__ = ["conn", "migrated", "store"]
