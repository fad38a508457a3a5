"""Job titles: a column of the files to the CRM's contacts."""

from __future__ import annotations

from typing import Final

from bothways.records import RecordColumn, RecordKind
from bothways.spec import Role, SyncSpec

TITLE_CHANGE: Final = RecordKind(
    name="title_change",
    title="Title change",
    titles="Title changes",
    description="Job titles that the CSV files have changed.",
    words=("title change", "title changes"),
    of_person=True,
    effect="events",
    named_by=(("was",), ("becomes",)),
    columns=(RecordColumn("was", "Was"), RecordColumn("becomes", "Becomes")),
)

SPEC: Final = SyncSpec(
    name="job_titles",
    title="Job titles",
    implementation="bothways_csv.job_titles.sync:SYNC",
    roles=(
        Role("crm", ("ReadsContacts", "WritesContacts", "WritesRecords")),
        Role("marketing", ("ReadsContacts",), is_written=False),
    ),
    records=(TITLE_CHANGE,),
)
