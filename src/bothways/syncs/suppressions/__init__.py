"""Suppressions: who may no longer be mailed, carried over in both directions."""

from __future__ import annotations

from typing import Final

from bothways.spec import Phase, Role, Scope, SyncSpec
from bothways.vocabulary import Topic

SPEC: Final = SyncSpec(
    name="suppressions",
    title="Suppressions",
    implementation="bothways.syncs.suppressions.sync:SYNC",
    roles=(
        Role(
            "crm",
            (
                "ReadsContacts",
                "ReadsListMembers",
                "ReadsSuppressions",
                "WritesContacts",
                "WritesListMembers",
                "WritesSuppressions",
            ),
        ),
        # Where a platform tells unsubscribes by list (ReadsListSuppressions), they are read too.
        Role("marketing", ("ReadsSuppressions", "WritesContacts", "HasLists")),
    ),
    scope=Scope.LISTS,
    dynamic_lists=frozenset({"crm", "marketing"}),
    phase=Phase.CONSENT,
    reads_consent=True,
    reverts=True,
    woken_by=frozenset({Topic.CONSENT}),
)
