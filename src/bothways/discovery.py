"""Finds what installed packages offer, by entry point; light, since DAG parsing reads it."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from typing import Any, Final

from bothways.spec import ERASE, SyncSpec

SYNC_TYPES: Final = "bothways.sync_types"
"""The entry point group of sync types: each names a `SyncSpec`."""


@cache
def sync_types() -> dict[str, SyncSpec]:
    """Return the sync types by name, with the comparisons that verify what they keep in sync.

    They come in the order in which a person would run them: who may not be mailed is read first,
    and comparisons are last.
    """
    specs = list(_loaded(SYNC_TYPES).values())
    specs += [comparison for spec in specs if (comparison := spec.comparison())]
    specs.sort(key=lambda spec: (not spec.reads_consent, bool(spec.verifies), spec.name))
    return {spec.name: spec for spec in specs}


def sync_type(name: str) -> SyncSpec:
    """Return a sync type, or `erase`, by name.

    Raises:
        KeyError: There is none of that name.
    """
    return ERASE if name == ERASE.name else sync_types()[name]


def sync_types_that_read_consent() -> list[SyncSpec]:
    """Return the sync types that read who may not be mailed."""
    return [spec for spec in sync_types().values() if spec.reads_consent]


def _loaded(group: str) -> dict[str, Any]:
    return {entry.name: entry.load() for entry in sorted(entry_points(group=group))}
