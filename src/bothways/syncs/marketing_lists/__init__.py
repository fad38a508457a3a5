"""Marketing lists, both ways: people, fields and memberships of both systems kept in step."""

from __future__ import annotations

from typing import Final

from bothways.spec import WHOLE_EVERY, Phase, Role, Scope, SyncSpec
from bothways.vocabulary import Topic

SPEC: Final = SyncSpec(
    name="marketing_lists",
    title="Marketing lists",
    implementation="bothways.syncs.marketing_lists.sync:SYNC",
    roles=(
        Role(
            "crm",
            (
                "ReadsContacts",
                "ReadsListMembers",
                "WritesContacts",
                "WritesListMembers",
                "HasLists",
            ),
        ),
        Role("marketing", ("ReadsContacts", "WritesContacts", "WritesListMembers", "HasLists")),
    ),
    scope=Scope.LISTS,
    dynamic_lists=frozenset({"crm"}),
    puts_tags=True,
    phase=Phase.PEOPLE,
    after=("suppressions",),
    runs_first=("data_labels",),
    called="Marketing list",
    keeps_fields=True,
    whole_every=WHOLE_EVERY,
    reverts=True,
    verified_as="verify",
    woken_by=frozenset({Topic.PEOPLE}),
)
