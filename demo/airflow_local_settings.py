"""Airflow imports this in each of its processes, from the folder `config` of its home.

Tasks are forked from the scheduler's process, or from a Celery worker's. What those have imported,
no task imports again, which would take a core a second or more.
"""

from __future__ import annotations

import sys

__all__: list[str] = []

if {"scheduler", "celery"} & set(sys.argv):
    import pandas  # noqa: F401
    import pyarrow.compute
    import pyarrow.csv
    import pyarrow.dataset
    import pyarrow.parquet  # noqa: F401
