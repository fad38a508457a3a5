"""Import people: from a source into a marketing platform, without a CRM between them."""

from __future__ import annotations

from typing import Final

from bothways.spec import Role, SyncSpec

SPEC: Final = SyncSpec(
    name="import_people",
    title="Import people",
    implementation="bothways_csv.import_people.sync:SYNC",
    roles=(
        Role("source", ("ReadsContacts",), is_written=False),
        Role("marketing", ("ReadsContacts", "WritesContacts")),
    ),
)
