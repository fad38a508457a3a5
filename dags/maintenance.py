"""
### Maintenance

Runs once a day, for all accounts.

* Runs and jobs that are older than an account's `audit_retention_days` (30 by default) leave the
  audit, and with them what is remembered of records that were deleted before then. The newest run
  of each sync type stays, and so does everything that says who may not be mailed.
* The files of runs that ended more than a day ago leave the staging folder. A run in progress, or
  one that awaits an approval, keeps its files.

An account whose file has a problem keeps its audit until the file is mended. Triggering this by
hand does no harm; there is nothing to undo.
"""

from __future__ import annotations

from bothways.orchestration.maintenance import build_maintenance

dag = build_maintenance(doc=__doc__)  # Airflow finds it by this name
