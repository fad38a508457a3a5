"""CRM metadata: the columns of the CRM's tables, kept in the store to check mappings against."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bothways.spec import Phase, Role, SyncSpec

_Table = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Settings(BaseModel):
    """Which tables are read.

    Attributes:
        tables: As the CRM calls them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tables: tuple[_Table, ...] = Field(default=("contact", "lead", "account"), min_length=1)


SPEC: Final = SyncSpec(
    name="crm_metadata",
    title="CRM metadata",
    implementation="bothways.syncs.crm_metadata.sync:SYNC",
    roles=(Role("crm", ("ReadsColumns",), is_written=False),),
    phase=Phase.METADATA,
    settings=Settings,
    # It is not documented whether every change of a shared option set is told (assumed not).
    whole_every=timedelta(days=30),
)
