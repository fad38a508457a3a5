"""Web behaviour: which pages of the customer's sites the platform's members looked at."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from bothways.spec import Role, SyncSpec
from bothways.syncs.web_behaviour.records import VISIT


class Settings(BaseModel):
    """How much is synced.

    Attributes:
        level: `visits` is when somebody was on which site, for how long, and how many pages they
            saw; `pages` adds which pages, and their browser and IP address.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    level: Literal["visits", "pages"] = "pages"


SPEC: Final = SyncSpec(
    name="web_behaviour",
    title="Web behaviour",
    implementation="bothways.syncs.web_behaviour.sync:SYNC",
    roles=(
        Role("crm", ("ReadsContacts", "WritesRecords")),
        Role("marketing", ("ReadsContacts", "ReadsVisits"), is_written=False),
    ),
    settings=Settings,
    records=(VISIT,),
)
