"""
### Verify

Reads the mapped lists in both systems in full, and compares them person by person, field by field
and membership by membership. Each difference is a job with its reason; nothing is written.

* **pending**: changed since the last run of the two-way sync; its next run updates it.
* **conflict**: changed to different values in both systems; the next run resolves it.
* **retry_pending**, **given_up**: the last runs could not write it; their jobs say why.
* **drift**: none of these; no sync will resolve it.
* Any other reason (`do_not_mail`, `bounced`, `undone`, …): left out on purpose, and counted apart.

**Repair** resolves drift, within the safety limits; with **Dry run** it is planned only. **Only
these lists** and **Only these records** limit the comparison; **Undo this run** undoes what an
earlier run of this DAG repaired. Verify does not affect the syncs.
"""

from __future__ import annotations

from airflow.sdk import DAG  # noqa: F401 - Airflow looks for DAGs in files that name it

from bothways.orchestration.builder import accounts_for, build_dag

for account in accounts_for("verify"):
    globals()[account.name] = build_dag(account, "verify", doc=__doc__)
