"""What is known of this connector before it is imported."""

from __future__ import annotations

from typing import Final

from bothways.spec import ConnectionForm, Declaration, Limits

DECLARATION: Final = Declaration(
    name="csv_folder",
    title="CSV folder",
    roles=("source", "marketing"),
    connector="bothways_csv.connector.CsvConnector",
    hook="bothways_csv.hook.CsvHook",
    capabilities=frozenset(
        {"FindsContacts", "HasFields", "HasLists", "ReadsContacts", "WritesContacts"}
    ),
    limits=Limits(chunk_rows=10_000, parallel=1),
    form=ConnectionForm(
        labels={"host": "Folder"},
        placeholders={"host": "/data/people"},
        hidden=("schema", "login", "password", "port"),
    ),
)
