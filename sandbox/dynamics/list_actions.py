"""The actions of marketing lists (fact sheet, "Marketing-list membership actions")."""

from __future__ import annotations

from typing import Any

from sandbox.dynamics import fetchxml, records, webhooks
from sandbox.dynamics.errors import VendorError, query_error, type_name, unresolved_action
from sandbox.dynamics.lists import (
    MEMBER_TABLES,
    add_members,
    members_of,
    open_list,
    remove_members,
)
from sandbox.dynamics.messages import Reply, empty_reply, json_reply
from sandbox.dynamics.values import guid, is_guid
from sandbox.dynamics.work import Work
from sandbox.dynamics.writing import create


def add_list_members(work: Work) -> Reply:
    """Answer the unbound action AddListMembersList."""
    list_id, members = _list_and_members(work)
    add_members(work, list_id, members)
    ids = [row_id for _, row_id in members]
    webhooks.tell_list(work, "AddListMembers", list_id, MemberIds=ids)
    return empty_reply()


def remove_list_members(work: Work) -> Reply:
    """Answer the unbound action RemoveListMembersList; its result is not documented (assumed)."""
    list_id, members = _list_and_members(work)
    ids = [row_id for _, row_id in members]
    remove_members(work, list_id, ids)
    webhooks.tell_list(work, "RemoveListMembers", list_id, MemberIds=ids)  # as they are added
    return empty_reply()


def _list_and_members(work: Work) -> tuple[str, list[tuple[str, str]]]:
    body = work.call.json()
    if set(body) != {"List", "Members"} or not isinstance(body["Members"], list):
        raise unresolved_action()
    _, list_id = entity_of(work, body["List"], default="list")
    return list_id, [entity_of(work, member) for member in body["Members"]]


def entity_of(work: Work, value: Any, default: str | None = None) -> tuple[str, str]:
    """Return table and id of a row that an action's parameter names.

    Raises:
        VendorError: It has no `@odata.type`, or no primary key.
    """
    if not isinstance(value, dict):
        raise unresolved_action()
    full = str(value.get("@odata.type", type_name(default) if default else "")).lstrip("#")
    table = work.catalogue.tables.get(full.removeprefix(type_name("")))
    if table is None or not is_guid(value.get(table.primary_id)):
        raise query_error("EdmEntityObject passed should have the key property value set.")
    return table.name, guid(value[table.primary_id])


def add_member(work: Work, list_id: str) -> Reply:
    """Answer the bound action AddMemberList."""
    body = work.call.json()
    if set(body) != {"EntityId"} or not is_guid(body["EntityId"]):
        raise unresolved_action()
    row = open_list(work, list_id)
    member = (MEMBER_TABLES[row["createdfromcode"]], guid(body["EntityId"]))
    (member_id,) = add_members(work, list_id, [member])
    webhooks.tell_list(work, "AddMember", list_id, EntityId=member[1])
    context = f"{work.call.root}/$metadata#Microsoft.Dynamics.CRM.AddMemberListResponse"
    return json_reply({"@odata.context": context, "Id": member_id})


def remove_member(work: Work, list_id: str) -> Reply:
    """Answer the bound action RemoveMemberList.

    The body is not confirmed: clients send the person's id as `ListMember.listmemberid`; the .NET
    request has `EntityId`. Both are taken, and a true listmember id too (assumed).
    """
    body = work.call.json()
    given = body.get("EntityId")
    if isinstance(body.get("ListMember"), dict):
        named = {name: value for name, value in body["ListMember"].items() if "@" not in name}
        given = next(iter(named.values()), None)
    if not isinstance(given, str) or not is_guid(given):
        raise unresolved_action()
    row_id = guid(given)
    found = work.connection.execute(
        "SELECT entityid FROM listmember WHERE listmemberid = ? AND listid = ?", (row_id, list_id)
    ).fetchone()
    person = row_id if found is None else found[0]
    remove_members(work, list_id, [person])
    webhooks.tell_list(work, "RemoveMember", list_id, EntityId=person)
    return empty_reply()


def copy_members(work: Work, list_id: str) -> Reply:
    """Answer the bound action CopyMembersList."""
    body = work.call.json()
    _, target_id = entity_of(work, body.get("TargetList"), default="list")
    source, target = (records.stored(work, work.table("list"), one) for one in (list_id, target_id))
    if source["createdfromcode"] != target["createdfromcode"]:
        raise VendorError(400, "0x80040306", "The two marketing lists are not compatible.")
    add_members(work, target_id, members_of(work, list_id))
    return empty_reply()


def copy_to_static(work: Work, list_id: str) -> Reply:
    """Answer the bound action CopyDynamicListToStatic; the name of the copy is assumed."""
    row = records.stored(work, work.table("list"), list_id)
    if not row["type"]:
        text = "Cannot copy a static list to a static list."  # text assumed
        raise VendorError(400, "0x8004f704", text)
    copy = {"listname": f"{row['listname']} (static)"[:128], "type": False}
    static = create(work, work.table("list"), {**copy, "createdfromcode": row["createdfromcode"]})
    target = work.table(MEMBER_TABLES[row["createdfromcode"]])
    found = fetchxml.row_ids(work, target, row["query"] or "")
    add_members(work, static, [(target.name, one) for one in found])
    context = f"{work.call.root}/$metadata#{type_name('CopyDynamicListToStaticResponse')}"
    return json_reply({"@odata.context": context, "StaticListId": static})


def qualify_members(work: Work, list_id: str) -> Reply:
    """Answer the bound action QualifyMemberList.

    Override leaves only the members named on the list; otherwise they are the ones removed
    (assumed: the vendor's sample shows override only).
    """
    body = work.call.json()
    named, override = body.get("ListMember"), body.get("OverrideorRemove")
    if not isinstance(named, list) or not isinstance(override, bool):
        raise unresolved_action()
    _keep_or_remove(work, list_id, {entity_of(work, one)[1] for one in named}, keep=override)
    return empty_reply()


def remove_by_fetch(work: Work, list_id: str) -> Reply:
    """Answer the bound action RemoveMembersByFetchXmlList: removes whom the query finds or not."""
    body = work.call.json()
    xml, keep = body.get("FetchXml"), body.get("KeepReturned")
    if not isinstance(xml, str) or not isinstance(keep, bool):
        raise unresolved_action()
    target = work.table(MEMBER_TABLES[open_list(work, list_id)["createdfromcode"]])
    _keep_or_remove(work, list_id, set(fetchxml.row_ids(work, target, xml)), keep=keep)
    return empty_reply()


def _keep_or_remove(work: Work, list_id: str, named: set[str], *, keep: bool) -> None:
    members = [row_id for _, row_id in members_of(work, list_id)]
    remove_members(work, list_id, [one for one in members if (one in named) is not keep])
