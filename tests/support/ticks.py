from __future__ import annotations

from datetime import datetime, timedelta

from bothways.config.schedule import Schedule
from bothways.config.ticks import next_tick
from demo.waiting import at_most


def ticks_between(schedule: Schedule, start: datetime, end: datetime) -> list[datetime]:
    """The ticks from a time on, that one among them, until another."""
    ticks: list[datetime] = []
    after = start - timedelta.resolution
    for _ in at_most(100_000, f"a tick after {end}"):
        tick = next_tick(schedule, after)
        if tick is None or tick >= end:
            break
        ticks.append(tick)
        after = tick
    return ticks
