"""
### Suppressions

Carries over, in both directions, who may no longer be mailed.

* An address on the platform's suppression list sets *do not bulk email* on every contact and lead
  that has it, and leaves a suppression record in the CRM with address, date and reason.
* A suppression that somebody adds in the CRM is created on the platform.
* Whoever unsubscribed from one list leaves that marketing list, with a record against the person
  and the list.

Nobody is ever made mailable again by this DAG. **Dry run** plans and writes nothing; **Full
resync** reads both sides whole; **Only these records** takes ids or a selection. **Undo this run**
says of an earlier run that suppressions are never taken back. The audit of the run names every
record that was looked at, and why.
"""

from __future__ import annotations

from airflow.sdk import DAG  # noqa: F401 - Airflow looks for DAGs in files that name it

from bothways.orchestration.builder import accounts_for, build_dag

for account in accounts_for("suppressions"):
    globals()[account.name] = build_dag(account, "suppressions", doc=__doc__)
