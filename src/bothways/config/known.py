"""What is known of the systems of an account: what people call them, and what they can do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bothways.discovery import declaration
from bothways.spec import ERASING, SyncSpec
from bothways.vocabulary import RoleName

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


def roles_to_erase(account: Account) -> tuple[RoleName, ...]:
    """Return the roles of the systems that people can be erased from."""
    return _able(account, ERASING)


def roles_to_search(account: Account) -> tuple[RoleName, ...]:
    """Return the roles of the systems that a person can be looked up in."""
    return _able(account, ("FindsContacts",))


def _able(account: Account, wanted: Iterable[str]) -> tuple[RoleName, ...]:
    return tuple(role for role, able in capabilities(account).items() if able.issuperset(wanted))
