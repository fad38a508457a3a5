"""
### Data labels

Gives each new data field of the platform a label in the CRM, and makes each label that somebody
adds in the CRM a data field of the platform. The account says what a label is: a row of the table
**Email data labels**, or a column of contacts and leads.

* A field that came from a label gets no second label, and a label that came from a field makes no
  second field. Names are the same whatever their case.
* Nothing is renamed or removed in either system.
* A field that cannot be made is named in the run's message, and tried again by the next run.

**Dry run** plans and writes nothing; **Full resync** writes every label again;
**Only these records** limits the run to these labels or fields, by name or id.
"""

from __future__ import annotations

from airflow.sdk import DAG  # noqa: F401 - Airflow looks for DAGs in files that name it

from bothways.orchestration.builder import accounts_for, build_dag

for account in accounts_for("data_labels"):
    globals()[account.name] = build_dag(account, "data_labels", doc=__doc__)
