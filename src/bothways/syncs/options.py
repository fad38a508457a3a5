"""What a person may ask of a run; light, since DAG parsing reads it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """What a person chose at the trigger form; the defaults are those of a scheduled run."""

    dry_run: bool = False
    full_resync: bool = False
    lists: tuple[str, ...] = ()
    records: tuple[str, ...] = ()
    undo_run: int | None = None
    repair: bool = False

    @property
    def restricted(self) -> bool:
        """Whether the run looks at a part only, so that it may not move a watermark."""
        return bool(self.lists or self.records or self.undo_run)
