"""All ledgers, in the order in which they keep what was agreed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bothways.ledgers.base import Entry, Ledger
from bothways.ledgers.baselines import Baselines
from bothways.ledgers.consent import Consent
from bothways.ledgers.identities import Identities
from bothways.ledgers.memberships import Memberships

LEDGERS: Final[list[Ledger]] = [Identities(), Baselines(), Memberships(), Consent()]


def entries() -> Mapping[str, Entry]:
    """Return what plans may let the ledgers keep, by the name in `Plan.keep`, in order."""
    return {name: entry for ledger in LEDGERS for name, entry in ledger.entries.items()}
