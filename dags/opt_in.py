"""
### Opt-in

Writes how members of the platform opted in to the column that the account names for contacts and
leads.

* A type is only ever raised: Unknown, Single, Double, VerifiedDouble. With `overwrite: true` the
  account lets a lower type replace a higher one.
* Every contact and lead of the person gets the value: by link, otherwise by address.
* A member whom the CRM does not know is ignored; nobody is created, and nobody's consent to be
  mailed changes.

**Dry run** plans and writes nothing; **Full resync** re-reads everything; **Only these records**
limits the run.
"""

from __future__ import annotations

from airflow.sdk import DAG  # noqa: F401 - Airflow looks for DAGs in files that name it

from bothways.orchestration.builder import accounts_for, build_dag

for account in accounts_for("opt_in"):
    globals()[account.name] = build_dag(account, "opt_in", doc=__doc__)
