"""Airflow imports this in each of its processes, from the folder `config` of its home.

Tasks are forked from the scheduler's process, or from a Celery worker's. What those have imported,
no task imports again, which would take a core a second or more. These are packages of others only:
what is edited in this project is seen by the next task.
"""

from __future__ import annotations

import sys

__all__: list[str] = []

if {"scheduler", "celery"} & set(sys.argv):
    import aiohttp  # noqa: F401 - of Airflow's hook for HTTP
    import email_validator  # noqa: F401
    import pandas  # noqa: F401
    import psycopg  # noqa: F401
    import pyarrow.compute
    import pyarrow.csv
    import pyarrow.dataset
    import pyarrow.parquet  # noqa: F401
    import rapidfuzz  # noqa: F401
    import requests  # noqa: F401
    import sqlalchemy.dialects.postgresql.psycopg  # noqa: F401
