"""
### Maintenance

Runs once a day for all accounts.

* Runs that died before their last step, since it failed or somebody deleted the DAG run or marked
  it as failed, become Failed in the audit.
* Runs and jobs older than an account's `audit_retention_days` (30 by default) are removed from the
  audit, together with what is known of records that were deleted before then, and of people who
  have been gone from both systems for as long: links, baselines, list states, retries. Everything
  that says who may not be mailed stays.
* Requests to be forgotten that nobody has carried out for 30 days expire.
* Staged files of runs that ended more than a day ago are deleted. A run that is in progress or
  awaits approval keeps its files.

An account whose file has a problem keeps its audit until the file is fixed. It is safe to trigger
this DAG by hand at any time.
"""

from __future__ import annotations

from bothways.orchestration.maintenance import build_maintenance

dag = build_maintenance(doc=__doc__)  # Airflow finds it by this name
