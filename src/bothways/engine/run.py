"""A sync run as the six steps see it."""

from __future__ import annotations

from dataclasses import dataclass

from bothways.config.account import Account, list_of
from bothways.config.known import system_titles
from bothways.engine.staging import Staging
from bothways.spec import Options, SyncSpec
from bothways.store.db import Store
from bothways.streams.base import Place
from bothways.vocabulary import RoleName


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of one sync type for one account.

    Attributes:
        run_id: Its number in the audit.
        account: The configuration in force.
        sync: What it keeps in step.
        options: What the person who triggered it chose.
        store: Where it is recorded.
        staging: Its files.
        submitted_by: The user who triggered it, or "schedule".
        reconfigured: Whether the configuration has changed since the run was opened.
    """

    run_id: int
    account: Account
    sync: SyncSpec
    options: Options
    store: Store
    staging: Staging
    submitted_by: str = ""
    reconfigured: bool = False

    def place(self, side: RoleName) -> Place:
        """Return the keywords by which the store knows the account's system in a role."""
        return {"account": self.account.name, "side": side}

    @property
    def systems(self) -> dict[RoleName, str]:
        """What people call the account's systems, by role."""
        return system_titles(self.account)

    def list_keys(self) -> tuple[str, ...]:
        """Return the keys of the lists that this run looks at."""
        chosen = self.options.lists
        mapped = self.account.lists_of(self.sync)
        return tuple(key for key in mapped if not chosen or list_of(key) in chosen)
