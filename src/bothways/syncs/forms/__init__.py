"""Forms: the platform's pages and forms, and what people answered."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from bothways.spec import Role, SyncSpec
from bothways.syncs.forms.records import FORM, FORM_RESPONSE


class Settings(BaseModel):
    """How much is synced.

    Attributes:
        level: `forms` is the forms alone; `responses` adds who responded and when; `answers` what
            they answered.
        only_complete: Whether a response is left out until it is complete.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    level: Literal["forms", "responses", "answers"] = "answers"
    only_complete: bool = False


SPEC: Final = SyncSpec(
    name="forms",
    title="Forms",
    implementation="bothways.syncs.forms.sync:SYNC",
    roles=(
        Role("crm", ("ReadsContacts", "WritesRecords")),
        Role("marketing", ("ReadsForms", "ReadsFormResponses"), is_written=False, in_slices=True),
    ),
    settings=Settings,
    records=(FORM, FORM_RESPONSE),
)
