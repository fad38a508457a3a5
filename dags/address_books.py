"""
### Address books

Carries the members of the platform's lists over to the static marketing lists that they are
mapped to.

* People whom the CRM knows by link or address join the marketing list.
* New people become contacts or leads, as the marketing list's type says, and join it.
* Nobody is removed, and nobody who unsubscribed, bounced or is flagged in the CRM is added.

A list of accounts, or a dynamic one, is refused with a reason. **Dry run** plans and writes
nothing; **Full resync** reads the lists whole; **Only these lists** and **Only these records**
narrow the run; **Undo this run** takes back what an earlier run wrote. The audit of the run names
every member that was looked at, and why.
"""

from __future__ import annotations

from airflow.sdk import DAG  # noqa: F401 - Airflow looks for DAGs in files that name it

from bothways.orchestration.builder import accounts_for, build_dag

for account in accounts_for("address_books"):
    globals()[account.name] = build_dag(account, "address_books", doc=__doc__)
