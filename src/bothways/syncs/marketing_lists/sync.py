"""What the marketing lists' sync can do: sync, compare, and undo a run."""

from __future__ import annotations

from typing import Final

from bothways.syncs import undo
from bothways.syncs.base import Comparison, SyncType
from bothways.syncs.marketing_lists import comparing, planning

SYNC: Final = SyncType(
    datasets=planning.datasets,
    plan=planning.plan,
    revert=undo.revert,
    comparison=Comparison(comparing.datasets, comparing.plan),
)
