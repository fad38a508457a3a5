"""`$ref`: linking and unlinking rows (PAD associate-disassociate-entities-using-web-api)."""

from __future__ import annotations

from sandbox.dynamics import records, webhooks
from sandbox.dynamics.errors import VendorError, no_segment, payload_error, query_error
from sandbox.dynamics.lists import add_members, is_member_collection, remove_members
from sandbox.dynamics.messages import Reply, empty_reply
from sandbox.dynamics.model import ManyToMany, Navigation, Table
from sandbox.dynamics.options import query_pairs
from sandbox.dynamics.payload import resolve_reference
from sandbox.dynamics.work import Work
from sandbox.dynamics.writing import set_lookup


def _navigation(work: Work, table: Table, name: str) -> Navigation:
    navigation = work.catalogue.navigation(table, name)
    if navigation is None:
        raise no_segment(name)
    return navigation


def associate(work: Work, table: Table, key: str, name: str) -> Reply:
    """Answer POST (collection) and PUT (single) of `set(key)/navigation/$ref`."""
    navigation = _navigation(work, table, name)
    expected = "PUT" if navigation.single else "POST"
    if work.call.method != expected:
        raise VendorError(405, "0x0", f"Use {expected} to associate '{name}'.")
    row_id = records.existing(work, table, key)
    body = work.call.json()
    if "@odata.id" not in body:
        raise payload_error(table.entity_set, "The body must have the property '@odata.id'.")
    target, target_id = resolve_reference(work, body["@odata.id"])
    if target.name != navigation.target:
        raise query_error(f"'{name}' does not lead to '{target.entity_set}'.")
    _link(work, table, navigation, row_id, target_id)
    return empty_reply()


def disassociate(work: Work, table: Table, key: str, name: str, target_key: str | None) -> Reply:
    """Answer DELETE of a `$ref`: `nav/$ref`, `nav(id)/$ref` or `nav/$ref?$id=address`."""
    navigation = _navigation(work, table, name)
    row_id = records.existing(work, table, key)
    if navigation.single:
        set_lookup(work, table, row_id, navigation.column, None)
        return empty_reply()
    target = work.table(navigation.target)
    _unlink(work, table, navigation, row_id, _target_id(work, target, target_key))
    return empty_reply()


def _target_id(work: Work, target: Table, target_key: str | None) -> str:
    if target_key is not None:
        return records.existing(work, target, target_key)
    address = query_pairs(work.call.query).get("$id")
    if address is None:
        raise query_error("The address of the row to disassociate is missing.")
    return resolve_reference(work, address)[1]


def _link(work: Work, table: Table, navigation: Navigation, row_id: str, target_id: str) -> None:
    through = navigation.through
    if navigation.single:
        set_lookup(work, table, row_id, navigation.column, (navigation.target, target_id))
    elif through is None:
        child = work.table(navigation.target)
        set_lookup(work, child, target_id, navigation.column, (table.name, row_id))
    elif is_member_collection(table, navigation.name):
        list_id, member_id = _sides(through, table, row_id, target_id)
        add_members(work, list_id, [(through.second, member_id)])
    else:
        work.connection.execute(
            f'INSERT OR IGNORE INTO "{through.intersect}" ({through.first_column},'
            f" {through.second_column}) VALUES (?, ?)",
            _sides(through, table, row_id, target_id),
        )
        work.context.calls.wrote(1)
    _tell(work, "Associate", through, (table.name, row_id), (navigation.target, target_id))


def _tell(
    work: Work,
    message: str,
    through: ManyToMany | None,
    target: tuple[str, str],
    related: tuple[str, str],
) -> None:
    """Tell webhooks of a relationship through an intersect table; no lookup is one (assumed)."""
    if through is not None:
        webhooks.tell_association(work, message, through.name, target, related)


def _unlink(work: Work, table: Table, navigation: Navigation, row_id: str, target_id: str) -> None:
    through = navigation.through
    if through is None:
        set_lookup(work, work.table(navigation.target), target_id, navigation.column, None)
    elif is_member_collection(table, navigation.name):
        list_id, member_id = _sides(through, table, row_id, target_id)
        remove_members(work, list_id, [member_id])
    else:
        work.connection.execute(
            f'DELETE FROM "{through.intersect}" WHERE {through.first_column} = ?'
            f" AND {through.second_column} = ?",
            _sides(through, table, row_id, target_id),
        )
        work.context.calls.wrote(1)
    _tell(work, "Disassociate", through, (table.name, row_id), (navigation.target, target_id))


def _sides(through: ManyToMany, table: Table, row_id: str, target_id: str) -> tuple[str, str]:
    return (row_id, target_id) if table.name == through.first else (target_id, row_id)
