"""
### Marketing lists

Keeps each mapped static marketing list and its platform list in step, both ways.

* First what changed on the platform goes to the CRM: fields, leavers, and joiners where the list
  accepts them. Then members, fields and removals go from the CRM to the platform.
* A field changed on one side moves. Changed on both sides to different values, it is a conflict,
  which the mapping's policy decides and the audit records.
* Nobody who unsubscribed, bounced, complained or is flagged is ever made mailable or put on a list.

**Dry run** plans and writes nothing; **Full resync** reads both sides whole; **Only these lists**
and **Only these records** narrow the run; **Undo this run** takes back what an earlier run wrote,
where nobody has changed it since. A plan beyond the account's guard writes nothing.
"""

from __future__ import annotations

from airflow.sdk import DAG  # noqa: F401 - Airflow looks for DAGs in files that name it

from bothways.orchestration.builder import accounts_for, build_dag

for account in accounts_for("marketing_lists"):
    globals()[account.name] = build_dag(account, "marketing_lists", doc=__doc__)
