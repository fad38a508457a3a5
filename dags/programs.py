"""
### Programs

Writes the platform's automation programs to a table of Bothways' own in the CRM, with their status;
and, when somebody asks for it here, enrols people into an active program.

To enrol people, give the **Program**, by its name or id, and whom to enrol: the people on **Only
these lists**, the people under **Only these records**, or both. Anybody may who may trigger this
DAG, or, with `mapped_users_only`, only users who are mapped in the account's file.

* People who may not be mailed, or are already in the program, are left out; the audit gives the
  reason for each.
* An enrolment is not repeated. If its answer is lost, it is looked up. What failed is not tried
  again by later runs: trigger the DAG again.
* The platform takes a limited number of enrolments in an hour; many people are enrolled as a list.

**Dry run** shows who would be enrolled. Without a program, **Full resync** writes every program
again.
"""

from __future__ import annotations

from airflow.sdk import DAG  # noqa: F401 - Airflow looks for DAGs in files that name it

from bothways.orchestration.builder import accounts_for, build_dag

for account in accounts_for("programs"):
    globals()[account.name] = build_dag(account, "programs", doc=__doc__)
