"""What a person's page shows of them: by indexes, since somebody waits for it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import sqlalchemy as sa

from bothways.store.distinct import distinct_on
from bothways.store.erase import Person, ends_of, ids_by_role, in_other_scopes, paired
from bothways.store.schema import (
    links,
    list_ids,
    list_states,
    members,
    records,
    retries,
    suppressions,
)
from bothways.vocabulary import RoleName

Rows = Sequence[sa.Row[Any]]

# What a record of any system may be.
_ENTITIES: Final = ("contact", "lead")


def find(
    conn: sa.Connection, *, account: str, email_key: str, roles: Collection[RoleName]
) -> Person:
    """Return whom a page about an address shows: who has it, and who is linked with them.

    Args:
        conn: An open transaction.
        account: The account's name.
        email_key: The normalised address.
        roles: The roles of the systems to look in; the person has ids, or none, for each.
    """
    same = (
        records.c.account == account,
        records.c.side.in_(roles),
        records.c.email_key == email_key,
    )
    own = conn.execute(sa.select(records.c.side, records.c.id).where(*same)).all()
    here = [(row.side, row.id) for row in own]
    nobody = dict.fromkeys(roles, frozenset[str]())
    keys = frozenset({email_key})
    pairs = links_of(conn, Person(account, nobody | ids_by_role(here), keys, keys))
    pairs = [*pairs, *in_other_scopes(conn, account, pairs)]
    return Person(account, nobody | ids_by_role([*here, *ends_of(pairs)]), keys, keys)


def links_of(conn: sa.Connection, person: Person) -> Rows:
    """Return which of a person's records are the same person."""
    linked = sa.or_(links.c.email_key.in_(person.keys), paired(links, person.crm, person.marketing))
    entity = links.c.entity.in_(_ENTITIES)  # with it the primary key finds crm_id
    query = sa.select(links).where(links.c.account == person.account, linked, entity)
    return conn.execute(query.order_by(links.c.entity, links.c.crm_id)).all()


def records_of(conn: sa.Connection, person: Person) -> Rows:
    """Return who has the person's addresses or ids in any system."""
    by_address = sa.select(records).where(
        records.c.account == person.account,
        records.c.side.in_(person.by_role),
        records.c.email_key.in_(person.keys),
    )
    by_id = [
        sa.select(records).where(
            records.c.account == person.account,
            records.c.side == role,
            records.c.entity.in_(_ENTITIES),
            records.c.id.in_(ids),
        )
        for role, ids in person.by_role.items()
    ]
    found = sa.union(by_address, *by_id).subquery()
    return conn.execute(sa.select(found).order_by(found.c.side, found.c.entity, found.c.id)).all()


def lists_of(conn: sa.Connection, person: Person) -> Rows:
    """Return which lists the person is or was on.

    Columns: side, list_id, member_id, status, changed_at, deleted_at, list_key, name.
    """
    keys = (list_ids.c.account, list_ids.c.side, list_ids.c.list_id)
    # A list and its tag are two pairs of the same list of the CRM.
    names = distinct_on(sa.select(*keys, list_ids.c.list_key, list_ids.c.name), *keys)
    known = names.order_by(*keys, list_ids.c.list_key).subquery()
    same_list = sa.and_(
        known.c.account == members.c.account,
        known.c.side == members.c.side,
        known.c.list_id == members.c.list_id,
    )
    named = sa.select(
        members.c.side,
        members.c.list_id,
        members.c.member_id,
        members.c.status,
        members.c.changed_at,
        members.c.deleted_at,
        known.c.list_key,
        known.c.name,
    ).outerjoin(known, same_list)
    ways = [
        named.where(
            members.c.account == person.account,
            members.c.side == role,
            members.c.member_id.in_(ids),
        )
        for role, ids in person.by_role.items()
    ]
    found = sa.union_all(*ways or [named.where(sa.false())]).subquery()
    return conn.execute(sa.select(found).order_by(found.c.list_key, found.c.side)).all()


def agreed_of(conn: sa.Connection, person: Person) -> Rows:
    """Return the states of the pairs of lists that the account maps now, with their `list_key`."""
    theirs = sa.or_(
        list_states.c.crm_id.in_(person.crm), list_states.c.marketing_id.in_(person.marketing)
    )
    crm, marketing = list_ids.alias("crm"), list_ids.alias("marketing")
    query = (
        sa.select(list_states, crm.c.list_key)
        .join(crm, _is_list(crm, "crm", list_states.c.crm_list_id))
        .join(marketing, _is_list(marketing, "marketing", list_states.c.marketing_list_id))
        .where(
            list_states.c.account == person.account, crm.c.list_key == marketing.c.list_key, theirs
        )
    )
    return conn.execute(query.order_by(crm.c.list_key, list_states.c.entity)).all()


def _is_list(
    known: sa.FromClause, side: RoleName, list_id: sa.ColumnElement[str]
) -> sa.ColumnElement[bool]:
    return sa.and_(
        known.c.account == list_states.c.account,
        known.c.side == side,
        known.c.list_id == list_id,
    )


def suppressions_of(conn: sa.Connection, person: Person) -> Rows:
    """Return who said that the person may not be mailed.

    Beside the suppression's columns: the `list_key` of a mapped list, and the `scope_name` of a
    scope that is itself mapped as a list.
    """
    same_list = sa.and_(
        list_ids.c.account == suppressions.c.account,
        list_ids.c.side == suppressions.c.side,
        list_ids.c.list_id == suppressions.c.list_id,
        list_ids.c.list_id != "",
    )
    list_key = sa.select(sa.func.min(list_ids.c.list_key)).where(same_list).scalar_subquery()
    same_scope = sa.and_(
        list_ids.c.account == suppressions.c.account,
        list_ids.c.side == suppressions.c.side,
        list_ids.c.list_id == suppressions.c.scope,
    )
    scope_name = sa.select(sa.func.min(list_ids.c.name)).where(same_scope).scalar_subquery()
    told = sa.select(suppressions, list_key.label("list_key"), scope_name.label("scope_name"))
    ways = [
        told.where(
            suppressions.c.account == person.account,
            suppressions.c.side == role,
            sa.or_(
                suppressions.c.email_key.in_(person.keys),
                suppressions.c.record_id.in_(ids),
            ),
        )
        for role, ids in person.by_role.items()
    ]
    found = sa.union(*ways or [told.where(sa.false())]).subquery()
    query = sa.select(found).order_by(found.c.lifted_at.is_not(None), found.c.suppressed_at)
    return conn.execute(query).all()


def retries_of(conn: sa.Connection, person: Person) -> Rows:
    """Return the person's records in error."""
    query = sa.select(retries).where(
        retries.c.account == person.account, retries.c.email_key.in_(person.keys)
    )
    return conn.execute(query.order_by(retries.c.next_at)).all()
