"""All definitions of the organisation: what is built in and what was made through the API."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, replace
from functools import cache, cached_property, lru_cache
from typing import Any

from sandbox.dynamics import cascades, storage
from sandbox.dynamics.model import Column, ManyToMany, Navigation, OneToMany, Table, stable_id
from sandbox.dynamics.tables_marketing import COLLECTIONS, MANY_TO_MANY
from sandbox.dynamics.tables_system import BUILT_IN

SCHEMA = storage.schema_script(BUILT_IN, MANY_TO_MANY)


class Catalogue:
    """The tables and relationships at one moment; it never changes.

    Args:
        tables: All tables.
        many_to_many: All relationships through intersect tables.
    """

    def __init__(self, tables: tuple[Table, ...], many_to_many: tuple[ManyToMany, ...]) -> None:
        self.tables = {table.name: table for table in tables}
        self.sets = {table.entity_set: table for table in tables}
        self.many_to_many = many_to_many

    @cached_property
    def one_to_many(self) -> tuple[OneToMany, ...]:
        """Every lookup, once per table that it may point at."""
        return tuple(
            _relationship(table, column, target)
            for table in self.tables.values()
            for column in table.lookups
            if column.navigations
            for target in column.targets
        )

    @cached_property
    def _navigations(self) -> dict[str, dict[str, Navigation]]:
        found: dict[str, dict[str, Navigation]] = {name: {} for name in self.tables}
        for relationship in self.one_to_many:
            self._add_lookup(found, relationship)
        for through in self.many_to_many:
            for own, name, target in (
                (through.first, through.first_navigation, through.second),
                (through.second, through.second_navigation, through.first),
            ):
                found[own][name] = Navigation(name, own, target, single=False, through=through)
        return found

    def _add_lookup(self, found: dict[str, dict[str, Navigation]], relationship: OneToMany) -> None:
        column = self.tables[relationship.referencing].by_name[relationship.column]
        ends = (
            (relationship.referencing, relationship.single_navigation, relationship.referenced),
            (relationship.referenced, relationship.collection_navigation, relationship.referencing),
        )
        for single, (own, name, target) in zip((True, False), ends, strict=True):
            # `ownerid` leads to users and to teams under one name: users come first.
            if own in found and name not in found[own]:
                found[own][name] = Navigation(
                    name, own, target, single, relationship.column, column.polymorphic
                )

    def navigation(self, table: Table, name: str) -> Navigation | None:
        """Return the navigation property of a table, or None."""
        return self._navigations[table.name].get(name)

    def navigations(self, table: Table) -> dict[str, Navigation]:
        """Return all navigation properties of a table by name."""
        return self._navigations[table.name]


def _relationship(table: Table, column: Column, target: str) -> OneToMany:
    # Names of the vendor's own relationships differ; those not in the fact sheet are assumed.
    default = column.relationship or f"{table.name}_{column.name}"
    if column.polymorphic:
        default += f"_{target}"
    name = COLLECTIONS.get((table.name, column.name, target), default)
    return OneToMany(
        name=name,
        referenced=target,
        referencing=table.name,
        column=column.name,
        single_navigation=column.navigation(target),
        collection_navigation=name,
        cascade=cascades.of_relationship(name, column),
        custom=column.custom,
    )


@cache
def _built_in() -> Catalogue:
    return Catalogue(BUILT_IN, MANY_TO_MANY)


class Definitions:
    """Keeps the catalogue of one database, and notices when it has changed."""

    def __init__(self) -> None:
        # One pair, so that a thread never takes the one from before and the other from after.
        self._known = ("", _built_in())

    def current(self, connection: sqlite3.Connection) -> Catalogue:
        """Return the catalogue as the connection sees it."""
        stamp = storage.catalogue_stamp(connection)
        known, catalogue = self._known
        if stamp != known:
            catalogue = _load(connection) if stamp else _built_in()
            self._known = (stamp, catalogue)
        return catalogue


def _load(connection: sqlite3.Connection) -> Catalogue:
    tables = {table.name: table for table in BUILT_IN}
    for (definition,) in connection.execute("SELECT definition FROM _definition ORDER BY rowid"):
        table = _parsed(definition)
        tables[table.name] = table
    more = connection.execute("SELECT definition FROM _relationship ORDER BY rowid")
    many = tuple(ManyToMany(**json.loads(definition)) for (definition,) in more)
    return Catalogue(tuple(tables.values()), MANY_TO_MANY + many)


@lru_cache(maxsize=256)
def _parsed(definition: str) -> Table:
    """Return the table of a stored definition; few tables differ from one catalogue to the next."""
    return Table.parse(json.loads(definition))


def save_table(connection: sqlite3.Connection, table: Table) -> None:
    """Store a changed or new definition."""
    before = _parts(_stored(connection, table.name))
    connection.execute(
        "INSERT INTO _definition VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET definition = excluded.definition",
        (table.name, json.dumps(table.stored())),
    )
    after = _parts(table)
    changed = [key for key, part in after.items() if before.get(key) != part]
    version = storage.new_catalogue_stamp(connection)
    storage.record_changes(connection, version, changed, before.keys() - after.keys())


def forget_table(connection: sqlite3.Connection, table: Table) -> None:
    """Remove the definition of a table that was made through the API."""
    connection.execute("DELETE FROM _definition WHERE name = ?", (table.name,))
    version = storage.new_catalogue_stamp(connection)
    storage.record_changes(connection, version, (), _parts(table))


def _stored(connection: sqlite3.Connection, name: str) -> Table | None:
    """Return a table as it is stored; as it is built in, where it never changed."""
    row = connection.execute("SELECT definition FROM _definition WHERE name = ?", (name,))
    found = row.fetchone()
    return _parsed(found[0]) if found else _built_in().tables.get(name)


def _parts(table: Table | None) -> dict[tuple[str, str], Any]:
    """Return what a table consists of, by MetadataId and kind (DeletedMetadataFilters)."""
    if table is None:
        return {}
    own = replace(table, columns=(), keys=(), party_lists=())
    columns = (*table.columns, *table.party_lists)
    return {
        (table.metadata_id, "Entity"): own,
        **{(column.metadata_id, "Attribute"): column for column in columns},
    }


def forget_relationship(connection: sqlite3.Connection, relationship: ManyToMany) -> None:
    """Remove the definition of a relationship that was made through the API."""
    connection.execute("DELETE FROM _relationship WHERE name = ?", (relationship.name,))
    storage.new_catalogue_stamp(connection)


def save_relationship(connection: sqlite3.Connection, relationship: ManyToMany) -> None:
    """Store a new relationship through an intersect table."""
    connection.execute(
        "INSERT INTO _relationship VALUES (?, ?)",
        (relationship.name, json.dumps(asdict(relationship))),
    )
    storage.new_catalogue_stamp(connection)


def relationship_id(name: str) -> str:
    """Return the MetadataId of a relationship."""
    return stable_id("relationship", name)
