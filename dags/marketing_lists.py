"""
### Marketing lists

Keeps each mapped static marketing list and its platform list in step, both ways.

* Changes on the platform go to the CRM first: fields, people who left, and people who joined if
  the list accepts them. Then members, fields and removals go from the CRM to the platform.
* A field that changed in one system is updated in the other. If it changed in both, to different
  values, that is a conflict: your conflict rule in the mapping decides, and the audit records it.
* Nobody who unsubscribed, bounced, complained or is flagged is ever made mailable or put on a list.

**Dry run** plans and writes nothing; **Full resync** re-reads everything; **Only these lists** and
**Only these records** limit the run; **Undo this run** undoes what an earlier run wrote, unless
somebody has changed it since. A plan over the account's safety limits writes nothing.
"""

from __future__ import annotations

from airflow.sdk import DAG  # noqa: F401 - Airflow looks for DAGs in files that name it

from bothways.orchestration.builder import accounts_for, build_dag

for account in accounts_for("marketing_lists"):
    globals()[account.name] = build_dag(account, "marketing_lists", doc=__doc__)
