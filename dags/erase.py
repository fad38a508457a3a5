"""
### Erase a person

Removes a person forever, on their request: from the CRM and its suppression records, from the
marketing platform, and from links, baselines, audit and files of Bothways. A keyed hash of each of
their addresses stays, so that later syncs ignore them as `erased`. **This cannot be undone.**

1. `bothways erase <account>` asks for the address twice, shows what would be deleted, and prints
   the id of a **request**. The address stays in the store until it is erased, for 30 days at most,
   and is never part of a DAG run.
2. Trigger this DAG with that id under **Request** and **Dry run** to see in the audit, record by
   record, what would be deleted.
3. Trigger it with the id under **Request** and again under **Confirm**.

Everybody with that address is erased, and whoever is linked with one of them. If that is more
records than the account's `guard: erasures` allows (10 by default), nothing is deleted: the run
fails, or waits for an approval where the account says `on_guard: ask`. Only what was reviewed is
deleted; if more turns up meanwhile, the run stops. It waits while a sync of the account is in
progress. A task that failed may be cleared: every step can be repeated.
The audit keeps a receipt in numbers.
"""

from __future__ import annotations

from airflow.sdk import DAG  # noqa: F401 - Airflow looks for DAGs in files that name it

from bothways.orchestration.erase import accounts_to_erase_in, build_erase

for account in accounts_to_erase_in():
    globals()[account.name] = build_erase(account, doc=__doc__)
