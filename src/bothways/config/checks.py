"""What the models cannot see: names that must exist elsewhere, and values that belong together.

The checks read the raw values, so that their problems are reported together with those of the
models; values of the wrong type are left to the models.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bothways.config.account import NAME_PATTERN, how_to_bind
from bothways.config.document import Document, Key
from bothways.config.explain import explain
from bothways.config.mapping import ENTITIES
from bothways.config.order import after_problems
from bothways.config.paths import mappings_folder
from bothways.config.problems import Problem, choice
from bothways.discovery import connector_names, connectors, role_names, sync_types
from bothways.spec import Scope, SyncSpec
from bothways.vocabulary import SIDES, RoleName, other


def account_problems(document: Document, stem: str) -> Iterator[Problem]:
    """Yield what is wrong with an account apart from its keys and types."""
    yield from _name(document, stem)
    yield from _roles(document)
    yield from _connectors(document)
    yield from _one_connection(document)
    yield from _unbound_roles(document)
    yield from _unknown(document, ("schedules",), sync_types())
    yield from after_problems(document, _runnable(document))
    yield from _sync_settings(document)
    yield from _unknown(document, ("guard", "sync_types"), sync_types())
    yield from _lists_named_twice(document)
    yield from _syncs_of_lists(document)
    yield from _double_opt_in(document)
    yield from _started_by_events(document)
    yield from _users(document)


def mapping_files(document: Document) -> tuple[dict[str, Path], list[Problem]]:
    """Return the mapping files that an account names, by entity, and the wrong names."""
    folder, found, problems = mappings_folder(), {}, []
    available = [path.relative_to(folder).as_posix() for path in folder.rglob("[!.]*.yaml")]
    for entity, written in _pairs(document, ("mappings",)):
        key = ("mappings", entity)
        if entity not in ENTITIES:
            problems.append(document.problem(key, "unknown entity", choice(entity, ENTITIES)))
        elif not isinstance(written, str):
            remedy = "write its path below mappings/, such as dynamics_dotdigital/contact.yaml"
            problems.append(document.problem(key, "is not a file name", remedy))
        elif written not in available:
            message = f"there is no file `{written}` in mappings/"
            problems.append(document.problem(key, message, choice(written, available)))
        else:
            found[entity] = folder / written
    return found, problems


def mapping_problems(document: Document) -> Iterator[Problem]:
    """Yield an unknown entity, and fields that write to the same field of one side."""
    entity = document.content.get("entity")
    if isinstance(entity, str) and entity not in ENTITIES:
        yield document.problem(("entity",), f"unknown entity `{entity}`", choice(entity, ENTITIES))
    for side in SIDES:
        seen: dict[str, str] = {}
        for name, item in _pairs(document, ("fields",)):
            target = item.get(side) if isinstance(item, dict) else None
            if not isinstance(target, str) or item.get("direction") == f"to_{other(side)}":
                continue
            first = seen.setdefault(target.casefold(), name)
            if first != name:
                message = f"`{first}` writes to `{target}` too"
                remedy = "map it once, or change the direction of one of the two"
                yield document.problem(("fields", name, side), message, remedy)


def _name(document: Document, stem: str) -> Iterator[Problem]:
    name = document.content.get("name", stem)
    if not re.match(NAME_PATTERN, stem):
        remedy = "rename it: up to 40 lower-case letters, digits and _, starting with a letter"
        yield document.problem(("name",), "the file name is not a valid account name", remedy)
    elif isinstance(name, str) and name != stem:
        remedy = f"write `name: {stem}`, leave it out, or rename the file"
        yield document.problem(("name",), f"`{name}` differs from the file name", remedy)


def _roles(document: Document) -> Iterator[Problem]:
    """Yield systems that are given twice or without a value, and roles of no sync type."""
    for role in SIDES:
        if role in document.content and document.content[role] is None:
            yield document.problem((role,), "has no value", "write one, or remove the key")
    for role, _ in _pairs(document, ("systems",)):
        key = ("systems", role)
        if role in SIDES and role in document.content:
            message = f"`{role}` is given at the top of the file as well"
            yield document.problem(key, message, "keep one of the two")
        elif role not in role_names():
            yield document.problem(key, "no sync type has this role", choice(role, role_names()))


def _connectors(document: Document) -> Iterator[Problem]:
    for role, key in _bound(document).items():
        written = _at(document, key).get("connector")
        if not isinstance(written, str) or written in connector_names(role):
            continue
        if role not in role_names():  # said already
            continue
        message = f"there is no connector `{written}`"
        if written in connectors():
            message = f"`{written}` is not a connector for `{role}`"
        remedy = choice(written, connector_names(role))
        yield document.problem((*key, "connector"), message, remedy)


def _one_connection(document: Document) -> Iterator[Problem]:
    """Yield systems with the same connection that a sync type would keep in step."""
    first: dict[str, RoleName] = {}
    for role, key in _bound(document).items():
        connection = _at(document, key).get("connection")
        if not isinstance(connection, str):
            continue
        known = first.setdefault(connection.strip(), role)
        if known != role and _work_together(known, role):
            message = f"`{connection}` is also the connection of `{known}`"
            remedy = "name a different connection"
            yield document.problem((*key, "connection"), message, remedy)


def _work_together(*roles: RoleName) -> bool:
    return any(
        not set(roles) - {role.name for role in sync.roles} for sync in sync_types().values()
    )


def _unbound_roles(document: Document) -> Iterator[Problem]:
    """Yield sync types that the account names and has not all the systems for."""
    bound = _bound(document)
    # What keeps nothing in step with another system does not count.
    syncs = [sync for sync in sync_types().values() if len(sync.roles) > 1]
    missing = [sync.unbound(bound) for sync in syncs]
    if all(missing):
        found = f"has `{'`, `'.join(bound)}` only" if bound else "has no system"
        # What most of those lack that use a system which is there.
        near = [roles for roles, sync in zip(missing, syncs, strict=True) if _uses(sync, bound)]
        (wanted, _), *_ = Counter(near or missing).most_common(1)
        remedy = " and ".join(map(how_to_bind, wanted))
        message = f"{found}, with which no sync type can run"
        yield document.problem((), message, remedy)
        return
    for place in (("schedules",), ("syncs",), ("guard", "sync_types")):
        for name, _ in _pairs(document, place):
            roles = sync_types()[name].unbound(bound) if name in sync_types() else ()
            if roles:
                message = f"needs `{'` and `'.join(roles)}`, which the account does not have"
                remedy = " and ".join(map(how_to_bind, roles)) + ", or remove this key"
                yield document.problem((*place, name), message, remedy)


def _runnable(document: Document) -> set[str] | None:
    """Return the sync types that the account can run; None while its systems are in question."""
    systems = {role: _at(document, key).get("connector") for role, key in _bound(document).items()}
    if any(name not in connectors() for name in systems.values()):
        return None
    able = {role: connectors()[str(name)].capabilities for role, name in systems.items()}
    return {name for name, sync in sync_types().items() if sync.is_met_by(able)}


def _uses(sync: SyncSpec, bound: Container[RoleName]) -> bool:
    return any(role.name in bound for role in sync.roles)


def _bound(document: Document) -> dict[RoleName, Key]:
    """Return the roles that the account has systems for, and where these are given."""
    short: dict[RoleName, Key] = {role: (role,) for role in SIDES if role in document.content}
    return {role: ("systems", role) for role, _ in _pairs(document, ("systems",))} | short


def _unknown(document: Document, key: Key, allowed: Iterable[str]) -> Iterator[Problem]:
    names = tuple(allowed)
    for name, _ in _pairs(document, key):
        if name not in names:
            yield document.problem((*key, name), "unknown sync type", choice(name, names))


def _lists_named_twice(document: Document) -> Iterator[Problem]:
    for side in SIDES:
        seen: dict[str, str] = {}
        for key, item in _pairs(document, ("lists",)):
            name = item.get(side) if isinstance(item, dict) else None
            if not isinstance(name, str):
                continue
            first = seen.setdefault(name.strip().casefold(), key)
            if first != key:
                message = f"`{name}` is already mapped by `{first}`"
                yield document.problem(("lists", key, side), message, "map each list once")


def _sync_settings(document: Document) -> Iterator[Problem]:
    """Yield what is wrong with the settings of single sync types."""
    with_settings = {sync.name: sync.settings for sync in sync_types().values() if sync.settings}
    for name, values in _pairs(document, ("syncs",)):
        key, model = ("syncs", name), with_settings.get(name)
        if model is None:
            message = "has no settings" if name in sync_types() else "unknown sync type"
            yield document.problem(key, message, choice(name, with_settings))
            continue
        try:
            model.model_validate(values)
        except ValidationError as error:
            yield from explain(error, model, document, (), place=key)


def _syncs_of_lists(document: Document) -> Iterator[Problem]:
    """Yield what a list names under `syncs` that is no sync type with a choice of lists."""
    allowed = [
        sync.name
        for sync in sync_types().values()
        if sync.scope is Scope.LISTS and not (sync.reads_consent or sync.verifies)
    ]
    for key, item in _pairs(document, ("lists",)):
        named = item.get("syncs") if isinstance(item, dict) else None
        for position, name in enumerate(named if isinstance(named, list) else []):
            if isinstance(name, str) and name not in allowed:
                place = ("lists", key, "syncs", str(position))
                yield document.problem(place, f"`{name}` is not allowed", choice(name, allowed))


def _double_opt_in(document: Document) -> Iterator[Problem]:
    """Yield where people are to be asked to confirm on a platform that cannot ask them."""
    key = _bound(document).get("marketing")
    connector = connectors().get(str(_at(document, key).get("connector"))) if key else None
    if connector is None or "AsksToConfirm" in connector.capabilities:
        return
    places = [("settings",), *(("lists", name) for name, _ in _pairs(document, ("lists",)))]
    for place in places:
        if _at(document, place).get("double_opt_in") is True:
            message = f"the connector for {connector.title} cannot ask people to confirm"
            remedy = "remove it, and set it up on the platform"
            yield document.problem((*place, "double_opt_in"), message, remedy)


def _started_by_events(document: Document) -> Iterator[Problem]:
    """Yield what an account has started by events that no event starts, or that it cannot run."""
    allowed = [sync.name for sync in sync_types().values() if sync.woken_by]
    able = _runnable(document)
    named = _at(document, ("events",)).get("sync_types")
    for position, name in enumerate(named if isinstance(named, list) else []):
        key = ("events", "sync_types", str(position))
        if isinstance(name, str) and name not in allowed:
            message = "no event starts it" if name in sync_types() else "unknown sync type"
            yield document.problem(key, f"`{name}`: {message}", choice(name, allowed))
        elif isinstance(name, str) and able is not None and name not in able:
            message = f"the account cannot run `{name}`"
            yield document.problem(key, message, "bind its systems, or remove it")


def _users(document: Document) -> Iterator[Problem]:
    """Yield users of systems that the account has not, and an owner who is no mapped user."""
    bound = _bound(document)
    for username, systems in _pairs(document, ("users",)):
        for role in systems if isinstance(systems, dict) else ():
            if role not in bound:
                key = ("users", username, str(role))
                message = "the account has no system in this role"
                yield document.problem(key, message, choice(str(role), bound))
    owner = _at(document, ("settings",)).get("record_owner")
    mapped = [username for username, _ in _pairs(document, ("users",))]
    if isinstance(owner, str) and owner not in mapped:
        message = f"`{owner}` is not among the account's `users`"
        remedy = choice(owner, mapped) if mapped else "map the user under `users`"
        yield document.problem(("settings", "record_owner"), message, remedy)


def _pairs(document: Document, key: Key) -> list[tuple[str, Any]]:
    return [(str(name), item) for name, item in _at(document, key).items()]


def _at(document: Document, key: Key) -> dict[Any, Any]:
    found: Any = document.content
    for part in key:
        found = found.get(part) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}
