"""An audience with what its members are checked against: its merge fields and interests."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.mailchimp import storage


@dataclass(frozen=True)
class MergeField:
    """A merge field of an audience, as far as values are concerned."""

    kind: str
    required: bool
    default: str
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Audience:
    """An audience.

    Attributes:
        fields: Its merge fields, by tag, in their order.
        interests: The ids of its interests.
    """

    id: str
    name: str
    double_optin: bool
    fields: Mapping[str, MergeField]
    interests: tuple[str, ...]


def find(db: sqlite3.Connection, list_id: str) -> Audience:
    """Return an audience.

    Raises:
        Problem: There is none of this id.
    """
    row = storage.one(db, "lists", id=list_id)
    fields = db.execute(
        "SELECT * FROM merge_fields WHERE list_id = ? ORDER BY display_order, merge_id", (list_id,)
    )
    interests = db.execute(
        "SELECT id FROM interests WHERE list_id = ? ORDER BY category_id, display_order, id",
        (list_id,),
    )
    return Audience(
        list_id,
        row["name"],
        bool(row["double_optin"]),
        {
            field["tag"]: MergeField(
                field["type"],
                bool(field["required"]),
                field["default_value"],
                json.loads(field["options"]),
            )
            for field in fields
        },
        tuple(interest["id"] for interest in interests),
    )
