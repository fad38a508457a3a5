"""
### Job titles

Writes the job titles of the CSV files to the contacts of the CRM that have the same address, and a
record of each change.

**Dry run** plans and writes nothing.
"""

from __future__ import annotations

from airflow.sdk import DAG  # noqa: F401 - Airflow looks for DAGs in files that name it

from bothways.orchestration.builder import accounts_for, build_dag

for account in accounts_for("job_titles"):
    globals()[account.name] = build_dag(account, "job_titles", doc=__doc__)
