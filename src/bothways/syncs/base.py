"""What a sync type is made of: datasets to extract, and a plan that turns them into jobs.

`SyncType.datasets` names what to read in one system; the engine reads, stages and remembers it in
the store. `SyncType.plan` decides, in pandas, what is to be done with each row that entered; it
reads nothing but staging and the store, and the same inputs give the same plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd
import pyarrow as pa

from bothways.config.account import Account, tagged_by
from bothways.connectors.base import Connector
from bothways.errors import ConfigurationError
from bothways.spec import Options, SyncSpec
from bothways.streams.base import Stream
from bothways.syncs.store_view import StoreView
from bothways.tables.fields import TIME
from bothways.tables.ledgers import ACCOUNT_WIDE, ListPair
from bothways.tables.operations import OPERATIONS
from bothways.vocabulary import SIDES, RoleName, other

if TYPE_CHECKING:
    from bothways.transform.ignore import Rules

# A plan's jobs are operations and rows that need none. `kind` is null where nothing is written;
# `result` is then final: unchanged, duplicate or ignored. `source` is the side that the row came
# from, `source_entity` and `source_id` say which row it was there.
# `error_message` is what the audit says beside the reason of a row that is left out; `transient` is
# true where such a row is due again in the next run.
JOBS = pa.schema(
    [
        *OPERATIONS,
        pa.field("source", pa.string()),
        pa.field("source_entity", pa.string()),
        pa.field("error_message", pa.string()),
        pa.field("transient", pa.bool_()),
    ]
)

# Jobs in bulk, which are counted by `scope_id` (a campaign, say) and listed only where they are not
# written. They are about events of the store, by `key` and `occurred_at`; `attempts` are the tries
# so far. Those that write nothing are ignored, for a reason that may pass.
BULK_JOBS = pa.schema(
    [
        *JOBS,
        *(pa.field(name, pa.string()) for name in ("email_key", "scope_id")),
        pa.field("occurred_at", TIME),
        pa.field("attempts", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True)
class Dataset:
    """One read of one side.

    Attributes:
        name: Unique on its side; watermark and staging folder are named after it.
        stream: What is read.
        list_key: The only list that it is about: that list fails alone if it cannot be read.
        whole_every: How old the last full read may be before the next run reads in full again.
        rules: Settings that decide who is left out. After a change to one of them, the next run
            reads everything, since people who were left out may now be included.
        changes_of: A sync type and the name of its dataset: only what changed since that was last
            read by that sync type. Its watermark is not moved.
    """

    name: str
    stream: Stream
    list_key: str = ""
    whole_every: timedelta | None = None
    rules: Mapping[str, Any] = field(default_factory=dict)
    changes_of: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class KnownList:
    """A mapped list as one side knows it: its id there, the entity that it holds, and its scope.

    ``scope_name`` is what people call the scope; "" where nobody does. If the list is not
    ``static``, its query alone decides who is on it. ``size`` is how many the vendor says are on
    it; None where it does not say. ``asks_to_confirm`` as in `ListInfo`.
    """

    key: str
    id: str
    name: str
    entity: str | None
    scope: str = ""
    scope_name: str = ""
    static: bool = True
    size: int | None = None
    asks_to_confirm: bool = False

    @property
    def is_audience(self) -> bool:
        """Whether it is a whole audience: who is taken off it is no contact there any more.

        Nor are they gone: they come back by being put on it again.
        """
        return self.scope != "" and self.id == self.scope

    @property
    def found_by_query(self) -> bool:
        """Whether its query is asked who is on it; for the tag of a list, the list's own is."""
        return not (self.static or tagged_by(self.key))


@dataclass(frozen=True, slots=True)
class Request:
    """What a sync type is asked to read on one side.

    Attributes:
        account: The account.
        side: The side.
        entities: What the side's connector knows people as.
        lists: The mapped lists by key; one that is yet to be created has an empty id.
        options: What the person who triggered the run chose.
    """

    account: Account
    side: RoleName
    entities: tuple[str, ...]
    lists: Mapping[str, KnownList]
    options: Options = field(default_factory=Options)

    def list_ids(self) -> tuple[str, ...]:
        """Return the side's ids of the lists that are there, in a stable order."""
        return tuple(sorted({item.id for item in self.lists.values() if item.id}))

    def static_ids(self) -> tuple[str, ...]:
        """Return those whose members the side keeps one by one."""
        return tuple(sorted({item.id for item in self.lists.values() if item.id and item.static}))

    def joining_rules(self) -> dict[str, Any]:
        """Return the settings that decide who joins a list, for `Dataset.rules`."""
        names = {key: item.id or item.name for key, item in self.lists.items()}
        pairs = {key: self.account.pairs[key] for key in names}
        mapped = {names[key]: item for key, item in pairs.items() if not tagged_by(key)}
        tags = {key: item.marketing for key, item in pairs.items() if tagged_by(key)}
        left = {name: item.when_left for name, item in mapped.items() if item.when_left != "keep"}
        return {
            "only_active": self.account.settings.only_open_leads_and_active_contacts,
            "ignore": self.account.ignore.model_dump(),
            "accept_new": {name: item.accept_new for name, item in mapped.items()},
            # The members of a list are news to another counterpart than it had.
            "counterparts": {name: item.name(other(self.side)) for name, item in mapped.items()},
            **({"when_left": left} if left else {}),
            # Who was on the list before gets the tag as well.
            **({"tags": tags} if tags else {}),
        }


class Staged(Protocol):
    """Reads what the extracts staged, one partition of it."""

    def read(self, side: RoleName, dataset: str) -> pd.DataFrame:
        """Return the dataset's rows, with `email_key` where it has an `email`; empty if none."""
        ...

    def read_all(self, side: RoleName, dataset: str) -> pd.DataFrame:
        """Return the rows of all partitions."""
        ...


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a plan is made from.

    Attributes:
        run_id: The run, for the store.
        account: Its configuration.
        options: What the person who triggered it chose.
        rules: The ignore rules in force.
        lists: The mapped lists that both sides have, by side and key; a list that one side lacks
            and that may be created stands with an empty id.
        staged: This partition of the extracts.
        systems: What people call the account's systems.
        view: What the store remembers of the account.
        started_at: When the run first started, UTC.
        retries: Rows in error that are due again: source, entity, source_id, list_key, email_key.
        whole: A side was read whole, so that who was not read is gone.
        compares: Nothing is to be kept in step: tell what differs, whoever it is about.
        without_base: By CRM entity, the mapped fields whose meaning has changed since both sides
            last agreed: their baselines do not count.
        partition: Which partition is planned.
        partitions: How many there are.
        earlier: Of one scope's inputs, the views of the scopes that come before it.
        elsewhere: Of one scope's inputs, the views of all other scopes.
    """

    run_id: int
    account: Account
    options: Options
    rules: Rules
    lists: Mapping[RoleName, Mapping[str, KnownList]]
    staged: Staged
    systems: Mapping[RoleName, str]
    view: StoreView
    retries: pd.DataFrame
    started_at: datetime
    whole: bool = False
    compares: bool = False
    without_base: Mapping[str, Sequence[str]] = field(default_factory=dict)
    partition: int = 0
    partitions: int = 1
    earlier: Sequence[StoreView] = ()
    elsewhere: Sequence[StoreView] = ()

    def scopes(self) -> tuple[str, ...]:
        """Return the scopes of the mapped lists, in the order of the account's lists."""
        known = self.lists["marketing"]
        found = dict.fromkeys(known[key].scope for key in self.account.pairs if key in known)
        return tuple(found) or ("",)

    def within(self, scope: str) -> Inputs:
        """Return the inputs of one scope of the platform: its lists, and the view of it."""
        keys = [key for key, item in self.lists["marketing"].items() if item.scope == scope]
        lists = {
            side: {key: item for key, item in known.items() if key in keys}
            for side, known in self.lists.items()
        }
        scopes = self.scopes()
        before = scopes[: scopes.index(scope)] if scope in scopes else ()
        earlier = [self.view.within(one) for one in before]
        elsewhere = [self.view.within(one) for one in scopes if one != scope]
        return replace(
            self,
            lists=lists,
            view=self.view.within(scope),
            earlier=earlier,
            elsewhere=elsewhere,
        )

    def pair(self, list_key: str) -> ListPair:
        """Return a mapped list's ids on both sides, by which its states are stored."""
        return ListPair(self.lists["crm"][list_key].id, self.lists["marketing"][list_key].id)

    def list_ids(self, list_key: str) -> Mapping[RoleName, str]:
        """Return a list's id on each side, by which its suppressions are stored.

        A side on which the list is yet to be created is left out. Without a key it is about the
        whole account.
        """
        if not list_key:
            return ACCOUNT_WIDE
        ids = {side: self.lists[side][list_key].id for side in SIDES}
        return {side: list_id for side, list_id in ids.items() if list_id}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run intends.

    Attributes:
        jobs: In the schema JOBS; `seq` is given later.
        notes: Sentences for the run's notes.
        skipped: Keys of lists that could not be planned yet; they are read whole by the next run.
        keep: What the ledgers keep once the jobs have their verdicts: frames by the name of the
            entry that a ledger declares (`Ledger.entries`), in that entry's schema.
        bulk: Batches of BULK_JOBS, made one at a time as they are asked for: a million events do
            not fit into memory at once. They are written once all `jobs` have been.
    """

    jobs: pd.DataFrame
    notes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    keep: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    bulk: Iterable[pd.DataFrame] = ()


Datasets = Callable[[Request], list[Dataset]]
Planner = Callable[[Inputs], Plan]
Obstacles = Callable[[Request, Connector], list[str]]
Objection = Callable[[Account, Options, str], str | None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How to compare what a sync type keeps in sync, writing nothing unless asked to repair."""

    datasets: Datasets
    plan: Planner


@dataclass(frozen=True, slots=True)
class SyncType:
    """The code of a sync type, which its `SyncSpec` names.

    Attributes:
        datasets: Names what to read in one system.
        plan: Decides what is to be done with each row that was read.
        revert: Plans the undo of an earlier run, if the spec says `reverts`.
        comparison: Compares instead of syncing, if the spec says `verified_as`.
        obstacles: Asks a system for what the settings name there and has to be there beside fields
            of people; a clause for each thing that is wrong.
        objection: Says why a run is not to start with what somebody chose, given their Airflow
            username; None where it may.
    """

    datasets: Datasets
    plan: Planner
    revert: Planner | None = None
    comparison: Comparison | None = None
    obstacles: Obstacles | None = None
    objection: Objection | None = None


def implementation(spec: SyncSpec) -> SyncType:
    """Return the code of a sync type; of one that verifies another, the other's comparison.

    Raises:
        ConfigurationError: It is not where the spec says, or lacks an ability that the spec names.
    """
    module, _, attribute = spec.implementation.partition(":")
    found = getattr(import_module(module), attribute, None)
    if not isinstance(found, SyncType):
        raise ConfigurationError(
            f"Sync type `{spec.name}` names `{spec.implementation}`, which is no SyncType."
        )
    if spec.reverts and found.revert is None:
        raise ConfigurationError(f"Sync type `{spec.name}` says that it reverts, but cannot.")
    if not spec.verifies:
        return found
    if found.comparison is None:
        raise ConfigurationError(
            f"Sync type `{spec.verifies}` has no comparison to verify it with."
        )
    return replace(found, datasets=found.comparison.datasets, plan=found.comparison.plan)
