"""
### Forms

Writes the platform's pages and forms to a table of Bothways' own in the CRM, and to another one
who responded, when, and what they answered, related to the form and to the contact or lead.

* Only forms that were changed or answered lately are read again, and only what is new or has
  changed is written: a response that was begun is brought up to date once it is complete.
* A response of somebody without a contact or lead in the CRM waits until there is one; nobody is
  created. One without an email address is ignored.
* A form whose responses cannot be read fails alone, and is read by the next run.

**Dry run** plans and writes nothing; **Full resync** reads everything and writes every form again;
**Only these records** writes the responses of these people only.
"""

from __future__ import annotations

from airflow.sdk import DAG  # noqa: F401 - Airflow looks for DAGs in files that name it

from bothways.orchestration.builder import accounts_for, build_dag

for account in accounts_for("forms"):
    globals()[account.name] = build_dag(account, "forms", doc=__doc__)
