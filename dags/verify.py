"""
### Verify

Reads both sides of the mapped lists whole and compares them person by person, field by field and
membership by membership. Each mismatch is a job with its reason; nothing is written.

* **pending**: changed since the last run of the two-way sync; its next run carries it over.
* **conflict**: changed on both sides to different values; the next run decides by the mapping.
* **retry_pending**, **given_up**: the last runs could not write it; their jobs say why.
* **drift**: neither of these, so that no run will see it by itself.
* The reasons of the sync itself (`do_not_mail`, `bounced`, `undone`, …): meant to differ.

**Mend** writes what would mend drift, within the guard. **Dry run** with it plans only. **Only
these lists** and **Only these records** narrow the comparison; **Undo this run** takes back what an
earlier run of this DAG mended. The watermarks of the syncs stay where they are.
"""

from __future__ import annotations

from airflow.sdk import DAG  # noqa: F401 - Airflow looks for DAGs in files that name it

from bothways.orchestration.builder import accounts_for, build_dag

for account in accounts_for("verify"):
    globals()[account.name] = build_dag(account, "verify", doc=__doc__)
