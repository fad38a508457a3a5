"""
### Tags

Keeps the platform's tags and interests in step with tables of the CRM: **Email tags**, **Email
interest categories** and **Email interests**. What is added or renamed on one side is added or
renamed on the other. If both sides have renamed it, the platform's name wins.

* What is deleted on one side stays on the other, unless the account says `deletions: follow`.
* A new tag belongs to the audience that its row names, an interest to its category. If there is
  only one, it need not be named.
* The run's message names what could not be created; the next run tries it again.

**Dry run** plans and writes nothing; **Full resync** writes every row again;
**Only these records** limits the run to these tags or rows, by name or id.
"""

from __future__ import annotations

from airflow.sdk import DAG  # noqa: F401 - Airflow looks for DAGs in files that name it

from bothways.orchestration.builder import accounts_for, build_dag

for account in accounts_for("tags"):
    globals()[account.name] = build_dag(account, "tags", doc=__doc__)
