"""What people call the systems of an account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bothways.discovery import declaration
from bothways.vocabulary import SIDES, Side

if TYPE_CHECKING:
    from bothways.config.account import Account


def system_titles(account: Account) -> dict[Side, str]:
    """Return the titles of an account's systems, by side."""
    return {side: declaration(account.side(side).connector).title for side in SIDES}
