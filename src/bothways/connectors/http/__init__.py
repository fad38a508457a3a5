"""The one HTTP layer of all connectors: sessions, verdicts, retries, limits, auth, paging.

It knows no vendor. A vendor brings a `Dialect` (how it words errors and budgets) and rows for the
verdict table. Only `hook.py` knows Airflow.
"""

from __future__ import annotations
