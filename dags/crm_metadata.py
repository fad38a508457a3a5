"""
### CRM metadata

Reads which columns the CRM's tables have, with their types, lengths and options, and keeps them in
the store. `bothways check` then knows what the CRM really has.

* Contacts, leads and accounts, unless the account names other tables.
* The audit has a row for each column that is new, has changed or was removed.
* The run's notes name the mapped fields that the CRM does not have, or not as mapped.

Only what has changed since the last run is read. Nothing is written to either system. **Full
resync** re-reads everything; **Only these records** tells of these columns only
(`contact.jobtitle`); **Dry run** keeps what it tells for the next run to tell again.
"""

from __future__ import annotations

from airflow.sdk import DAG  # noqa: F401 - Airflow looks for DAGs in files that name it

from bothways.orchestration.builder import accounts_for, build_dag

for account in accounts_for("crm_metadata"):
    globals()[account.name] = build_dag(account, "crm_metadata", doc=__doc__)
