"""The account model: the systems that are kept in step, and how, as its YAML says."""

from __future__ import annotations

import re
from collections.abc import Mapping as Map
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from bothways.config.mapping import Mapping
from bothways.config.schedule import Schedule, TimezoneName
from bothways.discovery import record_kinds
from bothways.errors import ConfigurationError
from bothways.spec import Scope, SyncSpec
from bothways.vocabulary import SIDES, RoleName

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,39}$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
# A name at the vendor's or in Airflow: blanks around it are never meant.
_Given = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
_FLAG = "flag_suppressed_people"
_OLD_FLAG = "update_do_not_bulk_email"
# No key of a list has a colon.
_TAG = ":tag"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Switches(_Model):
    # Strict, since `parallel: yes` is a slip and not the number 1.
    model_config = ConfigDict(strict=True)


class TableNames(_Model):
    """Names of what is there already, and is used instead of Bothways' own.

    Attributes:
        table: Of a table; None for Bothways' own.
        columns: Of columns, by the column that they stand for; the others are Bothways' own.
    """

    table: _Given | None = None
    columns: dict[str, _Given] = Field(default_factory=dict)


class SystemConfig(_Switches):
    """One system of an account.

    Attributes:
        connector: Which vendor: a name of the connector registry.
        connection: The Airflow connection that holds address and credentials.
        parallel: Tasks that may call it side by side: the slots of the connection's pool. Each has
            as many calls in flight as its connector's `Limits.parallel`.
        tables: Tables and columns there that records are kept in instead of Bothways' own, by the
            kind of record.
    """

    connector: str
    connection: _Given
    parallel: int = Field(default=5, ge=1, le=50)
    tables: dict[str, TableNames] = Field(default_factory=dict)

    @property
    def at_once(self) -> int:
        """How many slots of the pool a long step may take: one is left for consent."""
        return max(1, self.parallel - 1)

    @field_validator("tables")
    @classmethod
    def _name_records(cls, given: dict[str, TableNames]) -> dict[str, TableNames]:
        for name, one in given.items():
            kind = record_kinds().get(name)
            if kind is None:
                known = ", ".join(record_kinds())
                raise ValueError(f"names `{name}`, and there are no such records; use {known}")
            columns = {"key", "name", *(column.name for column in kind.columns)}
            columns |= {"email"} if kind.of_person else set()
            if unknown := sorted(one.columns.keys() - columns):
                known = ", ".join(sorted(columns))
                raise ValueError(f"{name} has no column `{unknown[0]}`; use {known}")
        return given


class Settings(_Switches):
    """Switches of an account; the defaults are those of the connectors that people come from.

    Attributes:
        flag_suppressed_people: Flag people of the CRM whose address is suppressed.
        add_global_unsubscribers_to_crm_suppression_list: Keep a suppression record in the CRM for
            each address that the platform suppresses; what a person adds there is suppressed on
            the platform in any case.
        double_opt_in: Have the platform ask everybody who is created there to confirm before it
            mails them; otherwise the platform's own settings decide.
        share_suppressions: Carry to the platform the suppressions that other accounts' syncs
            recorded in the CRM, and record there, for all mail, an unsubscribe from one audience.
        only_open_leads_and_active_contacts: Leave out inactive contacts and closed leads.
        audit_retention_days: How long runs and jobs are kept.
        retry_attempts: How often a record in error is tried before it is given up.
        retry_minutes: Wait before the second try; it doubles with each further one.
        task_hours: How long one task of a DAG may run before Airflow ends that try.
        on_guard: What a plan beyond the guard does: end the run, or wait for a person's approval.
        record_owner: Airflow username among `users`: in the CRM, their user owns the people whom a
            scheduled run creates. Those of a run that a mapped user triggers belong to that user.
    """

    flag_suppressed_people: bool = True
    add_global_unsubscribers_to_crm_suppression_list: bool = True
    double_opt_in: bool = False
    share_suppressions: bool = False
    only_open_leads_and_active_contacts: bool = True
    audit_retention_days: int = Field(default=30, ge=1, le=3650)
    retry_attempts: int = Field(default=5, ge=1, le=100)
    retry_minutes: int = Field(default=15, ge=0, le=10_080)
    task_hours: int = Field(default=24, ge=1, le=168)
    on_guard: Literal["fail", "ask"] = "fail"
    record_owner: _Given | None = None

    @model_validator(mode="after")
    def _share_by_records(self) -> Settings:
        if self.share_suppressions and not self.add_global_unsubscribers_to_crm_suppression_list:
            raise ValueError(
                "has `share_suppressions`, which other accounts take from the CRM's suppression "
                "list; leave `add_global_unsubscribers_to_crm_suppression_list` on"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _take_old_names(cls, given: Any) -> Any:
        """Accept the name that a setting had before, so that no file breaks."""
        if not isinstance(given, dict) or _OLD_FLAG not in given:
            return given
        if _FLAG in given:
            raise ValueError(
                f"has both `{_FLAG}` and `{_OLD_FLAG}`, its old name; keep `{_FLAG}` only"
            )
        return {_FLAG if name == _OLD_FLAG else name: value for name, value in given.items()}


class IgnoreRules(_Switches):
    """Which ignore rules apply. `empty`, `do_not_mail` and `bounced` carry promises and stay on."""

    invalid: bool = True
    typo_domains: bool = True
    role: bool = True
    duplicate: bool = True


class GuardLimits(_Switches):
    """The most that one run may do without a person's word; None is no limit.

    A percentage is relative to the people of the system that is written to: those who have been
    read from it or, if that is more, the number that the vendor gives for the mapped lists.
    Beneath ``free`` operations of a kind, percentages are not looked at.
    """

    removals: int | None = Field(default=1_000, ge=0)
    removals_percent: float | None = Field(default=10, ge=0, le=100)
    suppressions: int | None = Field(default=5_000, ge=0)
    suppressions_percent: float | None = Field(default=20, ge=0, le=100)
    overwrites: int | None = Field(default=10_000, ge=0)
    overwrites_percent: float | None = Field(default=30, ge=0, le=100)
    creations: int | None = Field(default=None, ge=0)
    creations_percent: float | None = Field(default=None, ge=0)
    events: int | None = Field(default=250_000, ge=0)
    events_percent: float | None = Field(default=None, ge=0)
    free: int = Field(default=25, ge=0)


class Guard(GuardLimits):
    """Limits for every sync type, other limits for some, and the limit of an erasure.

    ``erasures`` is how many records of people one request to be forgotten may delete, on both
    sides together; None is no limit.
    """

    erasures: int | None = Field(default=10, ge=0)
    sync_types: dict[str, GuardLimits] = Field(default_factory=dict)

    def limits(self, sync_type: str) -> GuardLimits:
        """Return the limits in force for a sync type."""
        return self.sync_types.get(sync_type, self)


class ListMapping(_Model):
    """One CRM marketing list and the platform list that it is kept in step with.

    Attributes:
        crm: Name or id of the marketing list.
        marketing: Name or id of the platform list.
        tag: Name or id of a further platform list, which everybody whom the list pushes joins too.
        entity: What a marketing list holds that `create_missing` creates: contact or lead.
        create_missing: Create the list on the side that has none.
        syncs: Which sync types work on it; all that work on lists where it is left out.
        accept_new: May people who join on the platform be created in the CRM?
        double_opt_in: As in the account's settings, for the people whom the list pushes; None if
            the account's setting applies.
        when_left: What happens to people on the platform's list whom the query of a dynamic list
            does not find. `keep`: they stay. `remove`: those whom it found before leave. `exact`:
            all of them leave.
    """

    crm: _Given
    marketing: _Given
    tag: _Given | None = None
    entity: Literal["contact", "lead"] = "contact"
    create_missing: bool = False
    syncs: tuple[str, ...] | None = None
    accept_new: bool = True
    double_opt_in: Annotated[bool | None, Field(strict=True)] = None
    when_left: Literal["keep", "remove", "exact"] = "keep"

    def name(self, side: RoleName) -> str:
        """Return the name or id of the list on ``side``."""
        return self.crm if side == "crm" else self.marketing

    def with_tag(self, key: str) -> dict[str, ListMapping]:
        """Return the list under its key, and its tag, as another pair of lists, under its own."""
        if self.tag is None:
            return {key: self}
        tag = {"marketing": self.tag, "tag": None, "accept_new": False, "when_left": "keep"}
        return {key: self, key + _TAG: self.model_copy(update=tag)}


def tagged_by(key: str) -> str:
    """Return the key of the list that a tag's pair belongs to; "" if the key is a list's own."""
    return key.removesuffix(_TAG) if key.endswith(_TAG) else ""


def list_of(key: str) -> str:
    """Return the key of the list that a pair is, or that it is the tag of."""
    return tagged_by(key) or key


class EventSettings(_Model):
    """Which sync types the vendors' events start, for just the records that they name.

    Attributes:
        sync_types: The sync types that events start; without any, no events are accepted.
        quiet_seconds: For how long no further event must have come before a run starts.
        at_most_seconds: How long the first event waits, however many follow.
    """

    sync_types: tuple[str, ...] = ()
    quiet_seconds: int = Field(default=10, ge=0, le=3_600, strict=True)
    at_most_seconds: int = Field(default=60, ge=0, le=86_400, strict=True)

    @model_validator(mode="after")
    def _wait_long_enough(self) -> Self:
        if self.at_most_seconds < self.quiet_seconds:
            raise ValueError(
                f"`at_most_seconds` ({self.at_most_seconds}) is less than `quiet_seconds` "
                f"({self.quiet_seconds}); raise it"
            )
        return self


class SystemUser(_Model):
    """A user of one of the systems.

    Attributes:
        user: Id, sign-in name or email address there.
        page: Address of the user's page there, for a link.
    """

    user: _Given
    page: _Given | None = None

    @model_validator(mode="before")
    @classmethod
    def _take_name(cls, given: Any) -> Any:
        """Accept the user alone, without a page."""
        return {"user": given} if isinstance(given, str) else given

    @field_validator("page")
    @classmethod
    def _lead_somewhere(cls, given: str | None) -> str | None:
        if given is not None and not re.fullmatch(r"https://\S+", given):
            raise ValueError("is no web address; write all of it, from https:// on")
        return given


class Account(_Model):
    """One account, as `include/accounts/<name>.yaml` describes it.

    `systems` has all of its systems; `crm` and `marketing` at the top of the file are the short
    form for these two roles.

    Attributes:
        default: Whether commands work on this account where none is named.
        approvers: Airflow usernames; if any are given, only they may approve, and none of them what
            they started themselves.
        users: Who the users of Airflow are in the account's systems: by username and role.
        syncs: Settings of single sync types; each is checked by the sync type's own model.
    """

    name: Name
    title: str = ""
    description: str = ""
    enabled: bool = True
    default: bool = False
    timezone: TimezoneName = "UTC"
    approvers: tuple[_Given, ...] = ()
    users: dict[_Given, dict[Name, SystemUser]] = Field(default_factory=dict)
    crm: SystemConfig | None = None
    marketing: SystemConfig | None = None
    by_role: dict[Name, SystemConfig] = Field(default_factory=dict, alias="systems")
    settings: Settings = Field(default_factory=Settings)
    ignore: IgnoreRules = Field(default_factory=IgnoreRules)
    guard: Guard = Field(default_factory=Guard)
    lists: dict[Name, ListMapping] = Field(default_factory=dict)
    mappings: dict[str, Mapping] = Field(default_factory=dict)
    schedules: dict[str, Schedule] = Field(default_factory=dict)
    syncs: dict[str, dict[str, Any]] = Field(default_factory=dict)
    events: EventSettings = Field(default_factory=EventSettings)

    def settings_of(self, sync: SyncSpec) -> BaseModel | None:
        """Return the settings of a sync type, in its own model; None if it has none."""
        if sync.settings is None:
            return None
        return sync.settings.model_validate(self.syncs.get(sync.compared, {}))

    @property
    def systems(self) -> Map[RoleName, SystemConfig]:
        """The account's systems, by role."""
        short = ((role, getattr(self, role)) for role in SIDES)
        return {role: system for role, system in short if system is not None} | self.by_role

    def system(self, role: RoleName) -> SystemConfig:
        """Return the system in a role.

        Raises:
            ConfigurationError: The account has none.
        """
        found = self.systems.get(role)
        if found is None:
            raise ConfigurationError(
                f"Account {self.name} has no system in the role `{role}`; {how_to_bind(role)}."
            )
        return found

    @property
    def pairs(self) -> dict[str, ListMapping]:
        """The account's lists by key, each followed by its tag, if it has one."""
        return {
            name: pair
            for key, item in self.lists.items()
            for name, pair in item.with_tag(key).items()
        }

    def lists_of(self, sync: SyncSpec) -> dict[str, ListMapping]:
        """Return the lists that a sync type works on, by key; who opted out matters on all."""
        if sync.scope is not Scope.LISTS:
            return {}
        return {
            key: item
            for key, item in (self.pairs if sync.puts_tags else self.lists).items()
            if sync.reads_consent or item.syncs is None or sync.compared in item.syncs
        }

    def asks_to_confirm(self, key: str) -> bool:
        """Return whether people who are created for one of `pairs` are asked to confirm."""
        own = self.pairs[key].double_opt_in
        return self.settings.double_opt_in if own is None else own

    def list_title(self, key: str) -> str:
        """Return what people call one of `pairs`."""
        pair = self.pairs[key]
        return f"{pair.crm}: {pair.marketing}" if tagged_by(key) else pair.crm

    def user_of(self, username: str, role: RoleName) -> SystemUser | None:
        """Return who an Airflow user is in the system of a role; None if nobody is named."""
        return self.users.get(username, {}).get(role)

    def owner_of_new_records(self, submitted_by: str, role: RoleName) -> SystemUser | None:
        """Return who owns the people that a run creates in the system of a role.

        This is the user there of whoever triggered it, or else of `record_owner`; None where
        neither is mapped, so that the connection's own user owns them.
        """
        owner = self.settings.record_owner
        return self.user_of(submitted_by, role) or (self.user_of(owner, role) if owner else None)

    def may_approve(self, user: str, *, started_by: str) -> bool:
        """Return whether a user may approve what another started; both are Airflow usernames."""
        return not self.approvers or (user in self.approvers and user != started_by)

    def approval_rule(self, started_by: str) -> str:
        """Return in words who may approve what somebody started; "" where Airflow alone decides."""
        if not self.approvers:
            return ""
        others = [user for user in self.approvers if user != started_by]
        if not others:
            return "the account's only approver is the one who started it"
        return f"only {' or '.join(others)} may approve it"

    def pool(self, role: RoleName) -> str:
        """Return the name of the Airflow pool that bounds the calls to the system in a role."""
        return "bothways_" + re.sub(r"[^A-Za-z0-9_.-]", "_", self.system(role).connection)


def how_to_bind(role: RoleName) -> str:
    """Return what to add to an account's file that has no system in a role."""
    place = f"add `{role}:`" + ("" if role in SIDES else " below `systems:`")
    return f"{place} with its connector and connection"
