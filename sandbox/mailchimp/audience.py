"""An audience: what its members are checked against, and how they are found."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sandbox.mailchimp import errors, storage, values


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

    db: sqlite3.Connection
    id: str
    fields: Mapping[str, MergeField]
    interests: tuple[str, ...]

    @cached_property
    def forgotten(self) -> frozenset[str]:
        """The hashes of the addresses that were deleted permanently."""
        rows = self.db.execute("SELECT hash FROM forgotten WHERE list_id = ?", (self.id,))
        return frozenset(row["hash"] for row in rows)

    def find(self, key: str) -> sqlite3.Row | None:
        """Return the member of this hash, contact id or address, if any (facts: Mailchimp 8)."""
        key = values.hashed(key) if "@" in key else key.lower()
        keys = {"list_id": self.id, "hash": key}
        by_hash = storage.maybe(self.db, "members", **keys)
        return by_hash or storage.maybe(self.db, "members", list_id=self.id, contact_id=key)

    def member(self, key: str) -> sqlite3.Row:
        """Return the member of this hash, contact id or address.

        Raises:
            Problem: There is none: 404.
        """
        row = self.find(key)
        if row is None:
            raise errors.not_found()
        return row

    def by_address(self, email: str) -> sqlite3.Row | None:
        """Return the member that has an address, or None."""
        return storage.maybe(self.db, "members", list_id=self.id, hash=values.hashed(email))


def find(db: sqlite3.Connection, list_id: str) -> Audience:
    """Return an audience.

    Raises:
        Problem: There is none of this id: 404.
    """
    storage.one(db, "lists", id=list_id)
    fields = db.execute(
        "SELECT * FROM merge_fields WHERE list_id = ? ORDER BY display_order, merge_id", (list_id,)
    )
    interests = db.execute(
        "SELECT id FROM interests WHERE list_id = ? ORDER BY category_id, display_order, id",
        (list_id,),
    )
    known = {
        row["tag"]: MergeField(
            row["type"], bool(row["required"]), row["default_value"], json.loads(row["options"])
        )
        for row in fields
    }
    return Audience(db, list_id, known, tuple(row["id"] for row in interests))
