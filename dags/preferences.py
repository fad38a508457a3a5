"""
### Preferences

Keeps people's marketing preferences on the platform in step with the yes/no columns of
contacts and leads that the account names.

* The newest choice wins. At first, what people chose on the platform does; a yes in the CRM of
  somebody who has not chosen there goes to the platform.
* A choice belongs to the person and stays theirs when the address changes.
* Nobody becomes mailable by a preference, and no opt-in is written for people who opted out.

**Dry run** plans and writes nothing; **Full resync** looks at everybody; **Only these records**
looks at these people only.
"""

from __future__ import annotations

from airflow.sdk import DAG  # noqa: F401 - Airflow looks for DAGs in files that name it

from bothways.orchestration.builder import accounts_for, build_dag

for account in accounts_for("preferences"):
    globals()[account.name] = build_dag(account, "preferences", doc=__doc__)
