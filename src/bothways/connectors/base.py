"""What a connector can do: one small protocol per capability.

A sync asks for capabilities, never for a vendor. Adding a capability means a new protocol, not a
method on an old one. Reads give Arrow pages; writes take a frame of operations (OPERATIONS of
``tables.operations``) and give back one row of RESULTS per operation, in any order.

Errors raised by every method: ``errors.ConnectorError`` and its subclasses, when the request as a
whole failed. What the vendor says about a single row is in the results, never an exception.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, runtime_checkable

import pandas as pd
import pyarrow as pa

from bothways.records import RecordKind
from bothways.spec import Declaration
from bothways.vocabulary import EventSet, FieldType, Topic

Fields = Mapping[str, FieldType]
"""Vendor field name → the type it is read as."""


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """How to reach a vendor account, whoever stores it (an Airflow connection in production).

    Args:
        base_url: Scheme, host and port, without a trailing slash.
        login: Client id, API user or the like.
        password: The secret; never shown in a representation.
        extra: The connection type's further fields.
    """

    base_url: str
    login: str = ""
    password: str = field(default="", repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a read.

    Args:
        rows: In the read's canonical schema.
        members: Rows of LIST_MEMBERS that the vendor told in the same answer.
        watermark: How far the side has been read; on the last page only.
        cursor: From where a later read of the same goes on after this page, in another process;
            None where it cannot. It carries what the watermark needs to be that of the whole read.
        consents: Rows of CONSENTS that the vendor told in the same answer.
    """

    rows: pa.Table
    members: pa.Table | None = None
    watermark: str | None = None
    cursor: str | None = None
    consents: pa.Table | None = None


@dataclass(frozen=True, slots=True)
class ListInfo:
    """A list of people at a vendor.

    ``entity`` is None where lists have no type; ``writable`` is False for the vendor's own lists.
    ``scope`` is the audience that the list is in, on a platform that keeps several apart; empty for
    the whole account, and ``scope_name`` what it is called. People on the list have the same scope.
    ``asks_to_confirm`` says that the list is set up to have new people confirm (double opt-in).
    """

    id: str
    name: str
    entity: str | None = None
    static: bool = True
    locked: bool = False
    active: bool = True
    writable: bool = True
    size: int | None = None
    scope: str = ""
    scope_name: str = ""
    asks_to_confirm: bool = False


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """A field of a vendor's person record.

    ``visibility`` is "public" where people see the field on the vendor's forms, else "private"; ""
    at a vendor whose fields have none. ``default`` is what a record has that was given no value.
    ``label`` is what people see in place of the name, where that is something else. ``missing_in``
    is the scopes, as in ``ListInfo``, whose people do not have the field.
    """

    name: str
    type: FieldType
    writable: bool = True
    max_length: int | None = None
    options: Mapping[int, str] = field(default_factory=dict)
    visibility: str = ""
    default: str | float | bool | None = None
    label: str = ""
    missing_in: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """Calls that counted against one of a vendor's budgets.

    ``a_minute`` is how many the vendor allows a minute; None where it does not say.
    """

    calls: int
    a_minute: int | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Calls that a connector has made: all of them, and those against each budget by its name."""

    calls: int = 0
    budgets: Mapping[str, BudgetUse] = field(default_factory=dict)

    def plus(self, other: Usage) -> Usage:
        """Return the sum."""
        budgets = {
            name: BudgetUse(
                sum(use.budgets[name].calls for use in (self, other) if name in use.budgets),
                (other.budgets.get(name) or self.budgets[name]).a_minute,
            )
            for name in {**self.budgets, **other.budgets}
        }
        return Usage(self.calls + other.calls, budgets)


@runtime_checkable
class SharesBudget(Protocol):
    """Counts its calls, and can leave some of what the vendor allows to others.

    A vendor counts the calls of an account together, whoever makes them.
    """

    def give_way(self) -> None:
        """Leave the last calls of each of the vendor's windows to what is more urgent."""
        ...

    def usage(self) -> Usage:
        """Return what has been called so far."""
        ...


@runtime_checkable
class Connector(Protocol):
    """Speaks one vendor's API and nothing else."""

    declaration: Declaration
    entities: tuple[str, ...]

    def check(self) -> str:
        """Make the cheapest authenticated read; return a sentence that names the account."""
        ...

    def close(self) -> None:
        """Close the session."""
        ...


@runtime_checkable
class IdentifiesAccount(Protocol):
    """Knows which of the vendor's accounts its connection reaches."""

    def account_id(self) -> str:
        """Return the vendor's own id of the account, which never changes."""
        ...


@runtime_checkable
class ReadsContacts(Protocol):
    """Reads people, whole or what changed."""

    def read_contacts(
        self,
        entity: str,
        fields: Fields,
        *,
        since: str | None,
        lists: Sequence[str] = (),
        everybody: bool = False,
        cursor: str | None = None,
    ) -> Iterator[Page]:
        """Yield pages of CONTACTS with ``fields``.

        Args:
            entity: One of the connector's entities.
            fields: What to read beside the fixed columns.
            since: A watermark that an earlier read gave; None reads everything.
            lists: Ids; where given, a full read may restrict itself to members of these lists,
                and pages tell memberships where the vendor gives them in the same answer.
            everybody: A full read must not be restricted to members of ``lists``.
            cursor: A page's, of an earlier read of the same: go on after that page.

        Raises:
            WatermarkExpired: The vendor no longer knows ``since`` or ``cursor``.
        """
        ...


@runtime_checkable
class FindsContacts(Protocol):
    """Reads named people."""

    def find_contacts(
        self, entity: str, fields: Fields, *, ids: Sequence[str] = (), emails: Sequence[str] = ()
    ) -> Iterator[Page]:
        """Yield those who exist, with any of the ids or addresses (whatever their case)."""
        ...


@runtime_checkable
class FindsOtherAddresses(Protocol):
    """Finds people by the addresses that they have beside the one that is kept in step."""

    def find_by_other_addresses(
        self, entity: str, fields: Fields, emails: Sequence[str]
    ) -> Iterator[Page]:
        """Yield those who have one of these as a further address (whatever its case)."""
        ...


@runtime_checkable
class ReadsListMembers(Protocol):
    """Reads who is on which list, apart from the people themselves."""

    def read_list_members(
        self, lists: Sequence[str], *, since: str | None, cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield pages of LIST_MEMBERS of these lists; rows of other lists may be among changes.

        Args:
            lists: Ids.
            since: A watermark that an earlier read gave; None reads everything.
            cursor: A page's, of an earlier read of the same: go on after that page.

        Raises:
            WatermarkExpired: The vendor no longer knows ``since`` or ``cursor``.
        """
        ...


@runtime_checkable
class ReadsDynamicLists(Protocol):
    """Reads the people whom the query of a dynamic list finds."""

    def read_dynamic_list(self, list_id: str) -> Iterator[Page]:
        """Yield pages of LIST_MEMBERS, without ids of memberships: everybody, each time.

        Everybody who is found from the beginning of the read to its end is among them, whatever
        changes meanwhile.

        Raises:
            ConnectorError: The list is gone, or its query cannot be run.
        """
        ...


@runtime_checkable
class ReadsSuppressions(Protocol):
    """Reads the addresses that may not be mailed by this account at all."""

    def read_suppressions(self, *, since: str | None) -> Iterator[Page]:
        """Yield pages of SUPPRESSIONS with ``list_id`` null."""
        ...


@runtime_checkable
class ReadsListSuppressions(Protocol):
    """Reads who unsubscribed from single lists."""

    def read_list_suppressions(self, list_id: str, *, since: str | None) -> Iterator[Page]:
        """Yield pages of SUPPRESSIONS of this list."""
        ...


@runtime_checkable
class ReadsOptIns(Protocol):
    """Reads how people opted in, and what they consented to."""

    def read_opt_ins(self, *, since: str | None, cursor: str | None = None) -> Iterator[Page]:
        """Yield pages of OPT_INS, and beside them the CONSENTS of the same people.

        Of people who changed since a watermark, whatever it was that changed; None reads everybody.
        ``cursor`` is a page's of an earlier try, which goes on after that page.

        Raises:
            WatermarkExpired: The vendor no longer knows ``cursor``.
        """
        ...


@runtime_checkable
class ReadsScores(Protocol):
    """Reads how the platform scores its members."""

    def read_scores(self, *, since: str | None, cursor: str | None = None) -> Iterator[Page]:
        """Yield pages of SCORES: those worked out since a watermark, or all.

        ``cursor`` is a page's of an earlier try, which goes on after that page.

        Raises:
            FeatureUnavailable: Scoring is not switched on in the account.
            WatermarkExpired: The vendor no longer knows ``cursor``.
        """
        ...


@runtime_checkable
class ReadsCampaigns(Protocol):
    """Reads campaigns that have been sent, with their figures."""

    def read_campaigns(self, *, since: str | None) -> Iterator[Page]:
        """Yield pages of CAMPAIGNS: those sent, or with activity, since a watermark; or all.

        What the vendor tells late is caught by reading some hours more than was asked for, so that
        a campaign may come again unchanged.
        """
        ...


@runtime_checkable
class FindsCampaigns(Protocol):
    """Reads named campaigns."""

    def find_campaigns(self, wanted: Sequence[str]) -> Iterator[Page]:
        """Yield pages of CAMPAIGNS: sent campaigns with one of these ids or names.

        Names are compared whatever their case. There is no watermark.
        """
        ...


@runtime_checkable
class ReadsCampaignEvents(Protocol):
    """Reads what the recipients of a campaign did, in sets that may fail one by one.

    ``event_sets`` are those that can be asked for. If a vendor returns several sets in one listing,
    the others come with one of them; `kind` says what each event is.
    """

    event_sets: tuple[EventSet, ...]

    def read_events(
        self,
        event_set: EventSet,
        campaign_id: str,
        *,
        since: str | None,
        cursor: str | None = None,
    ) -> Iterator[Page]:
        """Yield pages of EVENTS of one campaign: of one set, and of those that come with it.

        A full read of SEND_SUMMARIES gives every recipient; one since a watermark only those who
        did something since then. Some hours more than was asked for are read, since vendors tell
        some events late: rows come again, under the same key. BOOKMARKS are read whole each time.

        Args:
            event_set: One of ``event_sets``.
            campaign_id: The campaign.
            since: A watermark that an earlier read of this set and this campaign gave, or that
                `read_campaigns` gave before it; None reads everything.
            cursor: A page's, of an earlier try with the same arguments: goes on after that page.

        Raises:
            Missing: The campaign no longer exists.
            WatermarkExpired: ``cursor`` is not understood: read without it.
        """
        ...


@runtime_checkable
class ReadsForms(Protocol):
    """Reads the pages and forms of a platform that people fill in."""

    def read_forms(self, *, since: str | None) -> Iterator[Page]:
        """Yield pages of FORMS: those changed, or with responses, since a watermark; or all.

        Some hours more than was asked for are read, so that a form may come again unchanged.

        Raises:
            FeatureUnavailable: The account has no forms.
        """
        ...


@runtime_checkable
class ReadsFormResponses(Protocol):
    """Reads what people answered to a form."""

    def read_form_responses(
        self, form_id: str, *, since: str | None, cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield pages of EVENTS of the kind `form_responses`, whose `scope_id` is the form.

        `email` is null where the response names nobody; `occurred_at` is when it was begun. The
        key is made of the form's id and the response's: a response comes again, under the same key,
        once it is complete. Some hours more than was asked for are read. The details are
        RESPONSE_DETAILS.

        Args:
            form_id: The form.
            since: A watermark that an earlier read of this form gave, or that `read_forms` gave
                before it; None reads everything.
            cursor: A page's, of an earlier try with the same arguments: goes on after that page.

        Raises:
            Missing: The form no longer exists.
            WatermarkExpired: ``cursor`` is not understood: read without it.
        """
        ...


@runtime_checkable
class ReadsVisits(Protocol):
    """Reads which pages of the customer's sites the members looked at."""

    def read_visits(self, *, since: str | None, cursor: str | None = None) -> Iterator[Page]:
        """Yield pages of EVENTS of the kind `visits`: sessions changed since a watermark, or all.

        A session that goes on comes again, under the same key, with more pages. `scope_id` is null.
        The details are VISIT_DETAILS.

        Args:
            since: A watermark that an earlier read gave; None reads everything.
            cursor: A page's, of an earlier try with the same arguments: goes on after that page.

        Raises:
            FeatureUnavailable: The account does not record visits.
            WatermarkExpired: ``cursor`` is not understood: read without it.
        """
        ...


@runtime_checkable
class ReadsPreferences(Protocol):
    """Reads the marketing preferences of an account, and who chose which."""

    def read_preferences(self) -> Iterator[Page]:
        """Yield pages of PREFERENCES: those that people can opt in to."""
        ...

    def read_preference_opt_ins(
        self, preference_id: str, *, since: str | None, cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield pages of PREFERENCE_OPT_INS: who opted in or out since a watermark, or ever.

        Some minutes more than was asked for are read, so that rows may come again.

        Args:
            preference_id: One of `read_preferences`.
            since: A watermark that an earlier read of this preference gave; None reads everything.
            cursor: A page's, of an earlier try with the same arguments: goes on after that page.

        Raises:
            Missing: The preference no longer exists.
            WatermarkExpired: ``cursor`` is not understood: read without it.
        """
        ...


@runtime_checkable
class ReadsPrograms(Protocol):
    """Reads the automation programs of a platform."""

    def read_programs(self) -> Iterator[Page]:
        """Yield pages of PROGRAMS: all of them.

        Raises:
            FeatureUnavailable: The account has no programs.
        """
        ...


TagKind = Literal["audience", "tag", "interest_category", "interest"]
"""What a platform groups its members by."""


@runtime_checkable
class ReadsTags(Protocol):
    """Reads the tags of a platform, and the interests that its members may choose from."""

    def read_tags(self, kind: TagKind) -> Iterator[Page]:
        """Yield pages of TAGS: all of a kind. A platform without audiences yields one audience."""
        ...


@runtime_checkable
class ReadsMemberTags(Protocol):
    """Reads who has which tags, and who has chosen which interests."""

    def read_member_tags(self, *, since: str | None, cursor: str | None = None) -> Iterator[Page]:
        """Yield pages of MEMBER_TAGS: members who may have changed since a watermark, or all.

        ``cursor`` is that of a page of an earlier try, which this one resumes after.

        Raises:
            WatermarkExpired: The vendor no longer knows ``cursor``.
        """
        ...


@runtime_checkable
class HasLists(Protocol):
    """Knows lists, and can make one."""

    def lists(self) -> list[ListInfo]:
        """Return every list of the account."""
        ...

    def create_list(self, name: str, entity: str | None) -> ListInfo:
        """Create an empty static list for people of ``entity``."""
        ...


@runtime_checkable
class ReadsColumns(Protocol):
    """Reads what the tables of a system have, whole or what has changed."""

    def read_columns(self, tables: Sequence[str], *, since: str | None) -> Iterator[Page]:
        """Yield pages of COLUMNS of these tables: those changed since a watermark, or all.

        Columns that no mapping can name are left out. Among those that were deleted may be
        columns of other tables.

        Raises:
            Missing: There is no such table.
            WatermarkExpired: The vendor no longer knows ``since``.
        """
        ...


@runtime_checkable
class HasFields(Protocol):
    """Knows which fields its records have."""

    def fields(self, entity: str) -> dict[str, FieldInfo]:
        """Return the fields by name."""
        ...


@runtime_checkable
class WritesContacts(Protocol):
    """Creates and updates people.

    ``create`` is keyed: in a CRM by ``key`` (the alternate key that Bothways owns), on a platform
    by ``email``; a repeat finds the record of the first try. ``values`` holds the fields. A new
    person is mailable. Where ``joins_on_create`` is true, the person also joins the lists whose
    ids stand in the column ``list_ids`` (lists of text), in the same write.
    ``update`` writes ``values`` to ``record_id`` and never a subscription status; a new address
    stands among the values as ``@email``.
    ``suppress`` makes ``record_id`` (or, on a platform, ``email``) unmailable for the account.

    If ``record_id`` no longer exists, the verdict is an error with the code ``tables.GONE``.
    """

    joins_on_create: bool

    def write_contacts(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Execute OPERATIONS of one entity, any kinds."""
        ...


@runtime_checkable
class AssignsOwners(Protocol):
    """Gives people whom it creates an owner among the system's users.

    `WritesContacts` then takes a column ``owner`` beside a ``create``: a user's id, or null.
    """

    def find_users(self, names: Sequence[str]) -> dict[str, str]:
        """Return the ids of users by the names asked for; those who are not there are left out.

        Args:
            names: Ids, sign-in names or email addresses, whatever their case; only of users who may
                sign in.
        """
        ...


@runtime_checkable
class AsksToConfirm(Protocol):
    """Can have the platform ask people whom it creates to confirm that they want to be mailed.

    `WritesContacts` then takes a column ``to_confirm`` with a ``create``: where it is true, the
    platform asks the person, who is pending until they have confirmed. Contacts who exist already
    keep their status.
    """

    asks_on_create: bool


@runtime_checkable
class WritesListMembers(Protocol):
    """Puts people on lists (``join``) and takes them off (``leave``)."""

    def write_list_members(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Execute OPERATIONS; ``list_id`` stands beside ``list_key``, ``record_id`` is the person.

        Joining twice and leaving a list that one is not on are successes. If the vendor says that
        the person no longer exists, the error has the code ``tables.GONE``.
        """
        ...


@runtime_checkable
class WritesSuppressions(Protocol):
    """Keeps suppression records of its own (a CRM's)."""

    def write_suppressions(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Create the records; ``key`` makes a repeat find the first try's.

        ``values`` holds email, reason, suppressed_at (ISO 8601), and for a list's suppression
        list_id, entity and member_id.
        """
        ...


@runtime_checkable
class WritesRecords(Protocol):
    """Keeps records of the kinds that sync types declare, in tables of its own (a CRM's)."""

    def write_records(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Create the records, or bring them up to date; the entity is the kind's name.

        ``key`` is the record's; a repeat finds the first try's. ``values`` holds what the kind's
        columns are called in an operation: times in ISO 8601; a column that is left out stays as it
        is. The record is related to its parent, which is written before, and to the person.
        If ``record_id`` is given, that record is updated, and gets the key.

        Where the person no longer exists, the record is written all the same, related to nobody. A
        text that is too long is cut, with an ellipsis at its end; a time or number that the vendor
        cannot keep is left empty.

        Raises:
            NotPrepared: The table is not there, or lacks its key or a relation.
        """
        ...


@runtime_checkable
class DeletesRecords(Protocol):
    """Deletes records of the kinds that sync types declare, as `WritesRecords` writes them."""

    def delete_records(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Delete the records ``record_id`` (kind DELETE); the entity is the kind's name.

        A record that does not exist is a success.

        Raises:
            NotPrepared: The table is not there.
        """
        ...


@runtime_checkable
class ReadsRecords(Protocol):
    """Reads the records that it keeps, those that people made there too."""

    def read_records(self, kind: RecordKind, *, since: str | None) -> Iterator[Page]:
        """Yield pages of a kind's rows (`tables.records.records_schema`).

        Args:
            kind: Which.
            since: A watermark that an earlier read gave; None reads everything. Rows that were
                deleted are not told.

        Raises:
            NotPrepared: The table is not there.
        """
        ...


@runtime_checkable
class WritesConsents(Protocol):
    """Keeps records of what people consented to, in a table that the account names (a CRM's)."""

    def consent_obstacles(
        self, table: str, key_column: str, columns: Collection[str], lookups: Mapping[str, str]
    ) -> list[str]:
        """Return what keeps consents from being written to a table, a clause each.

        Args:
            table: As the system calls it; so are the columns.
            key_column: Has the keys.
            columns: Have texts or times.
            lookups: Entity of people → the column that relates a record to one of them.
        """
        ...

    def write_consents(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Create the records, or bring them up to date.

        ``key`` is the consent's; a repeat finds the first try's record. ``values`` holds all as the
        system names it: ``table``; ``key_column``, which has the key; ``columns``, the values by
        column (texts, times in ISO 8601, or null); and ``lookup``, the column that relates the
        record to the person, with ``person_entity`` and ``person_id``, all three null where no
        person is to be related.

        Where the person no longer exists, the record is written all the same, related to nobody.
        Values that do not fit are cut or left out as in `write_records`.

        Raises:
            FeatureUnavailable: There is no such table, or it lacks a column or its key.
        """
        ...


@runtime_checkable
class CreatesColumns(Protocol):
    """Gives a CRM's people further columns."""

    def create_columns(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Create the columns (entity `label_column`, kind CREATE).

        ``values`` holds table (one of the connector's entities), name, which people see, and type
        (a FieldType, and no option). The result's ``record_id`` is the column's name, which the
        connector makes of the one given.

        A column that is there already, with the same type, is a success; with another it is an
        error.
        """
        ...


@runtime_checkable
class CreatesFields(Protocol):
    """Gives the records of people further fields."""

    def create_fields(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Create the fields (entity `data_field`, kind CREATE).

        ``key`` is the field's name. ``values`` holds type (a FieldType), and if wished visibility
        and default, as in FieldInfo. The result's ``record_id`` is the name as the vendor has it.

        A field that is there already, with the same type, is a success; with another it is an
        error, as is a name that the vendor does not take.
        """
        ...


@runtime_checkable
class WritesTags(Protocol):
    """Creates, renames and deletes tags, categories of interests, and interests."""

    def write_tags(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Execute OPERATIONS of one entity of PLATFORM_TAGS and one kind.

        CREATE creates what the ``values`` say: name, and parent_id as in TAGS. The result's
        ``record_id`` is its id or, if one of that name exists already, the id of that one.
        UPDATE renames ``record_id`` to the name among the values; members keep it.
        DELETE deletes ``record_id``, so that members lose it, and with a category its interests.
        Deleting what does not exist is a success.
        """
        ...


@runtime_checkable
class WritesMemberTags(Protocol):
    """Gives members tags and interests, and removes them."""

    def write_member_tags(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Execute OPERATIONS (entity `member_tag`): CREATE gives a tag, DELETE removes it.

        ``record_id`` is the member; ``values`` holds list_id, as in TAGS. Giving a tag twice and
        removing one that somebody does not have are successes. Nobody becomes mailable by it.

        If the member no longer exists, the verdict is an error with the code ``tables.GONE``.
        """
        ...


@runtime_checkable
class WritesPreferences(Protocol):
    """Writes which marketing preferences people have chosen."""

    def write_preferences(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Opt people in and out (entity `preference`, kind UPDATE).

        ``record_id`` is the member; ``values`` maps ids of preferences to true (opted in) or false.
        Preferences that are not named stay as they are. Nobody becomes mailable by it.

        If the member no longer exists, the verdict is an error with the code ``tables.GONE``.
        """
        ...


@runtime_checkable
class Enrols(Protocol):
    """Enrols people, or all people of lists, into automation programs."""

    def enrol(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Enrol each row's member, or list (entity `enrolment`, kind ENROL).

        ``record_id`` is the member; where it is null, the values' list_id is the list. ``values``
        holds program_id, and asked_at (ISO 8601): an enrolment of the same into the same program
        since then is this one's first try, and not repeated. The result's ``membership_id`` is the
        enrolment's id. Where there are more people than the vendor takes in single enrolments, the
        connector makes a list of them, and enrols that.

        Who is not enrolled for a reason of their own (unsubscribed, or in the program already) is
        ignored, with the vendor's word as code. What exceeds what the vendor takes in an hour is a
        transient error. Where it cannot be found out whether an enrolment was made, all of it are
        errors, and not transient.
        """
        ...


@dataclass(frozen=True, slots=True)
class Definition:
    """A definition of Bothways' own, such as a table, that is to be created or removed.

    Attributes:
        key: Tells it from others, from run to run.
        kind: What it is, in the vendor's word: a table, a column, a key.
        name: What it is, or will be, called there.
        part_of: The table that it is a part of; "" where of none.
        sentence: What it is, for people.
    """

    key: str
    kind: str
    name: str
    part_of: str
    sentence: str


@dataclass(frozen=True, slots=True)
class NamedTable:
    """A table, or columns, of the customer's that are used instead of Bothways' own.

    Attributes:
        table: As the system calls it; "" for Bothways' own.
        columns: By the column of the kind of record, or `key`, `name` or `email`.
    """

    table: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class UsesTables(Protocol):
    """Can keep records in tables and columns that an account names."""

    def use_tables(self, tables: Mapping[str, NamedTable]) -> None:
        """Use these from now on, by the name of the kind of record."""
        ...

    def table_obstacles(self, kinds: Collection[RecordKind]) -> list[str]:
        """Return what keeps tables that are there from being used; not what `missing` tells.

        Args:
            kinds: The records that are to be kept there.

        Returns:
            A clause for each thing.
        """
        ...


@runtime_checkable
class Provisions(Protocol):
    """Needs definitions of its own at the vendor before a first run: tables, columns, keys."""

    def missing(self, kinds: Collection[RecordKind]) -> list[Definition]:
        """Return what is not there yet, in the order in which it is made.

        Args:
            kinds: The records that are to be kept, beside what every sync relies on.
        """
        ...

    def provision(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Make what is missing; ``key`` is that of a `Definition`. Nothing is deleted.

        What is there already is a success, whoever made it.
        """
        ...


@runtime_checkable
class RemovesDefinitions(Protocol):
    """Removes what `Provisions` created at the vendor, with all that is in it."""

    def removable(self, kinds: Collection[RecordKind]) -> list[Definition]:
        """Return what exists, in the order in which it is removed.

        A table or column that the account names as its own is never among them. The sentence of a
        table says how many rows it has.

        Args:
            kinds: The records whose tables are meant, besides what every sync relies on.
        """
        ...

    def remove(self, definitions: Sequence[Definition]) -> pd.DataFrame:
        """Remove these; return RESULTS whose ``seq`` is the position of each.

        Removing what does not exist is a success. What the vendor keeps because something depends
        on it is an error with the vendor's reason, and the others are removed all the same.
        """
        ...


@dataclass(frozen=True, slots=True)
class EventsWanted:
    """The events that a vendor is asked to report, by webhooks.

    Attributes:
        url: Where the vendor sends them.
        topics: What they are about.
        secret: What the vendor has to show, if it does not choose the secret itself.
        known: Whether the secrets of existing registrations are known. If not, all of them are
            replaced.
        fields: By entity, the fields of people whose changes matter.
        lists: Names or ids of the lists that matter; all of them if none are named.
    """

    url: str
    topics: frozenset[Topic]
    secret: str = field(repr=False)
    known: bool = True
    fields: Mapping[str, Collection[str]] = field(default_factory=dict)
    lists: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class EventAccess:
    """How the events of a system are recognised.

    Attributes:
        secret: What a webhook shows, or signs with, from now on; "" if that does not change.
        user: The vendor's id of the user that the connection signs in as; "" if the vendor sends no
            events for what is written through the API.
    """

    secret: str = field(default="", repr=False)
    user: str = ""


@runtime_checkable
class RegistersEvents(Protocol):
    """Can register webhooks of its own, and remove them."""

    def unregistered(self, wanted: EventsWanted) -> list[str]:
        """Return a sentence for each registration that is missing or differs."""
        ...

    def register(self, wanted: EventsWanted) -> Iterator[EventAccess]:
        """Register what is missing; yield at once what a vendor may reveal only once.

        Calling it again registers nothing twice.
        """
        ...

    def registered(self, url: str) -> list[str]:
        """Return a sentence for each webhook that leads to a URL."""
        ...

    def unregister(self, url: str) -> None:
        """Remove the webhooks that lead to a URL; if there are none, this is a success."""
        ...


@runtime_checkable
class ErasesContacts(Protocol):
    """Removes people for ever, on their request."""

    def erase_contacts(self, entity: str, ids: Sequence[str]) -> pd.DataFrame:
        """Delete these people; return RESULTS whose ``seq`` is the position of an id in ``ids``.

        Somebody who does not exist is a success.
        """
        ...


@runtime_checkable
class ErasesSuppressions(Protocol):
    """Removes its own suppression records of people for ever, on their request."""

    def find_suppressions(self, emails: Sequence[str]) -> list[str]:
        """Return the ids of the records of these addresses (whatever their case)."""
        ...

    def erase_suppressions(self, ids: Sequence[str]) -> pd.DataFrame:
        """Delete these records; return RESULTS whose ``seq`` is the position of an id in ``ids``.

        A record that does not exist is a success.
        """
        ...


@runtime_checkable
class ErasesRecords(Protocol):
    """Removes its own records about people, for ever, on their request."""

    def find_records(
        self, kind: RecordKind, ids: Sequence[str], emails: Sequence[str]
    ) -> list[str]:
        """Return the ids of a kind's records of people with these ids or addresses (any case).

        There are none where the table is not there.
        """
        ...

    def erase_records(self, kind: RecordKind, ids: Sequence[str]) -> pd.DataFrame:
        """Delete these records; return RESULTS whose ``seq`` is the position of an id in ``ids``.

        A record that does not exist is a success.
        """
        ...


def since_text(moment: datetime) -> str:
    """Return a timestamp watermark: ISO 8601, UTC, milliseconds, ``Z``."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
