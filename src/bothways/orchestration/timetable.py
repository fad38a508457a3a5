"""The schedule of an account, as Airflow's scheduler asks for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.timetables.base import DagRunInfo, DataInterval, Timetable

from bothways.config.schedule import Interval, Schedule
from bothways.config.ticks import earliest_start, in_words, next_tick, previous_tick

if TYPE_CHECKING:
    from airflow.models.dag import DagModel
    from airflow.timetables.base import TimeRestriction

_INSTANT = timedelta.resolution


class IntervalWindowTimetable(Timetable):
    """Starts a run at each tick of a schedule, and one run for all the ticks that were missed.

    A run's logical date is its tick. Its data interval is that instant only: what a run reads is
    decided by the watermarks, so an interval would claim something that is not so.

    Missed ticks (an outage, a paused DAG, a DAG that never ran) are made up by a single run: at
    once where a window is open, else when the next one opens, so that nothing runs outside it.
    This holds whatever `catchup` the DAG has; only a backfill, which a person asks for, lists
    every tick.

    Airflow finds the class by its module and name, so it is registered in `bothways.plugins` and
    must not move without a migration of stored DAGs.

    Args:
        schedule: The schedule, with its time zone filled in.
    """

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.periodic = schedule.interval is not Interval.ONCE
        self.description = _description(schedule)

    def serialize(self) -> dict[str, Any]:
        """Return the schedule as plain JSON."""
        return self.schedule.as_json()

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> IntervalWindowTimetable:
        """Return the timetable that `serialize` wrote down."""
        return cls(Schedule.model_validate(data))

    @property
    def summary(self) -> str:
        """The schedule in plain words, for the column in Airflow's list of DAGs."""
        return in_words(self.schedule)

    def infer_manual_data_interval(self, *, run_after: pendulum.DateTime) -> DataInterval:
        """Return the instant at which a person triggered the run."""
        return DataInterval.exact(run_after)

    def next_dagrun_info(
        self,
        *,
        last_automated_data_interval: DataInterval | None,
        restriction: TimeRestriction,
    ) -> DagRunInfo | None:
        """Return the run after the last automated one, within the DAG's start and end dates."""
        last = last_automated_data_interval.end if last_automated_data_interval else None
        if self.schedule.interval is Interval.ONCE:
            start = self._once(last, restriction.earliest)
        elif restriction.catchup:
            start = self._following(last, restriction.earliest)
        else:
            start = self._missed(last, restriction.earliest)
            start = start or self._following(last, restriction.earliest)
        if start is None or (restriction.latest is not None and start > restriction.latest):
            return None
        return DagRunInfo.exact(pendulum.instance(start))

    def next_run_info_from_dag_model(self, *, dag_model: DagModel) -> DagRunInfo | None:
        """Return the run that the scheduler is about to create.

        What was planned may have been planned before an outage, and more ticks may have passed
        since. The planned run then becomes the one run for them all; created as it was planned,
        it would be followed by a second one for the rest.
        """
        planned = super().next_run_info_from_dag_model(dag_model=dag_model)
        now = datetime.now(UTC)
        if planned is None or planned.run_after > now:
            return planned
        start = max(planned.run_after, self._latest(now) or planned.run_after)
        return DagRunInfo.exact(pendulum.instance(self._inside_window(start, now)))

    def _once(self, last: datetime | None, earliest: datetime | None) -> datetime | None:
        if last is not None:
            return None
        now = datetime.now(UTC)
        return earliest_start(self.schedule, max(now, earliest or now))

    def _missed(self, last: datetime | None, earliest: datetime | None) -> datetime | None:
        """Return the run for the ticks up to now that no run has answered; None without such."""
        now = datetime.now(UTC)
        due = self._latest(now)
        if due is None or (last and due <= last) or (earliest and due < earliest):
            return None
        return self._inside_window(due, now)

    def _following(self, last: datetime | None, earliest: datetime | None) -> datetime | None:
        """Return the first tick after the last run, and not before ``earliest``."""
        bounds = [last] if last else []
        bounds += [earliest - _INSTANT] if earliest else []
        return next_tick(self.schedule, max(bounds, default=datetime.now(UTC)))

    def _latest(self, now: datetime) -> datetime | None:
        return previous_tick(self.schedule, now + _INSTANT)

    def _inside_window(self, due: datetime, now: datetime) -> datetime:
        """Return ``due`` if a window is open now, else the time at which the next one opens."""
        start = earliest_start(self.schedule, now)
        return due if start == now else start


def _description(schedule: Schedule) -> str:
    words = in_words(schedule)
    sentence = f"{words[0].upper()}{words[1:]}."
    if schedule.interval is Interval.ONCE:
        return sentence
    return f"{sentence} Runs that were missed are made up by one run, inside the window."
