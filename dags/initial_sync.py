"""
### Initial sync

Brings an account up: runs each of its sync types once, in order. What the CRM needs comes first,
then fields, then **who may not be mailed**, then people and lists, then campaigns and the rest.

1. Trigger it as it is: a **dry run**. Every sync type plans and writes nothing; their audits show
   what would be written.
2. Trigger it again without **Dry run**. Each sync type is a run of its own DAG, with its own
   audit, safety limits and approval.
3. If a sync type fails, those that need it do not start, and say so; the others go on. Mend what
   its audit names, and trigger this DAG again, or clear the failed tasks: what has completed is
   not run again.

Airflow runs nothing of a paused DAG, so the account's DAGs must be unpaused. Then they also run
as `schedules` of the account's file say: leave these out until the initial sync has completed if
nothing may be written before. **Only these sync types** limits it to some.
"""

from __future__ import annotations

from airflow.sdk import DAG  # noqa: F401 - Airflow looks for DAGs in files that name it

from bothways.orchestration.initial import accounts_to_bring_up, build_initial_sync

for account in accounts_to_bring_up():
    globals()[account.name] = build_initial_sync(account, doc=__doc__)
