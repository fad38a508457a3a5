"""Job titles: a column of the files to the CRM's contacts."""

from __future__ import annotations

from typing import Final

from bothways.spec import Role, SyncSpec

SPEC: Final = SyncSpec(
    name="job_titles",
    title="Job titles",
    implementation="bothways_csv.job_titles.sync:SYNC",
    roles=(
        Role("crm", ("ReadsContacts", "WritesContacts")),
        Role("marketing", ("ReadsContacts",), is_written=False),
    ),
)
