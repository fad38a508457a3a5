"""Tags and interests: what a platform tells its members apart by, in step with the CRM's tables."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from bothways.records import LONGEST, RecordColumn, RecordKind
from bothways.spec import Phase, Role, SyncSpec
from bothways.vocabulary import Topic

_NOT_THERE: Final = RecordColumn("gone", "No longer there", "flag")
_LIST: Final = (
    RecordColumn("list_id", "List id"),
    RecordColumn("marketing_lists", "Marketing lists", length=LONGEST),
)

AUDIENCE: Final = RecordKind(
    name="audience",
    title="Email audience",
    titles="Email audiences",
    description="Audiences of the marketing platform, kept by Bothways.",
    words=("audience", "audiences"),
    columns=(*_LIST, RecordColumn("rating", "List rating", "number"), _NOT_THERE),
)
TAG: Final = RecordKind(
    name="tag",
    title="Email tag",
    titles="Email tags",
    description="Tags of the marketing platform, kept by Bothways. A tag that somebody adds here "
    "is created on the platform.",
    words=("tag", "tags"),
    parent=AUDIENCE.name,
    columns=(*_LIST, _NOT_THERE),
    topic=Topic.TAGS,
)
CATEGORY: Final = RecordKind(
    name="interest_category",
    title="Email interest category",
    titles="Email interest categories",
    description="Categories of interests on the marketing platform, kept by Bothways. A "
    "category that somebody adds here is created on the platform.",
    words=("interest category", "interest categories"),
    parent=AUDIENCE.name,
    columns=(_NOT_THERE,),
    topic=Topic.TAGS,
)
INTEREST: Final = RecordKind(
    name="interest",
    title="Email interest",
    titles="Email interests",
    description="Interests that members of the marketing platform may choose, kept by Bothways. "
    "An interest that somebody adds here is created on the platform.",
    words=("interest", "interests"),
    parent=CATEGORY.name,
    columns=(*_LIST, _NOT_THERE),
    topic=Topic.TAGS,
)
KINDS: Final = (AUDIENCE, TAG, CATEGORY, INTEREST)
"""Parents first. A row with a key stands for a thing of the platform; people make the others."""


class Settings(BaseModel):
    """What becomes of what was deleted on one side.

    Attributes:
        deletions: `keep` it on the other side, or delete it there too (`follow`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    deletions: Literal["keep", "follow"] = "keep"


SPEC: Final = SyncSpec(
    name="tags",
    title="Tags",
    implementation="bothways.syncs.tags.sync:SYNC",
    roles=(
        Role("crm", ("DeletesRecords", "ReadsRecords", "WritesRecords")),
        Role("marketing", ("ReadsTags", "WritesTags")),
    ),
    phase=Phase.FIELDS,
    settings=Settings,
    records=KINDS,
    woken_by=frozenset({Topic.TAGS}),
)
