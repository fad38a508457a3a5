"""Alembic's entry point; `Store.migrate` gives it the connection."""

from __future__ import annotations

from alembic import context

from bothways.store.db import VERSION_TABLE
from bothways.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    compare_type=True,
    compare_server_default=True,
)
context.run_migrations()
