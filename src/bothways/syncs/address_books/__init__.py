"""Address books: members of the platform's lists become members of CRM marketing lists."""

from __future__ import annotations

from typing import Final

from bothways.spec import WHOLE_EVERY, Phase, Role, Scope, SyncSpec
from bothways.vocabulary import Topic

SPEC: Final = SyncSpec(
    name="address_books",
    title="Address books",
    implementation="bothways.syncs.address_books.sync:SYNC",
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
        Role("marketing", ("ReadsContacts", "FindsContacts", "HasLists"), is_written=False),
    ),
    scope=Scope.LISTS,
    dynamic_lists=frozenset({"marketing"}),
    phase=Phase.PEOPLE,
    whole_every=WHOLE_EVERY,
    reverts=True,
    woken_by=frozenset({Topic.PEOPLE}),
)
