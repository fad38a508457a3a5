"""The first sync of an account: each of its sync types once, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bothways.config.account import Account
from bothways.config.known import can_run, prerequisites, records_kept
from bothways.discovery import sync_types
from bothways.spec import SyncSpec

INITIAL_SYNC: Final = "initial_sync"
"""The name of the DAG that does it. It keeps nothing in sync itself, so it is no sync type."""

STARTED_BY_IT: Final = "initial__"
"""How the ids of the runs begin that it starts."""


@dataclass(frozen=True, slots=True)
class FirstSync:
    """One sync type of the first sync.

    Attributes:
        sync: It.
        follows: The sync types that must have ended before it starts, whatever became of them.
        needs: The sync types that must have gone well.
    """

    sync: SyncSpec
    follows: tuple[str, ...]
    needs: tuple[str, ...]


def first_syncs(account: Account) -> list[FirstSync]:
    """Return the sync types that an account can run, in the order of its first sync.

    Those of one phase run side by side, unless one of them is to run after another. Left out are
    those whose records have no tables in the CRM, as the account's file does not name them.
    """
    kept = records_kept(account)
    runnable = [
        sync
        for sync in sync_types().values()
        if can_run(account, sync) and not sync.verifies and set(sync.records).issubset(kept)
    ]
    syncs = sorted(runnable, key=lambda sync: sync.phase)
    return [
        FirstSync(sync, tuple(_follows(sync, syncs)), tuple(_needs(account, sync, syncs)))
        for sync in syncs
    ]


def _follows(sync: SyncSpec, syncs: list[SyncSpec]) -> list[str]:
    earlier = [one.phase for one in syncs if one.phase < sync.phase]
    before = max(earlier, default=None)
    return [
        one.name
        for one in syncs
        if one.phase == before or (one.phase == sync.phase and one.name in sync.after)
    ]


def _needs(account: Account, sync: SyncSpec, syncs: list[SyncSpec]) -> list[str]:
    named = {*sync.after, *prerequisites(account, sync)}
    return [
        one.name
        for one in syncs
        if one is not sync and (one.name in named or one.phase in sync.phase.needs)
    ]
