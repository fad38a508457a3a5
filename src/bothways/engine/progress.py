"""How far a side has been read: within a step, for another try, and at its end, for the next run.

A point is written after each page that a read can go on from, and after each dataset. When the
worker dies, the next try of the step begins at these points. A step that came to its end has none,
so it begins anew when it is cleared. So does one that was interrupted long ago, since what it
staged may be out of date.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from bothways.engine.staging import Staging
from bothways.vocabulary import RoleName

GOES_ON_WITHIN: Final = timedelta(hours=1)
"""How long after it was interrupted a read goes on."""

Mark = Mapping[str, Any]
"""What `close` moves a watermark to: value, fingerprint, lists (keys) and whole. And beside it what
was read: the name of the stream, and rows."""

_POINTS: Final = "progress"
_MARKS: Final = "watermarks"


@dataclass(frozen=True, slots=True)
class Point:
    """Where the read of a dataset stopped.

    Attributes:
        since: The watermark from which it reads; None for everything.
        cursor: Where the next page begins.
        watermark: How far the dataset has been read, if its pages told it.
        pages: How many pages were kept.
        rows: How many rows these had.
        left: Whether anybody has turned out to have left a list.
        mark: How far the dataset has been read, once that is done.
    """

    since: str | None
    cursor: str | None = None
    watermark: str | None = None
    pages: int = 0
    rows: int = 0
    left: bool = False
    mark: Mark | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """The points of one step.

    Attributes:
        staging: The run's files.
        side: Which side the step reads.
        step: Tells the steps that read a side from each other.
        begun: When the first of the tries that belong together began.
        points: By dataset; empty for a step that begins.
    """

    staging: Staging
    side: RoleName
    step: str
    begun: datetime
    points: dict[str, Point]

    def keep(self, dataset: str, point: Point) -> None:
        """Remember where the read of a dataset is."""
        told = {
            "dataset": dataset,
            "point": asdict(point),
            "begun": self.begun.isoformat(),
            "at": datetime.now(UTC).isoformat(),
        }
        name = quote(dataset, safe="") + ".json"
        self.staging.write_json(told, self.side, _POINTS, self.step, name)
        self.points[dataset] = point

    def end(self, marks: Mapping[str, Mark]) -> None:
        """Keep how far the datasets have been read, and drop the points."""
        self.staging.write_json(marks, self.side, _MARKS, f"{self.step}.json")
        self.staging.clear(self.side, _POINTS, self.step)


def progress_of(staging: Staging, side: RoleName, step: str) -> Progress:
    """Return how far a step had come when it was interrupted."""
    now = datetime.now(UTC)
    try:
        found = staging.json_values(f"{side}/{_POINTS}/{step}")
    except ValueError:  # the worker died while it wrote a point
        found = []
    latest = max((datetime.fromisoformat(item["at"]) for item in found), default=None)
    if latest is None or latest < now - GOES_ON_WITHIN:
        return Progress(staging, side, step, now, {})
    begun = min(datetime.fromisoformat(item["begun"]) for item in found)
    points = {item["dataset"]: Point(**item["point"]) for item in found}
    return Progress(staging, side, step, begun, points)


def marks_of(staging: Staging, side: RoleName) -> dict[str, Mark]:
    """Return how far each dataset of a side has been read."""
    parts = staging.json_values(f"{side}/{_MARKS}")
    return {name: mark for part in parts for name, mark in part.items()}
