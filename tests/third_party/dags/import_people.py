"""
### Import people

Brings the people of a source into the marketing platform, with their titles. The account binds a
system to the role `source`, and needs no CRM.

**Dry run** plans and writes nothing.
"""

from __future__ import annotations

from airflow.sdk import DAG  # noqa: F401 - Airflow looks for DAGs in files that name it

from bothways.orchestration.builder import accounts_for, build_dag

for account in accounts_for("import_people"):
    globals()[account.name] = build_dag(account, "import_people", doc=__doc__)
