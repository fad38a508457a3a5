"""Descriptions that are read while DAG files are parsed; nothing here may import anything heavy.

A `Declaration` says what a connector is and can do, a `SyncSpec` what a sync type needs and can do.
Their code is imported when a run needs it. An installed package brings both by entry point
(`bothways.discovery`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import IntEnum, StrEnum
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from bothways.records import RecordKind
from bothways.vocabulary import RoleName, Topic


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a connector wants at a time.

    Args:
        chunk_rows: Operations for one apply task at most (several of the vendor's batches).
        parallel: Calls in flight from one process.
        page_rows: People that one call reads at most, from which a forecast is reckoned.
        keep_rows: How many operations of a task are written and recorded together at most, while
            the next are being written; a task that dies repeats these. None for all of them.
    """

    chunk_rows: int
    parallel: int
    page_rows: int = 1_000
    keep_rows: int | None = None


@dataclass(frozen=True, slots=True)
class ConnectionForm:
    """What Airflow's form for a connection shows beside its own fields and words.

    Args:
        labels: The vendor's words for Airflow's fields: host, login, password, port.
        placeholders: Examples in these fields while they are empty.
        fields: Further fields, kept in the connection's extra: name → JSON schema, as Airflow's
            `conn-fields`.
        hidden: Fields of Airflow that the vendor has no use for.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    placeholders: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    hidden: tuple[str, ...] = ("schema",)


@dataclass(frozen=True, slots=True)
class Declaration:
    """A connector: what it is and what it can do.

    Args:
        name: Its name in account files; also the Airflow connection type, and the entry point's.
        title: What people call the vendor.
        roles: The roles that it can have in an account.
        connector: Module and class of the connector.
        hook: Module and class of the Airflow hook.
        capabilities: Names of the protocols in `connectors.base` that the connector has.
        limits: How much it wants at a time.
        form: What the form for its connections shows.
        events: Where its `webhooks.Events` are, as `package.module:NAME`; "" if it has none.
    """

    name: str
    title: str
    roles: tuple[RoleName, ...]
    connector: str
    hook: str
    capabilities: frozenset[str]
    limits: Limits
    form: ConnectionForm = field(default_factory=ConnectionForm)
    events: str = ""


Need = str | frozenset[str]
"""The name of a capability (a protocol of `connectors.base`), or names any of which will do."""

ERASING: Final = ("ErasesContacts", "FindsContacts")
"""The capabilities of a system that people can be erased from."""


def any_of(*capabilities: str) -> frozenset[str]:
    """Return a need that is met by any of these capabilities."""
    return frozenset(capabilities)


class Scope(StrEnum):
    """What a person may restrict a run of a sync type to, apart from single records."""

    NONE = "none"
    LISTS = "lists"
    CAMPAIGNS = "campaigns"
    PROGRAMS = "programs"


class Phase(IntEnum):
    """When a sync type runs in the first sync of an account, which goes through them in order.

    Members:
        STRUCTURE: It makes what others write to: tables, columns.
        METADATA: It reads what the systems' own tables have.
        FIELDS: It makes the fields that people are then written with.
        CONSENT: It reads who may not be mailed, which is known before anybody is written.
        PEOPLE: It creates people, or puts them on lists.
        ACTIVITY: All else, which is related to people.
    """

    STRUCTURE = 1
    METADATA = 2
    FIELDS = 3
    CONSENT = 4
    PEOPLE = 5
    ACTIVITY = 6

    @property
    def needs(self) -> tuple[Phase, ...]:
        """The phases in which everything must have gone well before this one."""
        needed = {Phase.STRUCTURE: (), Phase.PEOPLE: (Phase.STRUCTURE, Phase.CONSENT)}
        return needed.get(self, (Phase.STRUCTURE,))


class Options(BaseModel):
    """What a person may ask of a run; the defaults are those of a scheduled one.

    The one description of each: Airflow's trigger form, the console's API and the engine read it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dry_run: bool = Field(
        default=False,
        title="Dry run",
        description="Plans and writes nothing; the audit shows what would be written.",
    )
    full_resync: bool = Field(
        default=False,
        title="Full resync",
        description="Re-read everything instead of what changed since the last run.",
    )
    repair: bool = Field(
        default=False,
        title="Repair",
        description="Resolve the differences that no sync resolves, within the safety limits.",
    )
    lists: tuple[str, ...] = Field(
        default=(),
        title="Only these lists",
        description="Keys of the account's lists, one per line. Leave blank for all.",
    )
    records: tuple[str, ...] = Field(
        default=(),
        title="Only these records",
        description="Ids of records, one per line, or a selection. An email address is refused, "
        "since Airflow would keep it in its event log: give it to Sync now in the Sync Audit "
        "console, or to `bothways select`. Leave blank for all.",
    )
    campaigns: tuple[str, ...] = Field(
        default=(),
        title="Only these campaigns",
        description="Names or ids of campaigns that were sent, one per line; their figures "
        "and all their activity are read again. Leave blank for all.",
    )
    program: str = Field(
        default="",
        max_length=200,
        title="Program",
        description="Name or id of an active program to enrol people into: those of Only these "
        "lists and Only these records. Leave blank to enrol nobody.",
    )
    undo_run: int | None = Field(
        default=None,
        ge=1,
        title="Undo this run",
        description="Number of an earlier run of this sync in the audit: what it wrote is undone, "
        "unless somebody has changed it since. Leave blank for an ordinary run.",
    )

    @property
    def restricted(self) -> bool:
        """Whether the run looks at a part only, so that it may not move a watermark."""
        named = self.lists or self.records or self.campaigns
        return bool(named or self.program or self.undo_run)


@dataclass(frozen=True, slots=True)
class Role:
    """What a sync type wants of one of the systems that it works on.

    Attributes:
        name: The role, as account files and the store name it.
        needs: Capabilities that the system's connector must have.
        is_read: Whether the sync type reads the system: it then has an extract.
        is_written: Whether the sync type writes to it: it then has an apply.
        in_slices: Whether some of what is read of it is read in slices, mapped over workers.
    """

    name: RoleName
    needs: tuple[Need, ...]
    is_read: bool = True
    is_written: bool = True
    in_slices: bool = False

    def is_met_by(self, capabilities: Collection[str]) -> bool:
        """Return whether a connector with these capabilities can take the role."""
        return all(
            need in capabilities if isinstance(need, str) else not need.isdisjoint(capabilities)
            for need in self.needs
        )


@dataclass(frozen=True, slots=True)
class SyncSpec:
    """What is known of a sync type without importing it.

    Attributes:
        name: Its name in configuration, DAG ids and the store.
        title: What people call it.
        implementation: Where its `syncs.base.SyncType` stands, as `package.module:NAME`.
        roles: The systems that it works on, in the order in which they are written.
        scope: What its runs can be restricted to.
        after: Sync types of the same account whose last run must not have failed.
        phase: When it runs in the first sync of an account.
        settings: The model of its settings, which an account gives below `syncs:`.
        keeps_fields: Whether it keeps fields in sync, by means of baselines.
        reads_consent: Whether it reads who may not be mailed, which a plan that has waited is
            checked against before it is applied.
        whole_every: How old its last full read may be: a platform does not report who was deleted.
        reverts: Whether a run of it can be undone.
        verified_as: The name of the DAG that compares what it keeps in sync; "" if none can.
        verifies: Of such a DAG: the sync type whose work it compares. It always reads everything.
        records: The kinds of records of our own that it writes to a CRM.
        runs_first: Sync types that are run before it, and must not have failed, where the account
            names them under `syncs` or `schedules`.
        called: What sentences about a run of it call it, in the words of other connectors; its
            title where this is "".
        dynamic_lists: The roles in which a list may be dynamic: its query alone decides who is on
            it, so that nobody is added to it or removed.
        woken_by: The topics of the events that may start a run of it.
        puts_tags: Whether the people whom it pushes also get the tag that the list names.
    """

    name: str
    title: str
    implementation: str
    roles: tuple[Role, ...]
    scope: Scope = Scope.NONE
    after: tuple[str, ...] = ()
    phase: Phase = Phase.ACTIVITY
    settings: type[BaseModel] | None = None
    keeps_fields: bool = False
    reads_consent: bool = False
    whole_every: timedelta | None = None
    reverts: bool = False
    verified_as: str = ""
    verifies: str = ""
    records: tuple[RecordKind, ...] = ()
    runs_first: tuple[str, ...] = ()
    called: str = ""
    dynamic_lists: frozenset[RoleName] = frozenset()
    woken_by: frozenset[Topic] = frozenset()
    puts_tags: bool = False

    def role(self, name: RoleName) -> Role:
        """Return one of the roles by name.

        Raises:
            KeyError: The sync type has no such role.
        """
        return {role.name: role for role in self.roles}[name]

    def is_met_by(self, capabilities: Mapping[RoleName, frozenset[str]]) -> bool:
        """Return whether an account can run it, by the capabilities of the systems in each role."""
        return all(
            role.name in capabilities and role.is_met_by(capabilities[role.name])
            for role in self.roles
        )

    def unbound(self, bound: Collection[RoleName]) -> tuple[RoleName, ...]:
        """Return the roles that an account which binds these lacks."""
        return tuple(role.name for role in self.roles if role.name not in bound)

    @property
    def read_roles(self) -> tuple[RoleName, ...]:
        """The roles that have an extract."""
        return tuple(role.name for role in self.roles if role.is_read)

    @property
    def sliced_roles(self) -> tuple[RoleName, ...]:
        """The roles of which something is read in slices, after their extract."""
        return tuple(role.name for role in self.roles if role.is_read and role.in_slices)

    @property
    def written_roles(self) -> tuple[RoleName, ...]:
        """The roles that have an apply, in its order."""
        return tuple(role.name for role in self.roles if role.is_written)

    @property
    def options(self) -> tuple[str, ...]:
        """The fields of `Options` that a run of it takes."""
        names = ["dry_run", "records", "repair" if self.verifies else "full_resync"]
        names += ["undo_run"] if self.reverts else []
        names += ["lists"] if self.scope in (Scope.LISTS, Scope.PROGRAMS) else []
        names += ["campaigns"] if self.scope is Scope.CAMPAIGNS else []
        names += ["program"] if self.scope is Scope.PROGRAMS else []
        return tuple(names)

    @property
    def compared(self) -> str:
        """The sync type whose settings and lists apply: its own, or the one that it verifies."""
        return self.verifies or self.name

    def comparison(self) -> SyncSpec | None:
        """Return the spec of the DAG that compares what this sync type keeps in sync, if any."""
        if not self.verified_as:
            return None
        return replace(
            self,
            name=self.verified_as,
            title=self.verified_as.replace("_", " ").capitalize(),
            verifies=self.name,
            verified_as="",
            after=(),
            runs_first=(),
            keeps_fields=False,
            whole_every=None,
            records=(),
            woken_by=frozenset(),
        )


WHOLE_EVERY: Final = timedelta(days=30)
"""How often sync types that keep people read everything, since deletions may go unreported."""

ERASE: Final = SyncSpec(
    name="erase",
    title="Erase",
    implementation="",
    roles=(),
)
"""Keeps nothing in sync, and has no schedule and a story of its own; discovery does not list it.

It works on every system of an account that people can be erased from, whatever its role.
"""
