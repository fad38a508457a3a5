"""
### Web behaviour

Writes which pages of your sites the platform's contacts looked at to a table of Bothways' own in
the CRM: a record for each visit, with its pages, related to the contact or lead.

* Only visits that are new or went on are read again; a visit that went on is brought up to date.
* The visits of somebody without a contact or lead in the CRM wait until there is one; nobody is
  created.
* Where the platform's account does not record visits, the run fails and says so.

**Dry run** plans and writes nothing; **Full resync** reads everything again;
**Only these records** writes the visits of these people only.
"""

from __future__ import annotations

from airflow.sdk import DAG  # noqa: F401 - Airflow looks for DAGs in files that name it

from bothways.orchestration.builder import accounts_for, build_dag

for account in accounts_for("web_behaviour"):
    globals()[account.name] = build_dag(account, "web_behaviour", doc=__doc__)
