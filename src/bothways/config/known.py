"""What is known of the systems of an account: what people call them, and what they can do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bothways.discovery import declaration, record_kinds, sync_types
from bothways.records import RecordKind
from bothways.spec import ERASING, SyncSpec
from bothways.vocabulary import RoleName, Topic

if TYPE_CHECKING:
    from bothways.config.account import Account


def system_titles(account: Account) -> dict[RoleName, str]:
    """Return the titles of an account's systems, by role."""
    return {role: declaration(one.connector).title for role, one in account.systems.items()}


def capabilities(account: Account) -> dict[RoleName, frozenset[str]]:
    """Return what the systems of an account can do, by role."""
    return {role: declaration(one.connector).capabilities for role, one in account.systems.items()}


def can_run(account: Account, sync: SyncSpec) -> bool:
    """Return whether an account has a system for each role of a sync type, with what it needs."""
    return sync.is_met_by(capabilities(account))


def sync_types_used(account: Account) -> tuple[SyncSpec, ...]:
    """Return the sync types that an account means to use, of those that it can run.

    These are the ones that its file names, under `schedules` or `syncs`. Where it names none, all
    may be started by hand.
    """
    able = [sync for sync in sync_types().values() if can_run(account, sync)]
    named = [
        sync for sync in able if {sync.name, sync.compared} & {*account.schedules, *account.syncs}
    ]
    return tuple(named or able)


def records_kept(account: Account) -> tuple[RecordKind, ...]:
    """Return the kinds of records that the sync types which an account uses keep in its CRM."""
    known = record_kinds()
    wanted = {kind.name for sync in sync_types_used(account) for kind in sync.records}
    for kind in reversed(list(known.values())):  # parents come first there
        if kind.name in wanted and kind.parent:
            wanted.add(kind.parent)
    return tuple(kind for kind in known.values() if kind.name in wanted)


def prerequisites(account: Account, sync: SyncSpec) -> list[str]:
    """Return the sync types that an account has and that run before another."""
    has = {*account.syncs, *account.schedules}
    return [name for name in sync.runs_first if name in has]


def woken_by(account: Account, role: RoleName) -> dict[str, frozenset[Topic]]:
    """Return the sync types that events of a system start, each with what these are about."""
    specs = (sync_types()[name] for name in account.events.sync_types)
    return {spec.name: spec.woken_by for spec in specs if role in {one.name for one in spec.roles}}


def roles_to_erase(account: Account) -> tuple[RoleName, ...]:
    """Return the roles of the systems that people can be erased from."""
    return _able(account, ERASING)


def roles_to_search(account: Account) -> tuple[RoleName, ...]:
    """Return the roles of the systems that a person can be looked up in."""
    return _able(account, ("FindsContacts",))


def _able(account: Account, wanted: Iterable[str]) -> tuple[RoleName, ...]:
    return tuple(role for role, able in capabilities(account).items() if able.issuperset(wanted))
