"""From method and path to the operation that answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sandbox.dynamics import (
    actions,
    associating,
    bulk,
    csdl,
    definition_queries,
    definition_writes,
    fetchxml,
    lists,
    operations,
    reading,
    records,
)
from sandbox.dynamics.errors import (
    VendorError,
    no_segment,
    type_name,
    unresolved_action,
    wrong_verb,
)
from sandbox.dynamics.messages import Reply, empty_reply, json_reply
from sandbox.dynamics.model import Table
from sandbox.dynamics.options import query_pairs
from sandbox.dynamics.paths import Segment, parse_path
from sandbox.dynamics.work import Work

Answer = Callable[[Work], Reply]

_DEFINITIONS = ("EntityDefinitions", "RelationshipDefinitions", "GlobalOptionSetDefinitions")
_FUNCTIONS: dict[str, Answer] = {"WhoAmI": actions.who_am_i}
_ACTIONS: dict[str, Answer] = {
    "AddListMembersList": lists.add_list_members,
    "RemoveListMembersList": lists.remove_list_members,
    "Merge": actions.merge,
    "ReactivateEntityKey": definition_writes.reactivate_key,
    "PublishXml": lambda _: empty_reply(),
    "PublishAllXml": lambda _: empty_reply(),
}
_BOUND: dict[tuple[str, str], Callable[[Work, str], Reply]] = {
    ("list", "AddMemberList"): lists.add_member,
    ("list", "RemoveMemberList"): lists.remove_member,
    ("list", "CopyMembersList"): lists.copy_members,
    ("lead", "QualifyLead"): actions.qualify_lead,
}
_NEW_DEFINITIONS: dict[str, Answer] = {
    "EntityDefinitions": definition_writes.create_table,
    "RelationshipDefinitions": definition_writes.create_relationship,
}
_CHANGED_DEFINITIONS: dict[tuple[str, str], Callable[[Work, str], Reply]] = {
    ("POST", "EntityDefinitions/Attributes"): definition_writes.create_column,
    ("POST", "EntityDefinitions/Keys"): definition_writes.create_key,
    ("PUT", "EntityDefinitions"): definition_writes.replace_table,
}
_BOUND_NAMES = {name for _, name in _BOUND}


def answer(work: Work) -> Reply:
    """Return the answer to one request; its work is in the right kind of transaction.

    Raises:
        VendorError: The answer is an error.
    """
    segments = parse_path(work.call.path)
    if not segments:
        return json_reply(csdl.service(work)) if work.call.method == "GET" else _refuse(work)
    first = segments[0]
    if first.name == "$metadata":
        annotated = query_pairs(work.call.query).get("annotations") == "true"
        return csdl.document(work, annotated=annotated)
    if first.name in _DEFINITIONS:
        return _definitions(work, segments)
    if first.name in {*_FUNCTIONS, *_ACTIONS, *_BOUND_NAMES, "RetrieveTotalRecordCount"}:
        return _unbound(work, first)
    return _rows(work, work.table_of_set(first.name), segments)


def _refuse(work: Work) -> Reply:
    raise wrong_verb(work.call.method)


def _unbound(work: Work, first: Segment) -> Reply:
    if first.name in _BOUND_NAMES:
        raise unresolved_action()  # a bound action without its row
    method = work.call.method
    if first.name == "RetrieveTotalRecordCount" and method == "GET":
        return actions.total_record_count(work, first.key or "")
    found = (_FUNCTIONS if method == "GET" else _ACTIONS).get(first.name)
    if found is None or method not in {"GET", "POST"}:
        return _refuse(work)
    return found(work)


def _definitions(work: Work, segments: Sequence[Segment]) -> Reply:
    method, key = work.call.method, segments[0].key
    if method == "GET":
        return definition_queries.answer(work, segments)
    if method == "PATCH":
        return _refuse(work)  # definitions are replaced with PUT
    names = "/".join(segment.name for segment in segments)
    if key is None and method == "POST" and names in _NEW_DEFINITIONS:
        return _NEW_DEFINITIONS[names](work)
    if key is not None and (method, names) in _CHANGED_DEFINITIONS:
        return _CHANGED_DEFINITIONS[method, names](work, key)
    raise VendorError(501, "0x0", "This sandbox does not emulate this change of a definition.")


def _rows(work: Work, table: Table, segments: Sequence[Segment]) -> Reply:
    first, rest = segments[0], segments[1:]
    if first.key is None:
        return _set(work, table, rest)
    if not rest:
        return _row(work, table, first.key)
    if rest[-1].name == "$ref":
        return _reference(work, table, first.key, rest)
    if len(rest) > 1:
        raise VendorError(501, "0x0", "This sandbox does not emulate paths of this length.")
    return _part(work, table, first.key, rest[0])


def _set(work: Work, table: Table, rest: Sequence[Segment]) -> Reply:
    method = work.call.method
    if rest:
        return _below_set(work, table, rest)
    if method == "GET":
        if "fetchXml" in query_pairs(work.call.query):
            return fetchxml.answer(work, table)
        return reading.collection(work, table)
    if method == "POST":
        return operations.post(work, table)
    return _refuse(work)


def _below_set(work: Work, table: Table, rest: Sequence[Segment]) -> Reply:
    name = rest[0].name
    if len(rest) > 1:
        raise no_segment(rest[1].name)
    if name == "$count" and work.call.method == "GET":
        return reading.count(work, table)
    action = name.removeprefix(type_name(""))
    if action != name and action in {*bulk.ACTIONS, "DeleteMultiple"}:
        return bulk.run(work, table, action) if work.call.method == "POST" else _refuse(work)
    raise unresolved_action() if action in bulk.ACTIONS else no_segment(name)


def _row(work: Work, table: Table, key: str) -> Reply:
    answers: dict[str, Callable[[Work, Table, str], Reply]] = {
        "GET": reading.by_key,
        "PATCH": operations.patch,
        "DELETE": operations.remove,
    }
    found = answers.get(work.call.method)
    return found(work, table, key) if found else _refuse(work)


def _part(work: Work, table: Table, key: str, part: Segment) -> Reply:
    method, name = work.call.method, part.name
    bound = _BOUND.get((table.name, name.removeprefix(type_name(""))))
    if bound is not None:
        if not name.startswith(type_name("")):
            raise unresolved_action()
        if method != "POST":
            return _refuse(work)
        return bound(work, records.existing(work, table, key))
    if method == "GET":
        return reading.part(work, table, key, name, reference=False)
    if method == "PUT":
        return operations.put_column(work, table, key, name)
    if method == "DELETE":
        return operations.delete_column(work, table, key, name)
    return _refuse(work)


def _reference(work: Work, table: Table, key: str, rest: Sequence[Segment]) -> Reply:
    if len(rest) != 2:
        raise no_segment("$ref")
    navigation, method = rest[0], work.call.method
    if method in {"POST", "PUT"}:
        return associating.associate(work, table, key, navigation.name)
    if method == "DELETE":
        return associating.disassociate(work, table, key, navigation.name, navigation.key)
    return reading.part(work, table, key, navigation.name, reference=True)
