"""
### Tags of members

Keeps who has which tag of the platform, and who has chosen which interest, in step with the tables
**Email tags of people** and **Email interests of people** of the CRM. Adding a row gives the person
the tag, and deleting it removes the tag; tags given or removed on the platform change the rows.

* It works with the tags as `tags` last read them, and does not start if that run failed.
* People without a contact or lead in the CRM, or without a contact on the platform, are ignored.
* A tag makes nobody mailable, and people who may not be mailed keep theirs.

**Dry run** plans and writes nothing; **Full resync** reads every member again;
**Only these records** limits the run to these people or rows.
"""

from __future__ import annotations

from airflow.sdk import DAG  # noqa: F401 - Airflow looks for DAGs in files that name it

from bothways.orchestration.builder import accounts_for, build_dag

for account in accounts_for("member_tags"):
    globals()[account.name] = build_dag(account, "member_tags", doc=__doc__)
