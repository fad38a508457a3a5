"""
### Campaigns

Writes the platform's email campaigns and their figures (sent, delivered, opens, clicks, bounces,
unsubscribes, …) to a table of Bothways' own in the CRM. At the level **detailed**, it also writes
what each recipient did: sends, clicks, bookmarks, return on investment and page views, related to
the campaign and to the contact or lead.

* Only campaigns with recent activity are read again, and only what is new or has changed is
  written. Clicks that the platform reports late are found.
* A recipient without a contact or lead in the CRM is ignored; nobody is created.
* If one set of a campaign's events cannot be read, the others are; the next run reads it.

**Dry run** plans and writes nothing; **Full resync** reads and writes every campaign again;
**Only these campaigns** reads these alone, with all that their recipients did;
**Only these records** writes the events of these people only.
"""

from __future__ import annotations

from airflow.sdk import DAG  # noqa: F401 - Airflow looks for DAGs in files that name it

from bothways.orchestration.builder import accounts_for, build_dag

for account in accounts_for("campaigns"):
    globals()[account.name] = build_dag(account, "campaigns", doc=__doc__)
