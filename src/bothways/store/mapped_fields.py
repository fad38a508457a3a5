"""What the baselines of each mapped field stand for: the field's meaning when they were taken.

A baseline is valid only for the vendor fields it was taken from. Once a mapping's name stands for
other fields, or for another type, direction or format, its baselines say nothing. The meaning in
force is stored beside them; runs that were planned under another meaning neither use them nor add
to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert

from bothways.store.schema import baselines, mapped_fields

Meanings = Mapping[str, Mapping[str, str]]
"""The meaning of each field, by CRM entity and the mapping's name."""
Names = dict[str, list[str]]
"""Names of fields, by CRM entity."""


def changed(conn: sa.Connection, *, account: str, meanings: Meanings) -> Names:
    """Return the fields whose meaning differs from the one in force, and those not mapped before.

    If no meanings are stored for the account, its baselines count as taken under these.

    Args:
        conn: An open transaction.
        account: The account's name.
        meanings: Those of the current mapping.
    """
    known = _known(conn, account)
    if not known:
        return {}
    return _differing(known, meanings)


def outdated(conn: sa.Connection, *, account: str, meanings: Meanings) -> Names:
    """Return the fields whose meaning differs from the one in force; store those of new fields.

    Args:
        conn: An open transaction.
        account: The account's name.
        meanings: Those under which baselines are to be added.
    """
    known = _known(conn, account)
    rows = [
        {"account": account, "entity": entity, "name": name, "meaning": meaning}
        for entity, fields in meanings.items()
        for name, meaning in fields.items()
        if (entity, name) not in known
    ]
    if rows:
        conn.execute(insert(mapped_fields).values(rows).on_conflict_do_nothing())
        known = _known(conn, account)
    return _differing(known, meanings)


def replace(conn: sa.Connection, *, account: str, run_id: int, meanings: Meanings) -> None:
    """Put meanings in force, and drop the baselines of others.

    A meaning that a newer run has put in force stays.

    Args:
        conn: An open transaction.
        account: The account's name.
        run_id: The run that compared both sides afresh.
        meanings: Those of the mapping it was opened with.
    """
    for entity, names in outdated(conn, account=account, meanings=meanings).items():
        changed_names = [
            name
            for name in names
            if _put_in_force(conn, (account, entity, name), meanings[entity][name], run_id)
        ]
        _forget(conn, account, entity, changed_names)


def changed_since(conn: sa.Connection, *, account: str, run_id: int) -> Names:
    """Return the fields whose meaning was changed by a run later than this one."""
    query = sa.select(mapped_fields.c.entity, mapped_fields.c.name).where(
        mapped_fields.c.account == account, mapped_fields.c.run_id > run_id
    )
    return _by_entity((row.entity, row.name) for row in conn.execute(query))


def without(
    values: sa.ColumnElement[Any], entity: sa.ColumnElement[str], names: Names
) -> sa.ColumnElement[Any]:
    """Return JSON objects by the mapping's names, without the given fields of each entity."""
    if not names:
        return values
    texts = ARRAY(sa.Text)
    left_out = {key: sa.cast(sa.literal(given, texts), texts) for key, given in names.items()}
    nothing = sa.cast(sa.literal([], texts), texts)
    return values.op("-", return_type=JSONB)(sa.case(left_out, value=entity, else_=nothing))


def _known(conn: sa.Connection, account: str) -> dict[tuple[str, str], str]:
    query = sa.select(mapped_fields).where(mapped_fields.c.account == account)
    return {(row.entity, row.name): row.meaning for row in conn.execute(query)}


def _differing(known: Mapping[tuple[str, str], str], meanings: Meanings) -> Names:
    return _by_entity(
        (entity, name)
        for entity, fields in meanings.items()
        for name, meaning in fields.items()
        if known.get((entity, name)) != meaning
    )


def _by_entity(pairs: Iterable[tuple[str, str]]) -> Names:
    found: Names = {}
    for entity, name in sorted(pairs):
        found.setdefault(entity, []).append(name)
    return found


def _put_in_force(
    conn: sa.Connection, field: tuple[str, str, str], meaning: str, run_id: int
) -> bool:
    """Give a field its new meaning; return false if a newer run has given it one already."""
    keys = sa.tuple_(*mapped_fields.primary_key.columns)
    older = sa.func.coalesce(mapped_fields.c.run_id, 0) <= run_id
    own = mapped_fields.update().where(keys == sa.tuple_(*map(sa.literal, field)), older)
    return bool(conn.execute(own.values(meaning=meaning, run_id=run_id)).rowcount)


def _forget(conn: sa.Connection, account: str, entity: str, names: list[str]) -> None:
    """Drop the baselines of some fields of an entity, and what an undo left apart in them."""
    columns = (baselines.c["values"], baselines.c.apart)
    given = sa.cast(sa.literal(names, ARRAY(sa.Text)), ARRAY(sa.Text))
    having = (column.op("?|")(given) for column in columns)
    own = baselines.update().where(
        baselines.c.account == account, baselines.c.entity == entity, sa.or_(*having)
    )
    conn.execute(own.values({column.name: column.op("-")(given) for column in columns}))
