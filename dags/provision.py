"""
### Provision

Makes in the CRM what the account's syncs need and do not find there: the publisher and its
solution, tables, columns, keys, relationships and change tracking.

* There is one job for each thing. Nothing is ever deleted or renamed, and what is there stays as
  it is.
* Tables are made for the sync types that the account's file names under `schedules` or `syncs`; for
  all that it can run, if it names none.
* It needs the rights of a system customizer, which other syncs do not.

**Dry run** shows in the audit what would be made; **Only these records** makes only the things of
these ids, as the audit has them (`column:contact.bw_externalid`); **Full resync** changes nothing
here, since every run looks at everything. The same on a terminal: `bothways prepare`.
"""

from __future__ import annotations

from airflow.sdk import DAG  # noqa: F401 - Airflow looks for DAGs in files that name it

from bothways.orchestration.builder import accounts_for, build_dag

for account in accounts_for("provision"):
    globals()[account.name] = build_dag(account, "provision", doc=__doc__)
