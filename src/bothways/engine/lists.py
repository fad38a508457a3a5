"""Which list of each side is meant by an account's list keys, and making one that is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from sqlalchemy import Connection, Row

from bothways.config.account import Account, ListMapping, tagged_by
from bothways.connectors.base import Connector, HasLists, ListInfo, ReadsDynamicLists
from bothways.discovery import sync_types
from bothways.engine.run import Run
from bothways.errors import Rejected
from bothways.spec import SyncSpec
from bothways.store import lists as list_store
from bothways.store import runs
from bothways.store.db import advisory_lock
from bothways.syncs.base import KnownList
from bothways.tables.ledgers import ListPair
from bothways.vocabulary import SIDES, RoleName, RunStatus, other

_PEOPLE = ("contact", "lead")


def resolve(run: Run, side: RoleName, connector: Connector) -> dict[str, KnownList]:
    """Return the run's lists on one side, by key.

    Each run asks the vendor, since the members of a deleted list would look as if they had left it.
    A list that is missing but may be created has an empty id. A list that cannot be synced is left
    out, and the audit says why.
    """
    keys = run.list_keys()
    if not keys:
        return {}
    offered = _offered(connector)
    found: dict[str, KnownList] = {}
    with run.store.begin() as conn:
        stored = list_store.resolved(conn, **run.place(side))
        for key in keys:
            mapped, of = run.account.pairs[key], tagged_by(key)
            if of and of not in found:
                continue  # what is said of the list holds for its tag
            info = find(mapped.name(side), offered)
            if info is None and (info := _renamed(stored.get(key), mapped.name(side), offered)):
                told = f"`{mapped.name(side)}` is called `{info.name}` now; write that in its file."
                runs.note(conn, run_id=run.run_id, sentence=f"list {key}: {told}")
            problem = (
                _lost(stored.get(key), mapped.name(side), info)
                or obstacle(side, mapped, info, offered)
                or _of_dynamic(run, side, connector, mapped, info)
                or (_elsewhere(mapped.name(side), info, found[of]) if of else None)
            )
            if problem:
                refuse(conn, run, key, absent(side, problem) if info is None else problem)
                continue
            known = _known(key, mapped, side, info)
            found[key] = replace(known, scope=found[of].scope) if of else known
            _remember(conn, run.account, side, found[key])
    return found


def remembered(
    conn: Connection, account: Account, sync: SyncSpec, side: RoleName
) -> dict[str, KnownList]:
    """Return a sync type's lists on one side, by key, without asking the vendor.

    A list that no run has found yet has an empty id, as one that is missing; each counts as static.
    """
    stored = list_store.resolved(conn, account=account.name, side=side)
    found = {key: _known(key, item, side, None) for key, item in account.lists_of(sync).items()}
    return {
        key: replace(item, id=row.list_id, entity=row.entity, scope=row.scope)
        if (row := stored.get(key))
        else item
        for key, item in found.items()
    }


def _elsewhere(name: str, info: ListInfo | None, of: KnownList) -> str | None:
    """Return why a list cannot be the tag of another one; None where it can."""
    if info is None or info.scope == of.scope:
        return None
    return f"`{name}` is in another audience than `{of.name}`; name a tag of the same audience."


def vanished(connector: Connector, known: Sequence[KnownList]) -> list[KnownList]:
    """Return those of the lists that no longer exist."""
    existing = {info.id for info in _offered(connector)}
    return [item for item in known if item.id and item.id not in existing]


def absent(side: RoleName, sentence: str) -> str:
    """Return what the audit says of a list that a side does not have.

    Of a CRM's it begins in words by which people who have used other connectors look for it.
    """
    return f"CrmMarketingList is null. Sync aborted: {sentence}" if side == "crm" else sentence


def refuse(conn: Connection, run: Run, key: str, message: str) -> None:
    """Record in the audit why a list is not synced; the run's other lists go on."""
    runs.set_list(
        conn,
        run_id=run.run_id,
        list_key=key,
        name=run.account.list_title(key),
        status=RunStatus.FAILED,
        message=message,
    )


def ensure(run: Run, side: RoleName, connector: Connector, key: str) -> str:
    """Return the id of a list on one side, creating the list where it is missing.

    Two chunks that need the same missing list create it once: the second finds the first's.

    Raises:
        ConnectorError: The vendor refused or failed, or the list is gone and may not be created.
    """
    with run.store.begin() as conn:
        advisory_lock(conn, "list", run.account.name, side, key)
        known = ids(conn, run, side).get(key)
        if known:
            return known
        mapped = run.account.pairs[key]
        offered = _offered(connector)
        info = find(mapped.name(side), offered)
        problem = obstacle(side, mapped, info, offered)
        problem = problem or _of_dynamic(run, side, connector, mapped, info)
        if problem:
            raise Rejected(problem, vendor=connector.declaration.title)
        info = info or _create(connector, side, mapped)
        _remember(conn, run.account, side, _known(key, mapped, side, info))
        return info.id


def pairs(conn: Connection, run: Run) -> dict[str, ListPair]:
    """Return the ids on both sides, by key, of the run's lists that exist on both.

    These are the lists as planned, and those that the run has created since.
    """
    crm, marketing = (ids(conn, run, side) for side in SIDES)
    return {key: ListPair(crm[key], marketing[key]) for key in crm.keys() & marketing.keys()}


def ids(conn: Connection, run: Run, side: RoleName) -> dict[str, str]:
    """Return the ids of the run's lists on one side, by key, of those that it has."""
    made = list_store.resolved(conn, **run.place(side))
    staged = {item["key"]: item["id"] for item in run.staging.read_json(side, "lists.json") or []}
    found = {
        key: id_ or (str(made[key].list_id) if key in made else "") for key, id_ in staged.items()
    }
    return {key: id_ for key, id_ in found.items() if id_}


def people(run: Run, side: RoleName) -> int:
    """Return how many people a side has at least: those on the longest list of each audience."""
    sizes: dict[str, int] = {}
    for item in run.staging.read_json(side, "lists.json") or []:
        known = KnownList(**item)
        sizes[known.scope] = max(known.size or 0, sizes.get(known.scope, 0))
    return sum(sizes.values())


def _create(connector: Connector, side: RoleName, mapped: ListMapping) -> ListInfo:
    entity = mapped.entity if side == "crm" else None
    return cast(HasLists, connector).create_list(mapped.name(side), entity)


def _remember(conn: Connection, account: Account, side: RoleName, known: KnownList) -> None:
    list_store.resolve(
        conn,
        account=account.name,
        side=side,
        list_key=known.key,
        list_id=known.id,
        name=known.name,
        entity=known.entity,
        scope=known.scope,
    )


def _renamed(known: Row[Any] | None, name: str, offered: Sequence[ListInfo]) -> ListInfo | None:
    """Find the list that an earlier run knew under a name that no list has any more."""
    if known is None or known.name != name:
        return None
    return next((info for info in offered if info.id == known.list_id), None)


def _lost(known: Row[Any] | None, name: str, info: ListInfo | None) -> str | None:
    """Return why a list that has disappeared is refused: nothing recreates it unasked."""
    if info is not None or known is None or known.name != name or not known.list_id:
        return None
    return (
        f"`{name}` is gone: no list has its id or name any more. Create one with that name, or "
        "remove it from the account's file."
    )


def _offered(connector: Connector) -> list[ListInfo]:
    return cast(HasLists, connector).lists()


def find(name: str, offered: Sequence[ListInfo]) -> ListInfo | None:
    """Find a list by id, else by name whatever its case."""
    return next(iter(_meant(name, offered)), None)


def _meant(name: str, offered: Sequence[ListInfo]) -> list[ListInfo]:
    by_id = [info for info in offered if info.id.casefold() == name.casefold()]
    return by_id or [info for info in offered if info.name.casefold() == name.casefold()]


def obstacle(
    side: RoleName, mapped: ListMapping, info: ListInfo | None, offered: Sequence[ListInfo]
) -> str | None:
    """Return why a mapped list cannot be synced by any sync type, None where it can."""
    name = mapped.name(side)
    if (number := len(_meant(name, offered))) > 1:
        return f"{number} lists are called `{name}`; map the right one by its id."
    if info is None:
        if mapped.create_missing:
            return None
        return f"There is no list `{name}`; create it there or set `create_missing: true`."
    held = f"{info.entity}s" if info.entity else "no people"
    obstacles = {
        f"`{name}` holds {held}; only a list of contacts or leads can be synced.": (
            side == "crm" and info.entity not in _PEOPLE
        ),
        f"`{name}` is a list of the vendor's own; map one that can be changed.": (
            info.static and not info.writable
        ),
        f"`{name}` is locked; unlock it to sync it.": info.locked,
        f"`{name}` is inactive; activate it to sync it.": not info.active,
    }
    return next((sentence for sentence, holds in obstacles.items() if holds), None)


def dynamic_obstacle(
    sync: SyncSpec, side: RoleName, name: str, systems: Mapping[RoleName, str]
) -> str | None:
    """Return why a sync type cannot work with a dynamic list of a side, None where it can.

    Args:
        sync: The sync type.
        side: Whose list it is.
        name: What people call it.
        systems: What people call the account's systems.
    """
    if side in sync.dynamic_lists:
        return None
    here, there = systems[side], systems[other(side)]
    able = [spec for spec in sync_types().values() if side in spec.dynamic_lists]
    able = [spec for spec in able if not (spec.reads_consent or spec.verifies)]
    remedy = "map a static list"
    if able:
        remedy += f", or set `syncs: [{able[0].name}]` to bring its members to {there} one way"
    return f"`{name}` is dynamic: nobody can be put on it in {here}; {remedy}."


def _of_dynamic(
    run: Run, side: RoleName, connector: Connector, mapped: ListMapping, info: ListInfo | None
) -> str | None:
    if info is None or info.static:
        return None
    name = mapped.name(side)
    if problem := dynamic_obstacle(run.sync, side, name, run.systems):
        return problem
    if side == "crm" and not isinstance(connector, ReadsDynamicLists):
        return f"`{name}` is dynamic, and {run.systems[side]} does not tell who is on it."
    return None


def _known(key: str, mapped: ListMapping, side: RoleName, info: ListInfo | None) -> KnownList:
    if info is None:
        return KnownList(key, "", mapped.name(side), mapped.entity if side == "crm" else None)
    name, scope = mapped.name(side), (info.scope, info.scope_name)
    told: dict[str, Any] = {"size": info.size, "asks_to_confirm": info.asks_to_confirm}
    return KnownList(key, info.id, name, info.entity, *scope, static=info.static, **told)
