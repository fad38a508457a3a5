"""The records that the CRM has of forms, and of responses to them."""

from __future__ import annotations

from typing import Final

from bothways.records import LONGEST, RecordColumn, RecordKind
from bothways.vocabulary import FORM as FORM_NAME

# There are no more of them than people make by hand.
FORM: Final = RecordKind(
    name=FORM_NAME,
    title="Form",
    titles="Forms",
    description="Pages and forms of the marketing platform, kept by Bothways.",
    words=("form", "forms"),
    failure="The form could not be written, and its responses wait ({name})",
    columns=(
        RecordColumn("form_state", "Form state", source="state"),
        RecordColumn("url", "URL", length=LONGEST),
        RecordColumn("made_on", "Made on", "time", source="created_at"),
        RecordColumn("changed_on", "Changed on", "time", source="modified_at"),
    ),
)

FORM_RESPONSE: Final = RecordKind(
    name="form_response",
    title="Form response",
    titles="Form responses",
    description="What people answered to forms, kept by Bothways.",
    words=("response", "responses"),
    parent=FORM_NAME,
    of_person=True,
    effect="events",
    named_by=(("email",),),
    columns=(
        RecordColumn("started_on", "Started on", "time", source="occurred_at"),
        RecordColumn("completed_on", "Completed on", "time", source="completed_at"),
        RecordColumn("complete", "Complete", "flag"),
        RecordColumn("answers", "Answers", length=LONGEST),
    ),
)
