"""
### Address books

Adds the members of the platform's lists to the static marketing lists that they are mapped to.

* People whom the CRM knows by link or address join the marketing list.
* New people become contacts or leads, as the marketing list's type says, and join it.
* Nobody is removed, and nobody who unsubscribed, bounced or is flagged in the CRM is added.

A dynamic list, or a list of accounts, is refused with a reason. **Dry run** plans and writes
nothing; **Full resync** re-reads everything; **Only these lists** and **Only these records** limit
the run; **Undo this run** undoes what an earlier run wrote. The run's audit has a line for every
member, with what was done and why.
"""

from __future__ import annotations

from airflow.sdk import DAG  # noqa: F401 - Airflow looks for DAGs in files that name it

from bothways.orchestration.builder import accounts_for, build_dag

for account in accounts_for("address_books"):
    globals()[account.name] = build_dag(account, "address_books", doc=__doc__)
