"""
### Contact scoring

Writes the platform's scores of its members to the columns that the account names for contacts and
leads: overall score, engagement, suitability, label, and when it was worked out.

* Every contact and lead of the person gets the values: by link, otherwise by address.
* Only what has changed since the last run is read, and only what differs is written.
* A member whom the CRM does not know is ignored; nobody is created.

Where scoring is switched off on the platform, the run fails and says so. **Dry run** plans and
writes nothing; **Full resync** re-reads everything; **Only these records** limits the run.
"""

from __future__ import annotations

from airflow.sdk import DAG  # noqa: F401 - Airflow looks for DAGs in files that name it

from bothways.orchestration.builder import accounts_for, build_dag

for account in accounts_for("contact_scoring"):
    globals()[account.name] = build_dag(account, "contact_scoring", doc=__doc__)
