"""The store as plans see it: what `bothways.syncs.store_view` asks for, read from PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import pandas as pd
import sqlalchemy as sa

from bothways.store import (
    applying,
    baselines,
    consents,
    erase,
    events,
    list_states,
    records,
    retries,
    runs,
    undo,
)
from bothways.store.definitions import load_definitions
from bothways.store.links import load_links
from bothways.store.members import load_members
from bothways.store.suppressions import load_suppressions
from bothways.tables.ledgers import ListPair
from bothways.vocabulary import FieldType, RoleName


@dataclass(frozen=True, slots=True)
class PostgresView:
    """A StoreView over an open transaction.

    Attributes:
        conn: The transaction.
        account: The account's name.
        scope: The platform's scope that it is narrowed to; None for all.
    """

    conn: sa.Connection
    account: str
    scope: str | None = None

    def within(self, scope: str) -> PostgresView:
        """Return the view of one scope of the platform."""
        return replace(self, scope=scope)

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
        """Return the people of one side, as last seen."""
        return records.load_records(
            self.conn,
            account=self.account,
            side=side,
            entity=entity,
            ids=ids,
            email_keys=email_keys,
            external_keys=external_keys,
            fields=fields,
            with_deleted=with_deleted,
            scope=self.scope if side == "marketing" else None,
        )

    def merged(self, ids: pd.Series) -> pd.Series:
        """Return the CRM records that these were merged into, and that were merged into these."""
        return records.load_merges(self.conn, account=self.account, ids=ids)

    def members(
        self,
        side: RoleName,
        *,
        list_ids: Sequence[str] | None = None,
        member_ids: pd.Series | None = None,
    ) -> pd.DataFrame:
        """Return who is on the lists of one side."""
        return load_members(
            self.conn,
            account=self.account,
            side=side,
            list_ids=list_ids,
            member_ids=member_ids,
            with_deleted=False,
        )

    def former_members(self, side: RoleName, membership_ids: pd.Series) -> pd.Series:
        """Return whose memberships these are or were."""
        found = load_members(
            self.conn, account=self.account, side=side, membership_ids=membership_ids
        )
        return found["member_id"]

    def links(
        self,
        *,
        entity: str | None = None,
        crm_ids: pd.Series | None = None,
        marketing_ids: pd.Series | None = None,
        email_keys: pd.Series | None = None,
    ) -> pd.DataFrame:
        """Return which CRM record and which platform contact are the same person."""
        return load_links(
            self.conn,
            account=self.account,
            entity=entity,
            crm_ids=crm_ids,
            marketing_ids=marketing_ids,
            email_keys=email_keys,
            scope=self.scope,
        )

    def list_states(
        self,
        *,
        pairs: Sequence[ListPair] | None = None,
        crm_ids: pd.Series | None = None,
        marketing_ids: pd.Series | None = None,
    ) -> pd.DataFrame:
        """Return how memberships stood when both sides last agreed."""
        return list_states.load_states(
            self.conn,
            account=self.account,
            pairs=pairs,
            crm_ids=crm_ids,
            marketing_ids=marketing_ids,
        )

    def unseen(self, pairs: Sequence[ListPair], run_id: int) -> pd.DataFrame:
        """Return whose membership is known and whom a run has not seen alive on both sides."""
        return list_states.load_unseen(self.conn, account=self.account, pairs=pairs, run_id=run_id)

    def baselines(
        self, entity: str, crm_ids: pd.Series, fields: Mapping[str, FieldType]
    ) -> pd.DataFrame:
        """Return the field values that pairs of records had when they last agreed."""
        return baselines.load_baselines(
            self.conn,
            account=self.account,
            entity=entity,
            crm_ids=crm_ids,
            fields=fields,
            scope=self.scope,
        )

    def divergence(
        self, entity: str, crm_ids: pd.Series, fields: Mapping[str, FieldType]
    ) -> pd.DataFrame:
        """Return the pairs whose sides an undo left apart."""
        return baselines.load_apart(
            self.conn,
            account=self.account,
            entity=entity,
            crm_ids=crm_ids,
            fields=fields,
            scope=self.scope,
        )

    def suppressions(
        self,
        side: RoleName | None = None,
        *,
        email_keys: pd.Series | None = None,
        record_ids: pd.Series | None = None,
        list_ids: Mapping[RoleName, str] | None = None,
    ) -> pd.DataFrame:
        """Return the suppressions in force."""
        return load_suppressions(
            self.conn,
            account=self.account,
            side=side,
            email_keys=email_keys,
            record_ids=record_ids,
            list_ids=list_ids,
            scope=self.scope,
        )

    def erased(self, email_keys: pd.Series) -> pd.Series:
        """Return a mask of the addresses whose owners asked to be forgotten."""
        return erase.erased_keys(self.conn, account=self.account, email_keys=email_keys)

    def retries(self, sync_type: str) -> pd.DataFrame:
        """Return a sync type's records in error, whether they are due or not."""
        return retries.waiting(self.conn, account=self.account, sync_type=sync_type)

    def written_jobs(self, run_id: int) -> pd.DataFrame:
        """Return what a run wrote, but for single fields."""
        return undo.written_jobs(self.conn, run_id=run_id)

    def written_values(
        self, run_id: int, target: RoleName, entity: str, fields: Mapping[str, FieldType]
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the values that a run's updates wrote over, and those that they wrote."""
        return undo.written_values(
            self.conn, run_id=run_id, target=target, entity=entity, fields=fields
        )

    def created_ids(self, run_id: int, target: RoleName, keys: pd.Series) -> pd.Series:
        """Return the ids of the people whom a run created, over the keys of their creation."""
        return applying.created_ids(self.conn, run_id=run_id, target=target, keys=keys)

    def list_ids(self, run_id: int, side: RoleName) -> Mapping[str, str]:
        """Return the ids that a run's lists had on a side, by list key, where they are known."""
        return undo.list_ids(self.conn, run_id=run_id, side=side)

    def mapped_lists(self) -> pd.DataFrame:
        """Return what the keys of the account's lists stood for when a run last looked at them."""
        return runs.mapped_lists(self.conn, account=self.account)

    def definitions(self, side: RoleName, kind: str, *, deleted: bool = False) -> pd.DataFrame:
        """Return the named things of a system that are not deleted, or those that are."""
        return load_definitions(
            self.conn, account=self.account, side=side, kind=kind, deleted=deleted
        )

    def written_consents(self, keys: pd.Series) -> pd.Series:
        """Return those of the keys whose consents have been written to the CRM."""
        return consents.load_written(self.conn, account=self.account, keys=keys)

    def pending_events(
        self,
        side: RoleName,
        kind: str,
        *,
        limit: int,
        after: tuple[datetime, str] | None = None,
        ignored: bool = False,
    ) -> pd.DataFrame:
        """Return events that wait to be written to the CRM, the oldest first."""
        return events.pending(
            self.conn,
            account=self.account,
            role=side,
            kind=kind,
            limit=limit,
            after=after,
            state=events.IGNORED if ignored else events.PENDING,
        )

    def ignored_events(
        self, side: RoleName, kind: str, *, email_keys: pd.Series, record_ids: pd.Series
    ) -> pd.DataFrame:
        """Return events that were ignored, since the CRM had nobody to relate them to."""
        return events.ignored(
            self.conn,
            account=self.account,
            role=side,
            kind=kind,
            email_keys=email_keys,
            record_ids=record_ids,
        )
