"""What a platform tells its members apart by, and who has what: tags, interests, audiences."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from bothways.tables.fields import schema_of

# `id` has letters, digits, `_`, `.` and `-` only, so that it may be the key of a CRM's record.
# `parent_id` is the audience of a tag or category, the category of an interest, and null for an
# audience, whose id is the `scope` of its members. `list_id` is the platform's list of those who
# have it; null where there is none. `rating` is how active the people of an audience are, from 0 to
# 5; null of anything else, and where the platform does not say.
TAGS: Final = schema_of(
    pa.field("id", pa.string(), nullable=False),
    pa.field("name", pa.string()),
    pa.field("parent_id", pa.string()),
    pa.field("list_id", pa.string()),
    pa.field("rating", pa.int64()),
)

# All tags and interests that a member has; `tag_ids` are theirs in TAGS.
MEMBER_TAGS: Final = schema_of(
    pa.field("member_id", pa.string(), nullable=False),
    pa.field("email", pa.string()),
    pa.field("tag_ids", pa.list_(pa.string()), nullable=False),
)
