"""What clients list, read, make, change and delete by the same five calls: rows of a table."""

from __future__ import annotations

import re
import sqlite3
import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

from sandbox.mailchimp import storage
from sandbox.mailchimp.call import Call, route
from sandbox.mailchimp.shapes import Shape
from sandbox.mailchimp.storage import Where


class Resource:
    """The rows of one table; a subclass that names a path answers it.

    A subclass says what bodies look like, and overrides what is particular about its rows.

    Attributes:
        path: The path of the collection. Its parameters are columns of the table.
        table: Where the rows lie.
        name: What the collection is called in an answer: as the table, unless it is given.
        key: The column by which one of them is named in a path.
        order: The order in which they are listed.
        body: What a change looks like.
        new: What else, or otherwise, the body of a new one has.
        words: The words of a query that filter a listing by the column of the same name.
        times: The columns of the times after and before which a query may ask for rows.
        methods: Which of the calls there are.
        counts: Whether calls that write are counted as rows written.
    """

    path: ClassVar[str]
    table: ClassVar[str]
    name: ClassVar[str]
    key: ClassVar[str]
    order: ClassVar[str] = "rowid"
    body: ClassVar[dict[str, Shape]] = {}
    new: ClassVar[dict[str, Shape]] = {}
    words: ClassVar[dict[str, tuple[str, ...]]] = {}
    times: ClassVar[dict[str, str]] = {}
    methods: ClassVar[tuple[str, ...]] = ("GET", "POST", "PATCH", "DELETE")
    counts: ClassVar[bool] = True

    def __init_subclass__(
        cls, *, path: str = "", table: str = "", name: str = "", key: str = "id"
    ) -> None:
        if path:
            cls.path, cls.table, cls.name, cls.key = path, table, name or table, key
            cls._register()

    @classmethod
    def _register(cls) -> None:
        resource, one = cls(), f"{cls.path}/{{{cls.key}}}"
        for method, path, handler in (
            ("GET", cls.path, resource.listing),
            ("POST", cls.path, resource.add),
            ("GET", one, resource.one),
            ("PATCH", one, resource.change),
            ("DELETE", one, resource.delete),
        ):
            if method in cls.methods:
                before = resource.prepare if method in {"POST", "PATCH"} else None
                route(method, path, counts=cls.counts, before=before)(handler)

    def listing(self, call: Call) -> dict[str, Any]:
        """List the rows that the query asks for."""
        where, (count, offset) = self.asked(call), call.paging()
        self.check_above(call)
        for column, value in call.path.items():
            where.add(f"{column} = ?", value)
        sql = f"SELECT * FROM {self.table} WHERE {where} ORDER BY {self.sorted(call)}"
        rows = call.rows(sql, *where.parameters)
        shown = [self.shown(call, row) for row in rows[offset : offset + count]]
        return call.listed(self.name, shown, len(rows), **call.path)

    def one(self, call: Call) -> dict[str, Any]:
        """Show a row."""
        return self.shown(call, self.row(call))

    def add(self, call: Call) -> dict[str, Any]:
        """Make a row."""
        body = call.body({**self.body, **self.new})
        self.check_above(call)
        keys = {**call.path, self.key: self.make(call, body)}
        return self.shown(call, storage.one(call.db, self.table, **keys))

    def change(self, call: Call) -> dict[str, Any]:
        """Change a row."""
        body = call.body(self.body)
        row = self.row(call)
        if changes := self.changes(call, row, body):
            storage.update(call.db, self.table, changes, **call.path)
        return self.shown(call, self.row(call))

    def delete(self, call: Call) -> None:
        """Delete a row with all that belongs to it."""
        self.clear(call, self.row(call))
        storage.delete(call.db, self.table, **call.path)

    def row(self, call: Call) -> sqlite3.Row:
        """Return the row that the path names.

        Raises:
            Problem: There is none: 404.
        """
        columns = re.findall(r"\{(\w+)\}", f"{self.path}{{{self.key}}}")
        return storage.one(call.db, self.table, **{name: call.path[name] for name in columns})

    def link(self, row: sqlite3.Row) -> str:
        """Return the path of a row."""
        return f"{self.path.format_map(dict(row))}/{row[self.key]}"

    # What a subclass may say otherwise.

    def prepare(self, call: Call) -> None:
        """Do what is to be done before the transaction of a change begins."""

    def check_above(self, call: Call) -> None:
        """Refuse a collection of something that is not there."""
        if "list_id" in call.path:
            _ = call.audience

    def asked(self, call: Call) -> Where:
        """Return the conditions of a listing's query, beside those of the path."""
        where = call.between(**self.times)
        for name, allowed in self.words.items():
            if (word := call.word(name, *allowed)) is not None:
                where.add(f"{name} = ?", word)
        return where

    def sorted(self, call: Call) -> str:
        """Return the order of a listing."""
        del call
        return self.order

    def shown(self, call: Call, row: sqlite3.Row) -> dict[str, Any]:
        """Return a row as the vendor shows it."""
        return {**storage.plain(row), "_links": call.links(self.link(row))}

    def make(self, call: Call, body: dict[str, Any]) -> Any:
        """Make a row of a body; return its key."""
        return make(call.db, self.table, {**body, **call.path})

    def changes(self, call: Call, row: sqlite3.Row, body: dict[str, Any]) -> dict[str, Any]:
        """Return the columns that a body changes."""
        del call, row
        return body

    def clear(self, call: Call, row: sqlite3.Row) -> None:
        """Delete what belongs to a row that is deleted."""


def make(db: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> str:
    """Insert a row, with a new id unless it has one; return the id."""
    key = str(row.get("id") or uuid.uuid4().hex[:10])
    storage.insert(db, table, {**row, "id": key})
    return key
