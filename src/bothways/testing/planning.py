"""A plan of a sync type without vendors, staging or PostgreSQL.

desk = Planning(lists=("news",))
desk.store.add_person("marketing", "m1", "ann@example.org")
desk.read_people("marketing", "contacts", "m1")
jobs = desk.plan(SYNC.plan).jobs
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from bothways.config.account import Account, list_of
from bothways.spec import Options
from bothways.syncs.base import Inputs, KnownList, Plan
from bothways.tables.consent import SUPPRESSIONS
from bothways.tables.frames import frame_of
from bothways.tables.ledgers import ListPair
from bothways.tables.members import LIST_MEMBERS
from bothways.testing.memory import MemoryView
from bothways.transform.ignore import Rules
from bothways.transform.normalise import email_keys
from bothways.vocabulary import SIDES, FieldType, RoleName

DUE: Final = pa.schema(
    [
        pa.field(name, pa.string())
        for name in ("source", "entity", "source_id", "list_key", "email_key")
    ]
)
"""Rows in error that are due again, as `Inputs.retries` has them."""

_OF_THE_SYSTEMS: Final = ("scope", "dynamic", "asks_to_confirm")

STARTED_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""When the run of a plan started."""


@dataclass(frozen=True, slots=True)
class MemoryStaged:
    """What the extracts staged, in memory; all partitions are one."""

    frames: Mapping[tuple[RoleName, str], pd.DataFrame]

    def read(self, side: RoleName, dataset: str) -> pd.DataFrame:
        """Return the dataset's rows; an empty frame where nothing was staged."""
        return self.frames.get((side, dataset), pd.DataFrame())

    def read_all(self, side: RoleName, dataset: str) -> pd.DataFrame:
        """Return the dataset's rows; an empty frame where nothing was staged."""
        return self.read(side, dataset)


class Planning:
    """An account, a store in memory, and what a run has read.

    Attributes:
        account: The account's configuration.
        store: What earlier runs and this one's extracts have told the store.
    """

    def __init__(
        self,
        *,
        lists: Mapping[str, Mapping[str, Any]] | Sequence[str] = ("news",),
        holds: str = "contact",
        mappings: Mapping[str, Any] | None = None,
        **account: Any,
    ) -> None:
        """Set up an account whose lists stand on both sides.

        Args:
            lists: Keys of the mapped lists, perhaps with what an account's file says of each
                beside its names, and the platform's `scope` that it is in, that it is `dynamic` in
                the CRM, or that the platform `asks_to_confirm`; `list_id` says what they are on a
                side.
            holds: The CRM entity of all lists.
            mappings: By CRM entity, the mapped fields: what a mapping file has below `fields`.
            **account: Anything else that an account's file may have.
        """
        said = lists if isinstance(lists, Mapping) else {key: {} for key in lists}
        self._scopes = {key: str(more.get("scope", "")) for key, more in said.items()}
        self._dynamic = {key for key, more in said.items() if more.get("dynamic")}
        self._asking = {key for key, more in said.items() if more.get("asks_to_confirm")}
        said = {
            key: {name: value for name, value in more.items() if name not in _OF_THE_SYSTEMS}
            for key, more in said.items()
        }
        mapped = {key: {"crm": key, "marketing": key, **more} for key, more in said.items()}
        fields = {
            entity: {"entity": entity, "fields": given}
            for entity, given in (mappings or {}).items()
        }
        self.account = Account.model_validate(
            {
                "name": "acme",
                "crm": {"connector": "crm", "connection": "crm"},
                "marketing": {"connector": "platform", "connection": "platform"},
                "lists": mapped,
                "mappings": fields,
                **account,
            }
        )
        self.store = MemoryView()
        self._holds = holds
        self._staged: dict[tuple[RoleName, str], pd.DataFrame] = {}
        self._due: list[dict[str, Any]] = []

    def list_id(self, side: RoleName, key: str = "news") -> str:
        """Return the id of a list on a side."""
        return f"{side}-{list_of(key) if side == 'crm' else key}"

    def pair(self, key: str = "news") -> ListPair:
        """Return the ids of a list on both sides."""
        return ListPair(self.list_id("crm", key), self.list_id("marketing", key))

    # ── what the run has read ─────────────────────────────────────────────────────────────────

    def read_people(self, side: RoleName, dataset: str, *ids: str) -> None:
        """Stage people as the store has them, deleted ones too."""
        fields: dict[str, FieldType] = {}
        for mapping in self.account.mappings.values():
            fields |= mapping.vendor_fields(side)
        wanted = pd.Series(ids, dtype="string[pyarrow]")
        rows = self.store.people(side, ids=wanted, fields=fields, with_deleted=True)
        self._staged[side, dataset] = rows.drop(columns="deleted_at")

    def read_members(self, side: RoleName, dataset: str, *rows: Mapping[str, Any]) -> None:
        """Stage memberships: LIST_MEMBERS, by default living ones of contacts."""
        usual = {"entity": "contact", "deleted": False}
        self._stage(side, dataset, [usual | dict(row) for row in rows], LIST_MEMBERS)

    def read_suppressions(self, side: RoleName, dataset: str, *rows: Mapping[str, Any]) -> None:
        """Stage suppressions: SUPPRESSIONS, with the normalised address."""
        usual = {"reason": "unsubscribed", "deleted": False}
        self.read_rows(side, dataset, SUPPRESSIONS, *(usual | dict(row) for row in rows))

    def read_rows(
        self, side: RoleName, dataset: str, schema: pa.Schema, *rows: Mapping[str, Any]
    ) -> None:
        """Stage rows of a table that has an address, with the normalised address."""
        self._stage(side, dataset, [dict(row) for row in rows], schema)
        frame = self._staged[side, dataset]
        self._staged[side, dataset] = frame.assign(email_key=email_keys(frame["email"]))

    def try_again(self, source: RoleName, entity: str, source_id: str, **more: str) -> None:
        """Have a row in error due again; ``more`` may name its list_key and email_key."""
        row = {"source": source, "entity": entity, "source_id": source_id, "list_key": ""}
        self._due.append(row | more)

    def _stage(
        self, side: RoleName, dataset: str, rows: list[dict[str, Any]], schema: pa.Schema
    ) -> None:
        table = pa.Table.from_pylist(rows, schema)
        self._staged[side, dataset] = table.to_pandas(types_mapper=pd.ArrowDtype)

    # ── planning ──────────────────────────────────────────────────────────────────────────────

    def plan(self, planner: Callable[[Inputs], Plan], **inputs: Any) -> Plan:
        """Have a plan made; ``inputs`` are those of `inputs`."""
        return planner(self.inputs(**inputs))

    def inputs(
        self,
        *,
        options: Options | None = None,
        missing: Sequence[tuple[RoleName, str]] = (),
        rules: Rules | None = None,
        **more: Any,
    ) -> Inputs:
        """Return the inputs of a plan.

        Args:
            options: What the person who triggered the run chose.
            missing: Sides and keys of lists that are yet to be created.
            rules: The ignore rules; by default the account's, without word lists.
            **more: Any other attribute of Inputs.
        """
        settings = self.account.settings
        usual: dict[str, Any] = {
            "run_id": 1,
            "account": self.account,
            "options": options or Options(),
            "rules": rules
            or Rules(self.account.ignore, only_active=settings.only_open_leads_and_active_contacts),
            "lists": {side: self._lists(side, missing) for side in SIDES},
            "staged": MemoryStaged(dict(self._staged)),
            "systems": {"crm": "the CRM", "marketing": "the platform"},
            "view": self.store,
            "retries": self._retries(),
            "started_at": STARTED_AT,
        }
        return Inputs(**(usual | more))

    def _lists(
        self, side: RoleName, missing: Sequence[tuple[RoleName, str]]
    ) -> dict[str, KnownList]:
        entity = self._holds if side == "crm" else None
        return {
            key: KnownList(
                key,
                "" if (side, key) in missing else self.list_id(side, key),
                key,
                entity,
                self._scopes[list_of(key)] if side == "marketing" else "",
                static=side == "marketing" or list_of(key) not in self._dynamic,
                asks_to_confirm=side == "marketing" and key in self._asking,
            )
            for key in self.account.pairs
        }

    def _retries(self) -> pd.DataFrame:
        if not self._due:
            return frame_of(DUE)
        return pa.Table.from_pylist(self._due, DUE).to_pandas(types_mapper=pd.ArrowDtype)
