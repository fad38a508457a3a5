"""The enumerations that everything shares, free of heavy imports: DAG parsing reads this."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

Side = Literal["crm", "marketing"]
SIDES: Final[tuple[Side, Side]] = ("crm", "marketing")


# Why somebody is removed from a list on one side: they were taken off it by hand on the other side,
# or one of their records is flagged in the CRM. Any other reason is the person's own opt-out.
BY_HAND: Final = ("left_crm", "left_marketing")
FLAGGED: Final = "do_not_mail"

# How the token of a selection begins, and what may name a record to a DAG: an id or such a token,
# never an address, which Airflow would keep in its event log.
SELECTION: Final = "selection-"
RECORD_PATTERN: Final = r"^[A-Za-z0-9{}._:-]{1,100}$"


def other(side: Side) -> Side:
    """Return the opposite side."""
    return "marketing" if side == "crm" else "crm"


class FieldType(StrEnum):
    """Types a mapped field may have."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    OPTION = "option"


class Status(StrEnum):
    """May this person be mailed? Ordered from yes to never; the later one outranks the earlier."""

    MAILABLE = "mailable"
    PENDING = "pending"
    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    SUPPRESSED = "suppressed"


MAILABLE_OR_PENDING: Final = (Status.MAILABLE.value, Status.PENDING.value)
"""The statuses of people who have not opted out, bounced or been suppressed."""


class OptInType(StrEnum):
    """How somebody opted in. Ordered: the later one is the stronger evidence."""

    UNKNOWN = "unknown"
    SINGLE = "single"
    DOUBLE = "double"
    VERIFIED_DOUBLE = "verified_double"


class EventSet(StrEnum):
    """What a platform can tell of a campaign's recipients, each in a listing of its own."""

    SEND_SUMMARIES = "send_summaries"
    CLICKS = "clicks"
    BOOKMARKS = "bookmarks"
    ROI_DETAILS = "roi_details"
    PAGE_VIEWS = "page_views"


class RunStatus(StrEnum):
    """What the audit says of a run."""

    IN_PROGRESS = "In Progress"
    AWAITING_APPROVAL = "Awaiting Approval"
    COMPLETED = "Completed"
    COMPLETED_WITH_ERRORS = "Completed With Errors"
    FAILED = "Failed"
    DRY_RUN = "Dry Run"
