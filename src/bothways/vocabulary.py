"""The enumerations that everything shares, free of heavy imports: DAG parsing reads this.

The values are what the store, the API and configuration hold; they never change. People read the
labels, and find the meanings in the documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

RoleName = str
"""What a system is in a sync. A sync type declares its roles, an account binds systems to them."""

SIDES: Final[tuple[RoleName, RoleName]] = ("crm", "marketing")
"""The roles of the sync types that keep a CRM and a marketing platform in step."""

Systems = Mapping[RoleName, str]
"""The titles of an account's systems, by their role."""

SOME_SYSTEMS: Final[Systems] = {"crm": "CRM", "marketing": "Marketing platform"}
"""Titles for roles of which it is not known which systems have them."""

# How the token of a selection begins, and what may name a record to a DAG: an id or such a token,
# never an address, which Airflow would keep in its event log.
SELECTION: Final = "selection-"
RECORD_PATTERN: Final = r"^[A-Za-z0-9{}._:-]{1,100}$"


def other(side: RoleName) -> RoleName:
    """Return the other one of SIDES."""
    return "marketing" if side == "crm" else "crm"


class Topic(StrEnum):
    """What something is about that a vendor tells at once, by an event.

    Members:
        PEOPLE: Somebody is new or gone, has other values, or has joined or left a list.
        CONSENT: Somebody has subscribed, unsubscribed, bounced or complained.
        CAMPAIGNS: A campaign has been sent.
        TAGS: A tag, an interest or a category is new, gone, or has another name.
        MEMBER_TAGS: Somebody has been given a tag or an interest, or has lost one.
        FIELDS: A field, or what stands for one, is new or has another name.
    """

    PEOPLE = "people"
    CONSENT = "consent"
    CAMPAIGNS = "campaigns"
    TAGS = "tags"
    MEMBER_TAGS = "member_tags"
    FIELDS = "fields"


class FieldType(StrEnum):
    """Types a mapped field may have."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    OPTION = "option"


class Labelled(StrEnum):
    """A value with the label that people read in its place, and what it means."""

    label: str
    meaning: str

    def __new__(cls, value: str, label: str = "", meaning: str = "") -> Labelled:
        """Make a member from its value, label (the value, where none is given) and meaning."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.label = label or value
        member.meaning = meaning
        return member


class Status(Labelled):
    """May this person be mailed? Ordered from yes to never; the later one outranks the earlier.

    A label completes "No: …".
    """

    MAILABLE = "mailable", "mailable", "May be mailed."
    PENDING = "pending", "subscription not confirmed", "Has yet to confirm the subscription."
    UNSUBSCRIBED = "unsubscribed", "unsubscribed", "Unsubscribed from all mail, or from one list."
    BOUNCED = "bounced", "bounced", "Mail to the address was returned."
    COMPLAINED = "complained", "reported spam", "Reported a mail as spam."
    SUPPRESSED = "suppressed", "suppressed", "Was put on a suppression list."


MAILABLE_OR_PENDING: Final = (Status.MAILABLE, Status.PENDING)
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
    OPENS = "opens"
    CLICKS = "clicks"
    BOUNCES = "bounces"
    UNSUBSCRIBES = "unsubscribes"
    BOOKMARKS = "bookmarks"
    ROI_DETAILS = "roi_details"
    PAGE_VIEWS = "page_views"


FORM_RESPONSES: Final = "form_responses"
"""Events: what people answered to a form."""

VISITS: Final = "visits"
"""Events: people's sessions on the customer's sites."""


class RunStatus(Labelled):
    """What the audit says of a run."""

    IN_PROGRESS = "In Progress", "", "The run has begun and not ended."
    AWAITING_APPROVAL = "Awaiting Approval", "", "The plan exceeds the guard; somebody must decide."
    COMPLETED = "Completed", "", "Everything was read, planned and written."
    COMPLETED_WITH_ERRORS = "Completed With Errors", "", "Some records were refused."
    FAILED = "Failed", "", "The run stopped, for the reason in its message."
    DRY_RUN = "Dry Run", "", "The run was planned and nothing was written, as it was asked to."


class SyncStatus(Labelled):
    """How a list stands, or a member of it."""

    NONE = "None", "", "No run has looked at it yet, or it waits for the next one."
    IN_PROGRESS = "In Progress", "", "A run is at work on it."
    SYNCED = "Synced", "", "Both systems agree, as of the last run."
    ERROR = "Error", "", "The last run could not bring it into step, for the reason given."


class Result(Labelled):
    """What became of a job, in the order in which counts are shown."""

    NEW = "new", "New", "Created, or added to a list for the first time."
    UPDATED = "updated", "Updated", "Values were changed."
    RE_ADDED = "re_added", "Added again", "Put back on a list or in a system that had it before."
    DELETED = "deleted", "Removed", "Taken off a list, or deleted."
    UNCHANGED = "unchanged", "Unchanged", "Already as it should be; nothing was written."
    DUPLICATE = "duplicate", "Duplicate", "Another row of the same read has the same address."
    IGNORED = "ignored", "Ignored", "Not synced, for the reason given."
    ERROR = "error", "Error", "Refused, or without a verdict; the next run tries it again."
    PLANNED = "planned", "Planned", "Not written yet, or planned by a dry run."

    @property
    def counted_as(self) -> str:
        """The key of this result in the counts of a run."""
        return "errors" if self is Result.ERROR else self.value


WRITTEN: Final = (Result.NEW, Result.UPDATED, Result.RE_ADDED, Result.DELETED)
"""The results of jobs that changed a system."""


class Reason(Labelled):
    """Why a row was ignored, or written. {crm} and {marketing} stand for the systems' titles."""

    ERASED = (
        "erased",
        "erased at the person's request",
        "The person has asked to be erased, and is never written back.",
    )
    EMPTY = "empty", "no email address", "The record has no email address."
    INVALID = (
        "invalid",
        "invalid address, or a typo in a well-known domain",
        "No mail can reach the address. The job suggests the domain that is probably meant.",
    )
    ROLE = "role", "shared mailbox", "The address belongs to a department and not to a person."
    DO_NOT_MAIL = (
        "do_not_mail",
        "opted out",
        "The person has unsubscribed, complained or been suppressed, or is flagged in {crm}.",
    )
    BOUNCED = "bounced", "mail to the address bounced", "Mail to the address was returned."
    INACTIVE = (
        "inactive",
        "inactive or closed in {crm}",
        "The contact is inactive, or the lead is closed.",
    )
    DUPLICATE = (
        "duplicate",
        "duplicate address; another record is used instead",
        "Several records have the address; one of them is synced.",
    )
    UNSUBSCRIBED = "unsubscribed", "unsubscribed", "The person has unsubscribed."
    COMPLAINED = "complained", "reported spam", "The person has reported a mail as spam."
    SUPPRESSED = (
        "suppressed",
        "on the suppression list",
        "The address is on a suppression list.",
    )
    NOT_IN_CRM = (
        "not_in_crm",
        "not in {crm}, and the list does not accept new people from {marketing}",
        "The person is unknown to {crm}, and `accept_new` of the list is off.",
    )
    NO_CRM_RECORD = (
        "no_crm_record",
        "no contact or lead in {crm}",
        "The person has no record in {crm} that the value could be written to.",
    )
    NO_MEMBER = (
        "no_member",
        "no contact in {marketing}",
        "The person has no contact in {marketing} that could be enrolled, or given a tag.",
    )
    LEFT_CRM = (
        "left_crm",
        "removed from the list in {crm}",
        "Somebody took the person off the list in {crm}, or its query no longer finds them.",
    )
    LEFT_MARKETING = (
        "left_marketing",
        "removed from the list in {marketing}",
        "Somebody took the person off the list in {marketing}.",
    )
    NOT_IN_QUERY = (
        "not_in_query",
        "not found by the query of the dynamic list in {crm}",
        "The person stays on the list in {marketing}, as `when_left` of the list says.",
    )
    TO_CONFIRM = (
        "to_confirm",
        "asked to confirm by {marketing} (double opt-in)",
        "The person is new in {marketing}, and is mailed only once they have confirmed.",
    )
    REMOVED_IN_CRM = (
        "removed_in_crm",
        "removed from the marketing list in {crm}",
        "Somebody took the person off the list in {crm}; a one-way sync does not put them back.",
    )
    NOT_ON_LIST = (
        "not_on_list",
        "no longer on the list",
        "The person has left the list in {marketing}.",
    )
    UNDONE = (
        "undone",
        "undone, and not changed since",
        "A run undid the change, and it stays undone until somebody changes it again.",
    )
    CHANGED_SINCE = (
        "changed_since",
        "changed since that run, so not undone",
        "Somebody, or a later run, has changed the same thing since the run that is undone.",
    )
    CANNOT_UNDO_UNSUBSCRIBE = (
        "cannot_undo_unsubscribe",
        "opt-outs are never reversed",
        "An undo does not make anybody mailable again.",
    )
    CREATED_RECORD_KEPT = (
        "created_record_kept",
        "people are never deleted",
        "An undo does not delete records that the run created.",
    )
    LIST_NOT_SYNCED = (
        "list_not_synced",
        "the list is no longer mapped, or cannot be synced",
        "The membership cannot be undone, since its list is not synced any more.",
    )
    LIST_REPLACED = (
        "list_replaced",
        "the list has been replaced since that run",
        "The membership cannot be undone, since another list has taken its place.",
    )
    PENDING = (
        "pending",
        "changed since the last sync; the next one will update it",
        "Verify: the difference is a change that the sync has yet to read.",
    )
    CONFLICT = (
        "conflict",
        "changed to different values in both systems; the next sync will resolve it",
        "Verify: both systems have changed the value since the last sync.",
    )
    RETRY_PENDING = (
        "retry_pending",
        "failed in the last sync; will be tried again",
        "Verify: the last write failed, and is due again.",
    )
    GIVEN_UP = (
        "given_up",
        "failed too often; no longer tried",
        "The record failed as often as `retry_attempts` allows.",
    )
    DRIFT = (
        "drift",
        "differs, and no sync will resolve it",
        "Verify: the systems differ for a reason that no sync will find; a repair writes it.",
    )
    CHANGED_SINCE_PLANNED = (
        "changed_since_planned",
        "changed after the plan was made; nothing was written",
        "What the plan was based on changed before it was written.",
    )
    WAITS = (
        "waits",
        "waits for the next sync, as another list changes the same record first",
        "The person is in several audiences of {marketing}, and a list of another audience, "
        "earlier in the account's file, changes the record in {crm} in this run.",
    )
    RENAMED = (
        "renamed",
        "renamed since; {marketing} cannot rename a field",
        "The label has its field already, under its earlier name. Add another label for another "
        "field.",
    )
    DUPLICATE_NAME = (
        "duplicate_name",
        "another one has the same name",
        "Names that differ only in case count as the same; for columns, so do names that differ "
        "only in punctuation. The first one gets the field, the column or the tag.",
    )
    FIELD_DELETED = (
        "field_deleted",
        "its field was deleted in {marketing}",
        "A full resync creates the field again. Delete the label if nobody wants it.",
    )
    DELETED_IN_CRM = (
        "deleted_in_crm",
        "its row was deleted in {crm}",
        "What the row stood for stays in {marketing}. A full resync writes the row again.",
    )
    DELETED_IN_MARKETING = (
        "deleted_in_marketing",
        "deleted in {marketing}",
        "The row stays in {crm}, marked as no longer there. Delete it if nobody wants it.",
    )
    NO_PARENT = (
        "no_parent",
        "its audience or category is not named, or not in {marketing} yet",
        "A tag or category belongs to an audience, an interest to a category. Name it in the row; "
        "if there is only one, that one is used.",
    )
    GONE = "gone", "the record no longer exists", "The record was deleted meanwhile."
    LIFTED = (
        "lifted",
        "mailable again in {marketing}, so the suppression no longer applies",
        "The person has subscribed again since the suppression.",
    )
    NOT_SHARED = (
        "not_shared",
        "recorded in {crm} by another account's sync; this account does not share suppressions",
        "The setting `share_suppressions` is off. Nobody with such a record is put on a list, but"
        " {marketing} is not told.",
    )
    SWITCHED_OFF = (
        "switched_off",
        "switched off in the account's settings",
        "The account's settings turn this off.",
    )

    def text(self, systems: Systems = SOME_SYSTEMS) -> str:
        """Return the label with the systems' titles."""
        return self.label.format_map({**SOME_SYSTEMS, **systems})


ABOUT_FIELDS: Final = {
    "conflict": "changed in both systems; resolved by your conflict rule: ",
    "undone; changed since": "undone, except for fields changed since: ",
}
"""The labels of reasons that are followed by a colon and the names of fields."""

IGNORE_RULES: Final = (
    Reason.ERASED, Reason.EMPTY, Reason.INVALID, Reason.ROLE, Reason.DO_NOT_MAIL, Reason.BOUNCED,
    Reason.INACTIVE, Reason.DUPLICATE,
)  # fmt: skip
"""The reasons that `transform.ignore` gives, in the order in which the rules are tried."""

BY_HAND: Final = (Reason.LEFT_CRM, Reason.LEFT_MARKETING)
"""Why somebody is removed from a list whom a user took off the other system's list.

Of any other reason, DO_NOT_MAIL is a flag in the CRM, and the rest are the person's own opt-out.
"""


BY_HAND_OR_UNDONE: Final = (*BY_HAND, Reason.UNDONE)
"""Why somebody is removed from a list other than by an opt-out; an undo may put them back."""


class Difference(Labelled):
    """What `verify` reports as a difference; whatever else differs is ignored on purpose."""

    DRIFT = Reason.DRIFT.value, "that no sync will resolve"
    GIVEN_UP = Reason.GIVEN_UP.value, "given up after too many errors"
    RETRY_PENDING = Reason.RETRY_PENDING.value, "waiting to be tried again"
    CONFLICT = Reason.CONFLICT.value, "changed in both systems"
    PENDING = Reason.PENDING.value, "changed since the last sync"

    @property
    def needs_action(self) -> bool:
        """Whether the difference stays until somebody acts."""
        return self in (Difference.DRIFT, Difference.GIVEN_UP)


class MembershipState(Labelled):
    """How a membership stood when both systems last agreed on it."""

    JOINED = "joined", "on list", "On the list in both systems."
    LEFT_CRM = "left_crm", "not on list", "Removed in the CRM, and then on the platform."
    LEFT_MARKETING = (
        "left_marketing",
        "not on list",
        "Removed on the platform, and then in the CRM.",
    )
    UNSUBSCRIBED = "unsubscribed", "not on list", "Removed because the person opted out."
    ONLY_CRM = "only_crm", "after an undo, in {crm} only, list", "An undo left it in the CRM only."
    ONLY_MARKETING = (
        "only_marketing",
        "after an undo, in {marketing} only, list",
        "An undo left it on the platform only.",
    )

    @classmethod
    def left(cls, side: RoleName) -> MembershipState:
        """Return the state of somebody who was removed on a side first."""
        return cls.LEFT_CRM if side == "crm" else cls.LEFT_MARKETING

    @classmethod
    def only(cls, side: RoleName) -> MembershipState:
        """Return the state of somebody whom an undo left on one side's list only."""
        return cls.ONLY_CRM if side == "crm" else cls.ONLY_MARKETING

    def text(self, systems: Systems = SOME_SYSTEMS) -> str:
        """Return the label with the systems' titles."""
        return self.label.format_map({**SOME_SYSTEMS, **systems})


class PersonChange(Labelled):
    """What can happen to a person in a run, in the order in which it is shown."""

    CREATED = "created", "created", "Given a record in a system that had none of them."
    UPDATED = "updated", "updated", "Given other values."
    ADDED = "added", "added to a list", "Added to one or more lists."
    REMOVED = "removed", "removed from a list", "Removed from one or more lists."
    SUPPRESSED = "suppressed", "suppressed", "Flagged, or given a suppression record."


class OperationKind(Labelled):
    """What a write does."""

    SUPPRESS = "suppress", "Suppress", "Makes a person unmailable."
    LEAVE = "leave", "Remove from list", "Takes a person off a list."
    UPDATE = "update", "Update", "Writes values to a record."
    CREATE = "create", "Create", "Creates a record."
    JOIN = "join", "Add to list", "Puts a person on a list."
    UPSERT = "upsert", "Write", "Writes a record of Bothways' own by its key, new or not."
    PROVISION = "provision", "Make", "Makes a table, a column or the like that syncs rely on."
    ENROL = "enrol", "Enrol", "Puts a person, or all people of a list, into a program."
    DELETE = "delete", "Delete", "Deletes what was deleted in the other system, if it is to follow."
    ERASE = "erase", "Erase", "Deletes a person's record for good."


BY_REQUEST: Final = (OperationKind.ENROL,)
"""The operations that somebody asks for by hand: what failed is not tried again by later runs."""

LIST_MOVES: Final = (OperationKind.JOIN, OperationKind.LEAVE)
"""The operations on memberships, which are executed list by list."""

Effect = Literal["removals", "suppressions", "overwrites", "creations", "events"]
"""What the guard limits, as its settings name it."""

SUPPRESSION_RECORD: Final = "suppression"
"""The entity of a CRM's own suppression records."""

CAMPAIGN: Final = "campaign"
"""A platform's campaigns among its definitions, and a CRM's own records of them."""

COLUMN: Final = "column"
"""The entity of a table's columns, as a system defines them."""

FORM: Final = "form"
"""A platform's pages and forms among its definitions, and a CRM's own records of them."""

EVENT_SCOPES: Final[Mapping[str, str]] = {
    **dict.fromkeys(EventSet, CAMPAIGN), FORM_RESPONSES: FORM
}  # fmt: skip
"""Kind of events → the kind of definitions that they belong to; those of others belong to none."""

CONSENT_RECORD: Final = "consent_record"
"""The entity of records of what somebody consented to, in a table of the customer's."""

PROGRAM: Final = "program"
"""The entity of a platform's automation programs."""

LIST: Final = "list"
"""What the store calls the lists of a platform among its definitions."""

DATA_FIELD: Final = "data_field"
"""The entity of fields that a system's records of people have."""

DEFINITION: Final = "definition"
"""The entity of what a system lacks: tables, columns and the like of Bothways' own."""

LABEL_COLUMN: Final = "label_column"
"""The entity of columns that a CRM's people are given for the platform's data fields."""

PLATFORM_TAGS: Final[Mapping[str, tuple[str, str]]] = {
    "platform_tag": ("tag", "tags"),
    "platform_interest_category": ("interest category", "interest categories"),
    "platform_interest": ("interest", "interests"),
}
"""The entities of what platforms tell members apart by, and what one and several are called."""

MEMBER_TAG: Final = "member_tag"
"""The entity of a member's having a tag or interest on the platform."""

DEFINITIONS: Final = frozenset(
    {CAMPAIGN, COLUMN, DATA_FIELD, DEFINITION, FORM, LABEL_COLUMN, LIST, PROGRAM, *PLATFORM_TAGS}
)
"""Entities that a system defines, in contrast to people; an id of one may be a person's too."""

PREFERENCE: Final = "preference"
"""The entity of what people chose among a platform's marketing preferences."""

ENROLMENT: Final = "enrolment"
"""The entity of enrolments into a platform's programs."""


@dataclass(frozen=True, slots=True)
class Operation:
    """How operations of one kind are executed and counted.

    Attributes:
        kind: The kind.
        capability: The protocol of `connectors.base` that executes it.
        method: The protocol's method.
        effect: What the guard counts it as; None where it is counted as nothing, for a reason that
            is given where it is declared.
        change: What it is for the person, in the counts of a run; None where it concerns nobody.
        entity: The only entity that this applies to; "" for all that have no entry of their own.
        written: Where it concerns nobody: what the counts say of one that was written, and of
            several.
        thing: What the counts of a run call it; its entity where this is "".
        failure: What the run's message says of each that could not be written, with its {name}, the
            {system} that refused it, and the vendor's {code} with a dash after it, if there is one;
            "" where the job itself says enough.
    """

    kind: OperationKind
    capability: str
    method: str
    effect: Effect | None
    change: PersonChange | None
    entity: str = ""
    written: tuple[str, str] | None = None
    failure: str = ""
    thing: str = ""

    @property
    def counted_as(self) -> str:
        """The key of those that were written in the counts of a run."""
        return self.thing or self.entity


OPERATIONS: Final = (
    Operation(
        OperationKind.SUPPRESS, "WritesContacts", "write_contacts",
        "suppressions", PersonChange.SUPPRESSED,
    ),
    Operation(
        OperationKind.LEAVE, "WritesListMembers", "write_list_members",
        "removals", PersonChange.REMOVED,
    ),
    # It takes the tag from all who have it. It comes before what may then take its name.
    *(
        Operation(
            OperationKind.DELETE, "WritesTags", "write_tags",
            "removals", None, entity=entity, thing=f"{entity}_deleted",
            written=(f"{one} deleted", f"{several} deleted"),
        )
        for entity, (one, several) in PLATFORM_TAGS.items()
    ),
    Operation(
        OperationKind.DELETE, "WritesMemberTags", "write_member_tags",
        "removals", None, entity=MEMBER_TAG, thing=f"{MEMBER_TAG}_deleted",
        written=("tag removed", "tags removed"),
    ),
    Operation(
        OperationKind.UPDATE, "WritesContacts", "write_contacts",
        "overwrites", PersonChange.UPDATED,
    ),
    # Who has the tag has it under another name.
    *(
        Operation(
            OperationKind.UPDATE, "WritesTags", "write_tags",
            None, None, entity=entity, thing=f"{entity}_renamed",
            written=(f"{one} renamed", f"{several} renamed"),
        )
        for entity, (one, several) in PLATFORM_TAGS.items()
    ),
    # It replaces what somebody chose before.
    Operation(
        OperationKind.UPDATE, "WritesPreferences", "write_preferences",
        "overwrites", PersonChange.UPDATED, entity=PREFERENCE,
    ),
    Operation(
        OperationKind.CREATE, "WritesContacts", "write_contacts",
        "creations", PersonChange.CREATED,
    ),
    # A field is new and empty: nobody's record is any different for it.
    Operation(
        OperationKind.CREATE, "CreatesFields", "create_fields",
        None, None, entity=DATA_FIELD, written=("field created", "fields created"),
        failure="{code}Failed to sync dataLabel {name} to {system}",
    ),
    # Nobody has a tag that is new.
    *(
        Operation(
            OperationKind.CREATE, "WritesTags", "write_tags",
            None, None, entity=entity, written=(f"{one} created", f"{several} created"),
            failure=f"{{code}}Failed to sync {one} {{name}} to {{system}}",
        )
        for entity, (one, several) in PLATFORM_TAGS.items()
    ),
    # It takes nothing away, as with somebody who joins a list.
    Operation(
        OperationKind.CREATE, "WritesMemberTags", "write_member_tags",
        None, None, entity=MEMBER_TAG, written=("tag given", "tags given"),
    ),
    # A column is new and empty, too.
    Operation(
        OperationKind.CREATE, "CreatesColumns", "create_columns",
        None, None, entity=LABEL_COLUMN, written=("column created", "columns created"),
    ),
    # It notes in one system what holds in the other already, and takes nothing away.
    Operation(
        OperationKind.CREATE, "WritesSuppressions", "write_suppressions",
        None, PersonChange.SUPPRESSED, entity=SUPPRESSION_RECORD,
    ),
    # It takes nothing away, and whoever is created for it is counted as a creation.
    Operation(
        OperationKind.JOIN, "WritesListMembers", "write_list_members",
        None, PersonChange.ADDED,
    ),
    # It tells what somebody did, and an account's first run may bring very many.
    Operation(
        OperationKind.UPSERT, "WritesConsents", "write_consents",
        "events", None, entity=CONSENT_RECORD, written=("consent written", "consents written"),
    ),
    # It is new and empty, and nothing that is there is changed but for its change tracking.
    Operation(
        OperationKind.PROVISION, "Provisions", "provision",
        None, None, entity=DEFINITION, written=("definition created", "definitions created"),
    ),
    # Somebody asks for it by hand, and names the program and whom to enrol.
    Operation(
        OperationKind.ENROL, "Enrols", "enrol",
        None, None, entity=ENROLMENT, written=("enrolment made", "enrolments made"),
    ),
)  # fmt: skip
"""The operations that a plan may hold, in the order of execution, but for those of record kinds.

Consent comes first; people are created before they join lists, and updated before others are
created, who may get an address that an update sets free. Records of our own come late, which name
people; then enrolments, since a program may write to people at once. An erasure has an execution
and a limit of its own. `operations` knows all of them.
"""

FOUND: Final[Mapping[str, tuple[str, str]]] = {
    COLUMN: ("column new, changed or removed", "columns new, changed or removed"),
}
"""What runs find and keep, and write nowhere, by entity: what the counts say of one and of several.

Jobs about it have no operation, and the result says what became of it.
"""

EXECUTION_ORDER: Final = tuple(dict.fromkeys(item.kind for item in OPERATIONS))
"""The kinds of OPERATIONS, in the order in which a plan's operations are executed."""
