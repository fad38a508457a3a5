"""Which sync types there are and what each asks; light, since DAG parsing reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from bothways.terms import Side


@dataclass(frozen=True, slots=True)
class SyncType:
    """What is known of a sync type without importing it.

    Attributes:
        name: Its name in configuration, DAG ids and the store.
        title: What people call it.
        module: Where its `datasets` and `plan` live.
        needs: The capabilities (protocol names of connectors.base) that each side must have.
        after: Sync types of the same account whose last run must not have failed.
        uses_lists: Whether it works on the account's mapped lists.
        keeps_fields: Whether it keeps fields in sync, by means of baselines.
        compares: The sync type whose work it verifies; it then always reads everything.
        whole_every: How old its last full read may be: a platform does not report who was deleted.
    """

    name: str
    title: str
    module: str
    needs: Mapping[Side, frozenset[str]]
    after: tuple[str, ...] = ()
    uses_lists: bool = False
    keeps_fields: bool = False
    compares: str = ""
    whole_every: timedelta | None = None


_WHOLE_EVERY: Final = timedelta(days=30)

_TWO_WAY: Final[Mapping[Side, frozenset[str]]] = {
    "crm": frozenset(
        {"ReadsContacts", "ReadsListMembers", "WritesContacts", "WritesListMembers", "HasLists"}
    ),
    "marketing": frozenset({"ReadsContacts", "WritesContacts", "WritesListMembers", "HasLists"}),
}

CATALOG: Final[Mapping[str, SyncType]] = {
    "suppressions": SyncType(
        name="suppressions",
        title="Suppressions",
        module="bothways.syncs.suppressions",
        needs={
            "crm": frozenset(
                {
                    "ReadsContacts",
                    "ReadsListMembers",
                    "ReadsSuppressions",
                    "WritesContacts",
                    "WritesListMembers",
                    "WritesSuppressions",
                }
            ),
            "marketing": frozenset(
                {"ReadsSuppressions", "ReadsListSuppressions", "WritesContacts", "HasLists"}
            ),
        },
        uses_lists=True,
    ),
    "address_books": SyncType(
        name="address_books",
        title="Address books",
        module="bothways.syncs.address_books",
        needs={
            "crm": frozenset(
                {
                    "ReadsContacts",
                    "ReadsListMembers",
                    "WritesContacts",
                    "WritesListMembers",
                    "HasLists",
                }
            ),
            "marketing": frozenset({"ReadsContacts", "FindsContacts", "HasLists"}),
        },
        uses_lists=True,
        whole_every=_WHOLE_EVERY,
    ),
    "marketing_lists": SyncType(
        name="marketing_lists",
        title="Marketing lists",
        module="bothways.syncs.marketing_lists",
        needs=_TWO_WAY,
        after=("suppressions",),
        uses_lists=True,
        keeps_fields=True,
        whole_every=_WHOLE_EVERY,
    ),
    "verify": SyncType(
        name="verify",
        title="Verify",
        module="bothways.syncs.verify",
        needs=_TWO_WAY,
        uses_lists=True,
        compares="marketing_lists",
    ),
}

CONSENT: Final = "suppressions"
"""The sync type that reads who may not be mailed."""


# Not in the catalogue: it keeps nothing in step, has no schedule and a story of its own.
ERASE: Final = SyncType(
    name="erase",
    title="Erase",
    module="",
    needs={
        "crm": frozenset({"ErasesContacts", "FindsContacts"}),
        "marketing": frozenset({"ErasesContacts", "FindsContacts"}),
    },
)


def sync_type(name: str) -> SyncType:
    """Return a sync type, or `erase`, by name.

    Raises:
        KeyError: There is none of that name.
    """
    return ERASE if name == ERASE.name else CATALOG[name]
