"""What the store remembers of an account, as a plan asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import pandas as pd

from bothways.tables.ledgers import ListPair
from bothways.vocabulary import FieldType, RoleName


class StoreView(Protocol):
    """Reads what earlier runs, and the extracts of this one, have told the store of one account.

    Nothing is written. Where ids, addresses or keys are asked for, nulls and repetitions among them
    do not matter. Several of them widen what is asked (``ids`` or ``email_keys``), and an empty one
    matches nothing; where none is given, everything is returned. Frames have the schemas of
    `bothways.tables.ledgers` in a stable order, over 0, 1, 2 ….

    A view is of all scopes of the platform, unless it is narrowed to one of them.
    """

    def within(self, scope: str) -> StoreView:
        """Return the view of one scope of the platform.

        It has the platform's people, links, baselines and divergence of that scope only, and of the
        suppressions those that count there: its own, those of the whole account, and of other
        scopes all but unsubscribes, since mail bounces at an address, and a complaint is about the
        sender. All else is as in the whole view.
        """
        ...

    def people(
        self,
        side: RoleName,
        *,
        entity: str | None = None,
        ids: pd.Series | None = None,
        email_keys: pd.Series | None = None,
        external_keys: pd.Series | None = None,
        fields: Mapping[str, FieldType] | None = None,
        with_deleted: bool = False,
    ) -> pd.DataFrame:
        """Return the people of one side, as last seen.

        Args:
            side: Whose people.
            entity: Only of this entity; None for all.
            ids: Those with one of these ids.
            email_keys: Those with one of these normalised addresses.
            external_keys: Those with one of these alternate keys.
            fields: Vendor fields to return, and the types to read them as. A value that does not
                fit its type is null.
            with_deleted: Return deleted people too.

        Returns:
            `people_schema(fields)`: CONTACTS, ``field:<vendor name>``, email_key and deleted_at;
            by entity and id.
        """
        ...

    def merged(self, ids: pd.Series) -> pd.Series:
        """Return the CRM records that these were merged into, and that were merged into these.

        Chains of merges are followed. The given records may be among them.

        Returns:
            Their ids.
        """
        ...

    def members(
        self,
        side: RoleName,
        *,
        list_ids: Sequence[str] | None = None,
        member_ids: pd.Series | None = None,
    ) -> pd.DataFrame:
        """Return who is on the lists of one side.

        Args:
            side: Whose lists.
            list_ids: Only of these lists; None for all.
            member_ids: Only these people; None for all.

        Returns:
            MEMBERS: list_id, entity, member_id, membership_id, status, changed_at, deleted (false)
            and deleted_at; by list, entity and member.
        """
        ...

    def former_members(self, side: RoleName, membership_ids: pd.Series) -> pd.Series:
        """Return whose memberships these are or were: the ids of the members."""
        ...

    def links(
        self,
        *,
        entity: str | None = None,
        crm_ids: pd.Series | None = None,
        marketing_ids: pd.Series | None = None,
        email_keys: pd.Series | None = None,
    ) -> pd.DataFrame:
        """Return which CRM record and which platform contact are the same person.

        Args:
            entity: Only of this CRM entity; None for all.
            crm_ids: Those of one of these records.
            marketing_ids: Those of one of these contacts.
            email_keys: Those that were made by one of these addresses.

        Returns:
            LINKS: entity, crm_id, marketing_id, email_key, is_primary and scope; by entity, CRM
            record and scope.
        """
        ...

    def list_states(
        self,
        *,
        pairs: Sequence[ListPair] | None = None,
        crm_ids: pd.Series | None = None,
        marketing_ids: pd.Series | None = None,
    ) -> pd.DataFrame:
        """Return how memberships stood when both sides last agreed.

        Args:
            pairs: Only of these pairs of lists; None for all.
            crm_ids: Those of one of these CRM records.
            marketing_ids: Those of one of these contacts.

        Returns:
            LIST_STATES: crm_list_id, marketing_list_id, entity, crm_id, marketing_id, state and
            changed_at; by lists and person.
        """
        ...

    def unseen(self, pairs: Sequence[ListPair], run_id: int) -> pd.DataFrame:
        """Return whose membership is known and whom a run has not seen alive on both sides.

        Args:
            pairs: Of these pairs of lists.
            run_id: The run.

        Returns:
            UNSEEN: crm_id, marketing_id and email_key, each combination once, in no order.
        """
        ...

    def baselines(
        self, entity: str, crm_ids: pd.Series, fields: Mapping[str, FieldType]
    ) -> pd.DataFrame:
        """Return the field values that pairs of records had when they last agreed.

        Args:
            entity: The CRM entity.
            crm_ids: The CRM records of the pairs.
            fields: The mapping's names and types; a value of another type is null.

        Returns:
            `baselines_schema(fields)`: entity, crm_id, marketing_id, ``field:<name>`` and
            agreed_at; by CRM record and scope.
        """
        ...

    def divergence(
        self, entity: str, crm_ids: pd.Series, fields: Mapping[str, FieldType]
    ) -> pd.DataFrame:
        """Return the pairs whose sides an undo left apart.

        Args:
            entity: The CRM entity.
            crm_ids: The CRM records of the pairs.
            fields: The mapping's names and types; a value of another type is null.

        Returns:
            `divergence_schema(fields)`: crm_id, marketing_id, ``field:<name>`` (what the platform
            had; what the CRM had is in the baseline) and ``apart:<name>`` (whether they were left
            apart in this field); by CRM record and scope.
        """
        ...

    def suppressions(
        self,
        side: RoleName | None = None,
        *,
        email_keys: pd.Series | None = None,
        record_ids: pd.Series | None = None,
        list_ids: Mapping[RoleName, str] | None = None,
    ) -> pd.DataFrame:
        """Return the suppressions in force.

        Args:
            side: Only those that this side reported; None for both.
            email_keys: Those of one of these normalised addresses.
            record_ids: Those with one of these records.
            list_ids: Only those of the list with this id on each side, or account-wide ones
                (ACCOUNT_WIDE); nothing of a side that is left out. None for all lists.

        Returns:
            SUPPRESSIONS_IN_FORCE: side, email_key, list_id, member_id, email, reason, personal,
            vendor_reason, suppressed_at, told_at, record_id, deleted_at, settled_at, scope, key,
            origin and came_back; by address, side, list, member and scope.
        """
        ...

    def erased(self, email_keys: pd.Series) -> pd.Series:
        """Return a mask of the addresses whose owners asked to be forgotten, over the same index.

        Raises:
            ConfigurationError: A key that such addresses were hashed with is missing.
        """
        ...

    def retries(self, sync_type: str) -> pd.DataFrame:
        """Return a sync type's records in error, whether they are due or not.

        Returns:
            RETRIES: source, source_id, email_key and given_up; in this order.
        """
        ...

    def written_jobs(self, run_id: int) -> pd.DataFrame:
        """Return what a run wrote, but for single fields.

        Returns:
            WRITTEN_JOBS: seq, target, kind, entity, record_id, source_id, key, email, email_key,
            list_key, reason, source and source_entity; by seq.
        """
        ...

    def written_values(
        self, run_id: int, target: RoleName, entity: str, fields: Mapping[str, FieldType]
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the values that a run's updates wrote over, and those that they wrote.

        Args:
            run_id: The run.
            target: Where they were written.
            entity: The CRM entity whose mapping the fields are of.
            fields: The mapping's names and types; a value of another type is null.

        Returns:
            Two frames of ``field:<name>`` columns over the jobs' seq: before and after. The second
            has ``wrote:<name>`` too: whether the job wrote the field.
        """
        ...

    def created_ids(self, run_id: int, target: RoleName, keys: pd.Series) -> pd.Series:
        """Return the ids of the people whom a run created, over the keys of their creation.

        Args:
            run_id: The run.
            target: Where they were created.
            keys: The keys that are asked for; those that created nobody are left out.
        """
        ...

    def list_ids(self, run_id: int, side: RoleName) -> Mapping[str, str]:
        """Return the ids that a run's lists had on a side, by list key, where they are known."""
        ...

    def mapped_lists(self) -> pd.DataFrame:
        """Return what the keys of the account's lists stood for when a run last looked at them.

        Returns:
            MAPPED_LISTS: list_key, crm_list_id and marketing_list_id; by key. Lists of which a
            system's id is not known are left out.
        """
        ...

    def definitions(self, side: RoleName, kind: str, *, deleted: bool = False) -> pd.DataFrame:
        """Return the named things of a system that are not deleted.

        Args:
            side: Whose they are.
            kind: What they are: campaign, column, field, tag, program.
            deleted: Those that are deleted, instead.

        Returns:
            DEFINITIONS: id, name, details and written; by id.
        """
        ...

    def written_consents(self, keys: pd.Series) -> pd.Series:
        """Return those of the keys whose consents have been written to the CRM, in order.

        Args:
            keys: The keys that are asked for.
        """
        ...

    def pending_events(
        self,
        side: RoleName,
        kind: str,
        *,
        limit: int,
        after: tuple[datetime, str] | None = None,
        ignored: bool = False,
    ) -> pd.DataFrame:
        """Return events that wait to be written to the CRM, the oldest first.

        Args:
            side: Which system told them.
            kind: Of this kind.
            limit: How many at most.
            after: Only those beyond this occurred_at and key: the way to the next batch.
            ignored: Return those that were ignored instead.

        Returns:
            PENDING_EVENTS, by occurred_at and key.
        """
        ...

    def ignored_events(
        self, side: RoleName, kind: str, *, email_keys: pd.Series, record_ids: pd.Series
    ) -> pd.DataFrame:
        """Return events that were ignored, since the CRM had nobody to relate them to.

        Args:
            side: Which system told them.
            kind: Of this kind.
            email_keys: Those of one of these normalised addresses.
            record_ids: Those of one of these records of the system.

        Returns:
            PENDING_EVENTS, by occurred_at and key.
        """
        ...
