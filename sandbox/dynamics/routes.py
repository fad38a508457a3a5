"""From method and path to the operation that answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sandbox.dynamics import (
    actions,
    associating,
    bulk,
    bulk_delete,
    csdl,
    definition_changes,
    definition_queries,
    definition_writes,
    fetchxml,
    list_actions,
    metadata_changes,
    operations,
    option_sets,
    reading,
    records,
    sql,
)
from sandbox.dynamics.callers import impersonated
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
_FUNCTIONS: dict[str, Answer] = {
    "WhoAmI": actions.who_am_i,
    "RetrieveAvailableLanguages": actions.available_languages,
}
_PARAMETRISED: dict[str, Callable[[Work, str], Reply]] = {
    "RetrieveMetadataChanges": metadata_changes.answer,
    "RetrieveTotalRecordCount": actions.total_record_count,
}
_ACTIONS: dict[str, Answer] = {
    "AddListMembersList": list_actions.add_list_members,
    "RemoveListMembersList": list_actions.remove_list_members,
    "BulkDelete": bulk_delete.answer,
    "CreateEntities": definition_writes.create_tables,
    "InsertOptionValue": option_sets.insert_value,
    "Merge": actions.merge,
    "ReactivateEntityKey": definition_writes.reactivate_key,
    "PublishXml": lambda _: empty_reply(),
    "PublishAllXml": lambda _: empty_reply(),
}
_BOUND: dict[tuple[str, str], Callable[[Work, str], Reply]] = {
    ("list", "AddMemberList"): list_actions.add_member,
    ("list", "CopyDynamicListToStatic"): list_actions.copy_to_static,
    ("list", "CopyMembersList"): list_actions.copy_members,
    ("list", "QualifyMemberList"): list_actions.qualify_members,
    ("list", "RemoveMemberList"): list_actions.remove_member,
    ("list", "RemoveMembersByFetchXmlList"): list_actions.remove_by_fetch,
    ("lead", "QualifyLead"): actions.qualify_lead,
}
_NEW_DEFINITIONS: dict[str, Answer] = {
    "EntityDefinitions": definition_writes.create_table,
    "RelationshipDefinitions": definition_writes.create_relationship,
    "GlobalOptionSetDefinitions": option_sets.create,
}
_CHANGED_DEFINITIONS: dict[tuple[str, str], Callable[[Work, str], Reply]] = {
    ("POST", "EntityDefinitions/Attributes"): definition_writes.create_column,
    ("POST", "EntityDefinitions/Keys"): definition_writes.create_key,
    ("PUT", "EntityDefinitions"): definition_changes.replace_table,
    ("PUT", "RelationshipDefinitions"): definition_changes.replace_relationship,
    ("DELETE", "EntityDefinitions"): definition_changes.delete_table,
    ("DELETE", "RelationshipDefinitions"): definition_changes.delete_relationship,
    ("DELETE", "GlobalOptionSetDefinitions"): option_sets.delete,
}
_CHANGED_PARTS: dict[tuple[str, str], Callable[[Work, str, str], Reply]] = {
    ("PUT", "Attributes"): definition_changes.replace_column,
    ("DELETE", "Attributes"): definition_changes.delete_column,
    ("DELETE", "Keys"): definition_changes.delete_key,
}
_BOUND_NAMES = {name for _, name in _BOUND}
# They exist; their parameters are not documented (fact sheet, section 9).
_UNKNOWN = {"AddMembersBatchList", "AddItemCampaign"}


def answer(work: Work) -> Reply:
    """Return the answer to one request; its work is in the right kind of transaction.

    Raises:
        VendorError: The answer is an error.
    """
    impersonated(work.connection, work.call)  # an unknown user is refused whatever is asked
    segments = parse_path(work.call.path)
    if not segments:
        return json_reply(csdl.service(work)) if work.call.method == "GET" else _refuse(work)
    first = segments[0]
    if first.name == "$metadata":
        annotated = query_pairs(work.call.query).get("annotations") == "true"
        return csdl.document(work, annotated=annotated)
    if first.name in _DEFINITIONS:
        return _definitions(work, segments)
    if first.name in {*_FUNCTIONS, *_ACTIONS, *_PARAMETRISED, *_BOUND_NAMES, *_UNKNOWN}:
        return _unbound(work, first)
    return _rows(work, work.table_of_set(first.name), segments)


def _refuse(work: Work) -> Reply:
    raise wrong_verb(work.call.method)


def _unbound(work: Work, first: Segment) -> Reply:
    if first.name in _BOUND_NAMES:
        raise unresolved_action()  # a bound action without its row
    method = work.call.method
    if first.name in _UNKNOWN:
        raise VendorError(501, "0x0", f"This sandbox does not emulate {first.name}.")
    if first.name in _PARAMETRISED and method == "GET":
        return _PARAMETRISED[first.name](work, first.key or "")
    found = (_FUNCTIONS if method == "GET" else _ACTIONS).get(first.name)
    if found is None or method not in {"GET", "POST"}:
        return _refuse(work)
    return found(work)


def _definitions(work: Work, segments: Sequence[Segment]) -> Reply:
    method = work.call.method
    if method == "GET":
        return definition_queries.answer(work, segments)
    if method == "PATCH":
        return _refuse(work)  # definitions are replaced with PUT
    # The type that a definition is cast to says nothing that its body does not say.
    plain = [one for one in segments if not one.name.startswith(type_name(""))]
    first, part, name = plain[0], plain[-1], "/".join(one.name for one in plain)
    if first.key is None and method == "POST" and name in _NEW_DEFINITIONS:
        return _NEW_DEFINITIONS[name](work)
    if first.key is not None and (method, name) in _CHANGED_DEFINITIONS:
        return _CHANGED_DEFINITIONS[method, name](work, first.key)
    if first.key and len(plain) == 2 and part.key and (method, part.name) in _CHANGED_PARTS:
        return _CHANGED_PARTS[method, part.name](work, first.key, part.key)
    raise VendorError(501, "0x0", "This sandbox does not emulate this change of a definition.")


def _rows(work: Work, table: Table, segments: Sequence[Segment]) -> Reply:
    first, rest = segments[0], segments[1:]
    if first.key is None:
        return _set(work, table, rest)
    if not rest:
        return _row(work, table, first.key)
    if rest[-1].name == "$ref":
        return _reference(work, table, first.key, rest)
    if len(rest) == 2 and rest[1].name == "$count" and work.call.method == "GET":
        return reading.count_part(work, table, first.key, rest[0].name)
    if len(rest) > 1:
        raise VendorError(501, "0x0", "This sandbox does not emulate paths of this length.")
    return _part(work, table, first.key, rest[0])


def _set(work: Work, table: Table, rest: Sequence[Segment]) -> Reply:
    method = work.call.method
    if rest:
        return _below_set(work, table, rest)
    if method == "GET":
        pairs = query_pairs(work.call.query)
        if "fetchXml" in pairs:
            return fetchxml.answer(work, table)
        if "sql" in pairs:
            return sql.answer(work, table)
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
    if name.removeprefix(type_name("")) in _UNKNOWN:
        raise VendorError(501, "0x0", f"This sandbox does not emulate {name}.")
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
