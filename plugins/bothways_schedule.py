"""Registers the timetable with Airflow; the class lives in the library."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from bothways.orchestration.timetable import IntervalWindowTimetable


class BothwaysSchedule(AirflowPlugin):
    """Makes account schedules known to the scheduler."""

    name = "bothways_schedule"
    timetables = [IntervalWindowTimetable]
