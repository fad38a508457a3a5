"""Who has which tags and interests, in step with tables of the CRM."""

from __future__ import annotations

from typing import Final

from bothways.records import RecordKind
from bothways.spec import Role, SyncSpec
from bothways.syncs.tags import INTEREST, KINDS, TAG
from bothways.vocabulary import Topic

PERSON_TAG: Final = RecordKind(
    name="person_tag",
    title="Email tag of a person",
    titles="Email tags of people",
    description="Who has which tag of the marketing platform, kept by Bothways. Add a "
    "row to give the person the tag; delete it to remove the tag.",
    words=("person's tag", "people's tags"),
    parent=TAG.name,
    of_person=True,
    effect="events",
    columns=(),
    topic=Topic.MEMBER_TAGS,
)
PERSON_INTEREST: Final = RecordKind(
    name="person_interest",
    title="Email interest of a person",
    titles="Email interests of people",
    description="Who has chosen which interest on the marketing platform, kept by Bothways. "
    "Add a row to choose it for the person; delete it to remove the choice.",
    words=("person's interest", "people's interests"),
    parent=INTEREST.name,
    of_person=True,
    effect="events",
    columns=(),
    topic=Topic.MEMBER_TAGS,
)
OF_PEOPLE: Final = (PERSON_TAG, PERSON_INTEREST)

SPEC: Final = SyncSpec(
    name="member_tags",
    title="Tags of members",
    implementation="bothways.syncs.member_tags.sync:SYNC",
    roles=(
        Role("crm", ("DeletesRecords", "ReadsContacts", "ReadsRecords", "WritesRecords")),
        Role(
            "marketing",
            ("ReadsContacts", "ReadsMemberTags", "ReadsTags", "WritesMemberTags", "WritesTags"),
        ),
    ),
    after=("tags",),
    records=(*KINDS, *OF_PEOPLE),
    woken_by=frozenset({Topic.MEMBER_TAGS}),
)
