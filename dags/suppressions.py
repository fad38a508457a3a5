"""
### Suppressions

Syncs who may no longer be mailed, in both directions.

* An address on the platform's suppression list sets *do not bulk email* on every contact and lead
  that has it, and leaves a suppression record in the CRM with address, date and reason.
* A suppression that somebody adds in the CRM is created on the platform.
* Whoever unsubscribed from one list is removed from that marketing list, with a record of the
  person and the list.

Nobody is ever made mailable again by this DAG. **Dry run** plans and writes nothing; **Full
resync** re-reads everything; **Only these records** takes ids or a selection. **Undo this run**
undoes nothing here: opt-outs are never reversed. The run's audit has a line for every record, with
what was done and why.
"""

from __future__ import annotations

from airflow.sdk import DAG  # noqa: F401 - Airflow looks for DAGs in files that name it

from bothways.orchestration.builder import accounts_for, build_dag

for account in accounts_for("suppressions"):
    globals()[account.name] = build_dag(account, "suppressions", doc=__doc__)
