"""
### Campaigns

Writes the platform's e-mail campaigns and their figures (sent, delivered, opens, clicks, bounces,
unsubscribes, …) to a table of Bothways' own in the CRM. At the level **detailed** also what each
recipient did: sends, clicks, bookmarks, return on investment and page views, related to the
campaign and to the contact or lead.

* Only campaigns with recent activity are read again, and only what is new or has changed is
  written. Clicks that the platform tells late are found.
* A recipient without a contact or lead in the CRM is ignored; nobody is created.
* A set of one campaign that cannot be read fails alone, and is read by the next run.

**Dry run** plans and writes nothing; **Full resync** reads and writes every campaign again;
**Only these campaigns** reads these alone, with all that their recipients did;
**Only these records** writes the events of these people only.
"""

from __future__ import annotations

from airflow.sdk import DAG  # noqa: F401 - Airflow looks for DAGs in files that name it

from bothways.orchestration.builder import accounts_for, build_dag

for account in accounts_for("campaigns"):
    globals()[account.name] = build_dag(account, "campaigns", doc=__doc__)
