"""How many partitions a run is planned in: one, but for the full read of long lists."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from bothways.config.account import Account
from bothways.connectors.base import ListInfo
from bothways.engine import lists
from bothways.engine.run import Run
from bothways.spec import SyncSpec
from bothways.store import watermarks
from bothways.transform.partition import BUCKETS
from bothways.vocabulary import RoleName

# About 300 MiB of a plan task's memory, as benchmarks/two_way.py measures it.
PEOPLE_PER_PARTITION: Final = int(os.environ.get("BOTHWAYS_PEOPLE_PER_PARTITION", "100000"))

Offered = Mapping[RoleName, Sequence[ListInfo]]
ListsOffered = Callable[[Run], Offered]


def partitions(run: Run, offered: ListsOffered) -> int:
    """Return the number of partitions of a run.

    Only a full read is large; what changed since the last run is planned at once.

    Args:
        run: The run.
        offered: Asks the vendors for their lists and how long they are; called only if needed.
    """
    account, sync = run.account, run.sync
    if run.options.undo_run or not account.lists_of(sync):
        return 1
    with run.store.begin() as conn:
        read_before = watermarks.has_read(conn, account=account.name, sync_type=sync.name)
    if read_before and not run.options.full_resync:
        return 1
    members = people_on_lists(account, sync, offered(run))
    return max(1, min(BUCKETS, -(-members // PEOPLE_PER_PARTITION)))


def people_on_lists(account: Account, sync: SyncSpec, offered: Offered) -> int:
    """Return how many memberships the mapped lists have, in the system that has more."""
    totals = []
    for role in sync.read_roles:
        found = [lists.find(item.name(role), offered[role]) for item in account.lists.values()]
        totals.append(sum(info.size or 0 for info in found if info))
    return max(totals, default=0)
